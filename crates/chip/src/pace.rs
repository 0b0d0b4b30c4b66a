//! PACE with generic mapping over elliptic curves (Doc 9303-11 §4.4): the parts that both sides compute
//! alike.

use crate::agreement::{self, Point};
use card::ec_key::Curve;
use card::secure_messaging::{Channel, Cipher, SessionKeys};
use card::security_info::oid;
use card::tlv::{self, Reader, Tag};

/// Dynamic authentication data of GENERAL AUTHENTICATE.
pub(crate) const DYNAMIC_DATA: Tag = Tag(0x7C);

/// The objects in dynamic authentication data (Doc 9303-11 §4.4.5, table 4), reader to chip and chip to
/// reader.
pub(crate) mod object {
    pub(crate) const ENCRYPTED_NONCE: u8 = 0x80;
    pub(crate) const MAPPING_OF_READER: u8 = 0x81;
    pub(crate) const MAPPING_OF_CHIP: u8 = 0x82;
    pub(crate) const EPHEMERAL_OF_READER: u8 = 0x83;
    pub(crate) const EPHEMERAL_OF_CHIP: u8 = 0x84;
    pub(crate) const TOKEN_OF_READER: u8 = 0x85;
    pub(crate) const TOKEN_OF_CHIP: u8 = 0x86;
    /// Chip Authentication: the reader's ephemeral key.
    pub(crate) const PUBLIC_KEY: u8 = 0x80;
}

/// 7C with one object, or with none.
pub(crate) fn dynamic_data(object: Option<(u8, &[u8])>) -> Vec<u8> {
    let inner = object.map(|(tag, value)| tlv::encode(Tag(tag.into()), &[value])).unwrap_or_default();
    tlv::encode(DYNAMIC_DATA, &[&inner])
}

/// The one object in 7C; `Some(None)` if it is empty, `None` if the bytes are something else.
pub(crate) fn parse_dynamic_data(bytes: &[u8]) -> Option<Option<(u8, &[u8])>> {
    let outer = tlv::single(bytes, DYNAMIC_DATA, "dynamic authentication data (7C) expected").ok()?;
    let mut reader: Reader<'_> = outer.children().ok()?;
    let object = reader.read().ok()?;
    reader.finish().ok()?;
    match object {
        None => Some(None),
        Some(object) => Some(Some((u8::try_from(object.tag.0).ok()?, object.value))),
    }
}

/// Session keys from the common point of the second agreement.
pub(crate) fn session_keys(common: &Point) -> SessionKeys {
    SessionKeys::derive(Cipher::Aes128, agreement::x(common))
}

/// The token over the other side's ephemeral key (Doc 9303-11 §4.4.3.4).
pub(crate) fn token(keys: &SessionKeys, ephemeral_of_other: &[u8]) -> [u8; 8] {
    let oid = tlv::encode(Tag::OID, &[oid::PACE_ECDH_GM_AES_128]);
    let point = tlv::encode(Tag(0x86), &[ephemeral_of_other]);
    keys.mac(&tlv::encode(Tag(0x7F49), &[&oid, &point]))
}

/// The channel starts at zero (Doc 9303-11 §9.8.7.3).
pub(crate) fn channel(keys: SessionKeys) -> Channel {
    Channel::new(keys, 0)
}

/// The curve of a number of standardised domain parameters, if it is known here.
pub(crate) fn curve(number: u8) -> Option<Curve> {
    [Curve::P256, Curve::BrainpoolP256r1].into_iter().find(|curve| curve.number() == number)
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
