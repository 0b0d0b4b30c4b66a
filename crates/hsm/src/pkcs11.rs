//! Keys in a hardware module, over PKCS#11 (OASIS PKCS #11 v2.40 and v3).
//!
//! A token is used by a few worker threads with a session each. The caller waits for a bounded time. What
//! failed before the token was asked to sign, or what the token says it did not do, is tried again a few
//! times. When it is not known whether the token signed, nothing is tried again: a second signature under a
//! serial number that was perhaps used must not exist.

mod fault;
mod pool;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as CkError, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};
use zeroize::Zeroizing;

use crate::{HsmError, file::read_private};
use pki::{ParameterForm, PublicKey, SignError, SignatureAlgorithm, Signer};
use pool::Pool;

/// A token's user PIN. It comes from a file or the environment and is never shown.
#[derive(Clone)]
pub struct Pin(AuthPin);

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(redacted)")
    }
}

impl Pin {
    /// The first line of a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Pin, HsmError> {
        let bytes = read_private(path, 256)?;
        let line = bytes.split(|&b| b == b'\n' || b == b'\r').next().unwrap_or_default();
        let text = std::str::from_utf8(line)
            .map_err(|_| HsmError::Pin(format!("{} is not UTF-8 text", path.display())))?;
        Self::new(text, &path.display().to_string())
    }

    /// The value of an environment variable.
    pub fn from_environment(variable: &str) -> Result<Pin, HsmError> {
        let text = std::env::var(variable)
            .map_err(|_| HsmError::Pin(format!("the environment variable {variable} is not set")))?;
        Self::new(&Zeroizing::new(text), variable)
    }

    fn new(text: &str, source: &str) -> Result<Pin, HsmError> {
        if text.is_empty() {
            return Err(HsmError::Pin(format!("{source} is empty")));
        }
        Ok(Pin(AuthPin::new(text.to_owned().into())))
    }
}

/// Where a token is and how long it may take.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The module, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    pub pin: Pin,
    /// Sessions to work with at most, each in a thread of its own.
    pub sessions: usize,
    /// How long a signature may take in all, waiting and repetitions included.
    pub timeout: Duration,
    /// How often a signature is tried when the token says that it did not make it.
    pub attempts: u32,
}

impl TokenConfig {
    /// Four sessions, ten seconds, three attempts.
    pub fn new(module: PathBuf, token: &str, pin: Pin) -> TokenConfig {
        let (sessions, timeout, attempts) = (4, Duration::from_secs(10), 3);
        TokenConfig { module, token: token.to_owned(), pin, sessions, timeout, attempts }
    }
}

/// An open token. Cloning shares it; its threads end with the last clone and signer.
#[derive(Clone)]
pub struct Token(Arc<Shared>);

struct Shared {
    config: TokenConfig,
    door: Door,
    pool: Pool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.0.config.token).finish()
    }
}

/// How a session on the token is opened.
#[derive(Clone)]
struct Door {
    library: Pkcs11,
    token: String,
    pin: Pin,
}

impl Token {
    /// Loads the module, finds the token by its label and logs in once, so that a wrong PIN shows at once.
    pub fn open(config: TokenConfig) -> Result<Token, HsmError> {
        let module = |problem: CkError| HsmError::Module {
            module: config.module.clone(),
            problem: fault::describe(&problem),
        };
        let library = Pkcs11::new(&config.module).map_err(module)?;
        initialise(&library).map_err(module)?;
        let door = Door { library, token: config.token.clone(), pin: config.pin.clone() };
        if door.slot().map_err(module)?.is_none() {
            return Err(HsmError::NoToken { module: config.module.clone(), token: config.token.clone() });
        }
        let token = Token(Arc::new(Shared { pool: Pool::start(&config, &door), door, config }));
        drop(token.session()?);
        Ok(token)
    }

    /// Makes a key pair in the token: the private key cannot be read or taken out.
    pub fn generate(&self, label: &str, algorithm: SignatureAlgorithm) -> Result<Pkcs11Signer, HsmError> {
        if self.find(label)?.is_some() {
            return Err(HsmError::KeyExists { token: self.0.config.token.clone(), label: label.to_owned() });
        }
        let inside = calling();
        let session = self.session()?;
        let (name, id) = (label.as_bytes().to_vec(), label.as_bytes().to_vec());
        let public = [
            Attribute::Token(true),
            Attribute::Verify(true),
            Attribute::Label(name.clone()),
            Attribute::Id(id.clone()),
            Attribute::EcParams(algorithm.curve().parameters(ParameterForm::Named)),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Label(name),
            Attribute::Id(id),
        ];
        session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .map_err(|e| self.failed(&e))?;
        drop(session);
        drop(inside);
        self.signer(label)
    }

    /// The key of this label, which must be there.
    pub fn signer(&self, label: &str) -> Result<Pkcs11Signer, HsmError> {
        self.find(label)?.ok_or_else(|| HsmError::Token {
            token: self.0.config.token.clone(),
            problem: format!("it has no key pair labelled \"{label}\""),
        })
    }

    /// The key of this label, if there is one. Two keys of one label are an error: which of them signs must
    /// be plain.
    pub fn find(&self, label: &str) -> Result<Option<Pkcs11Signer>, HsmError> {
        let _inside = calling();
        let session = self.session()?;
        let private = self.objects(&session, ObjectClass::PRIVATE_KEY, label)?;
        let public = self.objects(&session, ObjectClass::PUBLIC_KEY, label)?;
        let problem = |problem: String| HsmError::Token { token: self.0.config.token.clone(), problem };
        let key = match (private.len(), public.as_slice()) {
            (0, []) => return Ok(None),
            (1, [key]) => *key,
            _ => return Err(problem(format!("label \"{label}\" does not name exactly one key pair"))),
        };
        let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
        let attributes = session.get_attributes(key, &wanted).map_err(|e| self.failed(&e))?;
        let (mut parameters, mut point) = (Vec::new(), Vec::new());
        for attribute in attributes {
            match attribute {
                Attribute::EcParams(bytes) => parameters = bytes,
                Attribute::EcPoint(bytes) => point = bytes,
                _ => {}
            }
        }
        let known = SignatureAlgorithm::ALL.into_iter().find(|algorithm| {
            [ParameterForm::Named, ParameterForm::Explicit]
                .iter()
                .any(|&form| algorithm.curve().parameters(form) == parameters)
        });
        let Some(algorithm) = known else {
            return Err(problem(format!("key \"{label}\" is on a curve that is not used here")));
        };
        // PKCS #11 v2.40 §2.3.3: CKA_EC_POINT is the point inside an OCTET STRING. Some tokens leave the
        // string out.
        let length = 1 + 2 * algorithm.curve().field_len();
        if point.len() < length {
            return Err(problem(format!("the public key \"{label}\" is not a whole point")));
        }
        let point = point.split_off(point.len() - length);
        let key = PublicKey::Ec { curve: algorithm.curve(), point };
        key.check().map_err(|_| problem(format!("the public key \"{label}\" is no point of its curve")))?;
        Ok(Some(Pkcs11Signer {
            token: self.clone(),
            label: Arc::from(label),
            algorithm,
            public_key: key.to_spki(ParameterForm::Named),
        }))
    }

    fn objects(
        &self,
        session: &Session,
        class: ObjectClass,
        label: &str,
    ) -> Result<Vec<ObjectHandle>, HsmError> {
        objects(session, class, label).map_err(|error| self.failed(&error))
    }

    fn session(&self) -> Result<Session, HsmError> {
        self.0.door.session(true).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &CkError) -> HsmError {
        HsmError::Token { token: self.0.config.token.clone(), problem: fault::describe(error) }
    }
}

/// Held for reading while a module is called, for writing while it is ended and begun again: a module must
/// not be ended under somebody's call (PKCS #11 v2.40, C_Finalize), and it is one for the whole process.
static MODULE: RwLock<()> = RwLock::new(());

fn calling() -> RwLockReadGuard<'static, ()> {
    MODULE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A module is initialised once in a process, whoever came first.
fn initialise(library: &Pkcs11) -> Result<(), CkError> {
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(CkError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

impl Door {
    /// Ends the module and begins it again, as some need before they see a token that has come back. While
    /// others are inside the module it does nothing; the next attempt may.
    fn restart(&self) {
        if let Ok(_alone) = MODULE.try_write() {
            // It may have ended already, and what is wrong with it shows when a session is opened.
            let _ = self.library.clone().finalize();
            let _ = initialise(&self.library);
        }
    }

    fn slot(&self) -> Result<Option<Slot>, CkError> {
        for slot in self.library.get_slots_with_token()? {
            let info = self.library.get_token_info(slot)?;
            if info.token_initialized() && info.label().trim_end() == self.token {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// A session for signing.
    fn session_inside(&self) -> Result<Session, CkError> {
        let _inside = calling();
        self.session(false)
    }

    fn session(&self, writing: bool) -> Result<Session, CkError> {
        let slot = self
            .slot()?
            .ok_or(CkError::Pkcs11(RvError::TokenNotPresent, cryptoki::context::Function::GetSlotList))?;
        let session =
            if writing { self.library.open_rw_session(slot)? } else { self.library.open_ro_session(slot)? };
        match session.login(UserType::User, Some(&self.pin.0)) {
            // Logging in holds for all sessions of the process.
            Ok(()) | Err(CkError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(error),
        }
    }
}

fn objects(session: &Session, class: ObjectClass, label: &str) -> Result<Vec<ObjectHandle>, CkError> {
    session.find_objects(&[
        Attribute::Class(class),
        Attribute::KeyType(KeyType::EC),
        Attribute::Label(label.as_bytes().to_vec()),
    ])
}

/// A key pair in a token.
#[derive(Clone)]
pub struct Pkcs11Signer {
    token: Token,
    label: Arc<str>,
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

impl fmt::Debug for Pkcs11Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Signer({} in {:?})", self.label, self.token)
    }
}

impl Signer for Pkcs11Signer {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The hash is taken here and CKM_ECDSA signs it, which every token with elliptic curves offers.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let digest = self.algorithm.hash().hash(message);
        let raw = self.token.0.pool.sign(&self.label, digest)?;
        if raw.len() != 2 * self.algorithm.curve().field_len() {
            return Err(SignError::Refused(format!("the token gave {} bytes for a signature", raw.len())));
        }
        let (r, s) = raw.split_at(raw.len() / 2);
        Ok(signature_value(r, s))
    }
}

impl Pkcs11Signer {
    /// Signatures a second of the bare C_Sign in one session of the calling thread: what the token can do, to
    /// compare with what [`Signer::sign`] makes of it.
    pub fn raw_rate(&self, for_at_least: Duration) -> Result<f64, HsmError> {
        let _inside = calling();
        let session = self.token.session()?;
        let key = self.token.objects(&session, ObjectClass::PRIVATE_KEY, &self.label)?[0];
        let digest = self.algorithm.hash().hash(b"rate");
        let begun = std::time::Instant::now();
        let mut count = 0u32;
        while begun.elapsed() < for_at_least {
            session.sign(&Mechanism::Ecdsa, key, &digest).map_err(|error| self.token.failed(&error))?;
            count += 1;
        }
        Ok(f64::from(count) / begun.elapsed().as_secs_f64())
    }
}

/// ECDSA-Sig-Value (RFC 3279 §2.2.3) in DER; at most 104 bytes inside, so lengths have one byte.
fn signature_value(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|&b| b != 0).unwrap_or(number.len() - 1);
        let number = &number[start..];
        let pad = usize::from(number[0] & 0x80 != 0);
        let mut out = vec![0x02, (number.len() + pad) as u8];
        out.extend(std::iter::repeat_n(0, pad));
        out.extend_from_slice(number);
        out
    };
    let (r, s) = (integer(r), integer(s));
    let mut out = vec![0x30, (r.len() + s.len()) as u8];
    out.extend(r);
    out.extend(s);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_shortest_and_positive() {
        assert_eq!(signature_value(&[0, 0x80], &[0x7F, 1]), [0x30, 8, 2, 2, 0, 0x80, 2, 2, 0x7F, 1]);
        assert_eq!(signature_value(&[0, 0], &[0, 1]), [0x30, 6, 2, 1, 0, 2, 1, 1]);
    }

    #[test]
    fn a_pin_is_never_shown() {
        let pin = Pin::new("1234", "a test").unwrap();
        assert_eq!(format!("{pin:?}"), "Pin(redacted)");
        assert!(Pin::new("", "a test").is_err());
        assert!(Pin::from_environment("DANCU_NO_SUCH_VARIABLE").unwrap_err().to_string().contains("not set"));
    }
}
