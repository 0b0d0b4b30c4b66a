//! What a blank brings from its manufacturer: the chip's serial number and the key that lets it be written.

use aes::Aes256;
use cmac::{Cmac, KeyInit, Mac};
use zeroize::Zeroizing;

use crate::Error;
use card::secure_messaging::{Cipher, SessionKeys};
use card::tlv::{self, Tag};

/// The tag of the card production life cycle data (GlobalPlatform Card Specification, GET DATA).
pub(crate) const PRODUCTION_DATA: Tag = Tag(0x9F7F);
/// Bytes of it.
pub(crate) const PRODUCTION_LEN: usize = 42;

/// A chip's serial number: the parts of its production data that tell it from every other chip. Ten bytes:
/// fabricator (2), type (2) and batch (2) of the chip, and its number (4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChipSerial([u8; 10]);

impl ChipSerial {
    /// Twenty hexadecimal digits; spaces between them are left out.
    pub fn parse(text: &str) -> Result<ChipSerial, Error> {
        let bytes = hex(text).filter(|bytes| bytes.len() == 10).ok_or(Error::ChipSerial)?;
        Ok(ChipSerial(bytes[..].try_into().expect("ten bytes were counted")))
    }

    /// Takes the parts in the order in which the chip's production data has them.
    pub fn from_bytes(bytes: [u8; 10]) -> ChipSerial {
        ChipSerial(bytes)
    }

    /// The serial number `count` further in the same batch; `None` beyond its last.
    pub fn plus(self, count: u32) -> Option<ChipSerial> {
        let (batch, number) = self.0.split_at(6);
        let number = u32::from_be_bytes(number.try_into().expect("four of ten bytes")).checked_add(count)?;
        let mut next = [0; 10];
        next[..6].copy_from_slice(batch);
        next[6..].copy_from_slice(&number.to_be_bytes());
        Some(ChipSerial(next))
    }

    /// Production data of a chip with this number: fabricator and type at 0, number at 12, batch at 16.
    pub(crate) fn production_data(self) -> [u8; PRODUCTION_LEN] {
        let mut data = [0; PRODUCTION_LEN];
        data[..4].copy_from_slice(&self.0[..4]);
        data[12..16].copy_from_slice(&self.0[6..]);
        data[16..18].copy_from_slice(&self.0[4..6]);
        data
    }

    /// From the answer to GET DATA.
    pub(crate) fn from_answer(answer: &[u8]) -> Option<ChipSerial> {
        let object = tlv::single(answer, PRODUCTION_DATA, "production data (9F7F) expected").ok()?;
        let data: &[u8; PRODUCTION_LEN] = object.value.try_into().ok()?;
        let mut serial = [0; 10];
        serial[..4].copy_from_slice(&data[..4]);
        serial[4..6].copy_from_slice(&data[16..18]);
        serial[6..].copy_from_slice(&data[12..16]);
        Some(ChipSerial(serial))
    }
}

impl std::fmt::Display for ChipSerial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl std::fmt::Debug for ChipSerial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChipSerial({self})")
    }
}

impl std::str::FromStr for ChipSerial {
    type Err = Error;

    fn from_str(text: &str) -> Result<ChipSerial, Error> {
        ChipSerial::parse(text)
    }
}

/// The key of a delivery of blanks, from which each blank's own key follows. AES-256.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// For a key that was unsealed or read from a key letter.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> MasterKey {
        MasterKey(bytes)
    }

    /// 64 hexadecimal digits, as a manufacturer's key letter has them.
    pub fn parse(text: &str) -> Result<MasterKey, Error> {
        let bytes = hex(text).filter(|bytes| bytes.len() == 32).ok_or(Error::MasterKey)?;
        Ok(MasterKey(Zeroizing::new(bytes[..].try_into().expect("32 bytes were counted"))))
    }

    /// For sealing it; it is the secret of a whole box.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one blank: NIST SP 800-108 §4.1 (counter mode, one round) with CMAC-AES-256 as its
    /// function.
    pub fn transport_key(&self, serial: ChipSerial) -> TransportKey {
        let mut mac = <Cmac<Aes256> as KeyInit>::new_from_slice(self.0.as_slice())
            .expect("AES-256 takes a key of 32 bytes");
        mac.update(&[1]);
        mac.update(b"dancu transport key");
        mac.update(&[0]);
        mac.update(&serial.0);
        mac.update(&128u16.to_be_bytes());
        TransportKey(Zeroizing::new(mac.finalize().into_bytes().into()))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}

/// What a blank and whoever may write it both know. AES-128.
#[derive(Clone)]
pub struct TransportKey(pub(crate) Zeroizing<[u8; 16]>);

impl TransportKey {
    pub(crate) fn access_keys(&self) -> SessionKeys {
        SessionKeys::derive(Cipher::Aes128, self.0.as_slice())
    }
}

impl std::fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TransportKey(redacted)")
    }
}

fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = Zeroizing::new(digits?);
    let whole = digits.len().is_multiple_of(2);
    whole.then(|| Zeroizing::new(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_counted_and_found_in_production_data() {
        let serial = ChipSerial::parse("4790 5555 0001 0000 00FF").unwrap();
        assert_eq!(serial.to_string(), "479055550001000000FF");
        assert_eq!(serial.plus(1).unwrap().to_string(), "47905555000100000100");
        assert_eq!(serial.plus(u32::MAX), None, "a batch's numbers end");
        let answer = tlv::encode(PRODUCTION_DATA, &[&serial.production_data()]);
        assert_eq!(ChipSerial::from_answer(&answer), Some(serial));
        assert_eq!(ChipSerial::from_answer(&answer[..44]), None);
        for wrong in ["", "479055550001000000F", "479055550001000000FFFF", "47905555000100000OFF"] {
            assert!(ChipSerial::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// The one block, computed by `openssl mac -cipher AES-256-CBC -macopt hexkey:0707… -in … CMAC`.
    #[test]
    fn each_blank_has_its_own_transport_key() {
        let master = MasterKey::parse(&"07".repeat(32)).unwrap();
        let serial = |text| ChipSerial::parse(text).unwrap();
        let key = master.transport_key(serial("479055550001000000FF"));
        let shown: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, "61739ff33399bd805c85a3c73529765d");
        assert_ne!(*master.transport_key(serial("47905555000100000100")).0, *key.0);
        assert!(MasterKey::parse("07").is_err());
        assert_eq!(format!("{master:?} {key:?}"), "MasterKey(redacted) TransportKey(redacted)");
    }
}
