//! In memory: everybody in the register, and the fingers of everybody who applied.

use std::sync::{Arc, PoisonError, RwLock};

use domain::id::{ApplicationId, PersonId};
use fingerprint::identify::GalleryParams;
use fingerprint::params::{MAX_PEOPLE, PERSON_THRESHOLD};
use fingerprint::{Gallery, Probe, Template};
use linkage::{Index, Params};
use store::cases::resolutions;
use store::register::matching;
use store::{Database, UnitScope};
use uuid::Uuid;

use crate::{Error, record};

/// People read at a time while the register is loaded.
const PAGE: u32 = 20_000;
/// Applications that a new gallery has room for at least.
const LEAST_ROOM: usize = 5_000;

/// The linkage index over the living register and the fingerprint gallery over applications that were looked at.
pub struct Identities {
    /// Shared with the threads that search; no lock is held between two calls.
    inner: Arc<RwLock<Inner>>,
}

pub(crate) struct Inner {
    pub index: Index,
    pub gallery: Gallery,
}

/// What is held, and in how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub people: usize,
    pub people_bytes: usize,
    pub applications: usize,
    pub applications_bytes: usize,
}

impl Identities {
    /// Reads the living people of `scope`. The gallery is empty: refill it with [`Identities::enrol`] from
    /// [`Identities::enrolled`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn load(db: &Database, scope: &UnitScope) -> Result<Identities, Error> {
        let index = load_index(db, scope, Params::default()).await?;
        let mut tx = db.begin().await?;
        let known = resolutions::looked_at(&mut tx).await?.len();
        // Nearly everybody in the register is going to apply, and a gallery that grows files everyone again.
        let room = LEAST_ROOM.max(known + known / 4).max(index.len()).min(MAX_PEOPLE);
        let gallery = Gallery::new(GalleryParams { expected_people: room, threshold: PERSON_THRESHOLD });
        Ok(Identities { inner: Arc::new(RwLock::new(Inner { index, gallery })) })
    }

    /// Puts an application's fingers into the gallery; says whether they are new there. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`fingerprint::Error::GalleryFull`].
    pub fn enrol(&mut self, application: ApplicationId, templates: &[Template]) -> Result<bool, Error> {
        let id = application.uuid().as_u128();
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.gallery.contains(id) {
            return Ok(false);
        }
        inner.gallery.insert(id, templates)?;
        Ok(true)
    }

    /// Applications whose fingers must be in the gallery, in the order of capture: all that were looked at. Those in a
    /// case or rejected are among them, so that a third attempt is caught too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enrolled(db: &Database) -> Result<Vec<ApplicationId>, Error> {
        let mut tx = db.begin().await?;
        Ok(resolutions::looked_at(&mut tx).await?)
    }

    /// Reads these people again: after a merge, a split or a correction.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refresh(&mut self, db: &Database, people: &[PersonId]) -> Result<(), Error> {
        let mut tx = db.begin().await?;
        let living = matching::people(&mut tx, people).await?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for person in people {
            inner.index.remove(person.uuid().as_u128());
        }
        for row in &living {
            inner.index.insert(record::of_row(row));
        }
        Ok(())
    }

    pub fn memory(&self) -> Memory {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        Memory {
            people: inner.index.len(),
            people_bytes: inner.index.memory_bytes(),
            applications: inner.gallery.len(),
            applications_bytes: inner.gallery.memory_bytes(),
        }
    }

    pub(crate) fn share(&self) -> Arc<RwLock<Inner>> {
        Arc::clone(&self.inner)
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({:?}, redacted)", self.memory())
    }
}

pub(crate) fn enrol_probe(
    inner: &mut Inner,
    application: ApplicationId,
    probe: &Probe,
) -> Result<bool, Error> {
    let id = application.uuid().as_u128();
    if inner.gallery.contains(id) {
        return Ok(false);
    }
    inner.gallery.insert_probe(id, probe)?;
    Ok(true)
}

/// The index of the living people of `scope`, read page by page so that their text is never held as a whole.
pub(crate) async fn load_index(db: &Database, scope: &UnitScope, params: Params) -> Result<Index, Error> {
    let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<matching::PersonRow>>(2);
    let building = tokio::task::spawn_blocking(move || {
        let pages = std::iter::from_fn(|| receive.blocking_recv());
        Index::build_with(params, pages.flatten().map(|row| record::of_row(&row)))
    });
    let mut tx = db.begin().await?;
    let mut after = Uuid::nil();
    loop {
        let page = matching::living_people(&mut tx, scope, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.person_id;
        if send.send(page).await.is_err() {
            break;
        }
    }
    drop(send);
    building.await.map_err(|e| Error::Search(e.to_string()))
}
