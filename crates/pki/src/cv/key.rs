//! Public keys in card-verifiable certificates (Doc 9303-12 §7.2.3.2, Doc 9303-11 §9.4.4) and their plain
//! signatures.

use super::read::{Object, Reader, write};
use crate::{Curve, HashAlgorithm, PkiError, PublicKey, SignatureAlgorithm, SignatureScheme, Signer};

/// id-TA-ECDSA, 0.4.0.127.0.7.2.2.2.2; one more number names the hash (Doc 9303-11 §9.2.9).
const TA_ECDSA: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02];

pub(super) const PUBLIC_KEY: u16 = 0x7F49;
const ALGORITHM: u16 = 0x06;
const POINT: u16 = 0x86;
const COFACTOR: u16 = 0x87;

/// A public key with the hash under which its holder signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvPublicKey {
    hash: HashAlgorithm,
    curve: Curve,
    point: Vec<u8>,
}

impl CvPublicKey {
    /// Of a SubjectPublicKeyInfo in DER, with the hash in which such keys sign here.
    ///
    /// # Errors
    /// When it is no key of an algorithm in which keys sign here.
    pub fn from_spki(spki: &[u8]) -> Result<CvPublicKey, PkiError> {
        let key = PublicKey::from_spki(spki)?;
        key.check()?;
        match (SignatureAlgorithm::of_key(&key), key) {
            (Some(algorithm), PublicKey::Ec { curve, point }) => {
                Ok(CvPublicKey { hash: algorithm.hash(), curve, point })
            }
            _ => Err(PkiError::WrongKind),
        }
    }

    /// Reads object 7F49 with its domain parameters.
    pub fn from_object(bytes: &[u8]) -> Result<CvPublicKey, PkiError> {
        let mut reader = Reader::new(bytes)?;
        let object = reader.expect(PUBLIC_KEY, "public key")?;
        reader.finish()?;
        KeyObject::parse(&object)?.on_curve(None)
    }

    /// Object 7F49. A chip takes the parameters from the CVCA's key for the keys below it.
    pub fn to_object(&self, parameters: Parameters) -> Vec<u8> {
        let hash = match self.hash {
            HashAlgorithm::Sha256 => 3,
            HashAlgorithm::Sha384 => 4,
            HashAlgorithm::Sha512 => 5,
        };
        let mut parts = vec![write(ALGORITHM, &[&TA_ECDSA, &[hash]])];
        let with = parameters == Parameters::Present;
        if with {
            let [p, a, b, generator, order] = self.curve.values();
            parts.extend([write(0x81, &[&p]), write(0x82, &[&a]), write(0x83, &[&b])]);
            parts.extend([write(0x84, &[&generator]), write(0x85, &[&order])]);
        }
        parts.push(write(POINT, &[&self.point]));
        if with {
            parts.push(write(COFACTOR, &[&[1]]));
        }
        write(PUBLIC_KEY, &[&parts.concat()])
    }

    /// The curve of the point, by its parameters.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The digest that goes with the key's algorithm.
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// The key without its hash.
    pub fn key(&self) -> PublicKey {
        PublicKey::Ec { curve: self.curve, point: self.point.clone() }
    }

    /// Verifies r and s, each as long as the curve's order, one after the other (BSI TR-03111 §5.2.1).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), PkiError> {
        let length = self.curve.field_len();
        if signature.len() != 2 * length {
            return Err(PkiError::BadSignature);
        }
        let (r, s) = signature.split_at(length);
        let der = crate::write::sequence(&[&crate::write::unsigned(r), &crate::write::unsigned(s)]);
        self.key().verify(SignatureScheme::Ecdsa(self.hash), message, &der)
    }
}

/// Whether a key says what its curve is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// As in a CVCA's certificates.
    Present,
    /// As in all others (Doc 9303-12 §7.2.2.3).
    Absent,
}

/// The key as a certificate has it, which may leave its curve to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyObject {
    hash: HashAlgorithm,
    pub(super) curve: Option<Curve>,
    point: Vec<u8>,
}

impl KeyObject {
    pub(super) fn parse(object: &Object<'_>) -> Result<KeyObject, PkiError> {
        let mut reader = object.children();
        let algorithm = reader.expect(ALGORITHM, "the key's algorithm")?;
        let hash = match algorithm.value.strip_prefix(&TA_ECDSA[..]) {
            Some([3]) => HashAlgorithm::Sha256,
            Some([4]) => HashAlgorithm::Sha384,
            Some([5]) => HashAlgorithm::Sha512,
            _ => return Err(algorithm.error("only ECDSA with SHA-256, SHA-384 or SHA-512 is known here")),
        };
        let mut curve = None;
        let prime = reader.optional(0x81)?;
        if let Some(prime) = prime {
            let names =
                [(0x82, "coefficient a"), (0x83, "coefficient b"), (0x84, "base point"), (0x85, "order")];
            let mut values = vec![prime.value];
            for (tag, name) in names {
                values.push(reader.expect(tag, name)?.value);
            }
            curve = Curve::ALL.into_iter().find(|curve| curve.values().iter().eq(values.iter()));
            if curve.is_none() {
                return Err(prime.error("domain parameters that are those of no curve known here"));
            }
        }
        let point = reader.expect(POINT, "public point")?;
        if !matches!(point.value, [0x04, rest @ ..] if rest.len() % 2 == 0 && !rest.is_empty()) {
            return Err(point.error("the point must be uncompressed"));
        }
        if prime.is_some()
            && let Some(cofactor) = reader.optional(COFACTOR)?
            && cofactor.value != [1]
        {
            return Err(cofactor.error("the cofactor must be 1"));
        }
        reader.finish()?;
        Ok(KeyObject { hash, curve, point: point.value.to_vec() })
    }

    /// The key on its own curve, or else on the one that it inherits; its point is checked to lie there.
    pub(super) fn on_curve(&self, inherited: Option<Curve>) -> Result<CvPublicKey, PkiError> {
        let Some(curve) = self.curve.or(inherited) else {
            let problem = "it has no domain parameters, and no key above it is known";
            return Err(PkiError::Invalid { field: "public key", problem });
        };
        let key = CvPublicKey { hash: self.hash, curve, point: self.point.clone() };
        key.key().check()?;
        Ok(key)
    }
}

/// Signs in the plain form and verifies the result before it is given out.
pub fn sign_plain(signer: &dyn Signer, message: &[u8]) -> Result<Vec<u8>, PkiError> {
    let key = CvPublicKey::from_spki(signer.public_key())?;
    let signature = plain(key.curve, &signer.sign(message)?)?;
    key.verify(message, &signature)?;
    Ok(signature)
}

/// ECDSA-Sig-Value in DER as r and s of equal length.
fn plain(curve: Curve, der: &[u8]) -> Result<Vec<u8>, PkiError> {
    let mut outer = crate::read::Reader::new(der, "the signature");
    let mut pair = outer.expect(0x30, "ECDSA-Sig-Value (SEQUENCE)")?.children();
    outer.finish()?;
    let mut out = Vec::with_capacity(2 * curve.field_len());
    for name in ["r", "s"] {
        let number = pair.expect(0x02, name)?;
        let digits = crate::read::without_leading_zeros(number.value);
        let Some(zeros) = curve.field_len().checked_sub(digits.len()) else {
            return Err(number.error("a number longer than the curve's order"));
        };
        out.resize(out.len() + zeros, 0);
        out.extend_from_slice(digits);
    }
    pair.finish()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_signatures_have_one_length() {
        let der = [0x30, 0x08, 0x02, 0x02, 0x00, 0x81, 0x02, 0x02, 0x12, 0x34];
        let bytes = plain(Curve::P256, &der).unwrap();
        assert_eq!((bytes.len(), bytes[31], &bytes[62..]), (64, 0x81, &[0x12, 0x34][..]));
        assert!(plain(Curve::P256, &der[..9]).is_err());
    }
}
