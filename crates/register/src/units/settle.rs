//! Answers that no map has: in which part of a divided unit somebody lives, and who takes over what a divided
//! unit had.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use super::{Error, apply::event};
use domain::Actor;
use domain::UnitCode;
use domain::id::PersonId;
use domain::person::Event;
use domain::unit::{UnitLevel, UnitTable, Units};
use store::audit::{self, Entry};
use store::register::rearranged::things::{self, Taken};
use store::register::rearranged::waiting::{self, Question, Residence};
use store::register::rearranged::{self, Way};
use store::register::record::{self, locked};
use store::{Database, PgConnection, UnitScope};

/// What somebody said about a residence.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// What the actor may see and change.
    pub scope: &'a UnitScope,
    /// Who says so.
    pub actor: &'a Actor,
    /// When.
    pub now: OffsetDateTime,
    /// Whose residence.
    pub person: PersonId,
    /// Which.
    pub residence: Residence,
    /// The new unit in which it lies.
    pub to: UnitCode,
}

/// The new units that something in an old one can lie in: its parts by the map, or of a unit above them, the
/// parts of all below it.
///
/// # Errors
/// Those of the database.
pub async fn candidates(
    conn: &mut PgConnection,
    effective_on: Date,
    from: UnitCode,
) -> Result<Vec<UnitCode>, Error> {
    let ways = rearranged::ways(conn, effective_on).await?;
    Ok(parts(&ways, effective_on, from))
}

fn before(effective_on: Date) -> Units<'static> {
    UnitTable::official().on(effective_on.previous_day().unwrap_or(effective_on))
}

fn parts(ways: &[Way], effective_on: Date, from: UnitCode) -> Vec<UnitCode> {
    let of: Vec<String> = match ways.iter().any(|way| way.from_code == from.to_string()) {
        true => vec![from.to_string()],
        false => before(effective_on).leaves_of(from).iter().map(UnitCode::to_string).collect(),
    };
    let mut parts: Vec<UnitCode> = ways
        .iter()
        .filter(|way| of.contains(&way.from_code))
        .filter_map(|way| way.to_code.parse().ok())
        .collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Writes down in which new unit somebody lives, of whom it had to be asked.
///
/// # Errors
/// [`Error::NoQuestion`], also of somebody outside the actor's unit; [`Error::NotAPart`]; those of the
/// database.
pub async fn settle_person(db: &Database, answer: &Answer<'_>) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    rearranged::lock(&mut tx).await?;
    let question = waiting::locked(&mut tx, answer.person, answer.residence).await?;
    let (day, from, path) = question.ok_or(Error::NoQuestion)?;
    if !answer.scope.covers(&path) {
        return Err(Error::NoQuestion);
    }
    let from: UnitCode = from.parse().map_err(|_| Error::NoQuestion)?;
    let ways = rearranged::ways(&mut tx, day).await?;
    let candidates = parts(&ways, day, from);
    if !candidates.contains(&answer.to) {
        return Err(Error::NotAPart { to: answer.to, from, candidates });
    }
    let known = locked(&mut tx, answer.person).await?.ok_or(Error::NoQuestion)?;
    let (permanent, current) = (&known.person.record.permanent, known.person.record.current.as_ref());
    let told = match answer.residence {
        Residence::Current => Event::Readdressed { permanent: permanent.unit, current: Some(answer.to) },
        Residence::Permanent => {
            let current = current.and_then(|at| match at {
                // Who lives at the permanent residence lives in the same part of the unit.
                at if at.unit == from && at.detail == permanent.detail => Some(answer.to),
                at => match parts(&ways, day, at.unit)[..] {
                    [only] => Some(only),
                    _ => None,
                },
            });
            Event::Readdressed { permanent: answer.to, current }
        }
    };
    let open = match (&told, current) {
        (Event::Readdressed { current: None, .. }, Some(at)) if parts(&ways, day, at.unit).len() > 1 => {
            Some(at.unit)
        }
        _ => None,
    };
    let step = format!("answer {}", answer.residence.code());
    let event = event(day, answer.person, &step, told, answer.actor);
    let refused = record::record(&mut tx, answer.now, &[event]).await?.refused;
    if let Some((_, why)) = refused.into_iter().next() {
        return Err(Error::Refused { person: answer.person, why });
    }
    let after = locked(&mut tx, answer.person).await?.ok_or(Error::NoQuestion)?;
    let key = (answer.person, answer.residence, day);
    waiting::answered(&mut tx, key, (answer.to, &after.unit_path), answer.actor, answer.now).await?;
    if let (Residence::Permanent, Some(from)) = (answer.residence, open) {
        let unit_path = after.unit_path.clone();
        let question = Question { person: answer.person, residence: Residence::Current, unit_path, from };
        waiting::ask(&mut tx, day, &[question]).await?;
    }
    if answer.residence == Residence::Permanent {
        let way = BTreeMap::from([((from, answer.to), 1)]);
        rearranged::count_moved(&mut tx, day, &path, &way, -1).await?;
    }
    let detail = json!({ "from": from, "to": answer.to, "residence": answer.residence.code() });
    let subject = format!("person:{}", answer.person);
    let entry = entry(answer.actor, answer.now, "register.unit_answered", subject, &after.unit_path, detail);
    audit::append(&mut tx, &entry).await?;
    Ok(store::commit(tx).await?)
}

/// Says which new unit takes over what a divided old one had, and gives it to it. A unit above communes may
/// go to one of their successors, or to the province that these are in.
///
/// # Errors
/// [`Error::NoOldUnit`], [`Error::NotAPart`], [`Error::Settled`]; those of the database.
pub async fn settle_unit(
    db: &Database,
    actor: &Actor,
    now: OffsetDateTime,
    (effective_on, unit): (Date, UnitCode),
    to: UnitCode,
) -> Result<Taken, Error> {
    let mut tx = db.begin().await?;
    rearranged::lock(&mut tx).await?;
    let code = unit.to_string();
    let old = rearranged::old_units(&mut tx, effective_on, "").await?;
    let old = old.into_iter().find(|one| one.code == code).ok_or(Error::NoOldUnit(unit))?;
    if let Some(successor) = old.successor {
        return if successor == to.to_string() {
            Ok(Taken::default())
        } else {
            Err(Error::Settled { unit, successor })
        };
    }
    let mut candidates = candidates(&mut tx, effective_on, unit).await?;
    let after = UnitTable::official().on(effective_on);
    if unit.level() == UnitLevel::District {
        let provinces: Vec<UnitCode> =
            candidates.iter().filter_map(|part| Some(after.chain(*part).last()?.code)).collect();
        candidates.extend(provinces);
        candidates.sort_unstable();
        candidates.dedup();
    }
    let path = after.path(to).filter(|_| candidates.contains(&to));
    let Some(path) = path else { return Err(Error::NotAPart { to, from: unit, candidates }) };
    rearranged::settle_unit(&mut tx, effective_on, &old.path, (to, &path), actor, now).await?;
    let taken = things::take_over(&mut tx, effective_on, (unit, &old.path), (to, &path)).await?;
    let detail = json!({ "to": to, "accounts": taken.accounts, "kits": taken.kits });
    let entry = entry(actor, now, "register.unit_settled", format!("unit:{unit}"), &path, detail);
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(taken)
}

fn entry(
    actor: &Actor,
    at: OffsetDateTime,
    action: &str,
    subject: String,
    unit_path: &str,
    detail: Value,
) -> Entry {
    let (actor, action, unit_path) = (actor.clone(), action.to_owned(), unit_path.to_owned());
    Entry { at, actor, action, subject, unit_path, detail }
}
