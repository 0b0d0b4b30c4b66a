#![doc = include_str!("../README.md")]

pub mod apdu;
pub mod artwork;
pub mod data;
pub mod ec_key;
pub mod jpeg;
pub mod lds;
pub mod mrz;
pub mod qr;
pub mod secure_messaging;
pub mod security_info;
pub mod sod;
pub mod tlv;

mod error;
mod transliterate;

pub use error::CardError;

#[cfg(test)]
mod tests {
    /// Bytes of hexadecimal digits; anything else between them is skipped.
    pub(crate) fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }
}
