//! Importing population forms: the rows of a file, chunk by chunk, into the register.
//!
//! Nothing here decides. The caller asks what the register knows of a chunk ([`known`]), decides,
//! and writes people, rejects and progress in one transaction, so that a file goes on where it stopped.

use std::collections::HashMap;

use domain::id::{ImportId, PersonId};
use domain::record::{Place, Relative, ResidentRecord};
use domain::unit::UnitTable;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{CopyIn, CopyRow, Error};

/// A file about to be imported. Its id follows from its hash, so the same bytes are the same import.
#[derive(Debug, Clone)]
pub struct NewImport<'a> {
    pub import_id: ImportId,
    pub name: &'a str,
    /// `csv` or `qcvn109`.
    pub format: &'a str,
    pub sha256: &'a [u8; 32],
    pub bytes_total: u64,
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Where the next row begins.
    pub bytes_done: u64,
    pub rows_read: u64,
    pub rows_accepted: u64,
    /// Forms that the register holds already.
    pub rows_repeated: u64,
    pub rows_rejected: u64,
    /// Rows with decomposed Unicode, which was composed.
    pub rows_composed: u64,
    /// Accepted rows that name a district instead of a commune.
    pub rows_without_commune: u64,
    /// Rejected rows of earlier files that this file's rows replace.
    pub rows_resolved: u64,
}

/// An import as the database holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportState {
    pub progress: ImportProgress,
    pub finished_at: Option<OffsetDateTime>,
}

/// A person to be registered.
#[derive(Debug)]
pub struct NewPerson<'a> {
    pub person_id: PersonId,
    pub record: &'a ResidentRecord,
    /// The name in capitals without marks, see `domain::text::fold_ascii`.
    pub name_fold: &'a str,
    pub unit_path: &'a str,
    pub form_no: &'a str,
    pub form_hash: &'a [u8; 32],
}

/// Whoever holds, or held, a personal number.
#[derive(Clone)]
pub struct PinHolder {
    pub person_id: PersonId,
    pub form_no: String,
    pub full_name: String,
    pub sex: i16,
    /// yyyymmdd, 00 for an unknown part.
    pub birth: i32,
}

/// A holder's name is personal data.
impl std::fmt::Debug for PinHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinHolder").field("person_id", &self.person_id).finish_non_exhaustive()
    }
}

/// What the register holds that a chunk of forms may meet; the caller adds what the chunk's own earlier rows bring.
#[derive(Debug, Default)]
pub struct Known {
    /// Hash of the form behind a registered person.
    pub forms: HashMap<PersonId, [u8; 32]>,
    /// Hash of a form that was taken as another form of a registered person, by its number.
    pub repeats: HashMap<String, [u8; 32]>,
    /// Whoever holds, or held, a personal number: one is never given to a second person.
    pub holders: HashMap<String, PinHolder>,
}

/// A form under another number for a person who is registered: kept as evidence, without a second person.
pub struct NewRepeat<'a> {
    pub form_no: &'a str,
    pub form_hash: &'a [u8; 32],
    pub person_id: PersonId,
    pub row_no: u64,
    pub raw: serde_json::Value,
}

/// A row that could not be taken.
pub struct NewReject {
    pub row_no: u64,
    pub form_no: Option<String>,
    /// `[{field, code, message}]`.
    pub errors: serde_json::Value,
    /// The stated fields as read.
    pub raw: serde_json::Value,
}

/// A rejected row that no later file has replaced.
#[derive(sqlx::FromRow)]
pub struct OpenReject {
    pub row_no: i64,
    pub errors: serde_json::Value,
    pub raw: serde_json::Value,
}

/// Puts all units of the table into the database, those that are there already excepted. Returns how many were added.
///
/// # Errors
/// Those of the database.
pub async fn load_units(tx: &mut PgConnection, table: &UnitTable) -> Result<u64, Error> {
    let present: i64 = sqlx::query_scalar("SELECT count(*) FROM unit").fetch_one(&mut *tx).await?;
    if usize::try_from(present) == Ok(table.units().len()) {
        return Ok(0);
    }
    let statement = "CREATE TEMPORARY TABLE unit_load (LIKE unit INCLUDING DEFAULTS) ON COMMIT DROP";
    sqlx::query(statement).execute(&mut *tx).await?;
    let copy = "COPY unit_load (code, valid_from, valid_to, level, kind, name, parent, path) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, copy).await?;
    for unit in table.units() {
        let code = unit.code.to_string();
        let parent = unit.parent.map(|parent| parent.to_string());
        let path = table.path(unit.code).unwrap_or_default();
        let level = unit.code.level() as i16 + 1;
        copy.row(|row| {
            row.text(&code)
                .date(unit.valid_from)
                .opt(unit.valid_to, CopyRow::date)
                .i16(level)
                .text(&unit.kind)
                .text(&unit.name)
                .opt(parent.as_deref(), CopyRow::text)
                .text(&path)
        })
        .await?;
    }
    copy.finish().await?;
    let added = sqlx::query(
        "INSERT INTO unit (code, valid_from, valid_to, level, kind, name, parent, path) \
         SELECT code, valid_from, valid_to, level, kind, name, parent, path FROM unit_load ON CONFLICT DO NOTHING",
    )
    .execute(tx)
    .await?;
    Ok(added.rows_affected())
}

/// Records the import, or finds how far it came before.
///
/// # Errors
/// Those of the database.
pub async fn open_import(
    tx: &mut PgConnection,
    import: &NewImport<'_>,
    now: OffsetDateTime,
) -> Result<ImportState, Error> {
    sqlx::query(
        "INSERT INTO import_file (import_id, name, format, sha256, bytes_total, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (import_id) DO NOTHING",
    )
    .bind(import.import_id.uuid())
    .bind(import.name)
    .bind(import.format)
    .bind(import.sha256.as_slice())
    .bind(import.bytes_total.cast_signed())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    find_import(tx, import.import_id).await?.ok_or_else(|| Error::Inconsistent {
        table: "import_file",
        row: import.import_id.to_string(),
        reason: "it was written a moment ago and is not there".to_owned(),
    })
}

/// How far the import has come; `None` when it was never begun.
///
/// # Errors
/// Those of the database.
pub async fn find_import(conn: &mut PgConnection, import_id: ImportId) -> Result<Option<ImportState>, Error> {
    let row: Option<ImportRow> = sqlx::query_as(
        "SELECT bytes_done, rows_read, rows_accepted, rows_repeated, rows_rejected, rows_composed, \
                rows_without_commune, rows_resolved, finished_at FROM import_file WHERE import_id = $1",
    )
    .bind(import_id.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(ImportState::from))
}

#[derive(sqlx::FromRow)]
struct ImportRow {
    bytes_done: i64,
    rows_read: i64,
    rows_accepted: i64,
    rows_repeated: i64,
    rows_rejected: i64,
    rows_composed: i64,
    rows_without_commune: i64,
    rows_resolved: i64,
    finished_at: Option<OffsetDateTime>,
}

impl From<ImportRow> for ImportState {
    fn from(row: ImportRow) -> Self {
        let progress = ImportProgress {
            bytes_done: row.bytes_done.cast_unsigned(),
            rows_read: row.rows_read.cast_unsigned(),
            rows_accepted: row.rows_accepted.cast_unsigned(),
            rows_repeated: row.rows_repeated.cast_unsigned(),
            rows_rejected: row.rows_rejected.cast_unsigned(),
            rows_composed: row.rows_composed.cast_unsigned(),
            rows_without_commune: row.rows_without_commune.cast_unsigned(),
            rows_resolved: row.rows_resolved.cast_unsigned(),
        };
        ImportState { progress, finished_at: row.finished_at }
    }
}

/// Waits until no other import is between asking what the register knows and writing to it; until the transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn lock_register(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('dancu import'))").execute(tx).await?;
    Ok(())
}

/// What the register holds of these people, form numbers and personal numbers.
///
/// # Errors
/// Those of the database; a hash of another length.
pub async fn known(
    tx: &mut PgConnection,
    people: &[PersonId],
    form_nos: &[&str],
    pins: &[&str],
) -> Result<Known, Error> {
    // Ten thousand keys against tables that have just grown from nothing: without statistics the planner would read the
    // whole table for each chunk, which makes an import quadratic. The indices have all the keys that are asked for.
    let by_index =
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
    sqlx::raw_sql(by_index).execute(&mut *tx).await?;
    Ok(Known {
        forms: known_forms(tx, people).await?,
        repeats: known_repeats(tx, form_nos).await?,
        holders: pin_holders(tx, pins).await?,
    })
}

async fn known_forms(
    tx: &mut PgConnection,
    people: &[PersonId],
) -> Result<HashMap<PersonId, [u8; 32]>, Error> {
    let ids: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT person_id, form_hash FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(tx)
            .await?;
    let known = |(id, hash): (Uuid, Vec<u8>)| Ok((PersonId::from_uuid(id), sha256("person", &id, hash)?));
    rows.into_iter().map(known).collect()
}

async fn known_repeats(tx: &mut PgConnection, form_nos: &[&str]) -> Result<HashMap<String, [u8; 32]>, Error> {
    // Usually nobody has two forms of one number, and the table is empty.
    if !sqlx::query_scalar("SELECT EXISTS (SELECT FROM import_repeat)").fetch_one(&mut *tx).await? {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT form_no, form_hash FROM import_repeat WHERE form_no = ANY($1)")
            .bind(form_nos)
            .fetch_all(tx)
            .await?;
    let known = |(form_no, hash): (String, Vec<u8>)| {
        let hash = sha256("import_repeat", &form_no, hash)?;
        Ok((form_no, hash))
    };
    rows.into_iter().map(known).collect()
}

fn sha256(table: &'static str, row: &impl ToString, hash: Vec<u8>) -> Result<[u8; 32], Error> {
    let reason = || "form_hash has not 32 bytes".to_owned();
    hash.try_into().map_err(|_| Error::Inconsistent { table, row: row.to_string(), reason: reason() })
}

async fn pin_holders(tx: &mut PgConnection, pins: &[&str]) -> Result<HashMap<String, PinHolder>, Error> {
    let rows: Vec<(String, Uuid, String, String, i16, i32)> = sqlx::query_as(
        "SELECT pin.pin, person_id, form_no, full_name, sex, birth FROM pin JOIN person USING (person_id) \
         WHERE pin.pin = ANY($1)",
    )
    .bind(pins)
    .fetch_all(tx)
    .await?;
    let holder = |(pin, person_id, form_no, full_name, sex, birth)| {
        let person_id = PersonId::from_uuid(person_id);
        (pin, PinHolder { person_id, form_no, full_name, sex, birth })
    };
    Ok(rows.into_iter().map(holder).collect())
}

/// Registers people: their record, version 1 of their history, and the number that their form states.
///
/// # Errors
/// Those of the database; a person or number that is there already violates `person_pkey` or `pin_pkey`.
pub async fn register(
    tx: &mut PgConnection,
    import_id: ImportId,
    actor: &str,
    recorded_at: OffsetDateTime,
    people: &[NewPerson<'_>],
) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(&mut *tx, COPY_PERSON).await?;
    for person in people {
        copy.row(|row| person_row(row, person, import_id, recorded_at)).await?;
    }
    copy.finish().await?;
    let statement =
        "COPY person_event (person_id, version, kind, at, recorded_at, actor) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(&mut *tx, statement).await?;
    for person in people {
        copy.row(|row| {
            let row = row.uuid(person.person_id.uuid()).i32(1).text("registered");
            row.timestamptz(recorded_at).timestamptz(recorded_at).text(actor)
        })
        .await?;
    }
    copy.finish().await?;
    let statement = "COPY pin (pin, person_id, source, assigned_at) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(tx, statement).await?;
    for person in people {
        let Some(pin) = &person.record.pin else { continue };
        copy.row(|row| {
            row.text(pin.as_str()).uuid(person.person_id.uuid()).text("form").timestamptz(recorded_at)
        })
        .await?;
    }
    copy.finish().await?;
    Ok(())
}

const COPY_PERSON: &str = "COPY person (person_id, pin, old_id, full_name, name_fold, sex, birth, ethnicity, religion, \
     nationality, marital, blood, birth_registration, native_place, permanent_unit, permanent_detail, current_unit, \
     current_detail, father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, household, \
     relation_to_head, status, unit_path, form_no, form_hash, import_id, version, recorded_at) \
     FROM STDIN (FORMAT binary)";

fn person_row<'r>(
    row: &'r mut CopyRow,
    person: &NewPerson<'_>,
    import_id: ImportId,
    recorded_at: OffsetDateTime,
) -> &'r mut CopyRow {
    let record = person.record;
    let code = |code: Option<u8>| code.map(i16::from);
    row.uuid(person.person_id.uuid())
        .opt(record.pin.as_ref().map(|pin| pin.as_str()), CopyRow::text)
        .opt(record.old_id.as_ref().map(|id| id.as_str()), CopyRow::text)
        .text(record.name.as_str())
        .text(person.name_fold)
        .i16(record.sex.code())
        .i32(record.birth.packed())
        .i16(record.ethnicity.into())
        .i16(record.religion.into())
        .text(&record.nationality)
        .opt(code(record.marital), CopyRow::i16)
        .opt(record.blood.as_deref(), CopyRow::text)
        .opt(record.birth_registration.map(|unit| unit.to_string()).as_deref(), CopyRow::text)
        .opt(record.native_place.map(|unit| unit.to_string()).as_deref(), CopyRow::text)
        .text(&record.permanent.unit.to_string())
        .text(&record.permanent.detail);
    place(row, record.current.as_ref());
    relative(row, record.father.as_ref());
    relative(row, record.mother.as_ref());
    relative(row, record.spouse.as_ref());
    row.opt(record.household.as_deref(), CopyRow::text)
        .opt(code(record.relation_to_head), CopyRow::i16)
        .i16(1)
        .text(person.unit_path)
        .text(person.form_no)
        .bytea(person.form_hash)
        .uuid(import_id.uuid())
        .i32(1)
        .timestamptz(recorded_at)
}

fn place(row: &mut CopyRow, place: Option<&Place>) {
    match place {
        Some(place) => row.text(&place.unit.to_string()).text(&place.detail),
        None => row.null().null(),
    };
}

fn relative(row: &mut CopyRow, relative: Option<&Relative>) {
    match relative {
        Some(relative) => {
            row.text(relative.name.as_str()).opt(relative.pin.as_ref().map(|pin| pin.as_str()), CopyRow::text)
        }
        None => row.null().null(),
    };
}

/// Keeps forms that came under another number for a registered person.
///
/// # Errors
/// Those of the database.
pub async fn keep_repeats(
    tx: &mut PgConnection,
    import_id: ImportId,
    repeats: &[NewRepeat<'_>],
) -> Result<(), Error> {
    for repeat in repeats {
        sqlx::query(
            "INSERT INTO import_repeat (form_no, form_hash, person_id, import_id, row_no, raw) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (form_no) DO NOTHING",
        )
        .bind(repeat.form_no)
        .bind(repeat.form_hash.as_slice())
        .bind(repeat.person_id.uuid())
        .bind(import_id.uuid())
        .bind(repeat.row_no.cast_signed())
        .bind(&repeat.raw)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Keeps rows that could not be taken.
///
/// # Errors
/// Those of the database.
pub async fn keep_rejects(
    tx: &mut PgConnection,
    import_id: ImportId,
    rejects: &[NewReject],
) -> Result<(), Error> {
    if rejects.is_empty() {
        return Ok(());
    }
    let statement = "COPY import_reject (import_id, row_no, form_no, errors, raw) FROM STDIN (FORMAT binary)";
    let mut copy = CopyIn::begin(tx, statement).await?;
    for reject in rejects {
        let (errors, raw) = (reject.errors.to_string(), reject.raw.to_string());
        copy.row(|row| {
            row.uuid(import_id.uuid())
                .i64(reject.row_no.cast_signed())
                .opt(reject.form_no.as_deref(), CopyRow::text)
                .jsonb(&errors)
                .jsonb(&raw)
        })
        .await?;
    }
    copy.finish().await?;
    Ok(())
}

/// Marks rejected rows as replaced by rows of `by`: those that a rejects file names, and those of the form numbers that
/// came without a rejects file. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn resolve_rejects(
    tx: &mut PgConnection,
    by: ImportId,
    named: &[(ImportId, u64)],
    form_nos: &[&str],
) -> Result<u64, Error> {
    let mut resolved = 0;
    if !named.is_empty() {
        let imports: Vec<Uuid> = named.iter().map(|(import, _)| import.uuid()).collect();
        let rows: Vec<i64> = named.iter().map(|(_, row)| row.cast_signed()).collect();
        let update = sqlx::query(
            "UPDATE import_reject r SET resolved_by = $1 FROM unnest($2::uuid[], $3::bigint[]) AS n (import_id, row_no) \
             WHERE r.import_id = n.import_id AND r.row_no = n.row_no AND r.resolved_by IS NULL AND r.import_id <> $1",
        );
        resolved += update.bind(by.uuid()).bind(imports).bind(rows).execute(&mut *tx).await?.rows_affected();
    }
    // Most imports meet an empty list: the partial index answers without reading the table.
    let update = sqlx::query(
        "UPDATE import_reject SET resolved_by = $1 \
         WHERE form_no = ANY($2) AND resolved_by IS NULL AND import_id <> $1",
    );
    resolved += update.bind(by.uuid()).bind(form_nos).execute(tx).await?.rows_affected();
    Ok(resolved)
}

/// Moves the import's progress from `from` to `to`. `false`, and nothing done, when it no longer stands at `from`:
/// somebody else imports the same file.
///
/// # Errors
/// Those of the database.
pub async fn advance(
    tx: &mut PgConnection,
    import_id: ImportId,
    from: &ImportProgress,
    to: &ImportProgress,
) -> Result<bool, Error> {
    let update = sqlx::query(
        "UPDATE import_file SET bytes_done = $3, rows_read = $4, rows_accepted = $5, rows_repeated = $6, \
                rows_rejected = $7, rows_composed = $8, rows_without_commune = $9, rows_resolved = $10 \
         WHERE import_id = $1 AND rows_read = $2 AND finished_at IS NULL",
    );
    let done = update
        .bind(import_id.uuid())
        .bind(from.rows_read.cast_signed())
        .bind(to.bytes_done.cast_signed())
        .bind(to.rows_read.cast_signed())
        .bind(to.rows_accepted.cast_signed())
        .bind(to.rows_repeated.cast_signed())
        .bind(to.rows_rejected.cast_signed())
        .bind(to.rows_composed.cast_signed())
        .bind(to.rows_without_commune.cast_signed())
        .bind(to.rows_resolved.cast_signed())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks the import as finished. `false` when it was, or does not stand at `rows_read`.
///
/// # Errors
/// Those of the database.
pub async fn finish_import(
    tx: &mut PgConnection,
    import_id: ImportId,
    rows_read: u64,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = sqlx::query(
        "UPDATE import_file SET finished_at = $3, bytes_done = bytes_total \
         WHERE import_id = $1 AND rows_read = $2 AND finished_at IS NULL",
    );
    let done = update.bind(import_id.uuid()).bind(rows_read.cast_signed()).bind(now).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// The rows of the import that were rejected and not replaced since, behind row `after`, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn open_rejects(
    conn: &mut PgConnection,
    import_id: ImportId,
    after: u64,
    limit: u32,
) -> Result<Vec<OpenReject>, Error> {
    let rows = sqlx::query_as(
        "SELECT row_no, errors, raw FROM import_reject \
         WHERE import_id = $1 AND row_no > $2 AND resolved_by IS NULL ORDER BY row_no LIMIT $3",
    );
    let rows =
        rows.bind(import_id.uuid()).bind(after.cast_signed()).bind(i64::from(limit)).fetch_all(conn).await?;
    Ok(rows)
}

/// How good the register's data of one unit is: đúng, đủ, sạch, sống (correct, complete, clean, live).
///
/// There is no official measure; these counts are our own definition, per unit where people are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualityRow {
    /// Path of the commune, or of the district for those whose commune is not known.
    pub unit_path: String,
    /// People alive and not merged into another record. The other counts are of these.
    pub people: u64,
    /// Đúng: a personal number is there, and its structure agrees with sex, birth year and province of registration.
    pub pin_agrees: u64,
    /// Đúng: a personal number is there and contradicts the record.
    pub pin_contradicts: u64,
    /// Đủ: full birth date, place of registration, native place, household and a commune are all there.
    pub complete: u64,
    /// Sạch: in no open case of the register's duplicates.
    pub clean: u64,
    /// Sống: mean days from a life event to its record, over events that were recorded later than they happened.
    pub mean_days_to_record: Option<u64>,
}

/// The quality of every unit whose path begins with `scope`, in the order of their paths.
///
/// # Errors
/// Those of the database.
pub async fn quality(conn: &mut PgConnection, scope: &str) -> Result<Vec<QualityRow>, Error> {
    let rows: Vec<QualityColumns> = sqlx::query_as(QUALITY).bind(scope).fetch_all(conn).await?;
    Ok(rows.into_iter().map(QualityRow::from).collect())
}

/// The number's structure is Decree 137/2015 art. 13: place of registration, century and sex, year, serial. The mean
/// leaves out version 1, which is the registration itself, and whatever is recorded in the instant it happens.
const QUALITY: &str = "WITH checked AS (
    SELECT p.person_id, p.unit_path, p.pin,
           substr(p.pin, 4, 1)::int % 2 = p.sex - 1
             AND 1900 + substr(p.pin, 4, 1)::int / 2 * 100 + substr(p.pin, 5, 2)::int = p.birth / 10000
             AND (p.birth_registration IS NULL
                  OR substr(p.pin, 1, 3) = lpad(split_part(u.path, '/', 1), 3, '0')) AS agrees,
           p.birth % 100 > 0 AND p.birth_registration IS NOT NULL AND p.native_place IS NOT NULL
             AND p.household IS NOT NULL AND (length(p.permanent_unit) = 5 OR NOT EXISTS (
                 SELECT FROM unit below WHERE below.parent = p.permanent_unit AND below.valid_to IS NULL)) AS complete,
           NOT EXISTS (SELECT FROM case_file c WHERE c.decision IS NULL
               AND p.person_id IN (c.person_id, c.other_person_id)) AS clean
    FROM person p LEFT JOIN unit u ON u.code = p.birth_registration AND u.valid_to IS NULL
    WHERE p.status = 1 AND starts_with(p.unit_path, $1)),
  delays AS (
    SELECT p.unit_path, avg(extract(epoch FROM e.recorded_at - e.at) / 86400)::bigint AS days
    FROM person_event e JOIN person p USING (person_id)
    WHERE e.version > 1 AND e.recorded_at > e.at AND p.status = 1 AND starts_with(p.unit_path, $1)
    GROUP BY p.unit_path)
  SELECT unit_path, count(*) AS people, count(*) FILTER (WHERE agrees) AS pin_agrees,
         count(*) FILTER (WHERE NOT agrees) AS pin_contradicts, count(*) FILTER (WHERE complete) AS complete,
         count(*) FILTER (WHERE clean) AS clean, max(days) AS days
  FROM checked LEFT JOIN delays USING (unit_path) GROUP BY unit_path ORDER BY unit_path";

#[derive(sqlx::FromRow)]
struct QualityColumns {
    unit_path: String,
    people: i64,
    pin_agrees: i64,
    pin_contradicts: i64,
    complete: i64,
    clean: i64,
    days: Option<i64>,
}

impl From<QualityColumns> for QualityRow {
    fn from(row: QualityColumns) -> Self {
        QualityRow {
            unit_path: row.unit_path,
            people: row.people.cast_unsigned(),
            pin_agrees: row.pin_agrees.cast_unsigned(),
            pin_contradicts: row.pin_contradicts.cast_unsigned(),
            complete: row.complete.cast_unsigned(),
            clean: row.clean.cast_unsigned(),
            mean_days_to_record: row.days.map(i64::cast_unsigned),
        }
    }
}
