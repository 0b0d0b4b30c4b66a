use aes::{Aes128, cipher::BlockCipherEncrypt};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit, block_padding::NoPadding};
use cmac::{Cmac, Mac};
use des::{Des, TdesEde2};
use retail_mac::RetailMac;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

/// Bytes of an authentication code.
pub const MAC_LEN: usize = 8;

const KEY_LEN: usize = 16;

/// Counters of the key derivation function (Doc 9303-11 §9.7.1).
const COUNTER_ENC: u32 = 1;
const COUNTER_MAC: u32 = 2;
const COUNTER_PACE: u32 = 3;

/// The block cipher of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// Two-key Triple-DES in CBC mode, ISO/IEC 9797-1 MAC algorithm 3.
    TripleDes,
    /// AES-128 in CBC mode, CMAC.
    Aes128,
}

impl Cipher {
    /// In bytes; data is padded to a multiple of it.
    pub fn block_len(self) -> usize {
        match self {
            Cipher::TripleDes => 8,
            Cipher::Aes128 => 16,
        }
    }

    fn derive(self, secret: &[u8], counter: u32) -> Zeroizing<[u8; KEY_LEN]> {
        let digest = Sha1::new().chain_update(secret).chain_update(counter.to_be_bytes()).finalize();
        let mut key = Zeroizing::new([0; KEY_LEN]);
        key.copy_from_slice(&digest[..KEY_LEN]);
        if self == Cipher::TripleDes {
            // DES keys carry odd parity in each byte's lowest bit.
            for byte in key.iter_mut() {
                *byte = *byte & 0xFE | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
            }
        }
        key
    }
}

/// A pair of symmetric keys: one encrypts, one authenticates.
#[derive(Clone)]
pub struct SessionKeys {
    cipher: Cipher,
    enc: Zeroizing<[u8; KEY_LEN]>,
    mac: Zeroizing<[u8; KEY_LEN]>,
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKeys(redacted, {:?})", self.cipher)
    }
}

impl SessionKeys {
    /// From a shared secret (Doc 9303-11 §9.7.1; SHA-1, because neither cipher needs more than 128 bits).
    pub fn derive(cipher: Cipher, secret: &[u8]) -> SessionKeys {
        SessionKeys {
            cipher,
            enc: cipher.derive(secret, COUNTER_ENC),
            mac: cipher.derive(secret, COUNTER_MAC),
        }
    }

    /// What both keys are for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Whole blocks in CBC mode with a zero IV, as the messages of BAC are encrypted.
    pub fn encrypt_plain(&self, blocks: &[u8]) -> Vec<u8> {
        self.cbc_encrypt(&[0; 16], blocks)
    }

    /// Decrypts with an initial vector of zeros and leaves the padding on; used before a channel is open.
    pub fn decrypt_plain(&self, blocks: &[u8]) -> Zeroizing<Vec<u8>> {
        self.cbc_decrypt(&[0; 16], blocks)
    }

    /// Over a message that is already padded to whole blocks.
    pub fn mac(&self, message: &[u8]) -> [u8; MAC_LEN] {
        let mut out = [0; MAC_LEN];
        match self.cipher {
            Cipher::TripleDes => {
                let mut mac: RetailMac<Des> = new(&self.mac);
                mac.update(message);
                out.copy_from_slice(&mac.finalize().into_bytes());
            }
            Cipher::Aes128 => {
                let mut mac: Cmac<Aes128> = new(&self.mac);
                mac.update(message);
                out.copy_from_slice(&mac.finalize().into_bytes()[..MAC_LEN]);
            }
        }
        out
    }

    pub(super) fn encrypt(&self, counter: u128, blocks: &[u8]) -> Vec<u8> {
        self.cbc_encrypt(&self.initial_vector(counter), blocks)
    }

    pub(super) fn decrypt(&self, counter: u128, blocks: &[u8]) -> Zeroizing<Vec<u8>> {
        self.cbc_decrypt(&self.initial_vector(counter), blocks)
    }

    /// The send sequence counter, one block long.
    pub(super) fn counter_bytes(&self, counter: u128) -> Vec<u8> {
        counter.to_be_bytes()[16 - self.cipher.block_len()..].to_vec()
    }

    /// Zero for Triple-DES, the encrypted counter for AES (Doc 9303-11 §9.8.5).
    fn initial_vector(&self, counter: u128) -> [u8; 16] {
        let mut block = [0; 16];
        if self.cipher == Cipher::Aes128 {
            block = counter.to_be_bytes();
            encrypt_block(&self.enc, &mut block);
        }
        block
    }

    fn cbc_encrypt(&self, iv: &[u8; 16], blocks: &[u8]) -> Vec<u8> {
        match self.cipher {
            Cipher::TripleDes => with_iv::<cbc::Encryptor<TdesEde2>>(&self.enc, &iv[..8])
                .encrypt_padded_vec::<NoPadding>(blocks),
            Cipher::Aes128 => {
                with_iv::<cbc::Encryptor<Aes128>>(&self.enc, iv).encrypt_padded_vec::<NoPadding>(blocks)
            }
        }
    }

    fn cbc_decrypt(&self, iv: &[u8; 16], blocks: &[u8]) -> Zeroizing<Vec<u8>> {
        let plain = match self.cipher {
            Cipher::TripleDes => with_iv::<cbc::Decryptor<TdesEde2>>(&self.enc, &iv[..8])
                .decrypt_padded_vec::<NoPadding>(blocks),
            Cipher::Aes128 => {
                with_iv::<cbc::Decryptor<Aes128>>(&self.enc, iv).decrypt_padded_vec::<NoPadding>(blocks)
            }
        };
        Zeroizing::new(plain.expect("without padding any whole number of blocks decrypts"))
    }
}

/// The nonce of PACE, one block, under the key derived from a password (Doc 9303-11 §4.4.1).
pub struct PaceKey(Zeroizing<[u8; KEY_LEN]>);

impl std::fmt::Debug for PaceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PaceKey(redacted)")
    }
}

impl PaceKey {
    /// `password` is the access number's digits, or SHA-1 of the machine-readable zone's key fields.
    pub fn derive(password: &[u8]) -> PaceKey {
        PaceKey(Cipher::Aes128.derive(password, COUNTER_PACE))
    }

    /// One block without chaining or padding: the nonce that the chip sends in the first step of PACE (Doc
    /// 9303-11 §4.4.3.3.1).
    pub fn encrypt_nonce(&self, nonce: &[u8; 16]) -> [u8; 16] {
        let mut block = *nonce;
        encrypt_block(&self.0, &mut block);
        block
    }

    /// The inverse of [`PaceKey::encrypt_nonce`]. A wrong password gives another nonce, not an error.
    pub fn decrypt_nonce(&self, encrypted: &[u8; 16]) -> Zeroizing<[u8; 16]> {
        let plain = with_iv::<cbc::Decryptor<Aes128>>(&self.0, &[0; 16])
            .decrypt_padded_vec::<NoPadding>(encrypted)
            .expect("without padding one block decrypts");
        let mut nonce = Zeroizing::new([0; 16]);
        nonce.copy_from_slice(&plain);
        nonce
    }
}

fn encrypt_block(key: &[u8; KEY_LEN], block: &mut [u8; 16]) {
    new::<Aes128>(key).encrypt_block(block.into());
}

fn new<T: KeyInit>(key: &[u8; KEY_LEN]) -> T {
    T::new_from_slice(key).expect("every cipher and MAC here takes a key of sixteen bytes")
}

fn with_iv<T: KeyIvInit>(key: &[u8; KEY_LEN], iv: &[u8]) -> T {
    T::new_from_slices(key, iv).expect("the IV is one block and the key has sixteen bytes")
}
