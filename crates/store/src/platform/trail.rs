//! The audit trail as it is read: by whom, on what, when; and what a session has said before.

use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::platform::audit::{Entry, append};
use crate::platform::{accounts, db};
use crate::{Database, Error, UnitScope};
use domain::Actor;
use domain::clock::day_in_vietnam;

/// What an id may be of, where it stands alone.
const KINDS: [&str; 13] = [
    "person",
    "application",
    "card",
    "case",
    "account",
    "packet",
    "kit",
    "officer",
    "consignment",
    "import",
    "batch",
    "session",
    "job",
];

/// Which rows are asked for. All that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// `person:ID`, or an id alone: everything that has it.
    pub subject: Option<&'a str>,
    /// As the trail has it; [`actor_of`] gives that of a login.
    pub actor: Option<&'a str>,
    /// The verb, or what stands before its dots: `card` asks for `card.read` and `card.revoked`.
    pub action: Option<&'a str>,
    pub from: Option<OffsetDateTime>,
    /// Up to this moment and without it.
    pub to: Option<OffsetDateTime>,
    pub limit: i64,
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Line {
    pub chain: i16,
    pub seq: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub unit_path: String,
    pub detail: serde_json::Value,
}

/// The place of a row among all, which pages of a list begin after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub at: OffsetDateTime,
    pub chain: i16,
    pub seq: i64,
}

impl Line {
    /// Its place among all.
    pub fn mark(&self) -> Mark {
        Mark { at: self.at, chain: self.chain, seq: self.seq }
    }
}

/// Which part of the rows that a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Newest,
    /// Those before this one in time.
    OlderThan(Mark),
    /// Those after this one in time.
    NewerThan(Mark),
}

/// A part of the rows, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    pub rows: Vec<Line>,
    /// Whether there are newer ones, and older ones.
    pub newer: bool,
    pub older: bool,
}

/// Who reads the trail.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub by: &'a Actor,
    /// The unit whose rows are shown.
    pub scope: &'a UnitScope,
    /// Over which line a page is asked for.
    pub address: Option<&'a str>,
    pub at: OffsetDateTime,
}

/// An actor as it stands in the trail: the account of a login, or what was typed. `None` for a login that
/// nobody has.
///
/// # Errors
/// Of the database.
pub async fn actor_of(conn: &mut PgConnection, text: &str) -> Result<Option<String>, Error> {
    if text.contains(':') || text.parse::<Actor>().is_ok() {
        return Ok(Some(text.to_owned()));
    }
    let account = accounts::by_login(conn, text).await?;
    Ok(account.map(|account| format!("account:{}", account.id)))
}

/// A part of the trail of the reader's unit, for whoever supervises. That it was read is a row of the trail
/// too, written before anything is shown.
///
/// # Errors
/// Of the database.
pub async fn read(
    database: &Database,
    reader: &Reader<'_>,
    question: &Question<'_>,
    turn: Turn,
) -> Result<Part, Error> {
    let wanted = usize::try_from(question.limit).unwrap_or(0);
    let one_more = Question { limit: question.limit.saturating_add(1), ..*question };
    let mut scoped = database.scoped(reader.scope).await?;
    let mut rows = rows(&mut scoped, &one_more, turn).await?;
    drop(scoped);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    if let Turn::NewerThan(_) = turn {
        rows.reverse();
    }
    note(database, reader, question).await?;
    let (newer, older) = match turn {
        Turn::Newest => (false, more),
        Turn::OlderThan(_) => (true, more),
        Turn::NewerThan(_) => (more, true),
    };
    Ok(Part { rows, newer, older })
}

async fn note(database: &Database, reader: &Reader<'_>, question: &Question<'_>) -> Result<(), Error> {
    let day = |at: OffsetDateTime| day_in_vietnam(at).to_string();
    let asked = json!({
        "subject": question.subject, "actor": question.actor, "action": question.action,
        "from": question.from.map(day), "to": question.to.map(|to| day(to - Duration::MICROSECOND)),
    });
    let mut detail = json!({ "question": asked });
    if let Some(address) = reader.address {
        detail["address"] = json!(address);
    }
    let entry = Entry {
        at: reader.at,
        actor: reader.by.clone(),
        action: "audit.listed".to_owned(),
        subject: "audit".to_owned(),
        unit_path: reader.scope.as_str().to_owned(),
        detail,
    };
    let mut tx = database.begin().await?;
    append(&mut tx, &entry).await?;
    db::commit(tx).await
}

/// The rows that a question asks for, the newest first, whoever reads them.
///
/// # Errors
/// Of the database.
pub async fn list(conn: &mut PgConnection, question: &Question<'_>) -> Result<Vec<Line>, Error> {
    rows(conn, question, Turn::Newest).await
}

/// The rows in the order of the turn: those that come after a mark, the oldest first.
async fn rows(conn: &mut PgConnection, question: &Question<'_>, turn: Turn) -> Result<Vec<Line>, Error> {
    const BACK: &str = "SELECT chain, seq, at, actor, action, subject, unit_path, detail FROM audit \
         WHERE ($1::text[] IS NULL OR subject = ANY($1)) AND ($2::text IS NULL OR actor = $2) \
           AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.')) \
           AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) \
           AND ($7::timestamptz IS NULL OR (at, chain, seq) < ($7, $8::smallint, $9::bigint)) \
         ORDER BY at DESC, chain DESC, seq DESC LIMIT $6";
    const FORTH: &str = "SELECT chain, seq, at, actor, action, subject, unit_path, detail FROM audit \
         WHERE ($1::text[] IS NULL OR subject = ANY($1)) AND ($2::text IS NULL OR actor = $2) \
           AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.')) \
           AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) \
           AND ($7::timestamptz IS NULL OR (at, chain, seq) > ($7, $8::smallint, $9::bigint)) \
         ORDER BY at, chain, seq LIMIT $6";
    let (sql, mark) = match turn {
        Turn::Newest => (BACK, None),
        Turn::OlderThan(mark) => (BACK, Some(mark)),
        Turn::NewerThan(mark) => (FORTH, Some(mark)),
    };
    let rows = sqlx::query_as(sql)
        .bind(question.subject.map(subjects))
        .bind(question.actor)
        .bind(question.action)
        .bind(question.from)
        .bind(question.to)
        .bind(question.limit)
        .bind(mark.map(|mark| mark.at))
        .bind(mark.map(|mark| mark.chain))
        .bind(mark.map(|mark| mark.seq))
        .fetch_all(conn)
        .await?;
    Ok(rows)
}

/// The subjects that a text names.
fn subjects(text: &str) -> Vec<String> {
    match text.parse::<Uuid>() {
        Ok(id) => KINDS.iter().map(|kind| format!("{kind}:{id}")).collect(),
        Err(_) => vec![text.to_owned()],
    }
}

/// The reason, by its code, that an actor gave since a moment, in this session, for looking at a subject.
///
/// # Errors
/// Of the database.
pub async fn reason(
    conn: &mut PgConnection,
    subject: &str,
    actor: &str,
    session: &str,
    since: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let found = sqlx::query_scalar(
        "SELECT detail->>'reason' FROM audit WHERE subject = $1 AND at > $2 AND actor = $3 \
         AND action = 'person.reason' AND detail->>'session' = $4 AND detail->>'reason' IS NOT NULL \
         ORDER BY at DESC LIMIT 1",
    )
    .bind(subject)
    .bind(since)
    .bind(actor)
    .bind(session)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}
