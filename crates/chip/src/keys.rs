//! The private keys of a chip: one to agree on keys with (Chip Authentication), one to sign with (Active
//! Authentication).

use ecdsa::elliptic_curve::array::ArraySize;
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize};
use ecdsa::signature::{Signer, Verifier};
use ecdsa::{DigestAlgorithm, EcdsaCurve, Signature, SignatureSize, VerifyingKey};
use hkdf::Hkdf;
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Error, agreement::KeyPair};
use card::ec_key::{Curve, EcPublicKey};

/// What a key file of a test card begins with.
const MAGIC: &[u8; 8] = b"dancuCHP";

/// Both private keys of one chip.
pub struct ChipKeys {
    pub(crate) agreement: KeyPair,
    pub(crate) signature: KeyPair,
}

impl std::fmt::Debug for ChipKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipKeys(redacted)")
    }
}

impl ChipKeys {
    /// New keys for Chip Authentication and Active Authentication, on the curves of published cards.
    pub fn generate(rng: &mut impl CryptoRng) -> ChipKeys {
        ChipKeys {
            agreement: KeyPair::generate(Curve::BrainpoolP256r1, rng),
            signature: KeyPair::generate(Curve::P256, rng),
        }
    }

    /// The keys of the card `id` of an issuer who keeps one secret of 32 bytes or more instead of every
    /// chip's keys. The same secret and id give the same keys.
    pub fn derive(secret: &[u8], id: &[u8]) -> ChipKeys {
        ChipKeys {
            agreement: derive(Curve::BrainpoolP256r1, secret, id, b"chip authentication"),
            signature: derive(Curve::P256, secret, id, b"active authentication"),
        }
    }

    /// For DG14.
    pub fn agreement_key(&self) -> &EcPublicKey {
        self.agreement.public()
    }

    /// For DG15.
    pub fn signature_key(&self) -> &EcPublicKey {
        self.signature.public()
    }

    /// Both private keys in the clear, for the key file of a test card: 8 bytes of name, then 32 bytes each,
    /// agreement first.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&MAGIC[..], self.agreement.secret(), self.signature.secret()].concat())
    }

    /// Reads [`ChipKeys::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<ChipKeys, Error> {
        let Some(secrets) = bytes.strip_prefix(MAGIC).filter(|secrets| secrets.len() == 64) else {
            return Err(Error::ChipKeys("72 bytes that begin with dancuCHP are expected"));
        };
        let pair = |curve, secret: &[u8]| {
            let secret = Zeroizing::new(<[u8; 32]>::try_from(secret).expect("half of 64 bytes"));
            KeyPair::from_secret(curve, secret)
                .ok_or(Error::ChipKeys("a number lies outside its curve's group"))
        };
        Ok(ChipKeys {
            agreement: pair(Curve::BrainpoolP256r1, &secrets[..32])?,
            signature: pair(Curve::P256, &secrets[32..])?,
        })
    }
}

/// The answer to a challenge: r and s, 32 bytes each (ecdsa-plain-SHA256, BSI TR-03111 §5.2.1).
pub(crate) fn sign(key: &KeyPair, challenge: &[u8]) -> Option<Vec<u8>> {
    let key = p256::ecdsa::SigningKey::from_slice(key.secret()).ok()?;
    let signature: p256::ecdsa::Signature = key.sign(challenge);
    Some(signature.to_bytes().to_vec())
}

/// HKDF-SHA-256 (RFC 5869) with a counter, until the output is a private number.
fn derive(curve: Curve, secret: &[u8], id: &[u8], purpose: &[u8]) -> KeyPair {
    let expander = Hkdf::<Sha256>::new(Some(b"dancu chip keys 1"), secret);
    for counter in 0..=u8::MAX {
        let mut number = Zeroizing::new([0; Curve::FIELD_LEN]);
        expander
            .expand_multi_info(&[purpose, &[0], id, &[counter]], number.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        if let Some(pair) = KeyPair::from_secret(curve, number) {
            return pair;
        }
    }
    unreachable!("each of 256 draws fails with a probability below one half")
}

/// Whether `signature`, r and s of 32 bytes each, is the chip's answer to `challenge` under the key of DG15.
pub fn active_signature_is_right(key: &EcPublicKey, challenge: &[u8], signature: &[u8]) -> bool {
    match key.curve() {
        Curve::P256 => verify::<p256::NistP256>(key, challenge, signature),
        Curve::BrainpoolP256r1 => verify::<bp256::BrainpoolP256r1>(key, challenge, signature),
    }
}

fn verify<C>(key: &EcPublicKey, challenge: &[u8], signature: &[u8]) -> bool
where
    C: EcdsaCurve + CurveArithmetic + DigestAlgorithm<Digest = Sha256>,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
    SignatureSize<C>: ArraySize,
{
    let key = VerifyingKey::<C>::from_sec1_bytes(key.point());
    let signature = Signature::<C>::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(challenge, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn keys_read_back_and_sign() {
        let keys = ChipKeys::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));
        let again = ChipKeys::from_bytes(&keys.to_bytes()).unwrap();
        assert_eq!(again.agreement_key(), keys.agreement_key());
        let signature = sign(&again.signature, b"12345678").unwrap();
        assert!(active_signature_is_right(keys.signature_key(), b"12345678", &signature));
        assert!(!active_signature_is_right(keys.signature_key(), b"12345679", &signature));
        assert!(!active_signature_is_right(keys.signature_key(), b"12345678", &signature[1..]));
        assert!(ChipKeys::from_bytes(&[0; 72]).is_err());
        assert!(ChipKeys::from_bytes(&[&MAGIC[..], &[0xFF; 64]].concat()).is_err());
    }

    #[test]
    fn derived_keys_differ_by_card_and_stay_the_same() {
        let derive = |id: &[u8]| ChipKeys::derive(&[7; 32], id);
        assert_eq!(derive(b"one").agreement_key(), derive(b"one").agreement_key());
        assert_ne!(derive(b"one").agreement_key(), derive(b"two").agreement_key());
        let other = ChipKeys::derive(&[8; 32], b"one");
        assert_ne!(other.signature_key(), derive(b"one").signature_key());
    }
}
