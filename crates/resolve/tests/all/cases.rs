//! Deciding cases on a real database: by two people, once, and only what can be carried out.

use uuid::Uuid;

use crate::support::{NOW, Sent, application_id, entries, person_id, population, register, send};
use domain::Actor;
use domain::application::{Action, Kind, State};
use domain::id::{AccountId, CaseId, PersonId};
use resolve::cases::{self, Act, ActKind, Command, Decision, Done, Obstacle, Refusal, Sheet, Stage};
use resolve::{CaseKind, Error};
use store::applications::Transition;
use store::cases::NewCase;
use store::{Database, UnitScope};

const PATH: &str = "42/445/18562/";

fn adjudicator(name: &str) -> Actor {
    Actor::Account(AccountId::derive(NOW, &[name.as_bytes()]))
}

/// Applications that wait for a case each, of people of a small register.
struct Desk {
    db: testkit::FreshDatabase,
    next_command: std::cell::Cell<u128>,
}

impl Desk {
    async fn new() -> Desk {
        let db = testkit::fresh_database().await;
        register(&db, &entries(&population(60), 0)).await;
        Desk { db, next_command: std::cell::Cell::new(1) }
    }

    async fn application(&self, number: u64, kind: Kind, actions: &[Action], person: Option<PersonId>) {
        let record = population(60).record(&population(60).people[0]);
        let application = application_id(number);
        let sent = Sent { application, record, claimed: None, fingers: (0, number), kind };
        send(&self.db, number, &[sent]).await;
        let mut tx = self.db.begin().await.unwrap();
        for action in actions {
            let transition = Transition {
                application_id: application,
                action: *action,
                at: NOW,
                actor: Actor::Centre,
                reference: None,
                detail: None,
            };
            let done = store::applications::record(&mut tx, NOW, &[transition]).await.unwrap();
            assert!(done.refused.is_empty(), "{done:?}");
        }
        if let Some(person) = person {
            store::cases::resolutions::link(&mut tx, &[(application, person)]).await.unwrap();
        }
        store::commit(tx).await.unwrap();
    }

    async fn open(
        &self,
        number: u64,
        kind: CaseKind,
        applications: [Option<u64>; 2],
        people: [PersonId; 2],
    ) -> CaseId {
        let case_id = CaseId::derive(NOW, &[b"case", &number.to_be_bytes()]);
        let application = |number: Option<u64>| number.map(application_id);
        let case = NewCase {
            case_id,
            kind: kind.code(),
            application_id: application(applications[0]),
            other_application_id: application(applications[1]),
            person_id: Some(people[0]),
            other_person_id: Some(people[1]),
            evidence: serde_json::json!({}),
            unit_path: PATH.to_owned(),
            due_at: kind.due(NOW),
        };
        let mut tx = self.db.begin().await.unwrap();
        assert_eq!(store::cases::open_cases(&mut tx, &[case], NOW).await.unwrap(), 1);
        store::commit(tx).await.unwrap();
        case_id
    }

    /// An application in a case, with an earlier one that was rejected, and two people in question.
    async fn ordinary(&self, number: u64) -> CaseId {
        let earlier = 1_000 + number;
        self.application(earlier, Kind::New, &[Action::Reject], None).await;
        self.application(number, Kind::New, &[Action::OpenCase], None).await;
        let people = [person_id(number as usize * 2, 1), person_id(number as usize * 2 + 1, 1)];
        self.open(number, CaseKind::SamePersonTwice, [Some(number), Some(earlier)], people).await
    }

    fn command(&self) -> Uuid {
        self.next_command.set(self.next_command.get() + 1);
        Uuid::from_u128(self.next_command.get())
    }

    async fn act(&self, case: CaseId, who: &str, act: Act) -> Result<Done, Error> {
        self.send(self.command(), None, case, who, act).await
    }

    /// As a form that was drawn at a version of the case.
    async fn send(
        &self,
        id: Uuid,
        seen: Option<i16>,
        case: CaseId,
        who: &str,
        act: Act,
    ) -> Result<Done, Error> {
        let by = adjudicator(who);
        let command = Command { id, case, by: &by, seen, reason: Some("why"), at: NOW };
        cases::act(&self.db, &command, &act).await
    }

    async fn sheet(&self, case: CaseId) -> Sheet {
        cases::read(&self.db, &UnitScope::everything(), case).await.unwrap().unwrap()
    }

    async fn said(&self, case: CaseId) -> Vec<String> {
        let said = self.sheet(case).await.said;
        said.into_iter().map(|action| action.action).collect()
    }

    async fn application_now(&self, number: u64) -> (State, Option<PersonId>) {
        let mut conn = self.db.work().acquire().await.unwrap();
        let found = store::applications::find(&mut conn, application_id(number)).await.unwrap().unwrap();
        (found.state, found.person_id)
    }

    async fn audited(&self, action: &str) -> i64 {
        let sql = "SELECT count(*) FROM audit WHERE action = $1";
        sqlx::query_scalar(sql).bind(action).fetch_one(self.db.admin()).await.unwrap()
    }

    /// The row of every case shows the fold of what was said, and that of every application too.
    async fn folds_hold(&self) {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("SELECT case_id FROM case_file").fetch_all(self.db.admin()).await.unwrap();
        for id in ids {
            let Sheet { case, standing, .. } = self.sheet(CaseId::from_uuid(id)).await;
            let decision = standing.stage.decision();
            assert_eq!(case.decision.as_deref(), decision.map(Decision::code));
            assert_eq!(case.decided_person_id, decision.and_then(Decision::person));
            assert_eq!(case.decision_code.as_deref(), decision.and_then(Decision::reason));
            let text = |actor: Option<Actor>| actor.map(|actor| actor.to_string());
            let (by, confirmed_by) = match standing.stage {
                Stage::Open => (None, None),
                Stage::Proposed { by, .. } => (Some(by), None),
                Stage::Closed { by, confirmed_by, .. } => (Some(by), Some(confirmed_by)),
            };
            assert_eq!((case.decided_by, case.confirmed_by), (text(by), text(confirmed_by)));
        }
        let mut conn = self.db.work().acquire().await.unwrap();
        assert!(store::applications::check_folds(&mut conn).await.unwrap().is_empty());
    }
}

fn refusal(done: Result<Done, Error>) -> Refusal {
    match done {
        Err(Error::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?} instead of a refusal"),
    }
}

#[tokio::test]
async fn a_decision_takes_two_people_and_is_carried_out_once() {
    let desk = Desk::new().await;
    let case = desk.ordinary(1).await;
    let propose = Act::Propose(Decision::Different);
    desk.act(case, "a", propose.clone()).await.unwrap();
    assert_eq!(refusal(desk.act(case, "a", Act::Confirm).await), Refusal::OwnProposal);
    assert_eq!(refusal(desk.act(case, "b", propose).await), Refusal::AlreadyProposed);
    assert_eq!(desk.application_now(1).await, (State::InCase, None));
    let command = desk.command();
    for is_repeat in [false, true] {
        let done = desk.send(command, Some(1), case, "b", Act::Confirm).await.unwrap();
        assert_eq!((done.is_repeat, done.standing.stage.code()), (is_repeat, "closed"));
        assert_eq!(desk.application_now(1).await, (State::Accepted, Some(person_id(2, 1))));
    }
    assert_eq!(
        refusal(desk.act(case, "c", Act::Propose(Decision::SamePerson)).await),
        Refusal::AlreadyClosed
    );
    assert_eq!(desk.said(case).await, ["propose", "confirm"]);
    assert_eq!((desk.audited("case.propose").await, desk.audited("case.decide").await), (1, 1));
    desk.folds_hold().await;
}

#[tokio::test]
async fn what_the_confirmer_would_be_refused_cannot_be_proposed() {
    let desk = Desk::new().await;
    let case = desk.ordinary(1).await;
    let (busy, free) = (person_id(2, 1), person_id(3, 1));
    desk.application(500, Kind::New, &[Action::Accept, Action::Batch], Some(busy)).await;
    let refused = refusal(desk.act(case, "a", Act::Propose(Decision::Link(busy))).await);
    assert_eq!(refused, Refusal::Obstacle(Obstacle::ApplicationUnderWay));
    assert!(desk.said(case).await.is_empty());
    let sheet = desk.sheet(case).await;
    let barred: Vec<_> = sheet.options.iter().filter(|choice| choice.obstacle.is_some()).collect();
    assert_eq!(barred.len(), 2, "two people, and the link to whom has an application: {barred:?}");
    desk.act(case, "a", Act::Propose(Decision::Link(free))).await.unwrap();

    // Since then another application went under way: the confirmer is told, and opens the case again.
    desk.application(501, Kind::New, &[Action::Accept], Some(free)).await;
    let sheet = desk.sheet(case).await;
    assert_eq!(sheet.obstacle, Some(Obstacle::ApplicationUnderWay));
    let b = adjudicator("b");
    let now = Refusal::Obstacle(Obstacle::ApplicationUnderWay);
    assert_eq!(sheet.may(ActKind::Confirm, &b), Err(now));
    assert_eq!(sheet.may(ActKind::Disagree, &b), Ok(()));
    assert_eq!(refusal(desk.act(case, "b", Act::Confirm).await), now);
    desk.act(case, "b", Act::Disagree).await.unwrap();
    desk.act(case, "c", Act::Propose(Decision::SamePerson)).await.unwrap();
    desk.act(case, "b", Act::Confirm).await.unwrap();
    assert_eq!(desk.application_now(1).await.0, State::Rejected);
    desk.folds_hold().await;
}

#[tokio::test]
async fn an_old_form_is_no_second_decision() {
    let desk = Desk::new().await;
    let case = desk.ordinary(1).await;
    let propose = || Act::Propose(Decision::SamePerson);
    let form = desk.command();
    desk.send(form, Some(0), case, "a", propose()).await.unwrap();
    desk.act(case, "a", Act::Withdraw).await.unwrap();
    // The browser sends the first form again: it is not a second proposal.
    let again = desk.send(form, Some(0), case, "a", propose()).await.unwrap();
    assert_eq!((again.is_repeat, again.standing.stage.code()), (true, "open"));
    // The same form with another decision, or of another person, is another command.
    let other = Act::Propose(Decision::Different);
    assert_eq!(refusal(desk.send(form, Some(2), case, "a", other).await), Refusal::Changed);
    assert_eq!(refusal(desk.send(form, Some(2), case, "b", propose()).await), Refusal::Changed);
    // A colleague's form that was drawn before agrees with nothing that its author has read.
    desk.send(desk.command(), Some(2), case, "a", propose()).await.unwrap();
    let old = desk.send(desk.command(), Some(2), case, "b", propose()).await;
    assert_eq!(refusal(old), Refusal::Changed);
    let old = desk.send(desk.command(), Some(0), case, "b", Act::Confirm).await;
    assert_eq!(refusal(old), Refusal::Changed);
    assert_eq!(desk.said(case).await, ["propose", "withdraw", "propose"]);
    assert_eq!(desk.application_now(1).await.0, State::InCase);
}

#[tokio::test]
async fn a_decision_is_taken_back_while_no_card_was_begun() {
    let desk = Desk::new().await;
    let rejected = desk.ordinary(1).await;
    let accepted = desk.ordinary(2).await;
    let made = desk.ordinary(3).await;
    for (case, decision) in
        [(rejected, Decision::SamePerson), (accepted, Decision::Different), (made, Decision::Different)]
    {
        desk.act(case, "a", Act::Propose(decision)).await.unwrap();
        desk.act(case, "b", Act::Confirm).await.unwrap();
    }
    let mut tx = desk.db.begin().await.unwrap();
    let transition = Transition {
        application_id: application_id(3),
        action: Action::Batch,
        at: NOW,
        actor: Actor::Centre,
        reference: None,
        detail: None,
    };
    store::applications::record(&mut tx, NOW, &[transition]).await.unwrap();
    store::commit(tx).await.unwrap();
    let refused = refusal(desk.act(made, "c", Act::Reopen).await);
    assert_eq!(refused, Refusal::Obstacle(Obstacle::InProduction));
    assert_eq!(desk.sheet(made).await.obstacle, Some(Obstacle::InProduction));
    for (case, number) in [(rejected, 1), (accepted, 2)] {
        desk.act(case, "c", Act::Reopen).await.unwrap();
        assert_eq!(desk.application_now(number).await, (State::InCase, None));
        desk.act(case, "c", Act::Propose(Decision::Link(person_id(number as usize * 2 + 1, 1))))
            .await
            .unwrap();
        desk.act(case, "a", Act::Confirm).await.unwrap();
        let linked = Some(person_id(number as usize * 2 + 1, 1));
        assert_eq!(desk.application_now(number).await, (State::Accepted, linked));
    }
    desk.folds_hold().await;
}

#[tokio::test]
async fn records_that_a_case_merged_are_split_again_and_no_others() {
    let desk = Desk::new().await;
    let [one, two, three] = [0, 1, 2].map(|truth| person_id(truth, 1));
    let first = desk.open(1, CaseKind::RegisterDuplicate, [None, None], [one, two]).await;
    let second = desk.open(2, CaseKind::RegisterDuplicate, [None, None], [two, three]).await;
    let survivors = async || {
        let mut tx = desk.db.begin().await.unwrap();
        let found = store::register::matching::survivors(&mut tx, &[one, two, three]).await.unwrap();
        [one, two, three].map(|person| found[&person])
    };
    let decide = async |case, decision| {
        desk.act(case, "a", Act::Propose(decision)).await.unwrap();
        desk.act(case, "b", Act::Confirm).await.unwrap();
    };
    decide(first, Decision::SamePerson).await;
    let after_first = survivors().await;
    assert_eq!(after_first[0], after_first[1]);
    decide(second, Decision::SamePerson).await;
    let all = survivors().await;
    assert!(all.iter().all(|person| *person == all[0]));
    // The second case's record was merged by the first: what the second one merged is taken apart, and no
    // more.
    desk.act(second, "c", Act::Reopen).await.unwrap();
    assert_eq!(survivors().await, after_first);
    decide(second, Decision::Different).await;
    desk.act(first, "c", Act::Reopen).await.unwrap();
    assert_eq!(survivors().await, [one, two, three]);
    // Somebody merged the two elsewhere: nothing is left to be carried out, nor to be taken back.
    resolve::merge(&desk.db, one, two, &Actor::Centre, NOW).await.unwrap();
    assert_eq!(
        refusal(desk.act(first, "a", Act::Propose(Decision::Different)).await),
        Refusal::Obstacle(Obstacle::AlreadyOne)
    );
    decide(first, Decision::SamePerson).await;
    desk.act(first, "c", Act::Reopen).await.unwrap();
    let now = survivors().await;
    assert_eq!(now[0], now[1]);
    desk.folds_hold().await;
}

#[tokio::test]
async fn nobody_acts_on_a_case_that_is_not_there_or_without_a_reason() {
    let desk = Desk::new().await;
    let case = desk.ordinary(1).await;
    let nowhere = CaseId::derive(NOW, &[b"nowhere"]);
    assert!(matches!(desk.act(nowhere, "a", Act::Confirm).await, Err(Error::NoSuchCase(_))));
    let elsewhere = UnitScope::parse("52/").unwrap();
    assert!(cases::read(&desk.db, &elsewhere, case).await.unwrap().is_none());
    desk.act(case, "a", Act::Propose(Decision::SamePerson)).await.unwrap();
    let by = adjudicator("b");
    let id = desk.command();
    let command = Command { id, case, by: &by, seen: None, reason: Some("  "), at: NOW };
    assert_eq!(refusal(cases::act(&desk.db, &command, &Act::Disagree).await), Refusal::NoReason);
}

/// Two acts at once, as two people's forms at the same version; the first of the answers is the first one's.
async fn at_once(
    db: &Database,
    case: CaseId,
    acts: [(&str, Act); 2],
    seen: i16,
    salt: u128,
) -> [Result<Done, Error>; 2] {
    let spawn = |at: u128, (who, act): (&str, Act)| {
        let (db, by) = (db.clone(), adjudicator(who));
        let id = Uuid::from_u128(salt * 10 + at);
        tokio::spawn(async move {
            let command = Command { id, case, by: &by, seen: Some(seen), reason: Some("why"), at: NOW };
            cases::act(&db, &command, &act).await
        })
    };
    let [one, other] = acts;
    let (one, other) = (spawn(1, one), spawn(2, other));
    [one.await.unwrap(), other.await.unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_act_at_once_one_does_and_the_other_is_told_that_it_changed() {
    let desk = Desk::new().await;
    for number in 0..9 {
        let case = desk.ordinary(number).await;
        let propose = Act::Propose(Decision::SamePerson);
        let (acts, seen) = match number % 3 {
            0 => ([("a", propose.clone()), ("b", propose)], 0),
            1 => ([("b", Act::Confirm), ("c", Act::Confirm)], 1),
            _ => ([("a", Act::Withdraw), ("b", Act::Confirm)], 1),
        };
        if seen == 1 {
            desk.act(case, "a", Act::Propose(Decision::SamePerson)).await.unwrap();
        }
        let came = at_once(&desk.db, case, acts, seen, 1_000_000 + u128::from(number)).await;
        let changed = |done: &Result<Done, Error>| {
            matches!(done, Err(Error::Refused { refusal: Refusal::Changed, .. }))
        };
        let done = came.iter().filter(|done| done.is_ok()).count();
        assert_eq!((done, came.iter().filter(|done| changed(done)).count()), (1, 1), "{came:?}");
        let sheet = desk.sheet(case).await;
        assert_eq!(sheet.said.len(), 1 + usize::try_from(seen).unwrap());
        let ended = desk.application_now(number).await.0 == State::Rejected;
        assert_eq!(ended, matches!(sheet.standing.stage, Stage::Closed { .. }));
    }
    desk.folds_hold().await;
}

mod offered {
    use super::*;
    use rand::seq::IndexedRandom;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const PEOPLE: usize = 24;
    const WHO: [&str; 4] = ["a", "b", "c", "d"];

    fn person(rng: &mut ChaCha8Rng) -> PersonId {
        person_id(rng.random_range(0..PEOPLE), 1)
    }

    /// Applications anywhere on their way, people who died or were merged, and cases about them.
    async fn world(desk: &Desk, rng: &mut ChaCha8Rng) -> Vec<CaseId> {
        use Action::{Accept, Batch, OpenCase, Print, Reject};
        let ways: [&[Action]; 4] = [&[Accept], &[Accept, Batch], &[Accept, Batch, Print], &[Reject]];
        let mut cases = Vec::new();
        for number in 0..8 {
            let way = ways.choose(rng).unwrap();
            let owner = Some(person(rng)).filter(|_| *way != [Reject].as_slice());
            desk.application(number, Kind::New, way, owner).await;
        }
        for number in 8..22 {
            let kind = *[Kind::New, Kind::Exchange].choose(rng).unwrap();
            desk.application(number, kind, &[OpenCase], None).await;
            let other = Some(rng.random_range(0..number)).filter(|_| rng.random_bool(0.6));
            let people = [person(rng), person(rng)];
            let kind = *[CaseKind::SamePersonTwice, CaseKind::AmbiguousMatch].choose(rng).unwrap();
            cases.push(desk.open(number, kind, [Some(number), other], people).await);
        }
        for number in 22..32 {
            let people = [person(rng), person(rng)];
            cases.push(desk.open(number, CaseKind::RegisterDuplicate, [None, None], people).await);
        }
        for _ in 0..3 {
            let sql = "UPDATE person SET status = 2 WHERE person_id = $1 AND status = 1";
            sqlx::query(sql).bind(person(rng).uuid()).execute(desk.db.admin()).await.unwrap();
        }
        cases
    }

    /// Whatever is offered is accepted and confirmed by another at once, and what is not offered is refused
    /// for the reason that is shown.
    async fn check(seed: u64) {
        let desk = Desk::new().await;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let cases = world(&desk, &mut rng).await;
        let (mut carried_out, mut barred, mut reopened) = (0, 0, 0);
        for _ in 0..120 {
            let case = *cases.choose(&mut rng).unwrap();
            let sheet = desk.sheet(case).await;
            let two: Vec<&str> = WHO.sample(&mut rng, 2).copied().collect();
            if matches!(sheet.standing.stage, Stage::Closed { .. }) {
                let allowed = sheet.may(ActKind::Reopen, &adjudicator(two[0]));
                match (desk.act(case, two[0], Act::Reopen).await, allowed) {
                    (Ok(_), Ok(())) => reopened += 1,
                    // Whether records can be taken apart is known when it is tried.
                    (Err(Error::Refused { refusal, .. }), Ok(())) => {
                        assert_eq!(refusal, Refusal::Obstacle(Obstacle::NotSplittable));
                    }
                    (done, allowed) => assert_eq!(refusal(done), allowed.unwrap_err()),
                }
                continue;
            }
            for choice in sheet.options.iter().filter(|choice| choice.obstacle.is_some()) {
                let refused = refusal(desk.act(case, two[0], Act::Propose(choice.decision.clone())).await);
                assert_eq!(refused, Refusal::Obstacle(choice.obstacle.unwrap()), "seed {seed}");
                barred += 1;
            }
            let offered: Vec<&Decision> =
                sheet.options.iter().filter(|c| c.obstacle.is_none()).map(|c| &c.decision).collect();
            let chosen =
                offered.choose(&mut rng).unwrap_or_else(|| panic!("seed {seed}: nothing is offered"));
            let proposed = desk.act(case, two[0], Act::Propose((*chosen).clone())).await;
            proposed.unwrap_or_else(|e| panic!("seed {seed}: {chosen:?} was offered, and {e}"));
            let confirmed = desk.act(case, two[1], Act::Confirm).await;
            confirmed.unwrap_or_else(|e| panic!("seed {seed}: {chosen:?} was proposed, and {e}"));
            carried_out += 1;
        }
        assert!(carried_out > 30 && barred > 3 && reopened > 10, "{carried_out}, {barred}, {reopened}");
        desk.folds_hold().await;
    }

    #[tokio::test]
    async fn whatever_is_offered_is_confirmed() {
        for seed in [1, 2, 3, 4] {
            check(seed).await;
        }
    }
}
