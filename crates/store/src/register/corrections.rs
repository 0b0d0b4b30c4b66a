//! Cases of correction: the row of a case is the fold of its actions, and both are written in one
//! transaction. What may be done is `domain::correction`'s to say.

pub mod pages;

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::uuids;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::Actor;
use domain::correction::{By, Case, CaseAction, CaseState, Desk, Item, Outcome, Source, fold};
use domain::field::{Field, Part};
use domain::id::{ActId, CorrectionId, DocumentId, EventId, PersonId};
use domain::profile::Correction;

/// A case with what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub case_id: CorrectionId,
    pub person_id: PersonId,
    pub source: Source,
    /// Which rule of quality, or which list.
    pub source_ref: Option<String>,
    pub case: Case,
    /// The last day in time; `None` where the dated lists say nothing of the day on which it was opened.
    pub due_on: Option<Date>,
    pub opened_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
    /// Of the office that is asked.
    pub unit_path: String,
}

/// An action as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRow {
    /// From 1, without gaps.
    pub seq: u16,
    pub action: CaseAction,
    pub at: OffsetDateTime,
    pub by: By,
    /// The sender's.
    pub action_id: ActId,
    /// The event by which the case was applied.
    pub event_id: Option<EventId>,
    /// In the actor's words.
    pub reason: Option<String>,
}

const CASE: &str = "SELECT case_id, kind, person_id, source, source_ref, state, requested_by, owner, due_on, \
                    document_id, opened_at, closed_at, actions, unit_path FROM correction_case";

/// Locks a case; `None` for an unknown id.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn locked(tx: &mut PgConnection, id: CorrectionId) -> Result<Option<CaseRow>, Error> {
    one(tx, id, "FOR UPDATE").await
}

/// A case, if the reader may see it; `None` for an unknown id.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn read(conn: &mut PgConnection, id: CorrectionId) -> Result<Option<CaseRow>, Error> {
    one(conn, id, "").await
}

async fn one(conn: &mut PgConnection, id: CorrectionId, lock: &str) -> Result<Option<CaseRow>, Error> {
    let sql = format!("{CASE} WHERE case_id = $1 {lock}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(&mut *conn).await?;
    let Some(row) = row else { return Ok(None) };
    let items = items(conn, &[id.uuid()]).await?.remove(&id.uuid()).unwrap_or_default();
    Ok(Some(case_row(&row, items)?))
}

type Items = BTreeMap<(Field, Part), Item>;

/// The items of these cases.
async fn items(conn: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Items>, Error> {
    let rows = sqlx::query(
        "SELECT case_id, field, part, register_value, claimed_value, granted_value, outcome \
         FROM correction_item WHERE case_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut items: BTreeMap<Uuid, Items> = BTreeMap::new();
    for row in &rows {
        let id: Uuid = row.try_get("case_id")?;
        let wrong = |what| inconsistent("correction_item", id, what);
        let field = Field::from_code(row.try_get("field")?).ok_or_else(|| wrong("field is unknown"))?;
        let part = Part::from_code(row.try_get("part")?).ok_or_else(|| wrong("part is unknown"))?;
        let outcome = Outcome::from_parts(row.try_get("outcome")?, row.try_get("granted_value")?);
        let item = Item {
            register_value: row.try_get("register_value")?,
            claimed_value: row.try_get("claimed_value")?,
            outcome: outcome.ok_or_else(|| wrong("outcome is unknown"))?,
        };
        items.entry(id).or_default().insert((field, part), item);
    }
    Ok(items)
}

fn case_row(row: &PgRow, items: Items) -> Result<CaseRow, Error> {
    let id: Uuid = row.try_get("case_id")?;
    let wrong = |what| inconsistent("correction_case", id, what);
    let actor = |text: String| text.parse::<Actor>().map_err(|_| wrong("an actor cannot be read"));
    let owner: Option<String> = row.try_get("owner")?;
    let case = Case {
        kind: Correction::from_code(row.try_get("kind")?).ok_or_else(|| wrong("kind is unknown"))?,
        state: CaseState::from_code(row.try_get("state")?).ok_or_else(|| wrong("state is unknown"))?,
        requested_by: actor(row.try_get("requested_by")?)?,
        owner: owner.map(actor).transpose()?,
        document: row.try_get::<Option<Uuid>, _>("document_id")?.map(DocumentId::from_uuid),
        items,
        actions: count(row.try_get("actions")?),
    };
    Ok(CaseRow {
        case_id: CorrectionId::from_uuid(id),
        person_id: PersonId::from_uuid(row.try_get("person_id")?),
        source: Source::from_code(row.try_get("source")?).ok_or_else(|| wrong("source is unknown"))?,
        source_ref: row.try_get("source_ref")?,
        case,
        due_on: row.try_get("due_on")?,
        opened_at: row.try_get("opened_at")?,
        closed_at: row.try_get("closed_at")?,
        unit_path: row.try_get("unit_path")?,
    })
}

fn count(stored: i16) -> u16 {
    u16::try_from(stored).unwrap_or_default()
}

fn stored(count: u16) -> i16 {
    i16::try_from(count).expect("a case ends long before so many actions")
}

/// The actions of a case, in their order.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn history(conn: &mut PgConnection, id: CorrectionId) -> Result<Vec<ActionRow>, Error> {
    let rows = sqlx::query(
        "SELECT seq, detail, at, actor, desk, action_id, event_id, reason FROM correction_action \
         WHERE case_id = $1 ORDER BY seq",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    let wrong = |what| inconsistent("correction_action", id.uuid(), what);
    rows.iter()
        .map(|row| {
            let actor: String = row.try_get("actor")?;
            let desk: String = row.try_get("desk")?;
            let detail: Value = row.try_get("detail")?;
            Ok(ActionRow {
                seq: count(row.try_get("seq")?),
                action: serde_json::from_value(detail).map_err(|_| wrong("detail is no action"))?,
                at: row.try_get("at")?,
                by: By {
                    actor: actor.parse().map_err(|_| wrong("the actor cannot be read"))?,
                    desk: Desk::from_code(&desk).ok_or_else(|| wrong("desk is unknown"))?,
                },
                action_id: ActId::from_uuid(row.try_get("action_id")?),
                event_id: row.try_get::<Option<Uuid>, _>("event_id")?.map(EventId::from_uuid),
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

/// Writes a case that was opened, with its first action.
///
/// # Errors
/// Those of the database; the id is taken (constraint `correction_case_pkey`).
pub async fn put(tx: &mut PgConnection, row: &CaseRow, action: &ActionRow) -> Result<(), Error> {
    let case = &row.case;
    sqlx::query(
        "INSERT INTO correction_case (case_id, kind, person_id, source, source_ref, state, requested_by, \
         owner, due_on, opened_at, actions, unit_path) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.case_id.uuid())
    .bind(case.kind.code())
    .bind(row.person_id.uuid())
    .bind(row.source.code())
    .bind(&row.source_ref)
    .bind(case.state.code())
    .bind(case.requested_by.to_string())
    .bind(case.owner.as_ref().map(Actor::to_string))
    .bind(row.due_on)
    .bind(row.opened_at)
    .bind(stored(case.actions))
    .bind(&row.unit_path)
    .execute(&mut *tx)
    .await?;
    let items = || case.items.iter();
    sqlx::query(
        "INSERT INTO correction_item (case_id, field, part, register_value, claimed_value, outcome, \
         unit_path) \
         SELECT $1, field, part, register, claimed, 'open', $6 \
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n (field, part, register, claimed)",
    )
    .bind(row.case_id.uuid())
    .bind(items().map(|((field, _), _)| field.code()).collect::<Vec<_>>())
    .bind(items().map(|((_, part), _)| part.code()).collect::<Vec<_>>())
    .bind(items().map(|(_, item)| item.register_value.clone()).collect::<Vec<_>>())
    .bind(items().map(|(_, item)| item.claimed_value.clone()).collect::<Vec<_>>())
    .bind(&row.unit_path)
    .execute(&mut *tx)
    .await?;
    put_action(tx, row, action).await
}

/// Writes what a case is after an action, with the action. The case is locked.
///
/// # Errors
/// Those of the database; the action is recorded already (constraint `correction_action_once`).
pub async fn advance(tx: &mut PgConnection, row: &CaseRow, action: &ActionRow) -> Result<(), Error> {
    let case = &row.case;
    sqlx::query(
        "UPDATE correction_case SET kind = $2, state = $3, owner = $4, due_on = $5, document_id = $6, \
         closed_at = $7, actions = $8 WHERE case_id = $1",
    )
    .bind(row.case_id.uuid())
    .bind(case.kind.code())
    .bind(case.state.code())
    .bind(case.owner.as_ref().map(Actor::to_string))
    .bind(row.due_on)
    .bind(case.document.map(DocumentId::uuid))
    .bind(row.closed_at)
    .bind(stored(case.actions))
    .execute(&mut *tx)
    .await?;
    let items = || case.items.iter();
    sqlx::query(
        "UPDATE correction_item i SET granted_value = n.granted, outcome = n.outcome \
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n (field, part, granted, outcome) \
         WHERE i.case_id = $1 AND i.field = n.field AND i.part = n.part",
    )
    .bind(row.case_id.uuid())
    .bind(items().map(|((field, _), _)| field.code()).collect::<Vec<_>>())
    .bind(items().map(|((_, part), _)| part.code()).collect::<Vec<_>>())
    .bind(items().map(|(_, item)| item.outcome.value().cloned().flatten()).collect::<Vec<_>>())
    .bind(items().map(|(_, item)| item.outcome.code()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    put_action(tx, row, action).await
}

async fn put_action(tx: &mut PgConnection, row: &CaseRow, action: &ActionRow) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO correction_action (case_id, seq, action, at, actor, desk, action_id, detail, event_id, \
         reason, unit_path) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(row.case_id.uuid())
    .bind(stored(action.seq))
    .bind(action.action.verb().code())
    .bind(action.at)
    .bind(action.by.actor.to_string())
    .bind(action.by.desk.code())
    .bind(action.action_id.uuid())
    .bind(Json(&action.action))
    .bind(action.event_id.map(EventId::uuid))
    .bind(&action.reason)
    .bind(&row.unit_path)
    .execute(tx)
    .await?;
    Ok(())
}

/// The open cases of these records, with their fields. For whoever holds the person's lock.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn open_of(
    conn: &mut PgConnection,
    records: &[PersonId],
) -> Result<Vec<(CorrectionId, Field, Part)>, Error> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "SELECT c.case_id, i.field, i.part FROM correction_case c JOIN correction_item i USING (case_id) \
         WHERE c.person_id = ANY($1) AND c.closed_at IS NULL ORDER BY 1, 2, 3",
    )
    .bind(uuids(records))
    .fetch_all(conn)
    .await?;
    let wrong = |id, what| inconsistent("correction_item", id, what);
    rows.into_iter()
        .map(|(id, field, part)| {
            let field = Field::from_code(&field).ok_or_else(|| wrong(id, "field is unknown"))?;
            let part = Part::from_code(&part).ok_or_else(|| wrong(id, "part is unknown"))?;
            Ok((CorrectionId::from_uuid(id), field, part))
        })
        .collect()
}

/// What cases say about the fields of people who wait for a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Fields that an open case is about.
    pub open: Vec<Field>,
    /// Fields of cases that ended, with the instant: from then on the register's value is the person's.
    pub ended: Vec<(Field, OffsetDateTime)>,
}

/// What cases say about the fields of these people; whoever has no case is left out.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn asked_of(
    conn: &mut PgConnection,
    people: &[PersonId],
) -> Result<BTreeMap<PersonId, Asked>, Error> {
    let rows: Vec<(Uuid, Uuid, String, Option<OffsetDateTime>)> = sqlx::query_as(
        "SELECT c.person_id, c.case_id, i.field, c.closed_at \
         FROM correction_case c JOIN correction_item i USING (case_id) \
         WHERE c.person_id = ANY($1) ORDER BY c.closed_at, c.case_id, i.field",
    )
    .bind(uuids(people))
    .fetch_all(conn)
    .await?;
    let mut asked: BTreeMap<PersonId, Asked> = BTreeMap::new();
    for (person, case, field, closed_at) in rows {
        let unknown = || inconsistent("correction_item", case, "field is unknown");
        let field = Field::from_code(&field).ok_or_else(unknown)?;
        let entry = asked.entry(PersonId::from_uuid(person)).or_default();
        match closed_at {
            None => entry.open.push(field),
            Some(at) => entry.ended.push((field, at)),
        }
    }
    Ok(asked)
}

/// The cases whose rows are not the fold of their actions, with what is wrong.
///
/// # Errors
/// Those of the database.
pub async fn check_folds(conn: &mut PgConnection) -> Result<Vec<(CorrectionId, String)>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT case_id FROM correction_case ORDER BY case_id")
        .fetch_all(&mut *conn)
        .await?;
    let mut wrong = Vec::new();
    for id in ids.into_iter().map(CorrectionId::from_uuid) {
        let Some(row) = read(conn, id).await? else { continue };
        let actions = history(conn, id).await?;
        let seqs_fit = actions.iter().zip(1..).all(|(action, seq)| action.seq == seq);
        match fold(actions.iter().map(|action| (&action.by, &action.action))) {
            Ok(Some(case)) if case == row.case && seqs_fit => {}
            Ok(_) => wrong.push((id, "the row is not what its actions lead to".to_owned())),
            Err(refusal) => wrong.push((id, refusal.to_string())),
        }
    }
    Ok(wrong)
}
