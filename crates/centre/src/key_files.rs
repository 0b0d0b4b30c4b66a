//! The key files that an installation cannot work without: made once by a command, opened by everything else.
//!
//! A missing key is never made on the way: a new key-encryption key in the place of a lost one opens nothing
//! that the lost one sealed, and nobody would notice before the photos are wanted.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::{Error, Place};
use hsm::{ChipSecret, DataKey, KeyEncryptionKey, Passphrase, SoftwareAgreementKey, SoftwareSigner};
use packet::keys::{DrawnKey, IntakeKey, KeyError, PublicKey, WRAPPED_BYTES, WrappingKey};
use pki::{SignatureAlgorithm, Signer};

/// The command that makes the keys of [`CentreKey`] and the passphrase.
pub(crate) const INIT: &str = "dancu keys init";
/// Stands in the folder while the keys are made: whoever finds it knows that they are not all there yet.
const UNFINISHED: &str = "unfinished";
/// What the passphrase's file is called unless `DANCU_PASSPHRASE_FILE` names another place.
const PASSPHRASE: &str = "passphrase";

/// A key that an installation has one of, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CentreKey {
    /// Opens the packets of kits.
    Intake,
    /// Signs the answers to kits.
    Receipt,
    /// Wraps the keys of everything that is stored sealed.
    KeyEncryption,
    /// The keys of all chips follow from it.
    ChipSecret,
    /// Signs the heads of the audit trail.
    Audit,
}

impl CentreKey {
    /// Every one, in the order in which they are made.
    pub const ALL: [CentreKey; 5] = [
        CentreKey::Intake,
        CentreKey::Receipt,
        CentreKey::KeyEncryption,
        CentreKey::ChipSecret,
        CentreKey::Audit,
    ];

    /// The file in the key folder.
    pub const fn file(self) -> &'static str {
        match self {
            CentreKey::Intake => "intake.key",
            CentreKey::Receipt => "receipt.key",
            CentreKey::KeyEncryption => "key-encryption.key",
            CentreKey::ChipSecret => "chip-secret.key",
            CentreKey::Audit => "audit.key",
        }
    }

    /// What it is for, in a few words.
    pub const fn purpose(self) -> &'static str {
        match self {
            CentreKey::Intake => "opens the packets of kits",
            CentreKey::Receipt => "signs the answers to kits",
            CentreKey::KeyEncryption => "wraps the keys of photos and fingerprints",
            CentreKey::ChipSecret => "gives every chip its keys",
            CentreKey::Audit => "signs the heads of the audit trail",
        }
    }
}

/// How far the keys of a folder are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySet {
    /// There are none, and nothing that such keys would have sealed.
    None,
    /// Somebody began to make them and did not come to the end.
    Unfinished,
    /// All are there.
    Made,
    /// All are there but the one that signs the heads of the audit trail. Nothing is sealed to it, so that
    /// another can be made any time.
    WithoutAudit,
    /// These are missing beside others that are there: somebody lost them.
    Missing(Vec<PathBuf>),
}

/// Where an installation's keys are.
pub fn key_folder(place: &Place) -> PathBuf {
    place.data.join("keys")
}

/// Where the passphrase is that encrypts the keys of this folder: beside them, unless `DANCU_PASSPHRASE_FILE`
/// names another place (docs/operations.md).
pub fn passphrase_path(folder: &Path) -> PathBuf {
    let named = std::env::var_os("DANCU_PASSPHRASE_FILE").map(PathBuf::from);
    named.unwrap_or_else(|| folder.join(PASSPHRASE))
}

/// How far the keys of this folder are made. Opens none.
///
/// # Errors
/// [`Error::File`]: a folder that cannot be looked into.
pub fn key_set(folder: &Path) -> Result<KeySet, Error> {
    if is_there(&folder.join(UNFINISHED))? {
        return Ok(KeySet::Unfinished);
    }
    let mut missing = Vec::new();
    for key in CentreKey::ALL {
        let path = folder.join(key.file());
        if !is_there(&path)? {
            missing.push(path);
        }
    }
    let passphrase = passphrase_path(folder);
    let has_passphrase = is_there(&passphrase)?;
    // The passphrase may lie there before the keys: an operator chose it. Keys without it are lost.
    let has_keys = missing.len() < CentreKey::ALL.len() || (!has_passphrase && holds_keys(folder)?);
    if !has_keys {
        return Ok(KeySet::None);
    }
    if !has_passphrase {
        missing.push(passphrase);
    }
    Ok(match missing.as_slice() {
        [] => KeySet::Made,
        [only] if *only == folder.join(CentreKey::Audit.file()) => KeySet::WithoutAudit,
        _ => KeySet::Missing(missing),
    })
}

/// Makes the passphrase, if there is none, and the keys of [`CentreKey`], each on the disk before the next.
/// Returns the files that were made. What was interrupted is completed by doing it again.
///
/// # Errors
/// [`Error::KeysThere`], [`Error::KeysLost`]: a key is never replaced; [`Error::File`], [`Error::Hsm`].
pub fn make_keys(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match key_set(folder)? {
        KeySet::Made => return Err(Error::KeysThere { folder: folder.to_owned() }),
        KeySet::Missing(missing) => return Err(Error::KeysLost { missing }),
        KeySet::None | KeySet::Unfinished | KeySet::WithoutAudit => {}
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(Error::file(folder, "make this directory"))?;
    let mark = folder.join(UNFINISHED);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&mark);
    let file = file.map_err(Error::file(&mark, "make this file"))?;
    // Two that make keys at once would each be right about what is missing, and one would fail half-way.
    file.try_lock().map_err(|_| Error::KeysBeingMade { folder: folder.to_owned() })?;
    file.sync_all().and_then(|()| sync(folder)).map_err(Error::file(&mark, "make this file"))?;
    let mut made = Vec::new();
    let path = passphrase_path(folder);
    if !is_there(&path)? {
        draw_passphrase(&path)?;
        made.push(path);
    }
    let passphrase = passphrase(folder)?;
    for key in CentreKey::ALL {
        let path = folder.join(key.file());
        if !is_there(&path)? {
            make(key, &path, &passphrase)?;
            made.push(path);
        }
    }
    // What was written must open before anything is sealed to it.
    KeyFiles::load(folder)?;
    fs::remove_file(&mark).and_then(|()| sync(folder)).map_err(Error::file(&mark, "remove this file"))?;
    Ok(made)
}

fn make(key: CentreKey, path: &Path, passphrase: &Passphrase) -> Result<(), Error> {
    let mut rng = system_rng();
    match key {
        CentreKey::Intake => SoftwareAgreementKey::generate(&mut rng).save(path, passphrase, &mut rng)?,
        CentreKey::Receipt | CentreKey::Audit => {
            SoftwareSigner::generate(&mut rng).save(path, passphrase, &mut rng)?;
        }
        CentreKey::KeyEncryption => KeyEncryptionKey::generate(&mut rng).save(path, passphrase, &mut rng)?,
        CentreKey::ChipSecret => ChipSecret::generate(&mut rng).save(path, passphrase, &mut rng)?,
    }
    Ok(())
}

/// Opens one of the keys, to see that it is what it should be. Returns the id of its public key, by which
/// messages name it, if it has one.
///
/// # Errors
/// [`Error::NoKey`], [`Error::Hsm`].
pub fn check_key(folder: &Path, key: CentreKey) -> Result<Option<[u8; 8]>, Error> {
    let (path, passphrase) = (existing(folder.join(key.file()), INIT)?, passphrase(folder)?);
    let public = match key {
        CentreKey::Intake => SoftwareAgreementKey::load(&path, &passphrase)?.public_key().to_vec(),
        CentreKey::Receipt | CentreKey::Audit => {
            SoftwareSigner::load(&path, &passphrase)?.public_key().to_vec()
        }
        CentreKey::KeyEncryption => {
            KeyEncryptionKey::load(&path, &passphrase)?;
            return Ok(None);
        }
        CentreKey::ChipSecret => {
            ChipSecret::load(&path, &passphrase)?;
            return Ok(None);
        }
    };
    Ok(Some(PublicKey::from_spki(&public)?.key_id()))
}

/// The keys of the software key store. An HSM takes their place behind the same traits.
pub(crate) struct KeyFiles {
    pub receipts: SoftwareSigner,
    pub intake: Intake,
    pub wrapping: Wrapping,
    pub chips: ChipSecret,
}

impl KeyFiles {
    /// Opens all of them.
    pub fn open(folder: &Path) -> Result<KeyFiles, Error> {
        if key_set(folder)? == KeySet::Unfinished {
            return Err(Error::KeysUnfinished { folder: folder.to_owned() });
        }
        Self::load(folder)
    }

    fn load(folder: &Path) -> Result<KeyFiles, Error> {
        let path = |key: CentreKey| existing(folder.join(key.file()), INIT);
        let intake = path(CentreKey::Intake)?;
        let (receipt, wrapping) = (path(CentreKey::Receipt)?, path(CentreKey::KeyEncryption)?);
        let chips = path(CentreKey::ChipSecret)?;
        let passphrase = passphrase(folder)?;
        let key = SoftwareAgreementKey::load(&intake, &passphrase)?;
        let public = PublicKey::from_spki(key.public_key())?;
        Ok(KeyFiles {
            receipts: SoftwareSigner::load(&receipt, &passphrase)?,
            intake: Intake { key, public },
            wrapping: Wrapping(KeyEncryptionKey::load(&wrapping, &passphrase)?),
            chips: ChipSecret::load(&chips, &passphrase)?,
        })
    }
}

fn system_rng() -> StdRng {
    rand::make_rng()
}

/// Whether a file is there. One that may not be looked for is an error and not a missing file.
pub(crate) fn is_there(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::file(path, "look for this file"))
}

/// The path again, of a key that is there; otherwise the command that makes it is named.
pub(crate) fn existing(path: PathBuf, make: &'static str) -> Result<PathBuf, Error> {
    if is_there(&path)? { Ok(path) } else { Err(Error::NoKey { path, make }) }
}

/// Whether the folder holds any key file.
fn holds_keys(folder: &Path) -> Result<bool, Error> {
    let doing = "list this directory";
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(Error::file(folder, doing))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::file(folder, doing))?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of a directory are on the disk.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens the signing key in this file, or makes it where there is none: for the command whose work is to make
/// it, and which may have been stopped in the midst.
///
/// # Errors
/// [`Error::Hsm`]: a file that cannot be read or written, or that another passphrase opens.
pub(crate) fn make_signing_key(
    path: &Path,
    algorithm: SignatureAlgorithm,
    passphrase: &Passphrase,
) -> Result<SoftwareSigner, Error> {
    if is_there(path)? {
        return Ok(SoftwareSigner::load(path, passphrase)?);
    }
    let key = SoftwareSigner::generate_for(algorithm, &mut system_rng());
    key.save(path, passphrase, &mut system_rng())?;
    Ok(key)
}

/// The passphrase of the key files.
pub(crate) fn passphrase(folder: &Path) -> Result<Passphrase, Error> {
    Ok(Passphrase::from_file(&existing(passphrase_path(folder), INIT)?)?)
}

/// The passphrase in this file, drawn when there is none: for the command that makes the key under it.
///
/// # Errors
/// [`Error::File`]; [`Error::Hsm`]: a passphrase that is short, or that others can read.
pub(crate) fn make_passphrase(path: &Path) -> Result<Passphrase, Error> {
    if !is_there(path)? {
        draw_passphrase(path)?;
    }
    Ok(Passphrase::from_file(path)?)
}

/// Written whole under another name first: a crash must not leave half a passphrase beside keys that it does
/// not open.
fn draw_passphrase(path: &Path) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0u8; 24]);
    system_rng().fill_bytes(bytes.as_mut_slice());
    let text: Zeroizing<String> = Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect());
    let draft = path.with_extension("draft");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    };
    write().map_err(Error::file(path, "write the passphrase"))
}

/// Key agreement for `enrol` by the key store of `hsm`.
pub(crate) struct Intake {
    key: SoftwareAgreementKey,
    public: PublicKey,
}

impl IntakeKey for Intake {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let shared = self.key.diffie_hellman_point(&ephemeral.to_point()).ok_or_else(|| {
            KeyError::Unavailable("the kit's ephemeral key is not a point of P-256".to_owned())
        })?;
        Ok(shared.into_bytes())
    }
}

/// Key wrapping for `enrol` by the key store of `hsm`.
pub(crate) struct Wrapping(KeyEncryptionKey);

impl WrappingKey for Wrapping {
    fn wrap(&self, key: &DrawnKey) -> Result<[u8; WRAPPED_BYTES], KeyError> {
        Ok(self.0.wrap(&DataKey::from_bytes(key.bytes().clone())))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DrawnKey, KeyError> {
        let key = self.0.unwrap(wrapped).map_err(|_| KeyError::WrongWrappingKey)?;
        Ok(DrawnKey::unwrapped(key.into_bytes()))
    }
}
