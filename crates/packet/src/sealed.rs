//! The sealed packet: one application as it leaves the kit.
//!
//! ```text
//! COSE_Sign1 (ES256, the kit's key)                         RFC 9052 §4.2, RFC 9053 §2.1
//! ├ protected: alg, kid = kit id, content type, envelope    readable by anyone, not personal
//! └ payload: COSE_Encrypt (A256GCM, content key)            RFC 9052 §5.1, RFC 9053 §4.1
//!   ├ external AAD: the protected header above              the content belongs to this envelope and kit
//!   └ recipient: ECDH-ES+A256KW to the centre's intake key  RFC 9053 §6.4, P-256
//!     └ content: CBOR, see [`Content`]
//! ```
//!
//! Encrypt, then sign: a front end that holds no decryption key checks the signature and gives the receipt.
//! Whoever opens the packet later needs the intake key once; after that the content key, wrapped, is kept
//! beside the packet.

use coset::{CoseEncrypt, Header};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto;
use crate::keys::{IntakeKey, PublicKey};
use crate::sign1::{self, Context};
use crate::{Content, ContentKey, Envelope, PacketError};

/// Version of the envelope, and of a content without images of fingers.
pub const FORMAT_VERSION: u16 = 1;
/// Version of a content with images of fingers, which has one item more.
pub const IMAGES_VERSION: u16 = 2;
/// A whole packet. Ten templates of 4 KiB, a photo of 64 KiB, two images of 32 KiB and the record fit, with
/// room to spare.
pub const MAX_PACKET_BYTES: usize = 256 * 1024;
/// One finger's template; a record of 255 minutiae has 1,560 bytes.
pub const MAX_TEMPLATE_BYTES: usize = 4 * 1024;
/// The photo, a JPEG file.
pub const MAX_PHOTO_BYTES: usize = 64 * 1024;
/// One finger's image; a synthetic one has 5 KiB, a scanner's at 500 dpi and good quality 10 to 20.
pub const MAX_FINGER_IMAGE_BYTES: usize = 32 * 1024;
/// A chip holds two fingers.
pub const MAX_FINGER_IMAGES: usize = 2;
/// Names of fields that differ from the register.
pub const MAX_DIFFERS: usize = 32;

/// Seals an application. The same arguments and the same random bytes give the same packet (ECDSA by RFC
/// 6979), so that a capture repeated after a crash is the same packet.
///
/// # Errors
/// A size limit; [`PacketError::Signer`].
pub fn seal(
    envelope: &Envelope,
    content: &Content,
    kit: &dyn pki::Signer,
    intake: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, PacketError> {
    seal_encoded(envelope, &content.encode()?, kit, intake, rng)
}

/// As [`seal`], of a content that is encoded already, whatever it is: a kit may put there what it likes, and
/// tests do.
///
/// # Errors
/// As [`seal`].
pub fn seal_encoded(
    envelope: &Envelope,
    content: &[u8],
    kit: &dyn pki::Signer,
    intake: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, PacketError> {
    let header = envelope.header();
    // COSE adds the algorithm when signing; the bytes bound into the ciphertext must be those that are
    // signed.
    let header = Header {
        alg: Some(coset::RegisteredLabelWithPrivate::Assigned(coset::iana::Algorithm::ES256)),
        ..header
    };
    let aad = crypto::header_bytes(&header)?;
    let payload = crypto::encrypt(content, &aad, intake, rng)?;
    let sealed = sign1::sign(Context::Packet, header, payload, kit)?;
    if sealed.len() > MAX_PACKET_BYTES {
        return Err(PacketError::TooLarge {
            what: "the packet",
            bytes: sealed.len(),
            limit: MAX_PACKET_BYTES,
        });
    }
    Ok(sealed)
}

/// A packet whose structure is sound and whose signature has not been checked.
pub struct Unverified {
    outer: sign1::Unverified,
    envelope: Envelope,
}

/// Reads the structure and the envelope, whose claims mean nothing before [`Unverified::verify`].
///
/// # Errors
/// What is wrong, and at which byte where it is known.
pub fn parse(bytes: &[u8]) -> Result<Unverified, PacketError> {
    let outer = sign1::parse(Context::Packet, bytes, MAX_PACKET_BYTES)?;
    let envelope = Envelope::from_header(outer.header())?;
    Ok(Unverified { outer, envelope })
}

impl Unverified {
    /// The envelope as claimed: for choosing the kit's key, and for a log.
    pub fn claimed(&self) -> &Envelope {
        &self.envelope
    }

    /// # Errors
    /// [`PacketError::BadSignature`].
    pub fn verify(self, kit: &PublicKey) -> Result<Envelope, PacketError> {
        self.outer.verify(kit)?;
        Ok(self.envelope)
    }
}

/// Checks a packet without the means to decrypt it.
///
/// # Errors
/// What is wrong, and at which byte where it is known; [`PacketError::BadSignature`].
pub fn verify_envelope(bytes: &[u8], kit: &PublicKey) -> Result<Envelope, PacketError> {
    parse(bytes)?.verify(kit)
}

/// The id of the intake key that a packet is encrypted to ([`PublicKey::key_id`]).
///
/// # Errors
/// As [`open`].
pub fn recipient(bytes: &[u8]) -> Result<Vec<u8>, PacketError> {
    let (_, message) = inner(bytes)?;
    crypto::recipient_key_id(&message)
}

/// Opens a packet that [`verify_envelope`] has let in: the content, and the key to open it again by
/// [`open_stored`].
///
/// # Errors
/// [`PacketError::NotForThisKey`], [`PacketError::Decrypt`], a malformed content.
pub fn open(bytes: &[u8], intake: &dyn IntakeKey) -> Result<(Content, ContentKey), PacketError> {
    let (aad, message) = inner(bytes)?;
    let key = crypto::content_key(&message, intake)?;
    let content = decrypt(&message, &aad, &key)?;
    Ok((content, key))
}

/// Opens a stored packet with its content key. What the row says of it is checked before, by
/// [`verify_envelope`].
///
/// # Errors
/// [`PacketError::Decrypt`], a malformed content.
pub fn open_stored(bytes: &[u8], key: &ContentKey) -> Result<Content, PacketError> {
    let (aad, message) = inner(bytes)?;
    decrypt(&message, &aad, key)
}

fn decrypt(message: &CoseEncrypt, aad: &[u8], key: &ContentKey) -> Result<Content, PacketError> {
    let plaintext: Zeroizing<Vec<u8>> = crypto::decrypt(message, aad, key)?;
    Content::decode(&plaintext)
}

fn inner(bytes: &[u8]) -> Result<(Vec<u8>, CoseEncrypt), PacketError> {
    let outer = sign1::parse(Context::Packet, bytes, MAX_PACKET_BYTES)?;
    let message = crypto::parse_encrypted(outer.payload())?;
    Ok((outer.header_bytes(), message))
}
