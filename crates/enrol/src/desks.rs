//! What whoever holds the keys answers for whoever does not: the pages and the HTTP door ask, the centre
//! answers. Both sides see these traits and neither links the other.

use std::future::Future;
use std::pin::Pin;

use domain::id::ApplicationId;
pub use packet::desk::Page;

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who wants to see a photo, and why. Whoever holds the keys believes none of it without asking the database.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// The token of the session in which it is asked.
    pub session: &'a str,
    /// The page that shows it.
    pub page: Page,
}

/// What became of a wish to see a photo.
#[derive(Clone, PartialEq, Eq)]
pub enum Photo {
    /// A JPEG.
    Shown(Vec<u8>),
    /// There is none, it cannot be opened, or the asker may not see it.
    NotShown,
    /// Whoever holds the keys does not answer now.
    Away,
}

/// The photo of an application. It lies encrypted, and its key is wrapped by a key that the pages must not
/// reach.
pub trait PhotoSource: Send + Sync {
    /// The photo, for a session that is alive and whose account may see the application. Every answer leaves
    /// a row of the audit trail.
    fn photo<'a>(&'a self, asker: Asker<'a>, id: ApplicationId) -> Answer<'a, Photo>;
}

/// The kits' end of the line: raw bytes in, raw bytes out. Every message is signed by the kit and every
/// answer by the centre, so that the HTTP layer adds limits and nothing else.
pub trait KitDesk: Send + Sync {
    /// Takes a batch of sealed packets ([`crate::wire`]).
    fn packets(&self, body: Vec<u8>) -> Answer<'_, KitAnswer>;
    /// Takes a signed end-of-day report.
    fn day_report(&self, body: Vec<u8>) -> Answer<'_, KitAnswer>;
    /// Takes a signed question what the centre has of the kit's packets.
    fn status(&self, body: Vec<u8>) -> Answer<'_, KitAnswer>;
}

/// An answer to a kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitAnswer {
    /// HTTP status: 200 with a signed receipt, 400 with a sentence, 503 with nothing: the kit tries again
    /// later.
    pub status: u16,
    /// The signed receipt, or the sentence.
    pub body: Vec<u8>,
    /// How many messages in the body had to be refused, for slowing down who sends such.
    pub refused: u32,
}
