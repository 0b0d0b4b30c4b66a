//! The keys that packets, receipts and day reports are made with, as seen from here: a public point,
//! something that signs ([`pki::Signer`]), something that agrees on a secret, something that wraps a key.
//!
//! The private halves stay where they are kept, so each use is a call through a trait. Whoever opens the key
//! store implements the traits for what it finds there.

use std::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use aes_kw::{KeyInit, KwAes256};
use aws_lc_rs::agreement;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use p256::ecdsa::Signature;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// What went wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("not a P-256 public key: expected the 65 bytes of an uncompressed point on the curve")]
    NotAPoint,
    #[error("the wrapped key was made by another key-encryption key, or for something else, or was altered")]
    WrongWrappingKey,
    #[error("the key store did not answer: {0}")]
    Unavailable(String),
}

/// A P-256 public key: of a kit, or one of the centre's.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(p256::PublicKey);

impl PublicKey {
    /// Reads an uncompressed point (SEC 1 §2.3.4), 65 bytes, as the table `kit` holds it.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`].
    pub fn from_point(point: &[u8]) -> Result<Self, KeyError> {
        if point.len() != 65 {
            return Err(KeyError::NotAPoint);
        }
        p256::PublicKey::from_sec1_bytes(point).map(Self).map_err(|_| KeyError::NotAPoint)
    }

    /// Reads a SubjectPublicKeyInfo, as [`pki::Signer::public_key`] gives it.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        p256::PublicKey::from_public_key_der(der).map(Self).map_err(|_| KeyError::NotAPoint)
    }

    /// Reads a SubjectPublicKeyInfo in PEM (RFC 7468 §13), as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        p256::PublicKey::from_public_key_pem(pem.trim()).map(Self).map_err(|_| KeyError::NotAPoint)
    }

    /// The inverse of [`PublicKey::from_pem`].
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a P-256 key has a SubjectPublicKeyInfo")
    }

    /// The uncompressed point, 65 bytes.
    pub fn to_point(&self) -> [u8; 65] {
        let point = self.0.to_sec1_point(false);
        let mut bytes = [0; 65];
        bytes.copy_from_slice(point.as_bytes());
        bytes
    }

    /// The first eight bytes of the point's SHA-256: how a message says which of the centre's keys it means.
    pub fn key_id(&self) -> [u8; 8] {
        let digest = Sha256::digest(self.to_point());
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        id
    }

    /// Whether `signature` (r and s, 64 bytes; RFC 9053 §2.1) is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.to_point()).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.key_id().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The centre's half of the key agreement. In an HSM the private key stays inside (PKCS#11:
/// CKM_ECDH1_DERIVE).
pub trait IntakeKey: Send + Sync {
    fn public_key(&self) -> &PublicKey;

    /// The x coordinate of the shared point.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError>;
}

/// The key-encryption key under which keys rest in the database (RFC 3394). It wraps keys that were drawn
/// here, and nothing else: AES key wrap gives the same bytes for the same key, so that whoever may choose
/// what is wrapped learns what the key-encryption key makes of it.
pub trait WrappingKey: Send + Sync {
    /// # Errors
    /// [`KeyError::Unavailable`].
    fn wrap(&self, key: &DrawnKey) -> Result<[u8; WRAPPED_BYTES], KeyError>;

    /// # Errors
    /// [`KeyError::WrongWrappingKey`], [`KeyError::Unavailable`].
    fn unwrap(&self, wrapped: &[u8]) -> Result<DrawnKey, KeyError>;
}

/// Bytes of a wrapped key.
pub const WRAPPED_BYTES: usize = 40;
/// Bytes of a secret that was sealed with [`seal_secret`]: the wrapped key, the secret, and the tag.
pub const SEALED_SECRET_BYTES: usize = WRAPPED_BYTES + 32 + 16;

/// An AES-256 key that was drawn here: nobody outside has chosen it, and none can be made of given bytes but
/// by the key store that unwraps one.
pub struct DrawnKey(Zeroizing<[u8; 32]>);

impl DrawnKey {
    /// A new key.
    pub fn draw(rng: &mut impl CryptoRng) -> DrawnKey {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        DrawnKey(key)
    }

    /// For the key store, of a key that it wrapped once.
    pub fn unwrapped(bytes: Zeroizing<[u8; 32]>) -> DrawnKey {
        DrawnKey(bytes)
    }

    /// For the cipher that uses it, and for the key store that wraps it.
    pub fn bytes(&self) -> &Zeroizing<[u8; 32]> {
        &self.0
    }
}

impl fmt::Debug for DrawnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrawnKey(…)")
    }
}

/// Seals a secret that came from outside, bound to what it belongs to: under a key that is drawn for it alone
/// (AES-256-GCM, `context` authenticated), which is wrapped. In another row it does not open.
///
/// # Errors
/// [`KeyError::Unavailable`].
pub fn seal_secret(
    wrapping: &dyn WrappingKey,
    context: &[u8],
    secret: &[u8; 32],
    rng: &mut impl CryptoRng,
) -> Result<[u8; SEALED_SECRET_BYTES], KeyError> {
    let sealed = seal_bytes(wrapping, context, secret, rng)?;
    Ok(sealed.try_into().expect("a wrapped key, 32 bytes and a tag are so long"))
}

/// As [`seal_secret`], of something of any length.
///
/// # Errors
/// [`KeyError::Unavailable`].
pub fn seal_bytes(
    wrapping: &dyn WrappingKey,
    context: &[u8],
    bytes: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, KeyError> {
    let key = DrawnKey::draw(rng);
    let mut sealed = wrapping.wrap(&key)?.to_vec();
    let text = cipher(&key).encrypt(&ONLY_NONCE.into(), Payload { msg: bytes, aad: context });
    sealed.extend(text.expect("GCM takes up to 64 GiB"));
    Ok(sealed)
}

/// The inverse of [`seal_secret`].
///
/// # Errors
/// [`KeyError::WrongWrappingKey`], also of a secret that was sealed for something else;
/// [`KeyError::Unavailable`].
pub fn open_secret(
    wrapping: &dyn WrappingKey,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if sealed.len() != SEALED_SECRET_BYTES {
        return Err(KeyError::WrongWrappingKey);
    }
    let secret = open_bytes(wrapping, context, sealed)?;
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(&secret);
    Ok(bytes)
}

/// The inverse of [`seal_bytes`].
///
/// # Errors
/// As [`open_secret`].
pub fn open_bytes(
    wrapping: &dyn WrappingKey,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (wrapped, text) = sealed.split_at_checked(WRAPPED_BYTES).ok_or(KeyError::WrongWrappingKey)?;
    let key = wrapping.unwrap(wrapped)?;
    let bytes = cipher(&key).decrypt(&ONLY_NONCE.into(), Payload { msg: text, aad: context });
    Ok(Zeroizing::new(bytes.map_err(|_| KeyError::WrongWrappingKey)?))
}

/// Each key encrypts once.
const ONLY_NONCE: [u8; 12] = [0; 12];

fn cipher(key: &DrawnKey) -> Aes256Gcm {
    Aes256Gcm::new((&**key.bytes()).into())
}

/// What opening a packet at the centre takes.
pub struct CentreKeys {
    /// The current intake key first, then those that were rolled and may still be named by packets on kits.
    pub intake: Vec<Box<dyn IntakeKey>>,
    /// Wraps and unwraps content keys.
    pub wrapping: Box<dyn WrappingKey>,
}

impl CentreKeys {
    /// The intake key that a packet names.
    pub fn intake_key(&self, key_id: &[u8]) -> Option<&dyn IntakeKey> {
        self.intake.iter().map(|key| &**key).find(|key| key.public_key().key_id() == key_id)
    }
}

/// A key pair for one packet.
pub(crate) struct Ephemeral(agreement::PrivateKey);

impl Ephemeral {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let secret = Zeroizing::new(p256::SecretKey::generate_from_rng(rng).to_bytes());
        let key = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &secret);
        Self(key.expect("a secret key of P-256 is one for either library"))
    }

    /// The uncompressed point, 65 bytes.
    pub(crate) fn point(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let public = self.0.compute_public_key().expect("a private key has a public one");
        bytes.copy_from_slice(public.as_ref());
        bytes
    }

    /// The x coordinate of the shared point.
    pub(crate) fn agree(&self, public: &PublicKey) -> Zeroizing<[u8; 32]> {
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, public.to_point());
        let mut x = Zeroizing::new([0; 32]);
        agreement::agree(&self.0, peer, (), |shared| {
            x.copy_from_slice(shared);
            Ok(())
        })
        .expect("a public key is a point on the curve");
        x
    }
}

pub(crate) fn wrap(with: &[u8; 32], key: &[u8; 32]) -> [u8; 40] {
    let mut wrapped = [0; 40];
    KwAes256::new(with.into()).wrap_key(key, &mut wrapped).expect("40 bytes hold a wrapped key of 32");
    wrapped
}

pub(crate) fn unwrap(with: &[u8; 32], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    if wrapped.len() != 40 {
        return Err(KeyError::WrongWrappingKey);
    }
    KwAes256::new(with.into()).unwrap_key(wrapped, &mut *key).map_err(|_| KeyError::WrongWrappingKey)?;
    Ok(key)
}

/// r and s of a signer's DER signature, as COSE wants them.
pub(crate) fn raw_signature(der: &[u8]) -> Option<Vec<u8>> {
    Signature::from_der(der).ok().map(|signature| signature.to_bytes().to_vec())
}

impl fmt::Debug for CentreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CentreKeys").field("intake", &self.intake.len()).finish_non_exhaustive()
    }
}
