//! The receipt code: what the citizen holds, and the only thing that opens the application's progress page.

use std::fmt;

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroize;

/// Crockford's base 32: no I, L, O, U, so that a code read aloud or copied by hand comes back the same.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 16;

/// Sixteen characters, 80 random bits. The centre knows its SHA-256 only.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptCode([u8; CHARS]);

/// Why a text is no receipt code. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptCodeError {
    #[error("a receipt code has 16 letters and digits; this has {0}")]
    Length(usize),
    #[error("character {position} does not occur in receipt codes")]
    Character {
        /// Counted from one, without hyphens and spaces.
        position: usize,
    },
}

impl ReceiptCode {
    /// Draws a code.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        let bits = random.iter().fold(0u128, |bits, &byte| bits << 8 | u128::from(byte));
        random.zeroize();
        Self(std::array::from_fn(|i| ALPHABET[(bits >> (75 - 5 * i) & 31) as usize]))
    }

    /// Reads a code as a person types it: any case, with or without hyphens and spaces, O for 0, I or L for
    /// 1.
    ///
    /// # Errors
    /// The length, or the first character that cannot occur.
    pub fn parse(text: &str) -> Result<Self, ReceiptCodeError> {
        let mut code = [0; CHARS];
        let mut count = 0;
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            };
            let known = u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte));
            let byte = known.ok_or(ReceiptCodeError::Character { position: count + 1 })?;
            if count < CHARS {
                code[count] = byte;
            }
            count += 1;
        }
        if count == CHARS { Ok(Self(code)) } else { Err(ReceiptCodeError::Length(count)) }
    }

    /// SHA-256 of the sixteen characters, as `application.receipt_hash` holds it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// As printed, `XXXX-XXXX-XXXX-XXXX`. Not `Display`, so that no log prints it by accident.
    pub fn grouped(&self) -> String {
        let groups: Vec<&str> = self
            .0
            .chunks(4)
            .map(|group| std::str::from_utf8(group).expect("the alphabet is ASCII"))
            .collect();
        groups.join("-")
    }
}

impl fmt::Debug for ReceiptCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn a_code_survives_being_copied_by_hand() {
        let code = ReceiptCode::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let printed = code.grouped();
        assert_eq!(printed.len(), 19);
        assert_eq!(ReceiptCode::parse(&printed), Ok(code.clone()));
        let typed = printed.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(ReceiptCode::parse(&typed).map(|code| code.hash()), Ok(code.hash()));
        assert_eq!(format!("{code:?}"), "ReceiptCode(…)");
    }

    #[test]
    fn wrong_codes_say_what_is_wrong() {
        assert_eq!(ReceiptCode::parse("ABCD"), Err(ReceiptCodeError::Length(4)));
        assert_eq!(ReceiptCode::parse(&"A".repeat(17)), Err(ReceiptCodeError::Length(17)));
        assert_eq!(ReceiptCode::parse("AB-CU"), Err(ReceiptCodeError::Character { position: 4 }));
        assert_eq!(ReceiptCode::parse("ABÇ"), Err(ReceiptCodeError::Character { position: 3 }));
    }

    #[test]
    fn all_bits_are_used() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        for position in 0..CHARS {
            let mut seen = std::collections::BTreeSet::new();
            (0..2000).for_each(|_| {
                seen.insert(ReceiptCode::generate(&mut rng).0[position]);
            });
            assert_eq!(seen.len(), 32, "character {position}");
        }
    }
}
