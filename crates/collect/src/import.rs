//! One file into the register.
//!
//! A thread reads and judges rows while the database takes the chunk before: at most three chunks are in
//! memory. Each chunk is one transaction of people, rejects and progress, so that an import goes on where it
//! stopped.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::macros::datetime;
use time::{Date, OffsetDateTime};
use tokio::sync::mpsc;

use crate::decide::{Candidate, Outcome, decide};
use crate::fault::Fault;
use crate::hash::form_hash;
use crate::row::{RawRow, Source};
use crate::source::{Format, SourceFile};
use crate::validate::{Form, Rules, validate};
use crate::{Error, rejects};
use domain::id::{ImportId, PersonId};
use domain::text::fold_ascii;
use domain::unit::Units;
use domain::{Actor, Clock};
use store::Database;
use store::imports::known::{self, Known};
use store::imports::leftover::{self, NewReject, NewRepeat};
use store::imports::quality::{self, QualityRow};
use store::imports::{self, ImportProgress, NewImport};
use store::register::record::{NewPerson, register};
use store::register::units;

/// The instant in ids that are derived from what a file says: a person's id follows from the form alone,
/// whenever and however often it is imported.
const ID_EPOCH: OffsetDateTime = datetime!(2021-01-01 0:00 UTC);

/// Judged chunks that wait for the database.
const WAITING_CHUNKS: usize = 1;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Where `<file name>.rejects.csv` is written when rows are rejected.
    pub rejects_dir: PathBuf,
    /// The day by which units and births are judged; the clock's today when it is not given.
    pub collected_on: Option<Date>,
    /// Who imports.
    pub actor: Actor,
    /// Rows a transaction; between two of them an import can stop.
    pub chunk_rows: usize,
}

impl ImportOptions {
    /// By the centre itself, with the clock's day, in transactions of 8,192 rows.
    pub fn new(rejects_dir: impl Into<PathBuf>) -> Self {
        ImportOptions {
            rejects_dir: rejects_dir.into(),
            collected_on: None,
            actor: Actor::Centre,
            chunk_rows: 8_192,
        }
    }
}

/// How far an import has come, after each chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub bytes_total: u64,
    pub done: ImportProgress,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSummary {
    pub import_id: ImportId,
    pub format: Format,
    pub bytes_total: u64,
    /// Counts over the whole file, whatever runs it took.
    pub counts: ImportProgress,
    /// Row behind which this run went on; 0 for a first run.
    pub resumed_after_row: u64,
    /// The file had been imported whole before, and nothing was done.
    pub already_done: bool,
    /// False when the progress function stopped the import: the same call goes on with it.
    pub finished: bool,
    /// The annotated rejects, when there are any.
    pub rejects_file: Option<PathBuf>,
}

/// The id of the import of the file with this SHA-256.
pub fn import_id(sha256: &[u8; 32]) -> ImportId {
    ImportId::derive(ID_EPOCH, &[sha256])
}

/// The id of the person whom the form of this number registers.
pub fn person_id(form_no: &str) -> PersonId {
    PersonId::derive(ID_EPOCH, &[form_no.as_bytes()])
}

/// Puts the units by which this installation works into the database; harmless when they are there. Returns
/// how many were added.
///
/// # Errors
/// Those of the database.
pub async fn load_units(db: &Database) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    let added = units::load_units(&mut tx, Units::latest()).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(added)
}

/// How good the register's data is in each unit whose path begins with `scope` (`42/445/`; empty for the
/// whole country). The counts are explained at [`QualityRow`]. Needs the units, see [`load_units`].
///
/// # Errors
/// Those of the database.
pub async fn quality(db: &Database, scope: &str) -> Result<Vec<QualityRow>, Error> {
    let mut connection = db.read().await?;
    Ok(quality::quality(&mut connection, scope).await?)
}

/// Imports a file of DC01 forms. `progress` is called after each chunk, and stops the import by `Break`.
///
/// Idempotent: the same file is imported once, and goes on where a killed import stopped; the same form in
/// another file counts as repeated.
///
/// # Errors
/// What makes the whole file unusable, found before anything is written (except [`Error::Changed`]); those of
/// the database. Rows with faults are no error: they are in the rejects.
pub async fn import(
    db: &Database,
    path: &Path,
    options: &ImportOptions,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(&Progress) -> ControlFlow<()> + Send),
) -> Result<ImportSummary, Error> {
    let opened = path.to_owned();
    let file = blocking(move || SourceFile::open(&opened)).await?;
    let import = import_id(&file.digested.sha256);
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if rows_read(db, import).await? == 0 {
        let file = file.clone();
        blocking(move || file.prove_whole()).await?;
    }
    let state = open(db, import, &name, &file, clock).await?;
    let mut summary = ImportSummary {
        import_id: import,
        format: file.format(),
        bytes_total: file.digested.bytes,
        counts: state.progress,
        resumed_after_row: state.progress.rows_read,
        already_done: state.finished_at.is_some(),
        finished: state.finished_at.is_some(),
        rejects_file: None,
    };
    if summary.already_done {
        summary.rejects_file = rejects::existing(import, &options.rejects_dir, &name);
        if summary.rejects_file.is_none() {
            summary.rejects_file = rejects::write(db, import, &options.rejects_dir, &name).await?;
        }
        return Ok(summary);
    }
    let rules = Rules::of_day(options.collected_on.unwrap_or_else(|| clock.today()));
    let run = Run { db, import, options, clock, bytes_total: file.digested.bytes };
    if run.chunks(&file, rules, &mut summary.counts, progress).await?.is_break() {
        return Ok(summary);
    }
    file.check_unchanged()?;
    // Before the import is marked as finished: whoever is killed between the two writes the same file again.
    summary.rejects_file = rejects::write(db, import, &options.rejects_dir, &name).await?;
    run.finish(&mut summary.counts).await?;
    summary.finished = true;
    Ok(summary)
}

/// Whether somebody else wrote in the same instant.
fn can_be_judged_again(error: &Error) -> bool {
    match error {
        Error::Store(e) => e.is_retryable() || e.violates("pin_pkey") || e.violates("person_pkey"),
        Error::Concurrent => true,
        _ => false,
    }
}

async fn rows_read(db: &Database, import: ImportId) -> Result<u64, Error> {
    let mut connection = db.read().await?;
    let state = imports::find_import(&mut connection, import).await?;
    Ok(state.map_or(0, |state| state.progress.rows_read))
}

async fn open(
    db: &Database,
    import_id: ImportId,
    name: &str,
    file: &SourceFile,
    clock: &dyn Clock,
) -> Result<imports::ImportState, Error> {
    let (format, digested) = (file.format().as_str(), &file.digested);
    let new = NewImport { import_id, name, format, sha256: &digested.sha256, bytes_total: digested.bytes };
    let mut tx = db.begin().await?;
    let state = imports::open_import(&mut tx, &new, clock.now()).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(state)
}

/// Rows that were read and judged, without the register.
struct Chunk {
    sound: Vec<Sound>,
    rejects: Vec<NewReject>,
    rows: u64,
    composed: u64,
    /// Where the next chunk begins.
    end: u64,
}

/// A row without a fault of its own.
struct Sound {
    row: RawRow,
    form: Form,
    name_fold: String,
    person_id: PersonId,
    form_hash: [u8; 32],
    source: Option<Source>,
}

struct Run<'a> {
    db: &'a Database,
    import: ImportId,
    options: &'a ImportOptions,
    clock: &'a dyn Clock,
    bytes_total: u64,
}

impl Run<'_> {
    /// Takes the file's chunks from where `counts` stands, to the end or until `progress` stops it.
    async fn chunks(
        &self,
        file: &SourceFile,
        rules: Arc<Rules>,
        counts: &mut ImportProgress,
        progress: &mut (dyn FnMut(&Progress) -> ControlFlow<()> + Send),
    ) -> Result<ControlFlow<()>, Error> {
        let (sender, mut chunks) = mpsc::channel(WAITING_CHUNKS);
        let (file, from, size) = (file.clone(), *counts, self.options.chunk_rows.max(1));
        let reader = tokio::task::spawn_blocking(move || {
            if let Err(e) = judge(&file, &rules, from, size, &sender) {
                // A receiver that is gone has an error of its own, or was stopped.
                let _ = sender.blocking_send(Err(e));
            }
        });
        while let Some(chunk) = chunks.recv().await {
            *counts = self.take_retrying(&chunk?, counts).await?;
            if progress(&Progress { bytes_total: self.bytes_total, done: *counts }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        finished(reader.await)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Writes one chunk; again, when somebody took a number or a lock in the same instant.
    async fn take_retrying(&self, chunk: &Chunk, from: &ImportProgress) -> Result<ImportProgress, Error> {
        const ATTEMPTS: u32 = 5;
        let mut attempt = 1;
        loop {
            match self.take(chunk, from).await {
                Err(e) if attempt < ATTEMPTS && can_be_judged_again(&e) => {
                    tracing::debug!(import.id = %self.import, attempt, "chunk is written again");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Decides about a chunk and writes it with the progress, in one transaction.
    async fn take(&self, chunk: &Chunk, from: &ImportProgress) -> Result<ImportProgress, Error> {
        let mut tx = self.db.begin().await?;
        known::lock_register(&mut tx).await?;
        let people: Vec<PersonId> = chunk.sound.iter().map(|sound| sound.person_id).collect();
        let form_nos: Vec<&str> = chunk.sound.iter().map(|sound| sound.form.number.as_str()).collect();
        let pins = chunk.sound.iter().filter_map(|sound| sound.form.record.pin.as_ref());
        let pins: Vec<&str> = pins.map(|pin| pin.as_str()).collect();
        let mut known = known::known(&mut tx, &people, &form_nos, &pins).await?;
        let decided = Decided::of(chunk, &mut known);
        let now = self.clock.now();
        let outcome = register(&mut tx, self.import, &self.options.actor, now, &decided.people).await?;
        // A number was given to somebody between asking and writing: imports lock each other out, and not who
        // gives out numbers. The chunk is judged again.
        if !outcome.refused.is_empty() {
            return Err(Error::Concurrent);
        }
        leftover::keep_repeats(&mut tx, self.import, &decided.repeats).await?;
        leftover::keep_rejects(&mut tx, self.import, &chunk.rejects).await?;
        leftover::keep_rejects(&mut tx, self.import, &decided.rejects).await?;
        let resolved = leftover::resolve_rejects(
            &mut tx,
            self.import,
            &decided.replaced,
            &decided.registered_without_source,
        )
        .await?;
        let to = ImportProgress {
            bytes_done: chunk.end,
            rows_read: from.rows_read + chunk.rows,
            rows_accepted: from.rows_accepted + decided.people.len() as u64,
            rows_repeated: from.rows_repeated + decided.repeated,
            rows_rejected: from.rows_rejected + (chunk.rejects.len() + decided.rejects.len()) as u64,
            rows_composed: from.rows_composed + chunk.composed,
            rows_without_commune: from.rows_without_commune + decided.without_commune,
            rows_resolved: from.rows_resolved + resolved,
        };
        if !imports::advance(&mut tx, self.import, from, &to).await? {
            return Err(Error::Concurrent);
        }
        tx.commit().await.map_err(store::Error::from)?;
        Ok(to)
    }

    async fn finish(&self, counts: &mut ImportProgress) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if !imports::finish_import(&mut tx, self.import, counts.rows_read, now).await? {
            return Err(Error::Concurrent);
        }
        let detail = serde_json::json!({
            "read": counts.rows_read,
            "accepted": counts.rows_accepted,
            "repeated": counts.rows_repeated,
            "rejected": counts.rows_rejected,
        });
        let entry = store::audit::Entry {
            at: now,
            actor: self.options.actor.clone(),
            action: "import.finished".to_owned(),
            subject: format!("import:{}", self.import),
            unit_path: String::new(),
            detail,
        };
        store::audit::append(&mut tx, &entry).await?;
        tx.commit().await.map_err(store::Error::from)?;
        counts.bytes_done = self.bytes_total;
        Ok(())
    }
}

/// What is to be written for a chunk.
#[derive(Default)]
struct Decided<'a> {
    people: Vec<NewPerson<'a>>,
    repeats: Vec<NewRepeat<'a>>,
    rejects: Vec<NewReject>,
    repeated: u64,
    without_commune: u64,
    /// Rows of earlier files that these rows replace, from a rejects file.
    replaced: Vec<(ImportId, u64)>,
    /// Numbers of registered forms that did not come in a rejects file.
    registered_without_source: Vec<&'a str>,
}

impl<'a> Decided<'a> {
    fn of(chunk: &'a Chunk, known: &mut Known) -> Self {
        let mut decided = Decided::default();
        for sound in &chunk.sound {
            let (form, form_no) = (&sound.form, sound.form.number.as_str());
            let (person_id, form_hash) = (sound.person_id, &sound.form_hash);
            let candidate = Candidate { form_no, person_id, form_hash: *form_hash, record: &form.record };
            match decide(&candidate, known) {
                Outcome::Registered => {
                    decided.people.push(NewPerson {
                        person_id,
                        record: &form.record,
                        name_fold: &sound.name_fold,
                        unit_path: &form.unit_path,
                        form_no,
                        form_hash,
                    });
                    decided.without_commune += u64::from(form.notes.commune_unknown);
                    if sound.source.is_none() {
                        decided.registered_without_source.push(form_no);
                    }
                }
                Outcome::Repeated => decided.repeated += 1,
                Outcome::AnotherFormOf(person_id) => {
                    let (row_no, raw) = (sound.row.number, raw_json(&sound.row));
                    decided.repeats.push(NewRepeat { form_no, form_hash, person_id, row_no, raw });
                    decided.repeated += 1;
                }
                Outcome::Rejected(fault) => {
                    decided.rejects.push(reject(&sound.row, &[fault]));
                    continue;
                }
            }
            decided.replaced.extend(sound.source.as_ref().map(|source| (source.import_id, source.row)));
        }
        decided
    }
}

/// Reads and judges the rows behind `from`, and sends them in chunks of `size`.
fn judge(
    file: &SourceFile,
    rules: &Rules,
    from: ImportProgress,
    size: usize,
    sender: &mpsc::Sender<Result<Chunk, Error>>,
) -> Result<(), Error> {
    let mut rows = file.rows(from.rows_read, from.bytes_done)?;
    let mut row = RawRow::default();
    loop {
        let mut chunk =
            Chunk { sound: Vec::with_capacity(size), rejects: Vec::new(), rows: 0, composed: 0, end: 0 };
        while (chunk.rows as usize) < size && rows.next(&mut row)? {
            chunk.rows += 1;
            chunk.end = row.end;
            match validate(&row, rules) {
                Ok(form) => {
                    chunk.composed += u64::from(form.notes.composed);
                    chunk.sound.push(Sound {
                        person_id: person_id(&form.number),
                        form_hash: form_hash(&form.record),
                        name_fold: fold_ascii(form.record.name.as_str()),
                        source: row.source(),
                        form,
                        row: row.clone(),
                    });
                }
                Err(faults) => chunk.rejects.push(reject(&row, &faults)),
            }
        }
        if chunk.rows == 0 || sender.blocking_send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
}

fn reject(row: &RawRow, faults: &[Fault]) -> NewReject {
    let form_no = row.get(0).trim();
    NewReject {
        row_no: row.number,
        form_no: (!form_no.is_empty()).then(|| form_no.chars().take(64).collect()),
        errors: rejects::faults_json(faults),
        raw: raw_json(row),
    }
}

fn raw_json(row: &RawRow) -> serde_json::Value {
    let fields = row.stated().map(|(name, text)| (name.to_owned(), text.into()));
    serde_json::Value::Object(fields.collect())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    finished(tokio::task::spawn_blocking(work).await)?
}

/// A panic of the reading thread is the import's own.
fn finished<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.map_err(|e| match e.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::ShuttingDown,
    })
}
