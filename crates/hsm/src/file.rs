//! The encrypted key file; its layout is in the crate's README.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::AeadInOut};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::HsmError;

const MAGIC: &[u8; 8] = b"dancuKEY";
const FORMAT: u8 = 1;
const HEADER_LEN: usize = 50;
const TAG_LEN: usize = 16;
/// A file with the longest secret.
const LONGEST_FILE: usize = HEADER_LEN + 48 + TAG_LEN;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const COST: Cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };
/// A file that asks for more is damaged or an attack on memory.
const COST_LIMIT: Cost = Cost { memory_kib: 1 << 20, passes: 16, lanes: 16 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Signing = 1,
    Agreement = 2,
    KeyEncryption = 3,
    SigningBrainpoolP256r1 = 4,
    SigningP384 = 5,
    ChipSecret = 6,
}

impl Kind {
    fn secret_len(self) -> usize {
        match self {
            Kind::SigningP384 => 48,
            Kind::Signing
            | Kind::Agreement
            | Kind::KeyEncryption
            | Kind::SigningBrainpoolP256r1
            | Kind::ChipSecret => 32,
        }
    }
}

struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What opens key files.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

impl Passphrase {
    /// Reads the first line of a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Passphrase, HsmError> {
        let bytes = read_private(path, 1024)?;
        let line = bytes.split(|&b| b == b'\n' || b == b'\r').next().unwrap_or_default();
        if line.len() < 12 {
            return Err(HsmError::WeakPassphrase { path: path.to_owned() });
        }
        Ok(Passphrase(Zeroizing::new(line.to_vec())))
    }

    /// Takes the bytes as they are, without the check of length that a file's line gets.
    pub fn from_bytes(bytes: &[u8]) -> Passphrase {
        Passphrase(Zeroizing::new(bytes.to_vec()))
    }
}

pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Encrypts `secret` into a new file: written beside it, synced, then linked to its name, so that a crash
/// leaves either a whole file or none.
pub(crate) fn save(
    path: &Path,
    kind: Kind,
    secret: &[u8],
    passphrase: &Passphrase,
    rng: &mut impl CryptoRng,
) -> Result<(), HsmError> {
    let bytes = seal(path, kind, secret, passphrase, rng)?;
    let failed = |action| move |source| HsmError::File { path: path.to_owned(), action, source };
    let part = part_of(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .map_err(failed("create it"))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed("write it"))?;
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part).map_err(failed("remove its temporary file"))?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(HsmError::Exists { path: path.to_owned() });
        }
        other => other.map_err(failed("create it"))?,
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|d| d.sync_all()).map_err(failed("sync its directory"))
}

pub(crate) fn load(path: &Path, kind: Kind, passphrase: &Passphrase) -> Result<Secret, HsmError> {
    load_any(path, &[kind], passphrase).map(|(_, secret)| secret)
}

/// Opens a file of one of these kinds, and says which.
pub(crate) fn load_any(
    path: &Path,
    kinds: &[Kind],
    passphrase: &Passphrase,
) -> Result<(Kind, Secret), HsmError> {
    let bytes = read_private(path, LONGEST_FILE as u64)?;
    open(path, kinds, &bytes, passphrase)
}

/// The secret of a kind whose secrets have 32 bytes.
pub(crate) fn load_32(
    path: &Path,
    kind: Kind,
    passphrase: &Passphrase,
) -> Result<Zeroizing<[u8; 32]>, HsmError> {
    let secret = load(path, kind, passphrase)?;
    let mut out = Zeroizing::new([0; 32]);
    let wrong = || HsmError::Format { path: path.to_owned(), problem: "the secret has not 32 bytes" };
    out.copy_from_slice(secret.get(..32).filter(|_| secret.len() == 32).ok_or_else(wrong)?);
    Ok(out)
}

fn seal(
    path: &Path,
    kind: Kind,
    secret: &[u8],
    passphrase: &Passphrase,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HsmError> {
    let mut salt_and_nonce = [0; 28];
    rng.fill_bytes(&mut salt_and_nonce);
    if secret.len() != kind.secret_len() {
        return Err(HsmError::Format {
            path: path.to_owned(),
            problem: "the secret is not as long as its kind asks",
        });
    }
    let mut out = Vec::with_capacity(LONGEST_FILE);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[FORMAT, kind as u8]);
    for number in [COST.memory_kib, COST.passes, COST.lanes] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&salt_and_nonce);
    let mut body = Zeroizing::new(secret.to_vec());
    let tag = cipher(path, &out, passphrase)?
        .encrypt_inout_detached(&nonce(&out), &out, body.as_mut_slice().into())
        .map_err(|_| HsmError::Format { path: path.to_owned(), problem: "the cipher refused the key" })?;
    out.extend_from_slice(&body);
    out.extend_from_slice(&tag);
    Ok(out)
}

fn open(
    path: &Path,
    kinds: &[Kind],
    bytes: &[u8],
    passphrase: &Passphrase,
) -> Result<(Kind, Secret), HsmError> {
    let wrong = |problem| HsmError::Format { path: path.to_owned(), problem };
    if !bytes.starts_with(MAGIC) {
        return Err(wrong("not a key file"));
    }
    let Some((header, body)) = bytes.split_at_checked(HEADER_LEN) else {
        return Err(wrong("the file is cut short; restore it from a backup"));
    };
    if header[8] != FORMAT {
        return Err(wrong("written by another version; open it with that version"));
    }
    let Some(&kind) = kinds.iter().find(|&&kind| kind as u8 == header[9]) else {
        return Err(wrong("the file holds a key of another kind"));
    };
    if body.len() != kind.secret_len() + TAG_LEN {
        return Err(wrong("the file is cut short or has something appended; restore it from a backup"));
    }
    let (encrypted, stored_tag) = body.split_at(kind.secret_len());
    let mut secret = Zeroizing::new(encrypted.to_vec());
    let mut tag = [0; TAG_LEN];
    tag.copy_from_slice(stored_tag);
    cipher(path, header, passphrase)?
        .decrypt_inout_detached(&nonce(header), header, secret.as_mut_slice().into(), &tag.into())
        .map_err(|_| HsmError::NotOpened { path: path.to_owned() })?;
    Ok((kind, secret))
}

fn cipher(path: &Path, header: &[u8], passphrase: &Passphrase) -> Result<Aes256Gcm, HsmError> {
    let wrong = || HsmError::Format { path: path.to_owned(), problem: "impossible Argon2id cost" };
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (memory_kib, passes, lanes) = (number(10), number(14), number(18));
    if memory_kib > COST_LIMIT.memory_kib || passes > COST_LIMIT.passes || lanes > COST_LIMIT.lanes {
        return Err(wrong());
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| wrong())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(&passphrase.0, &header[22..38], key.as_mut_slice())
        .map_err(|_| wrong())?;
    Ok(Aes256Gcm::new(&(*key).into()))
}

fn nonce(header: &[u8]) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&header[38..HEADER_LEN]);
    nonce.into()
}

/// Reads a file of at most `limit` bytes (one more is read, so that a longer file is noticed).
pub(crate) fn read_private(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, HsmError> {
    let failed = |source| HsmError::File { path: path.to_owned(), action: "read it", source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(HsmError::Exposed { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit as usize + 1));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn sealed() -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        seal(Path::new("k"), Kind::Signing, &[7; 32], &Passphrase::from_bytes(b"a passphrase"), &mut rng)
            .unwrap()
    }

    fn try_open(bytes: &[u8], passphrase: &[u8]) -> Result<Secret, HsmError> {
        open(Path::new("k"), &[Kind::Signing], bytes, &Passphrase::from_bytes(passphrase))
            .map(|(_, secret)| secret)
    }

    #[test]
    fn opens_with_the_passphrase_and_in_its_kind_only() {
        let file = sealed();
        assert_eq!(file.len(), 98);
        assert!(!file.windows(8).any(|w| w == [7; 8]));
        assert_eq!(*try_open(&file, b"a passphrase").unwrap(), [7; 32]);
        assert!(matches!(try_open(&file, b"another one!"), Err(HsmError::NotOpened { .. })));
        let mut other_kind = file.clone();
        other_kind[9] = Kind::KeyEncryption as u8;
        let opened = open(
            Path::new("k"),
            &[Kind::KeyEncryption],
            &other_kind,
            &Passphrase::from_bytes(b"a passphrase"),
        );
        assert!(matches!(opened, Err(HsmError::NotOpened { .. })));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let file = sealed();
        // One byte of every part of the file; the costly derivation makes all 98 too slow.
        for at in [0, 8, 9, 10, 12, 17, 21, 22, 38, 49, 50, 81, 82, 97] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(try_open(&changed, b"a passphrase").is_err(), "byte {at}");
        }
    }

    #[test]
    fn files_are_private_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ds.key");
        let pass = directory.path().join("pass");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        fs::write(&pass, "a passphrase\n").unwrap();
        fs::set_permissions(&pass, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Passphrase::from_file(&pass), Err(HsmError::Exposed { .. })));
        fs::set_permissions(&pass, fs::Permissions::from_mode(0o600)).unwrap();
        let passphrase = Passphrase::from_file(&pass).unwrap();

        save(&path, Kind::Signing, &[7; 32], &passphrase, &mut rng).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*load(&path, Kind::Signing, &passphrase).unwrap(), [7; 32]);
        let again = save(&path, Kind::Signing, &[8; 32], &passphrase, &mut rng);
        assert!(matches!(again, Err(HsmError::Exists { .. })));
        assert_eq!(*load(&path, Kind::Signing, &passphrase).unwrap(), [7; 32]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            bytes.splice(0..0, *MAGIC);
            // An expensive but allowed cost would only make the test slow.
            if bytes.len() > 10 { bytes[10] = 0xFF; }
            prop_assert!(try_open(&bytes, b"a passphrase").is_err());
        }
    }
}
