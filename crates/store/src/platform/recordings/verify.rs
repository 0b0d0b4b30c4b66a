//! Whether recorded actions are as they were written: each recording against its actions, each seal against
//! its recordings. The seals' own rows are the audit trail's, which is verified first.

use std::collections::VecDeque;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ACTION, Act, Kind, MARK, PAGE, SUBJECT, Whole, microseconds, text};
use crate::Error;

/// Recordings read at a time, with their marks.
const RECORDINGS: i64 = 500;

/// What verification of the recorded actions found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every action is as it was written.
    Intact {
        /// Actions of applications and cards.
        actions: i64,
        /// Of these, those that no seal covers yet.
        unsealed: i64,
    },
    /// The first that is not.
    Broken(Broken),
}

/// Where the recorded actions are not as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Whose actions; `None` when only the seal is known.
    pub kind: Option<Kind>,
    /// When what is wrong was recorded, as far as that is known.
    pub recorded_at: Option<OffsetDateTime>,
    /// The seal that covers it; `None` when none does.
    pub seal: Option<i64>,
    /// The action itself, or the one that stands where one is missing: application or card, and number.
    pub near: Option<(Uuid, i16)>,
    /// What is wrong.
    pub how: Break,
}

/// What is wrong with recorded actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// An action was altered.
    Altered,
    /// An action was removed.
    Missing,
    /// An action was put there by somebody else than the program.
    Inserted,
    /// A recording was altered, with its actions or without them.
    Recording,
    /// Recordings of a seal were removed, added or rewritten with all their actions.
    Seal,
}

/// A recording as a seal covers it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub kind: String,
    pub recording_id: Uuid,
    pub recorded_at: OffsetDateTime,
    pub actions: i64,
    pub digest: Vec<u8>,
    pub seal: Option<i64>,
}

/// A seal's digest, recording after recording in the order of kind and id.
pub(super) struct SealDigest(Sha256);

impl SealDigest {
    /// Of the seal of this number, without recordings.
    pub fn new(number: i64) -> SealDigest {
        let mut hasher = Sha256::new();
        hasher.update(b"dancu action seal, version 1\0");
        hasher.update(number.to_be_bytes());
        SealDigest(hasher)
    }

    /// One more recording.
    pub fn add(&mut self, row: &Row) {
        text(&mut self.0, &row.kind);
        self.0.update(row.recording_id);
        self.0.update(microseconds(row.recorded_at).to_be_bytes());
        self.0.update(row.actions.to_be_bytes());
        self.0.update((row.digest.len() as u64).to_be_bytes());
        self.0.update(&row.digest);
    }

    /// In hexadecimal, as a seal's row has it.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads every recorded action and checks it. To be run in a REPEATABLE READ transaction, in which the audit
/// trail was found intact.
///
/// # Errors
/// Of the database; what is broken is a [`Verdict`], not an error.
pub async fn verify(tx: &mut PgConnection) -> Result<Verdict, Error> {
    let is_begun = super::seals(&mut *tx).await? > 0;
    let (mut actions, mut unsealed) = (0, 0);
    for kind in Kind::ALL {
        let mut acts = Acts::open(&mut *tx, kind, None).await?;
        let found = verify_kind(&mut *tx, &mut acts, is_begun, &mut unsealed).await?;
        acts.close(&mut *tx).await?;
        if let Some(broken) = found {
            return Ok(Verdict::Broken(broken));
        }
        actions += acts.read;
    }
    Ok(match verify_seals(tx).await? {
        Some(broken) => Verdict::Broken(broken),
        None => Verdict::Intact { actions, unsealed },
    })
}

async fn verify_kind(
    tx: &mut PgConnection,
    acts: &mut Acts,
    is_begun: bool,
    unsealed: &mut i64,
) -> Result<Option<Broken>, Error> {
    type Row = (Uuid, OffsetDateTime, i64, Vec<u8>, Option<Vec<u8>>, Option<i64>);
    let mut after: Option<Uuid> = None;
    loop {
        let page: Vec<Row> = sqlx::query_as(
            "SELECT recording_id, recorded_at, actions, digest, marks, seal FROM recording \
             WHERE kind = $1 AND ($2::uuid IS NULL OR recording_id > $2) ORDER BY recording_id LIMIT $3",
        )
        .bind(acts.kind.code())
        .bind(after)
        .bind(RECORDINGS)
        .fetch_all(&mut *tx)
        .await?;
        for (id, recorded_at, actions, digest, marks, seal) in &page {
            if let Some(stray) = acts.stray(&mut *tx, Some(*id), is_begun, unsealed).await? {
                return Ok(Some(stray));
            }
            let said = Said { id: *id, actions: *actions, digest, marks: marks.as_deref() };
            if let Some((how, near)) = compare(&mut *tx, acts, &said).await? {
                let recorded_at = Some(*recorded_at);
                return Ok(Some(Broken { kind: Some(acts.kind), recorded_at, seal: *seal, near, how }));
            }
            *unsealed += if seal.is_none() { *actions } else { 0 };
        }
        match page.last() {
            Some((id, ..)) => after = Some(*id),
            None => return acts.stray(tx, None, is_begun, unsealed).await,
        }
    }
}

/// What a recording says of its actions.
struct Said<'a> {
    id: Uuid,
    actions: i64,
    digest: &'a [u8],
    marks: Option<&'a [u8]>,
}

/// What is wrong with the actions of one recording, and at which of them.
async fn compare(
    tx: &mut PgConnection,
    acts: &mut Acts,
    said: &Said<'_>,
) -> Result<Option<(Break, Option<(Uuid, i16)>)>, Error> {
    let mut whole = Whole::new(acts.kind);
    let mut first = None;
    while let Some(act) = acts.next_of(&mut *tx, said.id).await? {
        let at = usize::try_from(whole.actions).unwrap_or(usize::MAX).saturating_mul(MARK);
        let mark = said.marks.map(|marks| marks.get(at..at + MARK).unwrap_or_default());
        if first.is_none() && mark.is_some_and(|mark| mark != &act.digest[..MARK]) {
            first = Some((act.thing, act.seq));
        }
        whole.add(&act.digest);
    }
    let (actions, digest) = whole.finish();
    if actions == said.actions && digest == said.digest {
        return Ok(None);
    }
    let how = match actions.cmp(&said.actions) {
        std::cmp::Ordering::Less => Break::Missing,
        std::cmp::Ordering::Greater => Break::Inserted,
        // All marks agree: the recording's own digest is what somebody changed.
        std::cmp::Ordering::Equal if said.marks.is_some() && first.is_none() => Break::Recording,
        std::cmp::Ordering::Equal => Break::Altered,
    };
    Ok(Some((how, first)))
}

async fn verify_seals(tx: &mut PgConnection) -> Result<Option<Broken>, Error> {
    let seals: Vec<(OffsetDateTime, Value)> = sqlx::query_as(
        "SELECT at, detail::jsonb FROM audit WHERE subject = $1 AND action = $2 ORDER BY chain, seq",
    )
    .bind(SUBJECT)
    .bind(ACTION)
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query(
        "DECLARE sealed NO SCROLL CURSOR FOR \
         SELECT kind, recording_id, recorded_at, actions, digest, seal FROM recording WHERE seal IS NOT NULL \
         ORDER BY seal, kind, recording_id",
    )
    .execute(&mut *tx)
    .await?;
    let broken = |seal, recorded_at| {
        Ok(Some(Broken { kind: None, recorded_at, seal: Some(seal), near: None, how: Break::Seal }))
    };
    let mut page: VecDeque<Row> = VecDeque::new();
    for (number, (at, detail)) in (1i64..).zip(&seals) {
        let mut digest = SealDigest::new(number);
        loop {
            if page.is_empty() {
                page = sealed_page(&mut *tx).await?;
            }
            let Some(row) = page.pop_front_if(|row| row.seal <= Some(number)) else { break };
            digest.add(&row);
        }
        if detail["seal"] != number || detail["digest"] != digest.finish() {
            return broken(number, Some(*at));
        }
    }
    if page.is_empty() {
        page = sealed_page(&mut *tx).await?;
    }
    let beyond = page.front().and_then(|row| Some((row.seal?, row.recorded_at)));
    sqlx::query("CLOSE sealed").execute(&mut *tx).await?;
    beyond.map_or(Ok(None), |(seal, at)| broken(seal, Some(at)))
}

async fn sealed_page(tx: &mut PgConnection) -> Result<VecDeque<Row>, Error> {
    let fetch = format!("FETCH {PAGE} FROM sealed");
    Ok(sqlx::query_as(AssertSqlSafe(fetch)).fetch_all(tx).await?.into())
}

/// How many actions there are without a recording, and their digest.
pub(super) async fn of_before(tx: &mut PgConnection, kind: Kind) -> Result<(i64, [u8; 32]), Error> {
    let mut acts = Acts::open(&mut *tx, kind, Some(Uuid::nil())).await?;
    let mut whole = Whole::new(kind);
    while let Some(act) = acts.next_of(&mut *tx, Uuid::nil()).await? {
        whole.add(&act.digest);
    }
    acts.close(tx).await?;
    Ok(whole.finish())
}

/// The actions of one kind in the order of their recordings and keys, page by page.
struct Acts {
    kind: Kind,
    page: VecDeque<Stored>,
    read: i64,
}

/// An action as it is found.
struct Stored {
    recording: Uuid,
    /// The application, or the card.
    thing: Uuid,
    seq: i16,
    recorded_at: OffsetDateTime,
    digest: [u8; 32],
}

#[derive(sqlx::FromRow)]
struct ActRow {
    recording: Uuid,
    application_id: Uuid,
    card_id: Option<Uuid>,
    seq: i16,
    action: String,
    at: OffsetDateTime,
    recorded_at: OffsetDateTime,
    actor: String,
    reference: Option<Uuid>,
    reason: Option<String>,
    detail: Option<Value>,
}

impl Acts {
    async fn open(tx: &mut PgConnection, kind: Kind, only: Option<Uuid>) -> Result<Acts, Error> {
        let columns = match kind {
            Kind::Application => {
                "recording, application_id, NULL::uuid AS card_id, seq, action, at, recorded_at, actor, \
                 ref AS reference, NULL::text AS reason, detail FROM application_action"
            }
            Kind::Card => {
                "recording, application_id, card_id, seq, action, at, recorded_at, actor, \
                 NULL::uuid AS reference, reason, NULL::jsonb AS detail FROM card_action"
            }
        };
        // An id is digits and hyphens. A cursor's statement takes no parameters.
        let only = only.map(|id| format!("WHERE recording = '{id}'")).unwrap_or_default();
        let declare = format!(
            "DECLARE acts_{} NO SCROLL CURSOR FOR SELECT {columns} {only} \
             ORDER BY recording, application_id, card_id, seq",
            kind.code()
        );
        sqlx::query(AssertSqlSafe(declare)).execute(tx).await?;
        Ok(Acts { kind, page: VecDeque::new(), read: 0 })
    }

    async fn close(&self, tx: &mut PgConnection) -> Result<(), Error> {
        let close = format!("CLOSE acts_{}", self.kind.code());
        sqlx::query(AssertSqlSafe(close)).execute(tx).await?;
        Ok(())
    }

    /// The next action, if it is of this recording.
    async fn next_of(&mut self, tx: &mut PgConnection, recording: Uuid) -> Result<Option<Stored>, Error> {
        self.fill(tx).await?;
        let next = self.page.pop_front_if(|act| act.recording == recording);
        self.read += i64::from(next.is_some());
        Ok(next)
    }

    /// An action whose recording does not exist, among those before recording `before`. What is from before
    /// there were recordings is none, until the first seal.
    async fn stray(
        &mut self,
        tx: &mut PgConnection,
        before: Option<Uuid>,
        is_begun: bool,
        unsealed: &mut i64,
    ) -> Result<Option<Broken>, Error> {
        loop {
            self.fill(&mut *tx).await?;
            let is_before = |act: &mut Stored| before.is_none_or(|id| act.recording < id);
            let Some(act) = self.page.pop_front_if(is_before) else { return Ok(None) };
            self.read += 1;
            if !act.recording.is_nil() || is_begun {
                return Ok(Some(Broken {
                    kind: Some(self.kind),
                    recorded_at: Some(act.recorded_at),
                    seal: None,
                    near: Some((act.thing, act.seq)),
                    how: Break::Inserted,
                }));
            }
            *unsealed += 1;
        }
    }

    async fn fill(&mut self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.page.is_empty() {
            let fetch = format!("FETCH {PAGE} FROM acts_{}", self.kind.code());
            let rows: Vec<ActRow> = sqlx::query_as(AssertSqlSafe(fetch)).fetch_all(tx).await?;
            self.page = rows.iter().map(ActRow::stored).collect();
        }
        Ok(())
    }
}

impl ActRow {
    fn stored(&self) -> Stored {
        let act = Act {
            application: self.application_id,
            card: self.card_id,
            seq: self.seq,
            action: &self.action,
            at: self.at,
            recorded_at: self.recorded_at,
            actor: &self.actor,
            reference: self.reference,
            reason: self.reason.as_deref(),
            detail: self.detail.as_ref(),
        };
        Stored {
            recording: self.recording,
            thing: self.card_id.unwrap_or(self.application_id),
            seq: self.seq,
            recorded_at: self.recorded_at,
            digest: act.digest(),
        }
    }
}
