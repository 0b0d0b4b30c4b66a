//! What the pages need from outside: the database, clocks, randomness, and whoever answers with keys that
//! this crate must not reach.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{CryptoRng, Rng};
use time::{Date, OffsetDateTime};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::failures::Failures;
use crate::kept::Kept;
use crate::looked::Quota;
use crate::throttle::Throttle;
use domain::Clock;
use domain::clock::SystemClock;
use domain::unit::Units;
use enrol::desks::{KitDesk, PhotoSource};
use report::Overview;
use store::Database;

/// How the listener is reached.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Browsers speak TLS to this process, or to the proxy before it: cookies are `Secure` and get the
    /// `__Host-` prefix, and HSTS is sent.
    pub https: bool,
    /// The peers whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
    /// Kits must show a certificate of their authority, whose common name is the kit's id.
    pub kits_show_certificates: bool,
    /// A demonstration: its kits are simulated on this machine, and what is refused of them slows nobody
    /// down.
    pub kits_are_here: bool,
    /// The people do not exist: drawn cards are marked as specimens.
    pub specimen: bool,
    /// How many people an account is shown in a day.
    pub quota: Quota,
}

impl Settings {
    /// Whether this is the address of a proxy that is believed.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.to_canonical() == address.to_canonical())
    }
}

/// Everything the handlers share. Cloning is cheap.
#[derive(Clone)]
pub struct AppState {
    /// By the connections that are kept for pages.
    pub db: Database,
    /// Real time: sessions, throttling, audit.
    pub clock: Arc<dyn Clock>,
    /// The campaign's time, which is what "today" means on the pages. A demonstration's campaign runs in
    /// another year.
    pub campaign: Arc<dyn Clock>,
    pub photos: Arc<dyn PhotoSource>,
    pub kits: Arc<dyn KitDesk>,
    pub settings: Arc<Settings>,
    entropy: Arc<Mutex<dyn CryptoRng + Send>>,
    pub(crate) guesses: Arc<Throttle>,
    /// Failed sign-ins that the audit trail is told of.
    pub(crate) failures: Arc<Failures>,
    /// How units stand, by path and day.
    pub(crate) overviews: Arc<Kept<(String, Date), Arc<Standing>>>,
    /// Argon2 takes 19 MiB and a core for each password: more at once would let a guesser exhaust the
    /// machine, and on all cores at once those who are signed in would wait for those who come.
    pub(crate) hashing: Arc<Semaphore>,
}

/// The parts of an [`AppState`].
pub struct Parts {
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    pub campaign: Arc<dyn Clock>,
    pub photos: Arc<dyn PhotoSource>,
    pub kits: Arc<dyn KitDesk>,
    pub settings: Settings,
    /// For session tokens: a cryptographic generator seeded by the system.
    pub entropy: Arc<Mutex<dyn CryptoRng + Send>>,
}

/// How a unit stood when it was counted.
pub(crate) struct Standing {
    pub overview: Overview,
    /// By the machine's clock.
    pub counted: OffsetDateTime,
}

impl AppState {
    /// The state of a running installation: the machine's clock and generator.
    pub fn of_installation(
        db: Database,
        campaign: Arc<dyn Clock>,
        photos: Arc<dyn PhotoSource>,
        kits: Arc<dyn KitDesk>,
        settings: Settings,
    ) -> AppState {
        let entropy: StdRng = rand::make_rng();
        AppState::new(Parts {
            db,
            clock: Arc::new(SystemClock),
            campaign,
            photos,
            kits,
            settings,
            entropy: Arc::new(Mutex::new(entropy)),
        })
    }

    /// The state of a server from its parts, for tests that set clock and randomness.
    pub fn new(parts: Parts) -> AppState {
        AppState {
            db: parts.db.for_pages(),
            clock: parts.clock,
            campaign: parts.campaign,
            photos: parts.photos,
            kits: parts.kits,
            settings: Arc::new(parts.settings),
            entropy: parts.entropy,
            guesses: Arc::new(Throttle::default()),
            failures: Arc::default(),
            overviews: Arc::default(),
            hashing: Arc::new(Semaphore::new(
                std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            )),
        }
    }

    /// The units by which this installation works.
    pub(crate) fn units(&self) -> Units<'static> {
        Units::latest()
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
