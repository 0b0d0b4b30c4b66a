//! The gallery given to whoever keeps it over a restart, and taken from there.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Identities, Positions};
use fingerprint::Gallery;
use fingerprint::identify::GalleryParams;
use fingerprint::params::PERSON_THRESHOLD;

impl Identities {
    /// What a gallery that is taken over must have been made with.
    pub fn gallery_params(&self) -> GalleryParams {
        GalleryParams { expected_people: self.room, threshold: PERSON_THRESHOLD }
    }

    /// The position in the change log up to which the gallery holds everybody who was looked at, and what
    /// writes the gallery. The bytes are biometric data: whoever writes them to a disk encrypts them.
    pub fn gallery_writer(&self) -> (i64, impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + use<>) {
        let gallery = Arc::clone(&self.gallery);
        let write = move |mut out: &mut dyn Write| {
            gallery.read().unwrap_or_else(PoisonError::into_inner).write_snapshot(&mut out)
        };
        (self.at.fingers, write)
    }

    /// Takes over a gallery that holds everybody who was looked at up to this position in the change log.
    pub fn adopt_gallery(&mut self, gallery: Gallery, position: i64) {
        self.gallery = Arc::new(RwLock::new(gallery));
        self.at = Positions { fingers: position, ..self.at };
    }
}
