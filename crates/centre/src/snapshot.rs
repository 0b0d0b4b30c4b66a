//! The fingerprint gallery as a file in the data directory, so that a start need not open every packet.
//!
//! ```text
//! magic (8) │ length of the label (4, little-endian) │ label, JSON │ wrapped key (40) │ chunks
//! chunk: length with the highest bit set in the last one (4) │ AES-256-GCM of at most 1 MiB, tag included
//! ```
//!
//! Each file has a key of its own, wrapped by the key-encryption key as those of packets are: without that,
//! nobody reads a fingerprint in it. A chunk's nonce is its number and whether it is the last, and all that
//! comes before the chunks is authenticated with each: one that is altered, moved, left out or of another
//! file does not open.
//!
//! The label says of which database the file is and how far that one's change log was followed. A file that
//! is missing, stale, damaged or foreign costs time and nothing else: the gallery is built anew.

mod sealed;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use fingerprint::{Gallery, SnapshotError};
use packet::keys::{CentreKeys, KeyError, WrappingKey};
use resolve::Identities;
use sealed::{Opener, Sealer};
use store::{Database, change_log};

/// The file in the data directory.
const NAME: &str = "gallery.snapshot";
/// Applications that are new since the last snapshot, at least, for another.
const LEAST_NEW: usize = 100;

/// Of what a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Of the database.
    pub installation: String,
    /// Up to where the gallery holds every application that was looked at.
    pub position: i64,
    /// The change log's entry at that position: a database that was restored from a backup has another one
    /// there.
    pub entry: Option<String>,
}

/// Why a snapshot is not used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is no snapshot of this version")]
    NotASnapshot,
    #[error("it is of another database, or of this one before a backup was restored")]
    Foreign,
    #[error("its key")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Gallery(#[from] SnapshotError),
}

/// Whether so many applications are new that another snapshot is worth its writing: the work of all snapshots
/// together stays in proportion to the gallery. At rest a start's work is kept smaller.
pub fn is_due(written: usize, now: usize, at_rest: bool) -> bool {
    now.saturating_sub(written) >= LEAST_NEW.max(now / if at_rest { 100 } else { 10 })
}

/// Takes the gallery over from the snapshot, if there is one that can be used. Says how many applications it
/// holds.
///
/// # Errors
/// Those of the database.
pub async fn load(
    db: &Database,
    folder: &Path,
    keys: &Arc<CentreKeys>,
    identities: &mut Identities,
) -> Result<Option<usize>, Error> {
    let path = folder.join(NAME);
    let (opened, found) = (path.clone(), Arc::clone(keys));
    let params = identities.gallery_params();
    if !path.exists() {
        return Ok(None);
    }
    let label = match tokio::task::spawn_blocking(move || label_of(&opened)).await? {
        Ok(label) => label,
        Err(error) => return Ok(ignored(&error)),
    };
    if !is_of(db, &label).await? {
        return Ok(ignored(&Unusable::Foreign));
    }
    let position = label.position;
    let reading = tokio::task::spawn_blocking(move || {
        read(&path, &label, &*found.wrapping, |input| {
            let mut input = input;
            Gallery::read_snapshot(params, &mut input)
        })
    });
    match reading.await? {
        Ok(gallery) => {
            let applications = gallery.len();
            tracing::info!(applications, position, "the gallery is taken from its snapshot");
            identities.adopt_gallery(gallery, position);
            Ok(Some(applications))
        }
        Err(error) => Ok(ignored(&error)),
    }
}

fn ignored<T>(why: &Unusable) -> Option<T> {
    let why = crate::error::with_causes(why);
    tracing::warn!(why, "the snapshot of the gallery is ignored; the gallery is built from the packets");
    None
}

/// Whether a label is of this database as it is now.
async fn is_of(db: &Database, label: &Label) -> Result<bool, Error> {
    let mut conn = db.read().await?;
    let installation = change_log::installation_id(&mut conn).await?;
    let entry = change_log::entry_at(&mut conn, label.position).await?.map(|entry| entry.to_string());
    Ok(label.installation == installation && label.entry == entry)
}

/// Writes the gallery aside and puts it in the place of the last snapshot. While another process writes one
/// in the same directory, nothing is done; says whether it was written.
///
/// # Errors
/// Those of the database; a file that cannot be written.
pub async fn save(
    db: &Database,
    folder: &Path,
    keys: &Arc<CentreKeys>,
    identities: &Identities,
) -> Result<bool, Error> {
    let (position, write_gallery) = identities.gallery_writer();
    let mut conn = db.read().await?;
    let installation = change_log::installation_id(&mut conn).await?;
    let entry = change_log::entry_at(&mut conn, position).await?.map(|entry| entry.to_string());
    drop(conn);
    let label = Label { installation, position, entry };
    let (path, keys) = (folder.join(NAME), Arc::clone(keys));
    tokio::task::spawn_blocking(move || {
        write(&path, &label, &*keys.wrapping, write_gallery)
            .map_err(Error::file(&path, "write the gallery's snapshot"))
    })
    .await?
}

/// Writes a file of this kind. Whole or not at all: until it is on the disk under its name, the one before
/// stands.
///
/// # Errors
/// Those of the disk and of the key store.
pub fn write(
    path: &Path,
    label: &Label,
    wrapping: &dyn WrappingKey,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<bool> {
    let open = |extension| {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.with_extension(extension))
    };
    // A file of its own, which is never renamed, says who writes.
    let lock = open("lock")?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(false),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    let draft = open("draft")?;
    // What a killed process left of one.
    draft.set_len(0)?;
    let mut sealer = Sealer::new(BufWriter::new(draft), label, wrapping)?;
    content(&mut sealer)?;
    let draft = sealer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    draft.sync_all()?;
    fs::rename(path.with_extension("draft"), path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    // Said and not left to closing: a program that another thread is just starting holds a copy of this file
    // for a moment, and the lock with it.
    lock.unlock()?;
    Ok(true)
}

fn label_of(path: &Path) -> Result<Label, Unusable> {
    Ok(sealed::read_label(&mut BufReader::new(File::open(path)?))?.label)
}

/// Reads what [`write`] wrote under this label.
///
/// # Errors
/// What is wrong with the file.
pub fn read<T>(
    path: &Path,
    label: &Label,
    wrapping: &dyn WrappingKey,
    content: impl FnOnce(&mut dyn Read) -> Result<T, SnapshotError>,
) -> Result<T, Unusable> {
    let mut file = BufReader::new(File::open(path)?);
    let head = sealed::read_label(&mut file)?;
    if head.label != *label {
        // Another process has put a newer one there since the label was read.
        return Err(Unusable::Foreign);
    }
    let mut opener = Opener::new(file, head, wrapping)?;
    let read = content(&mut opener)?;
    opener.finish()?;
    Ok(read)
}
