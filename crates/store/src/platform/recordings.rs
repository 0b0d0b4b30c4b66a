//! The recorded actions of applications and cards as a part of the audit trail.
//!
//! What one call of a `record` function writes is a *recording*: its actions in the order of their keys, and
//! the SHA-256 over them. No call waits for another, so that a campaign of millions keeps its pace. From
//! time to time a *seal* takes all recordings that are not sealed yet and writes one row of the audit trail
//! over them ([`seal`]). A signed head covers that row, and with it every action before it: one that is
//! altered, removed or inserted no longer gives its recording, and a recording that is rewritten no longer
//! gives its seal.
//!
//! A row's `unit_path` is not covered: it says who may see the row, and follows its unit.

mod verify;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::audit::{self, to_microseconds};
use crate::{Database, Error};
use domain::Actor;

pub use verify::{Break, Broken, Verdict, verify};

/// The subject of the seals' rows, so that all are in one chain.
const SUBJECT: &str = "actions";
/// The action of the seals' rows.
const ACTION: &str = "actions.sealed";
/// Recordings of one seal at most.
const SEALED_AT_ONCE: i64 = 20_000;
/// Rows read at a time where all are read.
const PAGE: i64 = 5_000;
/// Bytes of an action's digest that its recording keeps.
const MARK: usize = 8;

/// Whose actions a recording holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `application_action`.
    Application,
    /// `card_action`.
    Card,
}

impl Kind {
    /// In the order in which a seal takes them.
    pub const ALL: [Kind; 2] = [Kind::Application, Kind::Card];

    /// The stored name.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::Application => "application",
            Kind::Card => "card",
        }
    }
}

/// One action as its digest covers it.
#[derive(Debug, Clone)]
pub(crate) struct Act<'a> {
    pub application: Uuid,
    /// The card, of an action of a card.
    pub card: Option<Uuid>,
    pub seq: i16,
    pub action: &'a str,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: &'a str,
    pub reference: Option<Uuid>,
    pub reason: Option<&'a str>,
    pub detail: Option<&'a Value>,
}

impl Act<'_> {
    fn key(&self) -> (Uuid, Option<Uuid>, i16) {
        (self.application, self.card, self.seq)
    }

    /// Each field that may vary in length is preceded by it, and each that may be missing by whether it is
    /// there, so that no two actions have the same encoding.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"dancu recorded action, version 1\0");
        hasher.update(self.application);
        for id in [self.card, self.reference] {
            hasher.update([u8::from(id.is_some())]);
            hasher.update(id.unwrap_or_default());
        }
        hasher.update(self.seq.to_be_bytes());
        for at in [self.at, self.recorded_at] {
            hasher.update(microseconds(at).to_be_bytes());
        }
        text(&mut hasher, self.action);
        text(&mut hasher, self.actor);
        hasher.update([u8::from(self.reason.is_some())]);
        text(&mut hasher, self.reason.unwrap_or_default());
        let mut canonical = String::new();
        if let Some(detail) = self.detail {
            write_canonical(detail, &mut canonical);
        }
        text(&mut hasher, &canonical);
        hasher.finalize().into()
    }
}

fn text(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

/// Microseconds since 1970, which is what the database keeps of a moment.
fn microseconds(at: OffsetDateTime) -> i128 {
    to_microseconds(at).unix_timestamp_nanos() / 1_000
}

/// JSON in one form for one value, whether it came from this program or out of a column of type `jsonb`,
/// which orders keys and writes numbers in its own way.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => out.push_str(&whole.to_string()),
            (None, Some(whole), _) => out.push_str(&whole.to_string()),
            // What has no fraction is a whole number to the database. Minus zero is zero.
            (None, None, Some(float)) if float.fract() == 0.0 => out.push_str(&format!("{:.0}", float + 0.0)),
            (None, None, Some(float)) => out.push_str(&format!("{float:?}")),
            (None, None, None) => out.push_str(&number.to_string()),
        },
        Value::Array(values) => {
            out.push('[');
            for value in values {
                write_canonical(value, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(&fields[key.as_str()], out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

/// What a recording keeps of its actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digested {
    pub actions: i64,
    pub digest: [u8; 32],
    pub marks: Vec<u8>,
}

/// The digest of what one call writes, whatever the order in which it is given.
pub(crate) fn digest<'a>(kind: Kind, acts: impl Iterator<Item = Act<'a>>) -> Digested {
    let mut digests: Vec<_> = acts.map(|act| (act.key(), act.digest())).collect();
    digests.sort_unstable();
    let mut whole = Whole::new(kind);
    digests.iter().for_each(|(_, digest)| whole.add(digest));
    let marks = digests.iter().flat_map(|(_, digest)| digest[..MARK].to_vec()).collect();
    let (actions, digest) = whole.finish();
    Digested { actions, digest, marks }
}

/// A recording's digest, action after action in the order of their keys.
struct Whole {
    hasher: Sha256,
    actions: i64,
}

impl Whole {
    fn new(kind: Kind) -> Whole {
        let mut hasher = Sha256::new();
        hasher.update(b"dancu recording, version 1\0");
        text(&mut hasher, kind.code());
        Whole { hasher, actions: 0 }
    }

    fn add(&mut self, act: &[u8; 32]) {
        self.hasher.update(act);
        self.actions += 1;
    }

    fn finish(mut self) -> (i64, [u8; 32]) {
        self.hasher.update(self.actions.to_be_bytes());
        (self.actions, self.hasher.finalize().into())
    }
}

/// What a seal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Rows of the audit trail.
    pub seals: i64,
    /// Recordings that they cover.
    pub recordings: i64,
    /// Actions in these.
    pub actions: i64,
}

/// Seals every recording that is committed and not sealed, each seal in a transaction of its own.
///
/// # Errors
/// Those of the database.
pub async fn seal(db: &Database, now: OffsetDateTime) -> Result<Sealed, Error> {
    let mut sealed = Sealed::default();
    loop {
        let mut tx = db.begin().await?;
        // Seals are numbered one after the other; who records does not wait for this.
        super::db::lock(&mut tx, "lock.seal").await?;
        let number = seals(&mut tx).await? + 1;
        if number == 1 {
            for kind in Kind::ALL {
                adopt(&mut tx, kind, now).await?;
            }
        }
        let covered = one_seal(&mut tx, number, now).await?;
        super::db::commit(tx).await?;
        let Some((recordings, actions)) = covered else { return Ok(sealed) };
        sealed.seals += 1;
        sealed.recordings += recordings;
        sealed.actions += actions;
        if recordings < SEALED_AT_ONCE {
            return Ok(sealed);
        }
    }
}

async fn seals(tx: &mut PgConnection) -> Result<i64, Error> {
    let count = "SELECT count(*) FROM audit WHERE subject = $1 AND action = $2";
    Ok(sqlx::query_scalar(count).bind(SUBJECT).bind(ACTION).fetch_one(tx).await?)
}

/// Writes the next seal. The recordings and actions that it covers; `None` when all were sealed.
async fn one_seal(
    tx: &mut PgConnection,
    number: i64,
    now: OffsetDateTime,
) -> Result<Option<(i64, i64)>, Error> {
    let rows: Vec<verify::Row> = sqlx::query_as(
        "SELECT kind, recording_id, recorded_at, actions, digest, seal FROM recording WHERE seal IS NULL \
         ORDER BY kind, recording_id LIMIT $1",
    )
    .bind(SEALED_AT_ONCE)
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut whole = verify::SealDigest::new(number);
    rows.iter().for_each(|row| whole.add(row));
    let (kinds, ids): (Vec<&str>, Vec<Uuid>) =
        rows.iter().map(|row| (row.kind.as_str(), row.recording_id)).unzip();
    sqlx::query(
        "UPDATE recording r SET seal = $3 FROM unnest($1::text[], $2::uuid[]) AS n (kind, id) \
         WHERE r.kind = n.kind AND r.recording_id = n.id",
    )
    .bind(kinds)
    .bind(ids)
    .bind(number)
    .execute(&mut *tx)
    .await?;
    let (recordings, actions) = (rows.len() as i64, rows.iter().map(|row| row.actions).sum());
    let entry = audit::Entry {
        at: now,
        actor: Actor::Centre,
        action: ACTION.to_owned(),
        subject: SUBJECT.to_owned(),
        unit_path: String::new(),
        detail: serde_json::json!({
            "seal": number, "recordings": recordings, "actions": actions, "digest": whole.finish(),
        }),
    };
    audit::append(tx, &entry).await?;
    Ok(Some((recordings, actions)))
}

/// Makes one recording of the actions from before there were recordings, as they are found now. From then on
/// a further action without a recording shows.
async fn adopt(tx: &mut PgConnection, kind: Kind, now: OffsetDateTime) -> Result<(), Error> {
    let (actions, digest) = verify::of_before(&mut *tx, kind).await?;
    sqlx::query(
        "INSERT INTO recording (kind, recording_id, recorded_at, actions, digest) VALUES ($1, $2, $3, $4, \
         $5) \
         ON CONFLICT (kind, recording_id) DO NOTHING",
    )
    .bind(kind.code())
    .bind(Uuid::nil())
    .bind(to_microseconds(now))
    .bind(actions)
    .bind(digest.as_slice())
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(value: &Value) -> String {
        let mut out = String::new();
        write_canonical(value, &mut out);
        out
    }

    #[test]
    fn one_value_has_one_form() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (ours, stored) in [
            ("1e16", "10000000000000000"),
            ("1e22", "10000000000000000000000"),
            ("-0.0", "0.0"),
            ("1.0", "1"),
            ("1e-7", "0.0000001"),
            ("0.1", "0.1"),
            (r#"{"b":1,"a":[null,true,"ơ\n"]}"#, r#"{"a": [null, true, "ơ\n"], "b": 1}"#),
        ] {
            assert_eq!(canonical(&parse(ours)), canonical(&parse(stored)), "{ours}");
        }
        assert_ne!(canonical(&json!([1, [2]])), canonical(&json!([[1], 2])));
        assert_ne!(canonical(&json!("1")), canonical(&json!(1)));
        assert_ne!(canonical(&json!(0.1)), canonical(&json!(0.2)));
    }

    #[test]
    fn the_order_of_a_call_does_not_matter_and_every_field_does() {
        let detail = json!({"code": "x"});
        let act = |seq: i16| Act {
            application: Uuid::from_u128(7),
            card: None,
            seq,
            action: "accept",
            at: OffsetDateTime::UNIX_EPOCH,
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            actor: "centre",
            reference: None,
            reason: None,
            detail: None,
        };
        let of = |acts: Vec<Act<'_>>| digest(Kind::Application, acts.into_iter());
        assert_eq!(of(vec![act(1), act(2)]), of(vec![act(2), act(1)]));
        assert_ne!(of(vec![act(1)]).digest, digest(Kind::Card, [act(1)].into_iter()).digest);
        let microsecond = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1);
        for other in [
            Act { application: Uuid::from_u128(8), ..act(1) },
            Act { card: Some(Uuid::nil()), ..act(1) },
            Act { action: "reject", ..act(1) },
            Act { at: microsecond, ..act(1) },
            Act { recorded_at: microsecond, ..act(1) },
            Act { actor: "printer", ..act(1) },
            Act { reference: Some(Uuid::nil()), ..act(1) },
            Act { reason: Some(""), ..act(1) },
            Act { detail: Some(&detail), ..act(1) },
            act(2),
        ] {
            assert_ne!(of(vec![act(1)]).digest, of(vec![other.clone()]).digest, "{other:?}");
        }
    }
}
