//! What the pages need from outside: the database, clocks, randomness, and the parts that the binary injects because
//! they hold keys or rules that this crate must not link.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use domain::Clock;
use domain::id::{AccountId, ApplicationId, CaseId, PersonId};
use domain::unit::UnitTable;
use rand::{CryptoRng, Rng};
use store::Database;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::throttle::Throttle;

/// The photo of an application. It lies encrypted and its key is wrapped by the HSM, which `web` must not link.
pub trait PhotoSource: Send + Sync {
    /// A JPEG, or `None` when there is none or it cannot be opened now. Called only for applications that the
    /// reader's scope let through.
    fn photo(&self, id: ApplicationId) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + '_>>;
}

/// The rules and the writing of an adjudicator's decision (crate `resolve`).
pub trait CaseDesk: Send + Sync {
    /// Decides a case, or confirms what a colleague decided. Repeating a command answers as the first time.
    fn decide(
        &self,
        decision: CaseDecision,
    ) -> Pin<Box<dyn Future<Output = Result<CaseOutcome, CaseRefusal>> + Send + '_>>;
}

/// What an adjudicator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseDecision {
    pub case_id: CaseId,
    pub decision: Decision,
    /// With [`Decision::Link`], the register's record.
    pub person: Option<PersonId>,
    /// The adjudicator; the one who confirms must be another.
    pub account: AccountId,
    /// Why, in the adjudicator's words; may be empty for a confirmation.
    pub note: String,
    /// Made when the form was drawn: the same form sent twice is one command.
    pub command: Uuid,
}

/// The decisions of `case_file.decision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    SamePerson,
    DifferentPeople,
    Link,
    Reject,
}

impl Decision {
    pub const ALL: [Decision; 4] =
        [Decision::SamePerson, Decision::DifferentPeople, Decision::Link, Decision::Reject];

    pub const fn code(self) -> &'static str {
        match self {
            Decision::SamePerson => "same_person",
            Decision::DifferentPeople => "different_people",
            Decision::Link => "link",
            Decision::Reject => "reject",
        }
    }

    pub fn from_code(code: &str) -> Option<Decision> {
        Self::ALL.into_iter().find(|decision| decision.code() == code)
    }
}

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseOutcome {
    /// Recorded; a second adjudicator must confirm it.
    AwaitsConfirmation,
    /// Confirmed and carried out.
    Closed,
}

/// Why a decision was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaseRefusal {
    #[error("the same adjudicator cannot confirm their own decision")]
    SameEyes,
    #[error("the case was closed before")]
    AlreadyClosed,
    #[error("this decision does not fit this kind of case")]
    DoesNotFit,
    #[error("a colleague decided otherwise; the case must be read again")]
    Contradicts,
    #[error("the decision could not be written now")]
    Unavailable,
}

/// The kits' end of the line (crate `enrol`): raw bytes in, raw bytes out. Every message is signed by the kit and every
/// answer by the centre, so that the HTTP layer adds limits and nothing else.
pub trait KitDesk: Send + Sync {
    /// Takes a batch of sealed packets (`packet::wire`).
    fn packets(&self, body: Vec<u8>) -> Pin<Box<dyn Future<Output = KitAnswer> + Send + '_>>;
    /// Takes a signed end-of-day report.
    fn day_report(&self, body: Vec<u8>) -> Pin<Box<dyn Future<Output = KitAnswer> + Send + '_>>;
}

/// An answer to a kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitAnswer {
    /// HTTP status: 200 with a signed receipt, 400 with a sentence, 503 with nothing: the kit tries again later.
    pub status: u16,
    pub body: Vec<u8>,
    /// How many messages in the body had to be refused, for slowing down who sends such.
    pub refused: u32,
}

/// How the listener is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Behind TLS: cookies are `Secure` and get the `__Host-` prefix, and HSTS is sent.
    pub https: bool,
    /// Behind one trusted proxy: the client's address is the last one of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// The people do not exist: drawn cards are marked as specimens.
    pub specimen: bool,
}

/// Everything the handlers share. Cloning is cheap.
#[derive(Clone)]
pub struct AppState {
    pub db: Database,
    /// Real time: sessions, throttling, audit.
    pub clock: Arc<dyn Clock>,
    /// The campaign's time, which is what "today" means on the pages. A demonstration's campaign runs in another year.
    pub campaign: Arc<dyn Clock>,
    pub units: &'static UnitTable,
    pub photos: Arc<dyn PhotoSource>,
    pub cases: Arc<dyn CaseDesk>,
    pub kits: Arc<dyn KitDesk>,
    pub settings: Settings,
    entropy: Arc<Mutex<dyn CryptoRng + Send>>,
    pub(crate) guesses: Arc<Throttle>,
    /// Argon2 takes 19 MiB and a core for each password: more at once would let a guesser exhaust the machine.
    pub(crate) hashing: Arc<Semaphore>,
}

/// The parts of an [`AppState`].
pub struct Parts {
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    pub campaign: Arc<dyn Clock>,
    pub units: &'static UnitTable,
    pub photos: Arc<dyn PhotoSource>,
    pub cases: Arc<dyn CaseDesk>,
    pub kits: Arc<dyn KitDesk>,
    pub settings: Settings,
    /// For session tokens: a cryptographic generator seeded by the system.
    pub entropy: Arc<Mutex<dyn CryptoRng + Send>>,
}

impl AppState {
    pub fn new(parts: Parts) -> AppState {
        AppState {
            db: parts.db,
            clock: parts.clock,
            campaign: parts.campaign,
            units: parts.units,
            photos: parts.photos,
            cases: parts.cases,
            kits: parts.kits,
            settings: parts.settings,
            entropy: parts.entropy,
            guesses: Arc::new(Throttle::default()),
            hashing: Arc::new(Semaphore::new(4)),
        }
    }

    /// 256 random bits.
    pub(crate) fn random_32(&self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        // A panic while drawing cannot leave the generator in a state that repeats itself.
        let mut entropy = self.entropy.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        entropy.fill_bytes(&mut bytes);
        bytes
    }

    /// A random id for a command that a form will carry.
    pub(crate) fn random_id(&self) -> Uuid {
        let random = self.random_32();
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&random[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
