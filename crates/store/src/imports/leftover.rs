//! Rows that registered nobody: further forms of registered people, and rows that could not be taken.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{CopyIn, CopyRow, Error};
use domain::id::{ImportId, PersonId};

/// A form under another number for a person who is registered: kept as evidence, without a second person.
pub struct NewRepeat<'a> {
    pub form_no: &'a str,
    pub form_hash: &'a [u8; 32],
    pub person_id: PersonId,
    pub row_no: u64,
    pub raw: serde_json::Value,
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

/// A row that could not be taken.
pub struct NewReject {
    pub row_no: u64,
    pub form_no: Option<String>,
    /// `[{field, code, message}]`.
    pub errors: serde_json::Value,
    /// The stated fields as read.
    pub raw: serde_json::Value,
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

/// Marks rejected rows as replaced by rows of `by`: those that a rejects file names, and those of the form
/// numbers that came without a rejects file. Returns how many.
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
            "UPDATE import_reject r SET resolved_by = $1 \
             FROM unnest($2::uuid[], $3::bigint[]) AS n (import_id, row_no) \
             WHERE r.import_id = n.import_id AND r.row_no = n.row_no AND r.resolved_by IS NULL \
             AND r.import_id <> $1",
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

/// A rejected row that no later file has replaced.
#[derive(sqlx::FromRow)]
pub struct OpenReject {
    pub row_no: i64,
    pub errors: serde_json::Value,
    pub raw: serde_json::Value,
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
