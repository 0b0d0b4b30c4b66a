//! Who looked: every list and every record that a page shows leaves a row of the audit trail with what was
//! asked, whom it showed, and over which line it was read. Whoever has no work with a person says why before
//! the record opens; and nobody is shown more people in a day than the quota of the role.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use uuid::Uuid;

use crate::error::Error;
use crate::session::{Role, Who, hex};
use crate::state::AppState;
use domain::clock::day_in_vietnam;
use domain::id::PersonId;
use store::shown::{self, Work};
use store::{audit, trail};

/// Ids in a row of the audit trail at most; how many there were is always in it.
const MOST_IDS: usize = 50;
/// How long a reason holds, for the session and the person that it was given for.
pub(crate) const REASON_HOLDS: Duration = Duration::minutes(15);
/// That a quota held somebody back is written at most this often.
const QUOTA_ROW: Duration = Duration::minutes(10);

/// How many different people and applications an account is shown in a day at most, in lists too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub commander: u32,
    pub officer: u32,
    pub adjudicator: u32,
    pub clerk: u32,
    pub justice: u32,
}

impl Default for Quota {
    /// What a long day at a desk needs, with as much again. An officer's invitations of a day are hundreds.
    fn default() -> Quota {
        Quota { commander: 600, officer: 900, adjudicator: 600, clerk: 600, justice: 300 }
    }
}

impl Quota {
    /// Nobody is held back: for machines that work as officers, to measure.
    pub const NONE: Quota = Quota {
        commander: u32::MAX,
        officer: u32::MAX,
        adjudicator: u32::MAX,
        clerk: u32::MAX,
        justice: u32::MAX,
    };

    /// The quota of a role.
    pub const fn of(self, role: Role) -> u32 {
        match role {
            Role::Commander => self.commander,
            Role::Officer => self.officer,
            Role::Adjudicator => self.adjudicator,
            Role::Clerk => self.clerk,
            Role::Justice => self.justice,
        }
    }

    /// With another quota for one role.
    pub fn with(mut self, role: Role, people: u32) -> Quota {
        let of = match role {
            Role::Commander => &mut self.commander,
            Role::Officer => &mut self.officer,
            Role::Adjudicator => &mut self.adjudicator,
            Role::Clerk => &mut self.clerk,
            Role::Justice => &mut self.justice,
        };
        *of = people;
        self
    }
}

/// What a page is about to show.
pub(crate) struct Look<'a> {
    /// A dotted verb: `people.searched`.
    pub action: &'static str,
    pub subject: String,
    pub unit_path: &'a str,
    /// What was asked, in the reader's words; it may name people, as the rows of the register do.
    pub question: Value,
    /// The people and applications on the page.
    pub things: Vec<Uuid>,
}

impl<'a> Look<'a> {
    /// A list that the reader asked for. Its row is in the account's own chain, so that readers do not wait
    /// for each other.
    pub fn list(who: &'a Who, action: &'static str, question: Value, things: Vec<Uuid>) -> Look<'a> {
        Look { action, subject: who.actor().to_string(), unit_path: who.scope.as_str(), question, things }
    }
}

/// Writes that something is shown, before it is.
///
/// # Errors
/// [`Error::Quota`]: the account was shown enough for a day, and nothing more is shown; of the database.
pub(crate) async fn note(state: &AppState, who: &Who, look: Look<'_>) -> Result<(), Error> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let quota = i64::from(state.settings.quota.of(who.role));
    if !look.things.is_empty() {
        let day = day_in_vietnam(now);
        let count = shown::count(&mut tx, who.account.uuid(), day, &look.things).await?;
        if count > quota {
            // What was counted is taken back: it was not shown.
            drop(tx);
            held_back(state, who, look.action, quota).await?;
            return Err(Error::Quota);
        }
    }
    let mut entry = who.entry(now, look.action, look.subject, look.unit_path);
    if let Value::Object(detail) = &mut entry.detail {
        add(detail, look.question, &look.things);
    }
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(())
}

fn add(detail: &mut Map<String, Value>, question: Value, things: &[Uuid]) {
    if question.as_object().is_some_and(|fields| !fields.is_empty()) {
        detail.insert("question".to_owned(), question);
    }
    if !things.is_empty() {
        let ids: Vec<String> = things.iter().take(MOST_IDS).map(Uuid::to_string).collect();
        detail.insert("count".to_owned(), json!(things.len()));
        detail.insert("ids".to_owned(), json!(ids));
    }
}

/// Writes that the quota held the account back, unless that was written just now: whoever goes on asking does
/// not fill the trail.
async fn held_back(state: &AppState, who: &Who, action: &str, quota: i64) -> Result<(), Error> {
    let (now, subject) = (state.clock.now(), who.actor().to_string());
    let asked = trail::Question {
        subject: Some(&subject),
        action: Some("quota"),
        from: Some(now - QUOTA_ROW),
        limit: 1,
        ..trail::Question::default()
    };
    let mut tx = state.db.begin().await?;
    if trail::list(&mut tx, &asked).await?.is_empty() {
        let mut entry = who.entry(now, "quota", subject, who.scope.as_str());
        entry.detail["quota"] = json!(quota);
        entry.detail["asked"] = json!(action);
        audit::append(&mut tx, &entry).await?;
        tracing::warn!(account.id = %who.account, quota, "an account was shown its quota of people");
    }
    store::commit(tx).await?;
    Ok(())
}

/// Why somebody may open a person's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is work with the person at hand.
    AtHand,
    /// A reason was given in this session not long ago: its code.
    Reason(String),
    /// Neither: a reason is asked for.
    Unsaid,
}

/// Whether the reader has work with the person, or has said why the record is opened.
///
/// An adjudicator's work is an open case that names the person; an officer's an application on its way, or a
/// seat of today; both of the reader's unit. Commanders and clerks have numbers, boxes and forms at hand, and
/// always say why. The justice office opens no record: its cases show what it is asked about.
///
/// # Errors
/// Of the database.
pub(crate) async fn standing(state: &AppState, who: &Who, person: PersonId) -> Result<Standing, Error> {
    let work = match who.role {
        Role::Adjudicator => Some(Work::Cases),
        Role::Officer => Some(Work::Applications),
        Role::Commander | Role::Clerk | Role::Justice => None,
    };
    let mut conn = state.db.read().await?;
    if let Some(work) = work
        && shown::is_at_hand(&mut conn, &who.scope, person, work, state.campaign.today()).await?
    {
        return Ok(Standing::AtHand);
    }
    let (subject, actor) = (format!("person:{person}"), who.actor().to_string());
    let since = state.clock.now() - REASON_HOLDS;
    let given = trail::reason(&mut conn, &subject, &actor, &session_mark(who), since).await?;
    Ok(given.map_or(Standing::Unsaid, Standing::Reason))
}

/// Writes why the reader opens a person's record.
///
/// # Errors
/// Of the database.
pub(crate) async fn say_why(
    state: &AppState,
    who: &Who,
    person: PersonId,
    unit_path: &str,
    reason: &str,
    words: &str,
) -> Result<(), Error> {
    let mut tx = state.db.begin().await?;
    let subject = format!("person:{person}");
    let mut entry = who.entry(state.clock.now(), "person.reason", subject, unit_path);
    entry.detail["reason"] = json!(reason);
    entry.detail["words"] = json!(words);
    entry.detail["session"] = json!(session_mark(who));
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(())
}

/// Tells one session from another in the trail, and leads to neither its token nor its row.
fn session_mark(who: &Who) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"dancu session in the audit trail\0");
    hasher.update(who.token_hash);
    hex(&hasher.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_set_role_by_role() {
        let quota = Quota::default().with(Role::Clerk, 7);
        for role in Role::ALL {
            let expected = if role == Role::Clerk { 7 } else { Quota::default().of(role) };
            assert_eq!(quota.of(role), expected, "{role:?}");
        }
    }

    #[test]
    fn a_row_holds_so_many_ids_and_the_whole_number() {
        let things: Vec<Uuid> = (0..240).map(Uuid::from_u128).collect();
        let mut detail = Map::new();
        add(&mut detail, json!({"ten": "x"}), &things);
        assert_eq!(detail["count"], 240);
        assert_eq!(detail["ids"].as_array().map(Vec::len), Some(MOST_IDS));
        let mut nothing = Map::new();
        add(&mut nothing, json!({}), &[]);
        assert!(nothing.is_empty());
    }
}
