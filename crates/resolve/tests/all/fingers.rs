//! Whoever hands in fingers by which nobody can be found: each attack is a case of its own kind, and nobody
//! who has nothing to hide is one.

use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{FingerPosition, Minutia, Template};

use crate::support::{
    NOW, Sent, application_id, entries, opened_with, outcomes, person_id, population, register, send,
};
use domain::Actor;
use domain::application::{Action, Kind, State};
use domain::id::{AccountId, CaseId};
use resolve::cases::{self, Act, Command, Decision, Refusal};
use resolve::{Error, Identities, resolve_batch};
use store::UnitScope;
use store::applications::Transition;

/// A register of people who look like nobody else, and one batch of their applications.
pub(crate) struct Desk {
    pub db: testkit::FreshDatabase,
    pub sent: Vec<Sent>,
    captured: Vec<Vec<Template>>,
}

/// Everybody is who they say, with papers: only the fingers are in question.
pub(crate) async fn desk(captured: Vec<Vec<Template>>) -> Desk {
    let db = testkit::fresh_database().await;
    let population = population(400);
    register(&db, &entries(&population, 0)).await;
    let applicant = |number: usize| Sent {
        application: application_id(number as u64),
        record: population.record(&population.people[number * 9]),
        claimed: Some(person_id(number * 9, 1)),
        fingers: (number, 1),
        kind: Kind::New,
    };
    let sent: Vec<Sent> = (0..captured.len()).map(applicant).collect();
    send(&db, 0, &sent).await;
    Desk { db, sent, captured }
}

impl Desk {
    pub(crate) async fn resolve_with(&self, ids: &mut Identities) {
        let opened = self.sent.iter().zip(&self.captured);
        let opened = opened.map(|(sent, captured)| opened_with(sent.application, captured.clone()));
        resolve_batch(&self.db, ids, opened.collect(), NOW).await.unwrap();
    }

    /// What became of each: `linked`, or the kind of its case.
    async fn came_out(&self) -> Vec<String> {
        let mut ids = Identities::load(&self.db, &UnitScope::everything()).await.unwrap();
        self.resolve_with(&mut ids).await;
        self.found().await
    }

    pub(crate) async fn found(&self) -> Vec<String> {
        let found = outcomes(&self.db).await;
        let outcome = |sent: &Sent| {
            let (outcome, _, kind) = &found[&sent.application];
            kind.clone().unwrap_or_else(|| outcome.clone())
        };
        self.sent.iter().map(outcome).collect()
    }
}

async fn check(captured: Vec<Vec<Template>>, expected: &str) {
    let came_out = desk(captured).await.came_out().await;
    assert!(came_out.iter().all(|found| found == expected), "came out as {came_out:?}, not {expected}");
}

fn ten(person: u64, condition: Condition) -> Vec<Template> {
    person_masters(person).iter().map(|master| master.impression(1, condition)).collect()
}

/// The best `most` minutiae, as of a finger that hardly touched the glass.
fn thinned(template: &Template, most: usize) -> Template {
    let mut minutiae: Vec<Minutia> = template.minutiae().to_vec();
    minutiae.truncate(most);
    Template::new(template.capture(), minutiae).unwrap()
}

/// The finger as it would lie shifted on the glass, at another position: other bytes, the same finger.
fn moved(template: &Template, position: FingerPosition) -> Template {
    let step = u16::from(position.code());
    let shift = |minutia: &Minutia| Minutia {
        x: (minutia.x + 3 * step).min(template.width() - 1),
        y: (minutia.y + 2 * step).min(template.height() - 1),
        angle: minutia.angle.wrapping_add(u8::try_from(step).unwrap() / 2),
        ..*minutia
    };
    let minutiae = template.minutiae().iter().map(shift).collect();
    Template::new(template.capture(), minutiae).unwrap().with_position(position)
}

#[tokio::test]
async fn ten_unreadable_fingers_are_a_case() {
    check(vec![Vec::new()], "fingers_missing").await;
}

#[tokio::test]
async fn ten_templates_of_no_or_few_minutiae_are_a_case() {
    let few = |most: usize| ten(1, Condition::Station).iter().map(|t| thinned(t, most)).collect();
    // None at all is the attack of the table; eight are the variant: what a fingertip leaves.
    check(vec![few(0), few(1), few(8)], "fingers_weak").await;
}

#[tokio::test]
async fn one_finger_at_ten_positions_is_a_case() {
    let thumb = ten(2, Condition::Station).remove(0);
    let copied = FingerPosition::ALL.map(|position| thumb.clone().with_position(position)).to_vec();
    let another = ten(8, Condition::Station).remove(0);
    let shifted = FingerPosition::ALL.map(|position| moved(&another, position)).to_vec();
    // The same finger laid on the glass ten times.
    let master = &person_masters(3)[0];
    let afresh = FingerPosition::ALL
        .map(|position| {
            let occasion = u64::from(position.code());
            master.impression(occasion, Condition::Station).with_position(position)
        })
        .to_vec();
    check(vec![copied, shifted, afresh], "fingers_repeated").await;
}

#[tokio::test]
async fn the_left_hand_given_for_the_right_one_is_a_case() {
    let mut hands = ten(4, Condition::Station);
    let left = person_masters(4);
    for (right, left) in hands[..5].iter_mut().zip(&left[5..]) {
        *right = left.impression(2, Condition::Station).with_position(right.position());
    }
    check(vec![hands], "fingers_repeated").await;
}

#[tokio::test]
async fn a_strangers_thumb_among_missing_fingers_is_a_case() {
    let thumb = vec![ten(5, Condition::Station).remove(0)];
    // Three are the variant: still too few to find anybody by.
    let three = ten(6, Condition::Station)[..3].to_vec();
    check(vec![thumb, three], "fingers_missing").await;
}

#[tokio::test]
async fn whoever_has_worn_or_few_fingers_that_can_be_searched_is_no_case() {
    let worn = (10..30).map(|person| ten(person, Condition::Bad));
    let a_hand = ten(40, Condition::Station)[..5].to_vec();
    let four = ten(41, Condition::Station)[6..].to_vec();
    check(worn.chain([a_hand, four]).collect(), "linked").await;
}

#[tokio::test]
async fn few_fingers_of_somebody_else_are_the_graver_case() {
    // Somebody enrolled before comes under another name with a hand only, and once more with three fingers.
    let captured = vec![
        ten(50, Condition::Station),
        person_masters(50)[..5].iter().map(|m| m.impression(2, Condition::Station)).collect(),
        person_masters(50)[..3].iter().map(|m| m.impression(3, Condition::Station)).collect(),
    ];
    let came_out = desk(captured).await.came_out().await;
    assert_eq!(came_out, ["linked", "fingerprint_other_name", "fingerprint_other_name"]);
}

#[tokio::test]
async fn a_card_is_not_exchanged_for_a_strangers_fingers() {
    let again = |person: u64| -> Vec<Template> {
        person_masters(person).iter().map(|master| master.impression(2, Condition::Station)).collect()
    };
    let mut desk = desk(vec![ten(70, Condition::Station), ten(71, Condition::Station)]).await;
    assert_eq!(desk.came_out().await, ["linked", "linked"]);
    let mut tx = desk.db.begin().await.unwrap();
    for action in [
        Action::Batch,
        Action::Print,
        Action::Dispatch,
        Action::DistrictReceive,
        Action::Forward,
        Action::UnitReceive,
        Action::HandOver,
    ] {
        let made = desk.sent.iter().map(|sent| Transition {
            application_id: sent.application,
            action,
            at: NOW,
            actor: Actor::Centre,
            reference: None,
            detail: None,
        });
        let made: Vec<Transition> = made.collect();
        let recorded = store::applications::record(&mut tx, NOW, &made).await.unwrap();
        assert!(recorded.refused.is_empty(), "{action:?}: {recorded:?}");
    }
    store::commit(tx).await.unwrap();
    // Both come again for an exchange; the second one sends somebody else.
    let first: Vec<Sent> = desk.sent.clone();
    for (number, sent) in (10..).zip(&mut desk.sent) {
        (sent.application, sent.kind) = (application_id(number), Kind::Exchange);
    }
    send(&desk.db, 10, &desk.sent).await;
    desk.captured = vec![again(70), again(72)];
    let mut ids = Identities::load(&desk.db, &UnitScope::everything()).await.unwrap();
    for (sent, person) in first.iter().zip([70, 71]) {
        ids.enrol(sent.application, &ten(person, Condition::Station)).unwrap();
    }
    desk.resolve_with(&mut ids).await;
    assert_eq!(desk.found().await, ["linked", "fingers_differ"]);
}

pub(crate) fn adjudicator(name: &str) -> Actor {
    Actor::Account(AccountId::derive(NOW, &[name.as_bytes()]))
}

impl Desk {
    pub(crate) async fn case_of(&self, number: usize) -> CaseId {
        let case: uuid::Uuid = sqlx::query_scalar("SELECT case_id FROM case_file WHERE application_id = $1")
            .bind(self.sent[number].application.uuid())
            .fetch_one(self.db.work())
            .await
            .unwrap();
        CaseId::from_uuid(case)
    }

    async fn act(&self, case: CaseId, who: &str, act: Act, reason: Option<&str>) -> Result<(), Error> {
        let id = CaseId::derive(NOW, &[who.as_bytes(), act.kind().code().as_bytes(), case.uuid().as_bytes()]);
        let by = adjudicator(who);
        let command = Command { id: id.uuid(), case, by: &by, seen: None, reason, at: NOW };
        cases::act(&self.db, &command, &act).await.map(|_| ())
    }
}

fn refusal(done: Result<(), Error>) -> Refusal {
    match done {
        Err(Error::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_truly_lacks_fingers_passes_with_the_paper_and_not_without() {
    let desk = desk(vec![ten(60, Condition::Station)[..2].to_vec(), Vec::new()]).await;
    assert_eq!(desk.came_out().await, ["fingers_missing", "fingers_missing"]);
    let case = desk.case_of(0).await;
    let theirs = person_id(0, 1);
    let link = || Act::Propose(Decision::Link(theirs));
    for blank in [None, Some(" \n")] {
        assert_eq!(refusal(desk.act(case, "a", link(), blank).await), Refusal::NoPaper);
    }
    let paper = "Giấy xác nhận khuyết tật số 12/GXN, 02/02/2021, UBND xã";
    desk.act(case, "a", link(), Some(paper)).await.unwrap();
    desk.act(case, "b", Act::Confirm, None).await.unwrap();
    let mut conn = desk.db.work().acquire().await.unwrap();
    let found = store::applications::find(&mut conn, desk.sent[0].application).await.unwrap().unwrap();
    assert_eq!((found.state, found.person_id), (State::Accepted, Some(theirs)));
    let sheet = cases::read(&desk.db, &UnitScope::everything(), case).await.unwrap().unwrap();
    assert_eq!(sheet.said[0].note.as_deref(), Some(paper));
    assert!(sheet.needs_paper());
    // Whoever has no paper is rejected, which takes none, and may come again.
    let other = desk.case_of(1).await;
    let reject = Act::Propose(Decision::Reject(Decision::BY_ADJUDICATOR.to_owned()));
    desk.act(other, "a", reject, None).await.unwrap();
    desk.act(other, "b", Act::Confirm, None).await.unwrap();
    let found = store::applications::find(&mut conn, desk.sent[1].application).await.unwrap().unwrap();
    assert_eq!(found.state, State::Rejected);
}

#[tokio::test]
async fn a_case_of_another_kind_takes_the_paper_too() {
    let again = person_masters(61)[..3].iter().map(|m| m.impression(2, Condition::Station)).collect();
    let desk = desk(vec![ten(61, Condition::Station), again]).await;
    assert_eq!(desk.came_out().await, ["linked", "fingerprint_other_name"]);
    let case = desk.case_of(1).await;
    for decision in [Decision::Different, Decision::Link(person_id(9, 1))] {
        let done = desk.act(case, "a", Act::Propose(decision), None).await;
        assert_eq!(refusal(done), Refusal::NoPaper);
    }
    desk.act(case, "a", Act::Propose(Decision::Different), Some("twins: paper 3")).await.unwrap();
}
