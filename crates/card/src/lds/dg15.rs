//! DG15: the public key of Active Authentication (Doc 9303-10, EF.DG15), a SubjectPublicKeyInfo on an
//! elliptic curve.

use crate::{
    CardError,
    ec_key::EcPublicKey,
    tlv::{self, Tag},
};

/// The file's bytes: the key for Active Authentication as SubjectPublicKeyInfo under tag 6F (Doc 9303-11,
/// 6.1).
pub fn encode(key: &EcPublicKey) -> Vec<u8> {
    tlv::encode(Tag(0x6F), &[&key.to_spki()])
}

/// Reads the file as a chip sends it.
///
/// # Errors
///
/// When it is not one public key under tag 6F, or the key is on a curve that we do not know.
pub fn parse(file: &[u8]) -> Result<EcPublicKey, CardError> {
    let outer = tlv::single(file, Tag(0x6F), "DG15 must be one object with tag 6F")?;
    let mut reader = outer.children()?;
    let spki = reader.expect(Tag::SEQUENCE, "public key (SEQUENCE) expected")?;
    reader.finish()?;
    EcPublicKey::from_spki(&spki, "DG15")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ec_key::Curve;

    proptest! {
        #[test]
        fn reads_back_and_damage_never_panics(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in 0usize..95,
        ) {
            let key = EcPublicKey::new(Curve::P256, &[4; 65]).unwrap();
            let mut file = encode(&key);
            prop_assert_eq!(parse(&file).unwrap(), key);
            let index = at.index(file.len());
            file[index] = byte;
            let _ = parse(&file);
            file.truncate(cut);
            let _ = parse(&file);
        }
    }
}
