use std::path::Path;

use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::file::{self, Kind};
use crate::{HsmError, Passphrase};

/// The secret from which the keys of all chips follow. It is drawn for that, and does nothing else: a secret
/// that another key could be brought to compute would let a chip be copied by whoever may use that key.
pub struct ChipSecret(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ChipSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipSecret(redacted)")
    }
}

impl ChipSecret {
    /// A new secret in memory only, until it is saved: the chips that follow from it are lost with it.
    pub fn generate(rng: &mut impl CryptoRng) -> ChipSecret {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        ChipSecret(secret)
    }

    /// Opens an encrypted key file.
    ///
    /// # Errors
    /// When the file cannot be read, is no key file of this kind, or the passphrase is another.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<ChipSecret, HsmError> {
        Ok(ChipSecret(file::load_32(path, Kind::ChipSecret, passphrase)?))
    }

    /// Writes a new key file; an existing one is left alone and is an error.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<(), HsmError> {
        file::save(path, Kind::ChipSecret, self.0.as_slice(), passphrase, rng)
    }

    /// For the derivation of chips' keys; nothing else may keep the bytes.
    pub fn bytes(&self) -> &Zeroizing<[u8; 32]> {
        &self.0
    }
}
