//! What the pages read. Functions whose connection is called `scoped` are for [`crate::Database::scoped`]
//! transactions, where row-level security keeps other units' rows away; those with `conn` read tables without a policy
//! and take the scope or an id that was let through before.

use std::collections::BTreeMap;

use domain::application::State;
use domain::id::{ApplicationId, CardId, CaseId, ImportId, PersonId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{Error, UnitScope};

mod boxes;
mod rows;

pub use boxes::{BoxItem, BoxRow, BoxStage, box_contents, box_counts, box_items, boxes, one_box};
use rows::inconsistent;
pub use rows::{
    ApplicationHit, ApplicationsQuery, CardHit, CardPage, CaseActionRow, CasePage, CaseStage, DeclaredRecord,
    Followed, ImportFileRow, ImportRejectRow, InvitedSeat, PeopleQuery, PersonEventRow, PersonHit,
    PersonPage, ResolutionRow,
};

/// People by name, year of birth or id.
pub async fn people(scoped: &mut PgConnection, query: &PeopleQuery) -> Result<Vec<PersonHit>, Error> {
    let pattern = query.name_fold.as_deref().map(|words| {
        let words: Vec<String> = words.split_whitespace().map(escape_like).collect();
        format!("%{}%", words.join("%"))
    });
    let years = query.birth_year.map(|year| (i32::from(year) * 10_000, i32::from(year) * 10_000 + 9_999));
    let rows = sqlx::query_as(
        "SELECT person_id, pin, full_name, sex, birth, permanent_unit, permanent_detail, status FROM person \
         WHERE ($1::text IS NULL OR name_fold LIKE $1) AND ($2::int IS NULL OR birth BETWEEN $2 AND $3) \
           AND ($4::uuid IS NULL OR person_id = $4) \
         ORDER BY name_fold, birth, person_id LIMIT $5",
    )
    .bind(pattern)
    .bind(years.map(|(from, _)| from))
    .bind(years.map(|(_, to)| to))
    .bind(query.person_id.map(PersonId::uuid))
    .bind(query.limit)
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// Who holds a PIN at present. Tells nothing but an id: reading the person is subject to the reader's scope.
pub async fn holder_of_pin(conn: &mut PgConnection, pin: &str) -> Result<Option<PersonId>, Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT person_id FROM pin WHERE pin = $1 AND ended_at IS NULL")
            .bind(pin)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(PersonId::from_uuid))
}

/// A person's record.
pub async fn person(scoped: &mut PgConnection, id: PersonId) -> Result<Option<PersonPage>, Error> {
    let row = sqlx::query_as(
        "SELECT person_id, pin, old_id, full_name, sex, birth, ethnicity, religion, nationality, marital, blood, \
                birth_registration, native_place, permanent_unit, permanent_detail, current_unit, current_detail, \
                father_name, father_pin, mother_name, mother_pin, spouse_name, spouse_pin, household, \
                relation_to_head, status, same_as, unit_path, form_no, version, recorded_at \
         FROM person WHERE person_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(scoped)
    .await?;
    Ok(row)
}

/// A person's history, newest first.
pub async fn person_events(scoped: &mut PgConnection, id: PersonId) -> Result<Vec<PersonEventRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT version, kind, at, recorded_at, actor FROM person_event WHERE person_id = $1 \
         ORDER BY version DESC LIMIT 200",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// Names of people by id, for those inside the scope.
pub async fn names(scoped: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, (String, i32)>, Error> {
    let rows: Vec<(Uuid, String, i32)> =
        sqlx::query_as("SELECT person_id, full_name, birth FROM person WHERE person_id = ANY($1)")
            .bind(ids)
            .fetch_all(scoped)
            .await?;
    Ok(rows.into_iter().map(|(id, name, birth)| (id, (name, birth))).collect())
}

const APPLICATION_HIT: &str = "SELECT a.application_id, a.kind, a.state, a.state_since, a.unit_code, a.captured_at, \
     r.record->>'name' AS name, r.differs FROM application a LEFT JOIN application_record r USING (application_id)";

/// A page of applications, the newest capture first.
pub async fn applications(
    scoped: &mut PgConnection,
    query: &ApplicationsQuery,
) -> Result<Vec<ApplicationHit>, Error> {
    let ids = query.ids.as_ref().map(|ids| ids.iter().map(|id| id.uuid()).collect::<Vec<_>>());
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{APPLICATION_HIT} WHERE ($1::text IS NULL OR a.state = $1) AND ($2::text IS NULL OR a.unit_path LIKE $2) \
           AND ($3::uuid[] IS NULL OR a.application_id = ANY($3)) AND ($4::uuid IS NULL OR (a.captured_at, a.application_id) < \
                (SELECT l.captured_at, l.application_id FROM application l WHERE l.application_id = $4)) \
         ORDER BY a.captured_at DESC, a.application_id DESC LIMIT $5"
    )))
    .bind(query.state.map(State::code))
    .bind(query.under.as_ref().map(|scope| format!("{}%", scope.as_str())))
    .bind(ids)
    .bind(query.after.map(ApplicationId::uuid))
    .bind(query.limit)
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The applications of one person, newest first.
pub async fn applications_of(scoped: &mut PgConnection, id: PersonId) -> Result<Vec<ApplicationHit>, Error> {
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{APPLICATION_HIT} WHERE a.person_id = $1 ORDER BY a.captured_at DESC, a.application_id DESC LIMIT 100"
    )))
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// What was declared at capture; `None` until the packet was opened.
pub async fn declared(scoped: &mut PgConnection, id: ApplicationId) -> Result<Option<DeclaredRecord>, Error> {
    let row: Option<PgRow> =
        sqlx::query("SELECT record, differs FROM application_record WHERE application_id = $1")
            .bind(id.uuid())
            .fetch_optional(scoped)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(DeclaredRecord { record: row.try_get("record")?, differs: row.try_get("differs")? }))
}

/// The outcome of the search for the person. For an application that the reader's scope let through.
pub async fn resolution(conn: &mut PgConnection, id: ApplicationId) -> Result<Option<ResolutionRow>, Error> {
    let row = sqlx::query_as(
        "SELECT outcome, person_id, weight, probability, evidence, decided_at FROM resolution WHERE application_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// A card.
pub async fn card(scoped: &mut PgConnection, id: CardId) -> Result<Option<CardPage>, Error> {
    let row = sqlx::query_as(
        "SELECT card_id, number, application_id, person_id, pin, state, issued_on, expires_on, ds_serial, dg1, dg13, \
                sod, qr, face, unit_code, unit_path, intended_at, signed_at \
         FROM card WHERE card_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(scoped)
    .await?;
    Ok(row)
}

/// The cards of one application, newest first.
pub async fn cards_of_application(
    scoped: &mut PgConnection,
    id: ApplicationId,
) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query_as(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = $1 \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The cards that came of any of these applications, newest first.
pub async fn cards_of_applications(scoped: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<CardHit>, Error> {
    let rows = sqlx::query_as(
        "SELECT card_id, number, state, issued_on, expires_on FROM card WHERE application_id = ANY($1) \
         ORDER BY intended_at DESC, card_id DESC LIMIT 100",
    )
    .bind(ids)
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

const CASE_COLUMNS: &str = "SELECT case_id, kind, application_id, other_application_id, person_id, other_person_id, \
     evidence, unit_path, opened_at, due_at, decision, decided_person_id, decided_by, confirmed_by FROM case_file";

/// Cases of one stage: what is due first comes first; closed ones newest first.
pub async fn cases(scoped: &mut PgConnection, stage: CaseStage, limit: i64) -> Result<Vec<CasePage>, Error> {
    let tail = match stage {
        CaseStage::Open => "WHERE decision IS NULL ORDER BY due_at, case_id LIMIT $1",
        CaseStage::Unconfirmed => {
            "WHERE decision IS NOT NULL AND confirmed_by IS NULL ORDER BY due_at, case_id LIMIT $1"
        }
        CaseStage::Closed => {
            "WHERE confirmed_by IS NOT NULL ORDER BY decided_at DESC NULLS LAST, case_id LIMIT $1"
        }
    };
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE_COLUMNS} {tail}")))
        .bind(limit)
        .fetch_all(scoped)
        .await?;
    Ok(rows)
}

/// How many cases stand in each stage: open, unconfirmed, closed.
pub async fn case_counts(scoped: &mut PgConnection) -> Result<(i64, i64, i64), Error> {
    let row = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE decision IS NULL), \
                count(*) FILTER (WHERE decision IS NOT NULL AND confirmed_by IS NULL), \
                count(*) FILTER (WHERE confirmed_by IS NOT NULL) FROM case_file",
    )
    .fetch_one(scoped)
    .await?;
    Ok(row)
}

/// One case.
pub async fn case(scoped: &mut PgConnection, id: CaseId) -> Result<Option<CasePage>, Error> {
    let row = sqlx::query_as(sqlx::AssertSqlSafe(format!("{CASE_COLUMNS} WHERE case_id = $1")))
        .bind(id.uuid())
        .fetch_optional(scoped)
        .await?;
    Ok(row)
}

/// What was done about a case, from the first.
pub async fn case_actions(scoped: &mut PgConnection, id: CaseId) -> Result<Vec<CaseActionRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT action, at, actor, decision, note FROM case_action WHERE case_id = $1 ORDER BY seq LIMIT 100",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The names of accounts, of those that exist. For what the reader's scope let through.
pub async fn account_names(conn: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(Uuid, String)> = sqlx::query_as("SELECT id, display_name FROM account WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// The cases that an application is part of, as (id, kind, decided).
pub async fn cases_of(
    scoped: &mut PgConnection,
    id: ApplicationId,
) -> Result<Vec<(Uuid, String, bool)>, Error> {
    let rows = sqlx::query_as(
        "SELECT case_id, kind, confirmed_by IS NOT NULL FROM case_file \
         WHERE application_id = $1 OR other_application_id = $1 ORDER BY opened_at, case_id LIMIT 20",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}

/// The seats given for one day inside a unit, by slot and seat; at most `limit`.
pub async fn invited_on(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
    limit: i64,
) -> Result<Vec<InvitedSeat>, Error> {
    let rows = sqlx::query_as(
        "SELECT s.slot_id, s.site, s.shift, s.starts_at, s.minutes, s.capacity, i.seat, i.person_id, i.state \
         FROM slot s JOIN invitation i USING (slot_id) WHERE s.day = $1 AND i.unit_path LIKE $2 \
         ORDER BY s.starts_at, s.site, s.slot_id, i.seat LIMIT $3",
    )
    .bind(day)
    .bind(format!("{}%", scope.as_str()))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The nearest day on or before `day`, else after it, on which the unit has a slot.
pub async fn nearest_slot_day(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
) -> Result<Option<Date>, Error> {
    let found = sqlx::query_scalar(
        "SELECT coalesce((SELECT max(day) FROM slot WHERE unit_path LIKE $1 AND day <= $2), \
                         (SELECT min(day) FROM slot WHERE unit_path LIKE $1 AND day > $2))",
    )
    .bind(format!("{}%", scope.as_str()))
    .bind(day)
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// The latest imported files.
pub async fn import_files(conn: &mut PgConnection, limit: i64) -> Result<Vec<ImportFileRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT import_id, name, format, bytes_total, bytes_done, rows_read, rows_accepted, rows_repeated, \
                rows_rejected, started_at, finished_at, \
                (SELECT count(*) FROM import_reject r WHERE r.import_id = f.import_id AND r.resolved_by IS NULL) \
                    AS rows_to_correct \
         FROM import_file f ORDER BY started_at DESC, name, import_id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Refused forms of one file that no later import has resolved, from `after` on.
pub async fn import_rejects(
    conn: &mut PgConnection,
    id: ImportId,
    after: i64,
    limit: i64,
) -> Result<Vec<ImportRejectRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT row_no, form_no, errors, raw FROM import_reject \
         WHERE import_id = $1 AND row_no > $2 AND resolved_by IS NULL ORDER BY row_no LIMIT $3",
    )
    .bind(id.uuid())
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// How the application of a receipt code stands. `receipt_hash` is the SHA-256 of the code.
pub async fn follow(conn: &mut PgConnection, receipt_hash: &[u8]) -> Result<Option<Followed>, Error> {
    let row: Option<(Uuid, String, OffsetDateTime, OffsetDateTime, String)> = sqlx::query_as(
        "SELECT application_id, state, state_since, captured_at, unit_code FROM application WHERE receipt_hash = $1",
    )
    .bind(receipt_hash)
    .fetch_optional(conn)
    .await?;
    let Some((id, state, state_since, captured_at, unit)) = row else { return Ok(None) };
    let state =
        State::from_code(&state).ok_or_else(|| inconsistent("application", id, "state is unknown"))?;
    let unit = unit.parse().map_err(|_| inconsistent("application", id, "unit_code is not a unit code"))?;
    Ok(Some(Followed { state, state_since, captured_at, unit }))
}

/// Moves the end of a session that is in use. The one thing that reading a page writes, beside the audit row.
pub async fn extend_session(
    conn: &mut PgConnection,
    token_hash: &[u8; 32],
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query("UPDATE session SET expires_at = $2 WHERE token_hash = $1 AND expires_at < $2")
        .bind(token_hash.as_slice())
        .bind(expires_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the database answers.
pub async fn ping(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(conn).await?;
    Ok(())
}

/// Takes the meaning of a pattern from `%`, `_` and the escape character itself.
fn escape_like(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_pattern() {
        assert_eq!(escape_like("A%B_\\"), "A\\%B\\_\\\\");
    }
}
