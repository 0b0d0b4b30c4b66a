//! COSE_Encrypt with one recipient: the content key is wrapped by a key agreed with the centre's intake key.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use coset::cbor::Value;
use coset::{
    AsCborValue, CborSerializable, CoseEncrypt, CoseEncryptBuilder, CoseKdfContextBuilder, CoseKey,
    CoseKeyBuilder, CoseRecipient, CoseRecipientBuilder, Header, HeaderBuilder, KeyType, Label,
    ProtectedHeader, RegisteredLabelWithPrivate, SuppPubInfoBuilder, iana,
};
use hkdf::Hkdf;
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::PacketError;
use crate::cbor;
use crate::keys::{self, Ephemeral, IntakeKey, PublicKey, SEALED_SECRET_BYTES, WrappingKey};
use domain::id::{ApplicationId, PacketId};

const WHAT: &str = "the packet's ciphertext";
const TAG: u64 = iana::CborTag::CoseEncrypt as u64;
const EPHEMERAL_KEY: i64 = iana::HeaderAlgorithmParameter::EphemeralKey as i64;
const NONCE_BYTES: usize = 12;

/// The AES-256 key of one packet's content.
pub struct ContentKey(Zeroizing<[u8; 32]>);

/// The row in which a packet rests: what its content key is bound to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRest {
    /// As the envelope has it.
    pub packet_id: PacketId,
    /// As the envelope has it.
    pub application_id: ApplicationId,
    /// SHA-256 of the sealed packet.
    pub sha256: [u8; 32],
}

impl AtRest {
    fn context(&self) -> Vec<u8> {
        let (packet, application) = (self.packet_id.uuid(), self.application_id.uuid());
        let parts: [&[u8]; 4] = [b"dancu packet 3", packet.as_bytes(), application.as_bytes(), &self.sha256];
        parts.concat()
    }
}

impl ContentKey {
    /// Seals the key for the database. The kit chose it, so that it is never wrapped itself
    /// ([`keys::seal_secret`]), and opens in this row alone.
    ///
    /// # Errors
    /// Those of the key store.
    pub fn seal(
        &self,
        row: &AtRest,
        wrapping: &dyn WrappingKey,
        rng: &mut impl CryptoRng,
    ) -> Result<[u8; SEALED_SECRET_BYTES], PacketError> {
        Ok(keys::seal_secret(wrapping, &row.context(), &self.0, rng)?)
    }

    /// # Errors
    /// [`keys::KeyError::WrongWrappingKey`], and those of the key store.
    pub fn open(sealed: &[u8], row: &AtRest, wrapping: &dyn WrappingKey) -> Result<Self, PacketError> {
        Ok(Self(keys::open_secret(wrapping, &row.context(), sealed)?))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

pub(crate) fn header_bytes(header: &Header) -> Result<Vec<u8>, PacketError> {
    header.clone().to_vec().map_err(|_| structure("has a header that cannot be written"))
}

pub(crate) fn encrypt(
    plaintext: &[u8],
    aad: &[u8],
    intake: &PublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, PacketError> {
    let mut key = Zeroizing::new([0; 32]);
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut *key);
    rng.fill_bytes(&mut nonce);
    let ephemeral = Ephemeral::generate(rng);
    let recipient = recipient(&key, &ephemeral, intake)?;
    let message = CoseEncryptBuilder::new()
        .protected(HeaderBuilder::new().algorithm(iana::Algorithm::A256GCM).build())
        .unprotected(HeaderBuilder::new().iv(nonce.to_vec()).build())
        .try_create_ciphertext(plaintext, aad, |msg, aad| {
            let cipher = Aes256Gcm::new((&*key).into());
            // GCM takes up to 64 GiB, and the content has a limit.
            cipher.encrypt(&Nonce::from(nonce), Payload { msg, aad }).map_err(|_| PacketError::Decrypt)
        })?
        .add_recipient(recipient)
        .build();
    let body = message.to_cbor_value().map_err(|_| structure("cannot be written as CBOR"))?;
    Ok(cbor::encode(&Value::Tag(TAG, Box::new(body))))
}

fn recipient(
    key: &[u8; 32],
    ephemeral: &Ephemeral,
    intake: &PublicKey,
) -> Result<CoseRecipient, PacketError> {
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ECDH_ES_A256KW)
        .key_id(intake.key_id().to_vec())
        .build();
    let protected = ProtectedHeader { original_data: Some(header_bytes(&header)?), header: header.clone() };
    let shared = ephemeral.agree(intake);
    let wrapping = wrapping_key(&shared, protected)?;
    let point = ephemeral.point();
    let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
    let public = CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_256, x, y).build();
    let public = public.to_cbor_value().map_err(|_| structure("has a key that cannot be written"))?;
    Ok(CoseRecipientBuilder::new()
        .protected(header)
        .unprotected(HeaderBuilder::new().value(EPHEMERAL_KEY, public).build())
        .ciphertext(keys::wrap(&wrapping, key).to_vec())
        .build())
}

/// HKDF-SHA-256 over the agreed secret with the COSE_KDF_Context of RFC 9053 §5.2.
fn wrapping_key(shared: &[u8; 32], protected: ProtectedHeader) -> Result<Zeroizing<[u8; 32]>, PacketError> {
    let mut public_info = SuppPubInfoBuilder::new().key_data_length(256).build();
    public_info.protected = protected;
    let context = CoseKdfContextBuilder::new()
        .algorithm(iana::Algorithm::A256KW)
        .supp_pub_info(public_info)
        .build()
        .to_vec()
        .map_err(|_| structure("has a context that cannot be written"))?;
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, shared).expand(&context, &mut *key).expect("HKDF gives up to 8,160 bytes");
    Ok(key)
}

pub(crate) fn parse_encrypted(bytes: &[u8]) -> Result<CoseEncrypt, PacketError> {
    let Value::Tag(TAG, body) = cbor::decode(WHAT, bytes)? else {
        return Err(structure("is not a tagged COSE_Encrypt"));
    };
    let message = CoseEncrypt::from_cbor_value(*body).map_err(|_| structure("is not a COSE_Encrypt"))?;
    if message.protected.header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::A256GCM)) {
        return Err(PacketError::Algorithm { what: WHAT, expected: "A256GCM" });
    }
    if message.recipients.len() != 1 {
        return Err(structure("has another number of recipients than one"));
    }
    Ok(message)
}

pub(crate) fn recipient_key_id(message: &CoseEncrypt) -> Result<Vec<u8>, PacketError> {
    Ok(only_recipient(message)?.protected.header.key_id.clone())
}

fn only_recipient(message: &CoseEncrypt) -> Result<&CoseRecipient, PacketError> {
    message.recipients.first().ok_or(structure("has no recipient"))
}

pub(crate) fn content_key(message: &CoseEncrypt, intake: &dyn IntakeKey) -> Result<ContentKey, PacketError> {
    let recipient = only_recipient(message)?;
    let header = &recipient.protected.header;
    if header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ECDH_ES_A256KW)) {
        return Err(PacketError::Algorithm { what: "the packet's recipient", expected: "ECDH-ES+A256KW" });
    }
    if header.key_id != intake.public_key().key_id() {
        return Err(PacketError::NotForThisKey);
    }
    let shared = intake.agree(&ephemeral_key(&recipient.unprotected)?)?;
    let wrapping = wrapping_key(&shared, recipient.protected.clone())?;
    let wrapped = recipient.ciphertext.as_deref().ok_or(structure("has no wrapped key"))?;
    keys::unwrap(&wrapping, wrapped).map(ContentKey).map_err(|_| PacketError::Decrypt)
}

fn ephemeral_key(header: &Header) -> Result<PublicKey, PacketError> {
    let bad = structure("has no ephemeral P-256 key");
    let [(Label::Int(EPHEMERAL_KEY), value)] = header.rest.as_slice() else { return Err(bad) };
    let key = CoseKey::from_cbor_value(value.clone()).map_err(|_| bad.clone())?;
    if key.kty != KeyType::Assigned(iana::KeyType::EC2) {
        return Err(bad);
    }
    let parameter =
        |label: i64| key.params.iter().find(|(l, _)| *l == Label::Int(label)).map(|(_, value)| value);
    let coordinate = |label| parameter(label).and_then(Value::as_bytes).filter(|bytes| bytes.len() == 32);
    let curve = parameter(iana::Ec2KeyParameter::Crv as i64).and_then(Value::as_integer);
    let (x, y) = (coordinate(iana::Ec2KeyParameter::X as i64), coordinate(iana::Ec2KeyParameter::Y as i64));
    let (Some(x), Some(y)) = (x, y) else { return Err(bad) };
    if curve != Some((iana::EllipticCurve::P_256 as i64).into()) {
        return Err(bad);
    }
    // Parsing checks that the point is on the curve, without which the agreement would leak the intake key.
    PublicKey::from_point(&[&[4], x.as_slice(), y].concat()).map_err(|_| bad)
}

pub(crate) fn decrypt(
    message: &CoseEncrypt,
    aad: &[u8],
    key: &ContentKey,
) -> Result<Zeroizing<Vec<u8>>, PacketError> {
    let nonce: [u8; NONCE_BYTES] =
        message.unprotected.iv.as_slice().try_into().map_err(|_| structure("has no nonce"))?;
    let plaintext = message.decrypt_ciphertext(
        aad,
        || structure("is detached"),
        |msg, aad| {
            let cipher = Aes256Gcm::new((&*key.0).into());
            cipher.decrypt(&Nonce::from(nonce), Payload { msg, aad }).map_err(|_| PacketError::Decrypt)
        },
    )?;
    Ok(Zeroizing::new(plaintext))
}

const fn structure(problem: &'static str) -> PacketError {
    PacketError::Structure { what: WHAT, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The context of RFC 9053 §5.2, written out byte by byte: another program must derive the same key.
    #[test]
    fn the_key_derivation_context_is_the_standards() {
        let header = HeaderBuilder::new().algorithm(iana::Algorithm::ECDH_ES_A256KW).build();
        let bytes = header_bytes(&header).expect("a header with an algorithm can be written");
        // {1: -31}
        assert_eq!(bytes, [0xa1, 0x01, 0x38, 0x1e]);
        let context = [
            0x84, 0x24, // four items; A256KW is -5
            0x83, 0xf6, 0xf6, 0xf6, // PartyU: nothing
            0x83, 0xf6, 0xf6, 0xf6, // PartyV: nothing
            0x82, 0x19, 0x01, 0x00, // SuppPub: 256 bits
            0x44, 0xa1, 0x01, 0x38, 0x1e, // the recipient's protected header
        ];
        let mut expected = [0; 32];
        let kdf = Hkdf::<Sha256>::new(None, &[9; 32]);
        kdf.expand(&context, &mut expected).expect("32 bytes are within HKDF's limit");
        let protected = ProtectedHeader { original_data: Some(bytes), header };
        assert_eq!(wrapping_key(&[9; 32], protected).map(|key| *key), Ok(expected));
    }
}
