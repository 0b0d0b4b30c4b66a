//! Two records of one person in the register: found, merged where it is certain, else asked about; and taken
//! apart again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use rayon::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::evidence::{tenths, waterfall};
use crate::{CaseKind, Error, record};
use domain::id::{CaseId, PersonId};
use linkage::{
    BirthLevel, Explanation, Index, Levels, NameLevel, NumberLevel, Pair, Params, ParentLevel, Record,
    SexLevel, VERSION,
};
use store::cases::{self, resolutions};
use store::register::matching::{self, PersonRow};
use store::register::merging::{self, Merge, MergedRecord};
use store::{Database, PgConnection, UnitScope, audit};

mod search;

pub use search::{Extent, dedupe, dedupe_new, dedupe_register, was_deduped};

/// Bits from which two records are one person's without a human, if no fact speaks against it: as for
/// linking, one error in 4,096 at the threshold itself. `examples/measure.rs` shows how heavy pairs of
/// different people become.
pub const MERGE_WEIGHT: f64 = 12.0;
/// Bits from which a human is asked. A true pair of which one side lacks the number, the parents and the day
/// of birth may weigh this little in a register of a district, and less in a larger one, as the prior falls
/// with its size.
pub const CASE_WEIGHT: f64 = -6.0;
/// Bits from which one old number and one date of birth are one person's, whatever else is missing.
const IDENTICAL_WEIGHT: f64 = 9.0;

/// What becomes of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Merge,
    Case,
    Leave,
}

/// A verdict and what it stands on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub explanation: Explanation,
    /// The weight without the numbers, of two records that have different ones.
    pub without_numbers: Option<f64>,
}

/// What a dedupe did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DedupeSummary {
    /// Pairs heavy enough to be looked at.
    pub pairs: usize,
    /// As (kept, dropped).
    pub merged: Vec<(PersonId, PersonId)>,
    /// Cases that were opened now.
    pub cases: usize,
    /// Pairs of which a case was opened before.
    pub known_cases: usize,
    /// Pairs that are two people by their facts, such as twins.
    pub left: usize,
}

impl DedupeSummary {
    fn add(&mut self, step: DedupeSummary) {
        self.pairs += step.pairs;
        self.merged.extend(step.merged);
        self.cases += step.cases;
        self.known_cases += step.known_cases;
        self.left += step.left;
    }
}

/// Whether both have a personal number, and not the same.
fn has_two_pins(levels: &Levels) -> bool {
    match levels.pin {
        NumberLevel::Different | NumberLevel::OneTypo => true,
        NumberLevel::Missing | NumberLevel::Equal => false,
    }
}

/// The verdict on two records by what `explain` says of the first and the second, and, of two with different
/// numbers, the weight without these. Two numbers never merge: who would be merged or asked about without
/// them is asked about.
pub fn verdict(record: &Record, explain: impl Fn(&Record) -> Option<Explanation>) -> Option<Judgement> {
    let explanation = explain(record)?;
    if !has_two_pins(&explanation.levels) {
        let verdict = judge(explanation.weight, &explanation.levels);
        return Some(Judgement { verdict, explanation, without_numbers: None });
    }
    let mut unnumbered = Record { pin: None, ..record.clone() };
    if explanation.levels.cmnd == NumberLevel::Different {
        unnumbered.cmnd = None;
    }
    let without = explain(&unnumbered)?;
    let verdict = match judge(without.weight, &without.levels) {
        Verdict::Merge | Verdict::Case => Verdict::Case,
        Verdict::Leave => Verdict::Leave,
    };
    Some(Judgement { verdict, explanation, without_numbers: Some(without.weight) })
}

/// Decides about a pair by its weight and its facts. Twins differ in the given name and two numbers in the
/// number, however heavy the rest is; what one side does not know does not contradict.
fn judge(weight: f64, levels: &Levels) -> Verdict {
    let contradictions = usize::from(levels.name.contradicts()) + usize::from(levels.birth.contradicts());
    let two_people = contradictions > 0
        || levels.sex == SexLevel::Different
        || (levels.father == ParentLevel::Different && levels.mother == ParentLevel::Different);
    let same_number = levels.cmnd == NumberLevel::Equal;
    // One old number with another name or another date may be one person's; with both it is a number that two
    // have.
    if two_people && !(same_number && contradictions <= 1) {
        return Verdict::Leave;
    }
    let certain = !two_people
        && !has_two_pins(levels)
        && levels.cmnd != NumberLevel::Different
        && levels.father != ParentLevel::Different
        && levels.mother != ParentLevel::Different
        && is_one_name(levels.name)
        && matches!(levels.birth, BirthLevel::Exact | BirthLevel::Partial | BirthLevel::Swapped);
    // The rate of a number that many share is in the weight, so that a placeholder does not get this far.
    let identical = same_number && levels.birth == BirthLevel::Exact && weight >= IDENTICAL_WEIGHT;
    match () {
        () if certain && (weight >= MERGE_WEIGHT || identical) => Verdict::Merge,
        () if weight >= CASE_WEIGHT => Verdict::Case,
        () => Verdict::Leave,
    }
}

/// Spellings of one name, the given name whole: a brother has another one.
fn is_one_name(level: NameLevel) -> bool {
    matches!(
        level,
        NameLevel::Exact
            | NameLevel::TonePlacement
            | NameLevel::DiacriticsLost
            | NameLevel::Diacritics
            | NameLevel::Dialect
            | NameLevel::MiddleMissing
    )
}

/// Merges what is certain of these pairs and opens cases for what is not, each pair seen in the light of the
/// heavier ones before it. For whoever holds the lock that resolving takes.
async fn settle(
    tx: &mut PgConnection,
    index: &Arc<RwLock<Index>>,
    pairs: Vec<Pair>,
    scope: &UnitScope,
    now: OffsetDateTime,
) -> Result<DedupeSummary, Error> {
    let mut summary = DedupeSummary { pairs: pairs.len(), ..DedupeSummary::default() };
    let ids: BTreeSet<PersonId> = pairs.iter().flat_map(|p| [person(p.a), person(p.b)]).collect();
    let ids: Vec<PersonId> = ids.into_iter().collect();
    let people: BTreeMap<PersonId, PersonRow> = matching::people(tx, &ids)
        .await?
        .into_iter()
        .map(|row| (PersonId::from_uuid(row.person_id), row))
        .collect();
    let mut pairs = judged(Arc::clone(index), pairs, &people).await?;
    heed_answers(tx, &mut pairs).await?;
    let records = merging::lock_people(tx, &ids).await?;
    let mut plan = Plan::new(&records);
    for pair in pairs {
        plan.add(pair);
    }
    summary.left = plan.left;
    let cases: Vec<cases::NewCase> = plan.cases.iter().map(|pair| new_case(pair, &people, now)).collect();
    summary.cases = cases::open_cases(tx, &cases, now).await?;
    summary.known_cases = cases.len() - summary.cases;
    summary.merged = plan.merges.iter().map(|m| (m.keep, m.drop)).collect();
    merging::merge_people(tx, &plan.merges, "centre", now).await?;
    if !summary.merged.is_empty() || summary.cases > 0 {
        let counts = json!({ "merged": summary.merged.len(), "cases": summary.cases, "version": VERSION });
        note(tx, "register.dedupe", "register", scope.as_str(), "centre", counts, now).await?;
    }
    Ok(summary)
}

/// Two records that people were asked about, or took apart, are theirs to merge, however certain the program
/// becomes.
async fn heed_answers(tx: &mut PgConnection, pairs: &mut [Judged]) -> Result<(), Error> {
    let certain: Vec<&Judged> = pairs.iter().filter(|pair| pair.verdict == Verdict::Merge).collect();
    let ids: Vec<CaseId> = certain.iter().map(|pair| case_of(pair.a, pair.b)).collect();
    let people: Vec<PersonId> = certain.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    let asked: BTreeSet<CaseId> = cases::there(tx, &ids).await?.into_iter().collect();
    let apart: BTreeSet<(PersonId, PersonId)> = merging::taken_apart(tx, &people)
        .await?
        .into_iter()
        .map(|(one, other)| (one.min(other), one.max(other)))
        .collect();
    for pair in pairs.iter_mut().filter(|pair| pair.verdict == Verdict::Merge) {
        if asked.contains(&case_of(pair.a, pair.b)) {
            pair.verdict = Verdict::Case;
        } else if apart.contains(&(pair.a, pair.b)) {
            pair.verdict = Verdict::Leave;
        }
    }
    Ok(())
}

/// Merges two records of one person on a human's word. The one with an application, else with a number, else
/// the older one is kept, whatever the order they are given in; `None` when they are one record already.
///
/// # Errors
/// [`Error::NotMergeable`]; those of the database.
pub async fn merge(
    db: &Database,
    one: PersonId,
    other: PersonId,
    by: &str,
    now: OffsetDateTime,
) -> Result<Option<(PersonId, PersonId)>, Error> {
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let merged = merge_in(&mut tx, one, other, by, json!({ "by": by }), now).await?;
    store::commit(tx).await?;
    Ok(merged)
}

/// Takes a merge back: the dropped record lives again, with the number that it lost. Returns (kept,
/// restored); `None` when the record is not merged.
///
/// # Errors
/// [`Error::NotSplittable`]; those of the database.
pub async fn split(
    db: &Database,
    dropped: PersonId,
    by: &str,
    now: OffsetDateTime,
) -> Result<Option<(PersonId, PersonId)>, Error> {
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let split = split_in(&mut tx, dropped, by, now).await?;
    store::commit(tx).await?;
    Ok(split)
}

pub(crate) async fn merge_in(
    tx: &mut PgConnection,
    one: PersonId,
    other: PersonId,
    by: &str,
    reason: Value,
    now: OffsetDateTime,
) -> Result<Option<(PersonId, PersonId)>, Error> {
    let refuse = |reason| Err(Error::NotMergeable { keep: one, drop: other, reason });
    let survivors = matching::survivors(tx, &[one, other]).await?;
    let (Some(&a), Some(&b)) = (survivors.get(&one), survivors.get(&other)) else {
        return refuse("both must be of living people");
    };
    if a == b {
        return Ok(None);
    }
    let records = merging::lock_people(tx, &[a, b]).await?;
    let [first, second] = records.as_slice() else { return refuse("both must be in the register") };
    let Some(merge) = merge_of(first, second, reason) else {
        return refuse("both have an application: decide about one of them first");
    };
    let (keep, drop) = (merge.keep, merge.drop);
    merging::merge_people(tx, &[merge], by, now).await?;
    note(tx, "person.merge", &format!("person:{keep}"), "", by, json!({ "dropped": drop }), now).await?;
    Ok(Some((keep, drop)))
}

pub(crate) async fn split_in(
    tx: &mut PgConnection,
    dropped: PersonId,
    by: &str,
    now: OffsetDateTime,
) -> Result<Option<(PersonId, PersonId)>, Error> {
    let refuse = |reason| Err(Error::NotSplittable { person: dropped, reason });
    let Some(&found) = merging::lock_people(tx, &[dropped]).await?.first() else {
        return refuse("it is not in the register");
    };
    let Some(kept) = found.same_as.map(PersonId::from_uuid) else { return Ok(None) };
    let keeper = merging::lock_people(tx, &[kept]).await?;
    if keeper.first().is_some_and(|k| k.has_application) && merging::merge_moved_pin(tx, dropped).await? {
        return refuse("the number that it gave away may be on a card by now: correct the number first");
    }
    if keeper.first().is_some_and(|k| k.status == 3) {
        return refuse("the record it was merged into was merged itself: take that one apart first");
    }
    merging::split_people(tx, dropped, kept, by, now).await?;
    note(tx, "person.split", &format!("person:{dropped}"), "", by, json!({ "from": kept }), now).await?;
    Ok(Some((kept, dropped)))
}

/// A pair with its verdict; `a` is the smaller id.
struct Judged {
    a: PersonId,
    b: PersonId,
    verdict: Verdict,
    explanation: Explanation,
    /// The weight without the numbers, of two that have different ones.
    without_numbers: Option<f64>,
}

/// Weighs each pair again for its facts, on all cores; the order stays.
async fn judged(
    index: Arc<RwLock<Index>>,
    pairs: Vec<Pair>,
    people: &BTreeMap<PersonId, PersonRow>,
) -> Result<Vec<Judged>, Error> {
    let asked: Vec<(Pair, PersonRow)> = pairs
        .into_iter()
        .filter(|pair| people.contains_key(&person(pair.b)))
        .filter_map(|pair| Some((pair, people.get(&person(pair.a))?.clone())))
        .collect();
    let judging = tokio::task::spawn_blocking(move || {
        let index = index.read().unwrap_or_else(PoisonError::into_inner);
        let params = Params::for_dedupe();
        let judge_one = |(pair, row): &(Pair, PersonRow)| {
            let record = record::of_row(row);
            let found = verdict(&record, |record| index.explain_by(&params, record, pair.b))?;
            let Judgement { verdict, explanation, without_numbers } = found;
            Some(Judged { a: person(pair.a), b: person(pair.b), verdict, explanation, without_numbers })
        };
        asked.par_iter().filter_map(judge_one).collect()
    });
    judging.await.map_err(|e| Error::Search(e.to_string()))
}

/// Merges and cases, each pair seen in the light of the heavier ones before it.
struct Plan<'a> {
    records: HashMap<PersonId, &'a MergedRecord>,
    /// Dropped records and who took them over.
    into: HashMap<PersonId, PersonId>,
    takes_pin: BTreeSet<PersonId>,
    merges: Vec<Merge>,
    cases: Vec<Judged>,
    left: usize,
}

impl<'a> Plan<'a> {
    fn new(records: &'a [MergedRecord]) -> Plan<'a> {
        Plan {
            records: records.iter().map(|r| (PersonId::from_uuid(r.person_id), r)).collect(),
            into: HashMap::new(),
            takes_pin: BTreeSet::new(),
            merges: Vec::new(),
            cases: Vec::new(),
            left: 0,
        }
    }

    fn survivor(&self, mut person: PersonId) -> PersonId {
        while let Some(&next) = self.into.get(&person) {
            person = next;
        }
        person
    }

    fn add(&mut self, pair: Judged) {
        let (a, b) = (self.survivor(pair.a), self.survivor(pair.b));
        if a == b {
            return;
        }
        // A pair that goes through a merged record was not weighed as such.
        let direct = (a, b) == (pair.a, pair.b);
        match pair.verdict {
            Verdict::Merge if direct && self.merge(a, b, &pair) => {}
            Verdict::Merge | Verdict::Case => {
                self.cases.push(Judged { a: a.min(b), b: a.max(b), ..pair });
            }
            Verdict::Leave => self.left += 1,
        }
    }

    fn merge(&mut self, a: PersonId, b: PersonId, pair: &Judged) -> bool {
        let (Some(&first), Some(&second)) = (self.records.get(&a), self.records.get(&b)) else {
            return false;
        };
        let with_pin = |record: &MergedRecord, id| MergedRecord {
            has_pin: record.has_pin || self.takes_pin.contains(&id),
            ..*record
        };
        let (first, second) = (with_pin(first, a), with_pin(second, b));
        if first.has_pin && second.has_pin {
            return false;
        }
        let reason = json!({
            "version": VERSION, "weight": tenths(pair.explanation.weight),
            "waterfall": waterfall(&pair.explanation),
        });
        let Some(merge) = merge_of(&first, &second, reason) else { return false };
        self.into.insert(merge.drop, merge.keep);
        if merge.moves_pin {
            self.takes_pin.insert(merge.keep);
        }
        self.merges.push(merge);
        true
    }
}

/// Which of two records is kept; `None` when both have applications.
fn merge_of(one: &MergedRecord, other: &MergedRecord, reason: Value) -> Option<Merge> {
    if one.has_application && other.has_application {
        return None;
    }
    let rank = |r: &MergedRecord| (!r.has_application, !r.has_pin, r.recorded_at, r.person_id);
    let (keep, drop) = if rank(one) <= rank(other) { (one, other) } else { (other, one) };
    Some(Merge {
        keep: PersonId::from_uuid(keep.person_id),
        drop: PersonId::from_uuid(drop.person_id),
        moves_pin: drop.has_pin && !keep.has_pin,
        reason,
    })
}

fn new_case(pair: &Judged, people: &BTreeMap<PersonId, PersonRow>, now: OffsetDateTime) -> cases::NewCase {
    let evidence = json!({
        "linkage": {
            "version": VERSION,
            "weight": tenths(pair.explanation.weight),
            "without_numbers": pair.without_numbers.map(tenths),
            "merge": MERGE_WEIGHT,
            "review": CASE_WEIGHT,
            "waterfall": waterfall(&pair.explanation),
        },
    });
    cases::NewCase {
        case_id: case_of(pair.a, pair.b),
        kind: CaseKind::RegisterDuplicate.code(),
        application_id: None,
        other_application_id: None,
        person_id: Some(pair.a),
        other_person_id: Some(pair.b),
        evidence,
        unit_path: people.get(&pair.a).map(|row| row.unit_path.clone()).unwrap_or_default(),
        due_at: CaseKind::RegisterDuplicate.due(now),
    }
}

/// The same pair is the same case, so that an answer holds. `a` is the smaller id.
fn case_of(a: PersonId, b: PersonId) -> CaseId {
    CaseId::derive(OffsetDateTime::UNIX_EPOCH, &[a.uuid().as_bytes(), b.uuid().as_bytes()])
}

async fn note(
    tx: &mut PgConnection,
    action: &str,
    subject: &str,
    unit_path: &str,
    by: &str,
    detail: Value,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let entry = audit::Entry {
        at: now,
        actor: by.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        unit_path: unit_path.to_owned(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}

fn person(id: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(id))
}
