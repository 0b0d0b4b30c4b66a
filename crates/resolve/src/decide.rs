//! Whose application is this? Pure: the evidence of both searches goes in, one outcome comes out.

use crate::fingers::FingerFault;
use crate::kind::CaseKind;
use crate::shift::Astray;
use domain::application::{Kind, State};
use domain::id::{ApplicationId, PersonId};
use linkage::{Candidate, Caution, Decision, Levels, NameLevel, NumberLevel};

/// What may be decided without people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    pub linkage: linkage::Thresholds,
    /// Bits from which the record that the officer chose, with the citizen present, is taken for theirs: the
    /// choice itself is worth more than the bits that are missing to `linkage.link`.
    pub claim: f64,
    /// Bits by which that record must be ahead of every other.
    pub claim_lead: f64,
    /// Fused score from which fingers are one person's.
    pub fingerprint: f32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            linkage: linkage::Thresholds::default(),
            claim: 6.0,
            claim_lead: 4.0,
            fingerprint: fingerprint::params::PERSON_THRESHOLD,
        }
    }
}

/// A register record that may be the applicant's; `person` is the survivor where records were merged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    pub person: PersonId,
    pub weight: f64,
    pub probability: f64,
    pub caution: Caution,
    pub levels: Levels,
}

/// An application with the same fingers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FingerprintHit {
    pub application: ApplicationId,
    pub score: f32,
    pub state: State,
    /// Whom it was linked to, or the likeliest person of its case.
    pub person: Option<PersonId>,
}

/// Another application of a person that was not rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    pub application: ApplicationId,
    pub person: PersonId,
    pub state: State,
}

/// Whom the officer chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Nobody,
    Person(PersonId),
    /// A record that is not in the register, or of somebody dead.
    Unknown,
}

/// Everything that both searches found about one application.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub kind: Kind,
    pub claim: Claim,
    /// One for each person, in any order.
    pub matches: Vec<Match>,
    /// Only hits from `thresholds.fingerprint`, in any order.
    pub hits: Vec<FingerprintHit>,
    /// Applications of the people in `matches`, this one left out.
    pub earlier: Vec<Earlier>,
    /// What the fingers of this application show by themselves ([`crate::fingers::judge`]).
    pub fingers: Option<FingerFault>,
    /// What the plan says against where and when the kit captured it ([`crate::shift::judge`]).
    pub astray: Option<Astray>,
}

/// What becomes of an application: it is linked to a person, or somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Link(PersonId),
    Case {
        kind: CaseKind,
        /// The likeliest person.
        person: Option<PersonId>,
        other_person: Option<PersonId>,
        other_application: Option<ApplicationId>,
    },
}

impl Outcome {
    /// The person it is linked to, or the likeliest one of a case.
    pub fn person(&self) -> Option<PersonId> {
        match *self {
            Outcome::Link(person) => Some(person),
            Outcome::Case { person, .. } => person,
        }
    }
}

impl Match {
    pub(crate) fn new(candidate: &Candidate, person: PersonId) -> Match {
        let Candidate { weight, probability, caution, levels, .. } = *candidate;
        Match { person, weight, probability, caution, levels }
    }
}

/// Links when the register's record is certain, no fingers contradict, the fingers can be searched, the
/// person has no other application under way and the kit was where it was to be; in all other cases says what
/// people must look at, the gravest first.
pub fn decide(evidence: &Evidence, thresholds: &Thresholds) -> Outcome {
    let identity = identify(evidence, thresholds);
    if let Some(case) = fingerprint_case(evidence, thresholds, &identity) {
        return case;
    }
    let other = match identity {
        Identity::One(person) => match under_way(evidence, person) {
            Some(earlier) => {
                return case(CaseKind::SamePersonTwice, Some(person), None, Some(earlier.application));
            }
            None => None,
        },
        Identity::Unsure(_, _, other) => other,
    };
    let likeliest = identity.likeliest();
    if let Some(fault) = finger_fault(evidence, likeliest) {
        return case(fault.kind(), likeliest, other, None);
    }
    match (identity, evidence.astray) {
        (Identity::One(person), None) => Outcome::Link(person),
        (Identity::One(person), Some(astray)) => case(astray.kind(), Some(person), None, None),
        (Identity::Unsure(kind, person, other), _) => case(kind, person, other, None),
    }
}

/// What is wrong with the fingers of an application that is likeliest this person's, whatever its case asks
/// about.
pub fn finger_fault(evidence: &Evidence, likeliest: Option<PersonId>) -> Option<FingerFault> {
    evidence.fingers.or_else(|| differs(evidence, likeliest?).then_some(FingerFault::Differ))
}

/// The register's own doubt about whose application this is, whatever its case asks about.
pub fn register_doubt(evidence: &Evidence, thresholds: &Thresholds) -> Option<CaseKind> {
    match identify(evidence, thresholds) {
        Identity::One(_) => None,
        Identity::Unsure(kind, ..) => Some(kind),
    }
}

/// Whether the person holds a card for fingers that the search did not find these to be.
fn differs(evidence: &Evidence, person: PersonId) -> bool {
    let mut holds = evidence.earlier.iter().filter(|e| e.person == person && e.state == State::HandedOver);
    let met = |earlier: &Earlier| {
        evidence.hits.iter().any(|hit| hit.person == Some(person) || hit.application == earlier.application)
    };
    // For a new application the card itself is the case.
    evidence.kind != Kind::New && holds.next().is_some_and(|first| !met(first) && !holds.any(met))
}

/// What the register alone says.
enum Identity {
    One(PersonId),
    Unsure(CaseKind, Option<PersonId>, Option<PersonId>),
}

impl Identity {
    fn likeliest(&self) -> Option<PersonId> {
        match *self {
            Identity::One(person) => Some(person),
            Identity::Unsure(_, person, _) => person,
        }
    }
}

fn identify(evidence: &Evidence, thresholds: &Thresholds) -> Identity {
    let mut matches = evidence.matches.clone();
    matches.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.person.cmp(&b.person)));
    let candidates: Vec<Candidate> = matches.iter().map(candidate).collect();
    let linked = linkage::decide(&candidates, thresholds.linkage);
    match evidence.claim {
        Claim::Unknown => {
            let best = matches.first().map(|m| m.person);
            return Identity::Unsure(CaseKind::RegisterMismatch, best, None);
        }
        Claim::Person(claimed) => {
            if linked == Decision::Link(claimed.uuid().as_u128()) || confirms(&matches, claimed, thresholds) {
                return Identity::One(claimed);
            }
            if let Decision::Link(other) = linked {
                let other = PersonId::from_uuid(uuid::Uuid::from_u128(other));
                return Identity::Unsure(CaseKind::RegisterMismatch, Some(claimed), Some(other));
            }
        }
        Claim::Nobody => {
            if let Decision::Link(person) = linked {
                return Identity::One(PersonId::from_uuid(uuid::Uuid::from_u128(person)));
            }
        }
    }
    doubt(&matches, evidence.claim, thresholds)
}

/// Whether the register agrees well enough with the officer's choice.
fn confirms(matches: &[Match], claimed: PersonId, thresholds: &Thresholds) -> bool {
    let Some(own) = matches.iter().find(|m| m.person == claimed) else { return false };
    let facts_agree = !own.levels.name.contradicts()
        && own.levels.name != NameLevel::Missing
        && !own.levels.birth.contradicts()
        && matches!(own.caution, Caution::None | Caution::PinConfirmed);
    let disputed = matches.iter().filter(|m| m.person != claimed).any(|m| {
        matches!(m.caution, Caution::PinContradicted | Caution::PinConfirmed)
            || m.weight > own.weight - thresholds.claim_lead
    });
    facts_agree && own.weight >= thresholds.claim && !disputed
}

/// Names the doubt, for a human: whose record is likeliest, and what speaks against it.
fn doubt(matches: &[Match], claim: Claim, thresholds: &Thresholds) -> Identity {
    let holder = matches.iter().find(|m| m.caution == Caution::PinContradicted);
    let review = thresholds.linkage.review;
    let mut likely =
        matches.iter().filter(|m| m.weight >= review || matches!(m.caution, Caution::PinConfirmed));
    let (best, second) = (likely.next(), likely.next());
    if let Some(holder) = holder {
        let other = best.map(|m| m.person).filter(|&person| person != holder.person);
        return match other {
            Some(best) => Identity::Unsure(CaseKind::PinConflict, Some(best), Some(holder.person)),
            None => Identity::Unsure(CaseKind::PinConflict, Some(holder.person), None),
        };
    }
    let claimed = match claim {
        Claim::Person(person) => Some(person),
        Claim::Nobody | Claim::Unknown => None,
    };
    let Some(best) = best else {
        let kind = if claimed.is_some() { CaseKind::RegisterMismatch } else { CaseKind::NotInRegister };
        return Identity::Unsure(kind, claimed, None);
    };
    let others = second.map(|m| m.person);
    let contradicts = best.levels.name.contradicts() || best.levels.birth.contradicts();
    if best.caution == Caution::PinDiffers {
        return Identity::Unsure(CaseKind::PinConflict, Some(best.person), others);
    }
    if best.levels.cmnd == NumberLevel::Equal && contradicts {
        return Identity::Unsure(CaseKind::CmndConflict, Some(best.person), others);
    }
    match claimed {
        Some(claimed) if claimed != best.person => {
            Identity::Unsure(CaseKind::RegisterMismatch, Some(claimed), Some(best.person))
        }
        _ => Identity::Unsure(CaseKind::AmbiguousMatch, Some(best.person), others),
    }
}

/// The case that the fingers make, whatever the register says.
fn fingerprint_case(evidence: &Evidence, thresholds: &Thresholds, identity: &Identity) -> Option<Outcome> {
    let likeliest = identity.likeliest();
    let mut hits: Vec<&FingerprintHit> =
        evidence.hits.iter().filter(|hit| counts(evidence, hit, likeliest)).collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.application.cmp(&b.application)));
    let agrees = |person: PersonId| match identity {
        Identity::One(own) => *own == person,
        // The register is unsure: the fingers may well be of one of the people it thinks of.
        Identity::Unsure(..) => {
            likeliest == Some(person)
                || evidence
                    .matches
                    .iter()
                    .any(|m| m.person == person && m.weight >= thresholds.linkage.review)
        }
    };
    let stranger = hits.iter().find(|hit| hit.person.is_some_and(|person| !agrees(person)));
    if let Some(hit) = stranger {
        let kind = CaseKind::FingerprintOtherName;
        return Some(case(kind, likeliest, hit.person, Some(hit.application)));
    }
    let hit = hits.first()?;
    Some(case(CaseKind::SamePersonTwice, hit.person.or(likeliest), None, Some(hit.application)))
}

/// Whether a hit asks for a decision. Whoever was rejected may come again under the same name, and whoever
/// holds a card has given these fingers for it before.
fn counts(evidence: &Evidence, hit: &FingerprintHit, likeliest: Option<PersonId>) -> bool {
    let same = hit.person.is_none() || hit.person == likeliest;
    match hit.state {
        State::Rejected => !same,
        State::HandedOver => !same || evidence.kind == Kind::New,
        _ => true,
    }
}

/// The person's application that forbids a second one.
fn under_way(evidence: &Evidence, person: PersonId) -> Option<Earlier> {
    let mut own: Vec<Earlier> = evidence.earlier.iter().filter(|e| e.person == person).copied().collect();
    own.sort_by_key(|earlier| earlier.application);
    own.into_iter().find(|earlier| is_under_way(earlier.state, evidence.kind))
}

/// Whether an earlier application in `state` forbids one of `kind`: a card that was handed over is no reason
/// to refuse its exchange.
pub(crate) fn is_under_way(state: State, kind: Kind) -> bool {
    match state {
        State::Rejected => false,
        State::HandedOver => kind == Kind::New,
        _ => true,
    }
}

fn case(
    kind: CaseKind,
    person: Option<PersonId>,
    other_person: Option<PersonId>,
    other_application: Option<ApplicationId>,
) -> Outcome {
    Outcome::Case { kind, person, other_person, other_application }
}

fn candidate(m: &Match) -> Candidate {
    Candidate {
        id: m.person.uuid().as_u128(),
        weight: m.weight,
        probability: m.probability,
        caution: m.caution,
        levels: m.levels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkage::{Record, explain};
    use time::OffsetDateTime;

    fn person(number: u8) -> PersonId {
        PersonId::derive(OffsetDateTime::UNIX_EPOCH, &[&[number]])
    }

    fn application(number: u8) -> ApplicationId {
        ApplicationId::derive(OffsetDateTime::UNIX_EPOCH, &[&[number]])
    }

    fn known(id: u128, name: &str) -> Record {
        Record {
            id,
            full_name: name.into(),
            birth_day: Some(7),
            birth_month: Some(11),
            birth_year: Some(1986),
            ..Record::default()
        }
    }

    /// A match of that weight whose facts agree.
    fn agreeing(number: u8, weight: f64) -> Match {
        let levels = explain(&known(1, "Nguyễn Thu Hòa"), &known(2, "Nguyễn Thu Hoà")).levels;
        Match { person: person(number), weight, probability: 0.5, caution: Caution::None, levels }
    }

    /// A match whose name is another one.
    fn contradicting(number: u8, weight: f64, caution: Caution) -> Match {
        let levels = explain(&known(1, "Nguyễn Thu Hòa"), &known(2, "Trần Văn Bảo")).levels;
        Match { caution, levels, ..agreeing(number, weight) }
    }

    fn hit(number: u8, person: Option<PersonId>, state: State) -> FingerprintHit {
        FingerprintHit { application: application(number), score: 40.0, state, person }
    }

    fn evidence(claim: Claim, matches: Vec<Match>) -> Evidence {
        let (hits, earlier, kind) = (Vec::new(), Vec::new(), Kind::New);
        Evidence { kind, claim, matches, hits, earlier, fingers: None, astray: None }
    }

    fn check(evidence: &Evidence, expected: Result<u8, CaseKind>) {
        match decide(evidence, &Thresholds::default()) {
            Outcome::Link(found) => assert_eq!(Ok(found), expected.map(person)),
            Outcome::Case { kind, .. } => assert_eq!(Err(kind), expected.map(person)),
        }
    }

    #[test]
    fn a_certain_record_is_linked_and_a_look_alike_is_not() {
        check(&evidence(Claim::Nobody, vec![agreeing(1, 20.0), agreeing(2, 4.0)]), Ok(1));
        let two = vec![agreeing(1, 20.0), agreeing(2, 16.0)];
        check(&evidence(Claim::Nobody, two), Err(CaseKind::AmbiguousMatch));
        check(&evidence(Claim::Nobody, vec![agreeing(1, 8.0)]), Err(CaseKind::AmbiguousMatch));
        check(&evidence(Claim::Nobody, vec![]), Err(CaseKind::NotInRegister));
    }

    #[test]
    fn the_officers_choice_needs_less_and_never_overrules_the_register() {
        let claim = Claim::Person(person(1));
        check(&evidence(claim, vec![agreeing(1, 8.0), agreeing(2, 3.0)]), Ok(1));
        check(&evidence(claim, vec![agreeing(1, 8.0), agreeing(2, 7.0)]), Err(CaseKind::AmbiguousMatch));
        check(&evidence(claim, vec![agreeing(2, 20.0), agreeing(1, 8.0)]), Err(CaseKind::RegisterMismatch));
        check(&evidence(claim, vec![contradicting(1, 8.0, Caution::None)]), Err(CaseKind::AmbiguousMatch));
        check(&evidence(claim, vec![]), Err(CaseKind::RegisterMismatch));
        check(&evidence(Claim::Unknown, vec![agreeing(1, 20.0)]), Err(CaseKind::RegisterMismatch));
    }

    #[test]
    fn a_number_that_speaks_against_it_is_a_case() {
        let holder = contradicting(2, -5.0, Caution::PinContradicted);
        check(&evidence(Claim::Nobody, vec![agreeing(1, 20.0), holder]), Err(CaseKind::PinConflict));
        check(
            &evidence(Claim::Person(person(1)), vec![agreeing(1, 20.0), holder]),
            Err(CaseKind::PinConflict),
        );
        let other_number = Match { caution: Caution::PinDiffers, ..agreeing(1, 20.0) };
        check(&evidence(Claim::Nobody, vec![other_number]), Err(CaseKind::PinConflict));
        let mut shared = contradicting(1, 3.0, Caution::None);
        shared.levels.cmnd = NumberLevel::Equal;
        check(&evidence(Claim::Nobody, vec![shared]), Err(CaseKind::CmndConflict));
    }

    #[test]
    fn fingers_overrule_the_register() {
        let mut asked = evidence(Claim::Nobody, vec![agreeing(1, 20.0)]);
        asked.hits = vec![hit(7, Some(person(1)), State::Accepted)];
        check(&asked, Err(CaseKind::SamePersonTwice));
        asked.hits = vec![hit(7, Some(person(2)), State::Accepted), hit(8, Some(person(1)), State::Accepted)];
        check(&asked, Err(CaseKind::FingerprintOtherName));
        asked.hits = vec![hit(7, None, State::InCase)];
        check(&asked, Err(CaseKind::SamePersonTwice));
    }

    #[test]
    fn fingers_that_cannot_be_searched_are_a_case_and_never_hide_a_graver_one() {
        for fault in FingerFault::ALL {
            let mut asked = evidence(Claim::Nobody, vec![agreeing(1, 20.0)]);
            asked.fingers = Some(fault);
            check(&asked, Err(fault.kind()));
            asked.matches.push(agreeing(2, 16.0));
            check(&asked, Err(fault.kind()));
            let doubt = register_doubt(&asked, &Thresholds::default());
            assert_eq!(doubt, Some(CaseKind::AmbiguousMatch), "it is told beside the fault");
            for (whose, kind) in [(3, CaseKind::FingerprintOtherName), (1, CaseKind::SamePersonTwice)] {
                asked.hits = vec![hit(7, Some(person(whose)), State::Accepted)];
                check(&asked, Err(kind));
            }
        }
    }

    #[test]
    fn a_kit_that_was_not_at_its_post_is_asked_about_last() {
        for astray in Astray::ALL {
            let mut asked = evidence(Claim::Nobody, vec![agreeing(1, 20.0)]);
            asked.astray = Some(astray);
            check(&asked, Err(astray.kind()));
            asked.matches.push(agreeing(2, 16.0));
            check(&asked, Err(CaseKind::AmbiguousMatch));
        }
    }

    #[test]
    fn a_card_is_not_exchanged_for_other_fingers() {
        let mut asked = evidence(Claim::Nobody, vec![agreeing(1, 20.0)]);
        asked.earlier =
            vec![Earlier { application: application(7), person: person(1), state: State::HandedOver }];
        for kind in [Kind::Exchange, Kind::Reissue] {
            asked.kind = kind;
            asked.hits = Vec::new();
            check(&asked, Err(CaseKind::FingersDiffer));
            asked.hits = vec![hit(7, Some(person(1)), State::HandedOver)];
            check(&asked, Ok(1));
        }
        // Of a person without a card there is nothing to compare with.
        asked.hits = Vec::new();
        asked.earlier.clear();
        check(&asked, Ok(1));
    }

    #[test]
    fn whoever_was_rejected_or_holds_a_card_may_come_again() {
        let mut asked = evidence(Claim::Nobody, vec![agreeing(1, 20.0)]);
        asked.hits = vec![hit(7, Some(person(1)), State::Rejected)];
        check(&asked, Ok(1));
        asked.hits = vec![hit(7, Some(person(2)), State::Rejected)];
        check(&asked, Err(CaseKind::FingerprintOtherName));
        asked.hits = vec![hit(7, Some(person(1)), State::HandedOver)];
        asked.earlier =
            vec![Earlier { application: application(7), person: person(1), state: State::HandedOver }];
        check(&asked, Err(CaseKind::SamePersonTwice));
        asked.kind = Kind::Exchange;
        check(&asked, Ok(1));
        asked.earlier[0].state = State::Batched;
        check(&asked, Err(CaseKind::SamePersonTwice));
    }
}
