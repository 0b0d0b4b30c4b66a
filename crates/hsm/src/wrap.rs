use std::path::Path;

use aes_kw::{KeyInit, KwAes256};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    HsmError, Passphrase,
    file::{self, Kind},
};

/// Bytes of a wrapped data key.
pub const WRAPPED_KEY_LEN: usize = 40;

/// An AES-256 key that is stored wrapped.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

impl DataKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> DataKey {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        DataKey(bytes)
    }

    /// For a key that the centre drew elsewhere. One that came from outside is never wrapped (see the crate
    /// `packet`, `keys::seal_secret`).
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> DataKey {
        DataKey(bytes)
    }

    /// For the cipher that uses it; nothing else may keep the bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same as [`DataKey::as_bytes`], wiped when it is dropped.
    pub fn into_bytes(self) -> Zeroizing<[u8; 32]> {
        self.0
    }
}

/// The key under which keys that the centre drew are stored (AES-KW, RFC 3394).
pub struct KeyEncryptionKey {
    secret: Zeroizing<[u8; 32]>,
    cipher: KwAes256,
}

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyEncryptionKey(redacted)")
    }
}

impl KeyEncryptionKey {
    /// A new key in memory only, until it is saved: what it wraps is lost with it.
    pub fn generate(rng: &mut impl CryptoRng) -> KeyEncryptionKey {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_secret(secret)
    }

    /// Opens an encrypted key file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no key file of this kind, or the passphrase is another.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<KeyEncryptionKey, HsmError> {
        Ok(Self::from_secret(file::load_32(path, Kind::KeyEncryption, passphrase)?))
    }

    /// Writes a new key file; an existing one is left alone and is an error.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<(), HsmError> {
        file::save(path, Kind::KeyEncryption, self.secret.as_slice(), passphrase, rng)
    }

    /// AES key wrap (RFC 3394), under which a key is stored beside the data that it protects.
    pub fn wrap(&self, key: &DataKey) -> [u8; WRAPPED_KEY_LEN] {
        let mut out = [0; WRAPPED_KEY_LEN];
        self.cipher.wrap_key(key.as_bytes(), &mut out).expect("32 bytes wrap into 40");
        out
    }

    /// The inverse of [`KeyEncryptionKey::wrap`].
    ///
    /// # Errors
    ///
    /// When the bytes are of another length, were altered, or were wrapped with another key.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, HsmError> {
        if wrapped.len() != WRAPPED_KEY_LEN {
            return Err(HsmError::Unwrap);
        }
        let mut out = Zeroizing::new([0; 32]);
        self.cipher.unwrap_key(wrapped, out.as_mut_slice()).map_err(|_| HsmError::Unwrap)?;
        Ok(DataKey(out))
    }

    fn from_secret(secret: Zeroizing<[u8; 32]>) -> KeyEncryptionKey {
        let cipher = KwAes256::new(&(*secret).into());
        KeyEncryptionKey { secret, cipher }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn rfc_3394_section_4_6() {
        let mut secret = [0; 32];
        (0..32).for_each(|i| secret[usize::from(i)] = i);
        let mut data = [0; 32];
        (0..16).for_each(|i| data[usize::from(i)] = i * 0x11);
        (0..16).for_each(|i| data[usize::from(i) + 16] = i);
        let key = KeyEncryptionKey::from_secret(Zeroizing::new(secret));
        let wrapped = key.wrap(&DataKey(Zeroizing::new(data)));
        assert_eq!(
            wrapped,
            *b"\x28\xC9\xF4\x04\xC4\xB8\x10\xF4\xCB\xCC\xB3\x5C\xFB\x87\xF8\x26\x3F\x57\x86\xE2\xD8\x0E\
               \xD3\x26\xCB\xC7\xF0\xE7\x1A\x99\xF4\x3B\xFB\x98\x8B\x9B\x7A\x02\xDD\x21"
        );
        assert_eq!(key.unwrap(&wrapped).unwrap().as_bytes(), &data);
    }

    #[test]
    fn a_saved_key_unwraps_what_it_wrapped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek.key");
        let passphrase = Passphrase::from_bytes(b"a passphrase");
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let key = KeyEncryptionKey::generate(&mut rng);
        let data_key = DataKey::generate(&mut rng);
        let wrapped = key.wrap(&data_key);
        key.save(&path, &passphrase, &mut rng).unwrap();
        let loaded = KeyEncryptionKey::load(&path, &passphrase).unwrap();
        assert_eq!(loaded.unwrap(&wrapped).unwrap().as_bytes(), data_key.as_bytes());
        assert!(KeyEncryptionKey::generate(&mut rng).unwrap(&wrapped).is_err());
    }

    proptest! {
        #[test]
        fn damage_is_noticed(at in 0usize..WRAPPED_KEY_LEN, bit in 0u8..8, length in 0usize..60) {
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            let key = KeyEncryptionKey::generate(&mut rng);
            let mut wrapped = key.wrap(&DataKey::generate(&mut rng));
            wrapped[at] ^= 1 << bit;
            prop_assert!(key.unwrap(&wrapped).is_err());
            prop_assert!(key.unwrap(&vec![0; length]).is_err());
        }
    }
}
