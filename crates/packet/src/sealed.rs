//! The sealed packet: one application, recapture or hand-over as it leaves the kit.
//!
//! ```text
//! COSE_Sign                                                 RFC 9052 §4.1
//! ├ protected: content type, envelope                       readable by anyone, not personal
//! ├ payload: COSE_Encrypt (A256GCM, content key)            RFC 9052 §5.1, RFC 9053 §4.1
//! │ ├ external AAD: the protected header above              the content belongs to this envelope
//! │ └ recipient: ECDH-ES+A256KW to the centre's intake key  RFC 9053 §6.4, P-256
//! │   └ content: CBOR, see [`Payload`]
//! ├ signature (ES256): the kit's, kid = kit id              RFC 9053 §2.1
//! └ signature (ES256): the officer's, kid = credential id
//! ```
//!
//! Encrypt, then sign: a front end that holds no decryption key checks the signatures and gives the receipt.
//! Whoever opens the packet later needs the intake key once; after that the content key, wrapped, is kept
//! beside the packet. Byte by byte it stands in `docs/packet.md`.

use coset::CoseEncrypt;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto;
use crate::keys::{IntakeKey, PublicKey};
use crate::sign::{self, Party};
use crate::{Carries, ContentKey, Envelope, PacketError, Payload};

/// Version of the envelope and of every content. Versions 1 and 2 were never released and are not read.
pub const FORMAT_VERSION: u16 = 3;
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

/// Who seals: the kit and the officer who works on it.
#[derive(Clone, Copy)]
pub struct Signers<'a> {
    /// The kit's own key.
    pub kit: &'a dyn pki::Signer,
    /// The key of the credential that the envelope names.
    pub officer: &'a dyn pki::Signer,
}

/// Seals a packet. The same arguments and the same random bytes give the same packet (ECDSA by RFC 6979), so
/// that a capture repeated after a crash is the same packet.
///
/// # Errors
/// A size limit; a content of another kind than the envelope says; [`PacketError::Signer`].
pub fn seal(
    envelope: &Envelope,
    payload: &Payload,
    signers: Signers<'_>,
    intake: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, PacketError> {
    if !payload.is(envelope.carries) {
        return Err(PacketError::Structure {
            what: "the packet's envelope",
            problem: "says of its content what that is not",
        });
    }
    seal_encoded(envelope, &payload.encode()?, signers, intake, rng)
}

/// As [`seal`], of a content that is encoded already, whatever it is: a kit may put there what it likes, and
/// tests do.
///
/// # Errors
/// As [`seal`].
pub fn seal_encoded(
    envelope: &Envelope,
    content: &[u8],
    signers: Signers<'_>,
    intake: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, PacketError> {
    let header = envelope.header();
    let aad = crypto::header_bytes(&header)?;
    let payload = crypto::encrypt(content, &aad, intake, rng)?;
    let kit = Party { id: envelope.kit_id.uuid(), signer: signers.kit };
    let officer = Party { id: envelope.credential_id.uuid(), signer: signers.officer };
    let sealed = sign::sign(header, payload, [kit, officer])?;
    if sealed.len() > MAX_PACKET_BYTES {
        return Err(PacketError::TooLarge {
            what: "the packet",
            bytes: sealed.len(),
            limit: MAX_PACKET_BYTES,
        });
    }
    Ok(sealed)
}

/// A packet whose structure is sound and whose signatures have not been checked.
pub struct Unverified {
    outer: sign::Unverified,
    envelope: Envelope,
}

/// Reads the structure and the envelope, whose claims mean nothing before [`Unverified::verify`].
///
/// # Errors
/// What is wrong, and at which byte where it is known.
pub fn parse(bytes: &[u8]) -> Result<Unverified, PacketError> {
    let outer = sign::parse(bytes, MAX_PACKET_BYTES)?;
    let envelope = Envelope::from_header(outer.header())?;
    // One packet has one header: nothing stands there that this program does not read.
    if *outer.header() != envelope.header() {
        return Err(PacketError::Structure {
            what: "the packet's envelope",
            problem: "stands beside something that belongs to no packet",
        });
    }
    outer.check_signers([envelope.kit_id.uuid(), envelope.credential_id.uuid()])?;
    Ok(Unverified { outer, envelope })
}

impl Unverified {
    /// The envelope as claimed: for choosing the keys, and for a log.
    pub fn claimed(&self) -> &Envelope {
        &self.envelope
    }

    /// Checks both signatures, the kit's first.
    ///
    /// # Errors
    /// [`PacketError::BadSignature`].
    pub fn verify(self, kit: &PublicKey, officer: &PublicKey) -> Result<Verified, PacketError> {
        self.outer.verify(kit, officer)?;
        Ok(Verified(self))
    }

    fn encrypted(&self) -> Result<Encrypted, PacketError> {
        Ok(Encrypted {
            message: crypto::parse_encrypted(self.outer.payload())?,
            aad: self.outer.header_bytes(),
            carries: self.envelope.carries,
        })
    }
}

/// A packet that kit and officer signed.
pub struct Verified(Unverified);

impl Verified {
    /// What both signed.
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// What is inside, still encrypted.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known.
    pub fn encrypted(&self) -> Result<Encrypted, PacketError> {
        self.0.encrypted()
    }
}

/// The encrypted part of a packet.
pub struct Encrypted {
    message: CoseEncrypt,
    aad: Vec<u8>,
    carries: Carries,
}

impl Encrypted {
    /// The id of the intake key that it is encrypted to ([`PublicKey::key_id`]).
    ///
    /// # Errors
    /// A recipient that is none.
    pub fn recipient(&self) -> Result<Vec<u8>, PacketError> {
        crypto::recipient_key_id(&self.message)
    }

    /// The content, and the key to open it again by [`Encrypted::open_again`].
    ///
    /// # Errors
    /// [`PacketError::NotForThisKey`], [`PacketError::Decrypt`], a malformed content.
    pub fn open(&self, intake: &dyn IntakeKey) -> Result<(Payload, ContentKey), PacketError> {
        let key = crypto::content_key(&self.message, intake)?;
        Ok((self.open_again(&key)?, key))
    }

    /// The content, with the key that was kept.
    ///
    /// # Errors
    /// [`PacketError::Decrypt`], a malformed content.
    pub fn open_again(&self, key: &ContentKey) -> Result<Payload, PacketError> {
        let plaintext: Zeroizing<Vec<u8>> = crypto::decrypt(&self.message, &self.aad, key)?;
        Payload::decode(self.carries, &plaintext)
    }
}

/// Checks a packet without the means to decrypt it.
///
/// # Errors
/// What is wrong, and at which byte where it is known; [`PacketError::BadSignature`].
pub fn verify_envelope(bytes: &[u8], kit: &PublicKey, officer: &PublicKey) -> Result<Envelope, PacketError> {
    Ok(parse(bytes)?.verify(kit, officer)?.0.envelope)
}

/// Opens a packet that nobody has verified: for whoever has no key to verify it with.
///
/// # Errors
/// As [`Encrypted::open`], and what is wrong with the structure.
pub fn open(bytes: &[u8], intake: &dyn IntakeKey) -> Result<(Payload, ContentKey), PacketError> {
    parse(bytes)?.encrypted()?.open(intake)
}
