//! Heads of the audit trail, signed by a key that the database does not have, in a file that the operator
//! names: whoever rewrites the trail, head and all, is found out by them
//! (docs/decisions/0029-audit-heads.md).

mod line;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use domain::clock::SystemClock;
use hsm::SoftwareSigner;
use packet::keys::PublicKey;
use pki::Signer;
use store::audit::{self, Signed};
use store::{Database, recordings};
use time::OffsetDateTime;

use crate::error::with_causes;
use crate::key_files::{CentreKey, INIT, existing, key_folder, passphrase};
use crate::{Error, Place};

pub use line::{Fault, MOST_LINE_BYTES, SignedHeads, read};

/// Where the heads go when the operator names no other file.
pub fn default_path(place: &Place) -> PathBuf {
    place.data.join("audit-heads.jsonl")
}

/// The key that signs heads.
pub struct AuditKey {
    signer: SoftwareSigner,
    /// Others check heads with it.
    pub public: PublicKey,
}

impl AuditKey {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::NoKey`], with the command that makes it; [`Error::Hsm`].
    pub async fn open(place: &Place) -> Result<AuditKey, Error> {
        let folder = key_folder(place);
        tokio::task::spawn_blocking(move || {
            let path = existing(folder.join(CentreKey::Audit.file()), INIT)?;
            let signer = SoftwareSigner::load(&path, &passphrase(&folder)?)?;
            let public = PublicKey::from_spki(signer.public_key())?;
            Ok(AuditKey { signer, public })
        })
        .await?
    }
}

/// What [`write`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Nothing was recorded since the last line.
    Unmoved,
    /// The line of this number.
    Line(u64),
}

/// Writes the heads from time to time, until it is stopped. An error is told and no end: the next time may
/// succeed.
pub async fn keep_writing(db: Database, key: Arc<AuditKey>, path: PathBuf, every: Duration) {
    loop {
        match write(&db, &key, &path, SystemClock.now()).await {
            Ok(Written::Line(line)) => tracing::info!(line, "the heads of the audit trail are signed"),
            Ok(Written::Unmoved) => {}
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(error, "the heads of the audit trail are not signed");
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Seals the recorded actions, and adds a line to the file if a chain has moved since its last one. What is
/// added is on the disk. The heads of the last line must still be in the trail.
///
/// # Errors
/// [`Error::TrailRewritten`], and then nothing is signed; [`Error::HeadsFile`], a file that is not one of
/// signed heads; [`Error::HeadsTaken`]; those of the database and of the key.
pub async fn write(
    db: &Database,
    key: &Arc<AuditKey>,
    path: &Path,
    now: OffsetDateTime,
) -> Result<Written, Error> {
    let (to, key_of_last) = (path.to_owned(), key.public.clone());
    let (file, last) = tokio::task::spawn_blocking(move || open(&to, &key_of_last)).await??;
    recordings::seal(db, now).await?;
    let mut conn = db.read().await?;
    if let Some(last) = &last
        && let Some(lost) = audit::first_lost(&mut conn, &last.heads).await?
    {
        let (path, signed_at) = (path.to_owned(), last.at);
        return Err(Error::TrailRewritten { chain: lost.chain, row: lost.seq, signed_at, path });
    }
    let heads = audit::heads(&mut conn).await?;
    drop(conn);
    if last.as_ref().is_some_and(|last| last.heads == heads) {
        return Ok(Written::Unmoved);
    }
    let (key, path) = (Arc::clone(key), path.to_owned());
    tokio::task::spawn_blocking(move || {
        let line = SignedHeads::sign(last.as_ref(), now, heads, &key.signer, &key.public);
        let line = line.map_err(|source| Error::HeadsUnsigned { source })?;
        append(file, &path, &line)?;
        Ok(Written::Line(line.number))
    })
    .await?
}

/// Opens the file for one more line, and nobody else at the same time. The last line, if there is one.
fn open(path: &Path, key: &PublicKey) -> Result<(File, Option<SignedHeads>), Error> {
    let doing = Error::file(path, "read and write the signed heads");
    let reading = || {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o640).open(path)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let bytes = file.metadata()?.len();
        let from = bytes.saturating_sub(2 * MOST_LINE_BYTES as u64);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        Read::by_ref(&mut file).take(2 * MOST_LINE_BYTES as u64).read_to_end(&mut end)?;
        // Half a line is one that was never told to be written: a process died over it.
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < end.len() && (whole > 0 || from == 0) {
            end.truncate(whole);
            file.set_len(from + whole as u64)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Some((file, end)))
    };
    let Some((file, end)) = reading().map_err(doing)? else {
        return Err(Error::HeadsTaken { path: path.to_owned() });
    };
    let Some(last) = end.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next())
    else {
        return match end.is_empty() {
            true => Ok((file, None)),
            false => Err(Error::HeadsFile { path: path.to_owned(), fault: Fault::NotALine }),
        };
    };
    let wrong = |fault| Error::HeadsFile { path: path.to_owned(), fault };
    let last = SignedHeads::parse(last).map_err(wrong)?;
    match last.check(std::slice::from_ref(key)) {
        // Another key may have signed before this one; whoever verifies gives both.
        Ok(()) | Err(Fault::UnknownKey) => Ok((file, Some(last))),
        Err(fault) => Err(wrong(fault)),
    }
}

fn append(mut file: File, path: &Path, line: &SignedHeads) -> Result<(), Error> {
    let mut append = || {
        file.write_all((line.to_line() + "\n").as_bytes())?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    append().map_err(Error::file(path, "write the signed heads"))
}

/// What was found out about the trail, its actions, and its signed heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The chains.
    pub trail: audit::Verdict,
    /// The recorded actions; `None` when the chains are broken, since the seals are in them.
    pub actions: Option<recordings::Verdict>,
}

impl Findings {
    /// Whether everything is as it was written.
    pub fn is_intact(&self) -> bool {
        matches!(self.trail, audit::Verdict::Intact { .. })
            && matches!(self.actions, Some(recordings::Verdict::Intact { .. }))
    }
}

/// Reads every row of the trail and every recorded action, of one instant, and compares the chains with heads
/// that were signed.
///
/// # Errors
/// Those of the database.
pub async fn verify(db: &Database, lines: &[SignedHeads]) -> Result<Findings, Error> {
    let mut signed = Signed::new();
    for head in lines.iter().flat_map(|line| &line.heads) {
        let points = signed.entry(head.chain).or_default();
        if points.last() != Some(head) {
            points.push(head.clone());
        }
    }
    let mut tx = db.begin_snapshot().await?;
    let trail = audit::verify_signed(&mut tx, &signed).await?;
    let actions = match trail {
        audit::Verdict::Intact { .. } => Some(recordings::verify(&mut tx).await?),
        audit::Verdict::Broken { .. } => None,
    };
    Ok(Findings { trail, actions })
}

/// Between which signed heads a row was written: the last that does not cover it, and the first that does.
pub fn around(lines: &[SignedHeads], chain: i16, row: i64) -> (Option<&SignedHeads>, Option<&SignedHeads>) {
    let rows =
        |line: &SignedHeads| line.heads.iter().find(|head| head.chain == chain).map_or(0, |head| head.seq);
    let covering = lines.partition_point(|line| rows(line) < row);
    (covering.checked_sub(1).map(|before| &lines[before]), lines.get(covering))
}
