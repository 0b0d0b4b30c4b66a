//! Cases of correction on a real register: the whole way, each office its part, once, and never another
//! unit's.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Map;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use crate::world::{
    AT, ELSEWHERE, HOME, at, change, corrected, count, enter, everything, home, paper, person, resident,
    sound, world,
};
use domain::correction::{By, CaseState, Desk};
use domain::field::{Field, Part};
use domain::id::{AccountId, ActId, CorrectionId};
use domain::profile::Correction;
use domain::{Actor, ResidentRecord};
use register::PaperText;
use register::cases::{
    Act, Acted, Acting, AnswerText, CaseError, NewCase, Opened, What, act_on_case, days_late, open_case,
};
use store::UnitScope;
use store::accounts::{self, Account};
use store::register::corrections::{self, pages};
use store::register::people;
use testkit::FreshDatabase;

/// A Monday on which the lists of time limits have begun.
const MONDAY: OffsetDateTime = datetime!(2021-07-05 09:00 +7);

fn account(login: &str) -> AccountId {
    AccountId::derive(AT, &[login.as_bytes()])
}

fn by(desk: Desk, login: &str) -> By {
    By { actor: Actor::Account(account(login)), desk }
}

fn clerk() -> By {
    by(Desk::Clerk, "clerk")
}

fn justice() -> By {
    by(Desk::Justice, "justice")
}

fn case_id(name: &str) -> CorrectionId {
    CorrectionId::derive(AT, &[name.as_bytes()])
}

fn action(name: &str) -> ActId {
    ActId::derive(AT, &[name.as_bytes()])
}

/// The home's offices, and one of the justice office elsewhere.
async fn offices(db: &FreshDatabase) {
    let mut tx = db.begin().await.unwrap();
    for (login, role, path) in [
        ("clerk", "clerk", HOME),
        ("justice", "justice", HOME),
        ("colleague", "justice", HOME),
        ("stranger", "justice", ELSEWHERE),
    ] {
        let account = Account {
            id: account(login).uuid(),
            login: login.to_owned(),
            role: role.to_owned(),
            scope: UnitScope::parse(path).unwrap(),
            display_name: login.to_owned(),
            password_hash: String::new(),
            created_at: AT,
            disabled_at: None,
        };
        accounts::insert(&mut tx, &account).await.unwrap();
    }
    store::commit(tx).await.unwrap();
}

/// A case of these values, `field` or `field.part` with what it should be.
fn new(name: &str, who: u32, values: &[(&str, &str)]) -> NewCase {
    NewCase {
        case_id: case_id(name),
        person: person(who).to_string(),
        source: "citizen".to_owned(),
        source_ref: String::new(),
        claims: values.iter().map(|(field, value)| change(field, value)).collect(),
        reason: String::new(),
    }
}

fn answer(field: Field, granted: Option<&str>) -> AnswerText {
    AnswerText { field, part: Part::Whole, granted: granted.map(str::to_owned) }
}

type Answered<T> = Result<T, Vec<(&'static str, &'static str)>>;

fn told<T>(result: Result<T, CaseError>) -> Answered<T> {
    result.map_err(|error| match error {
        CaseError::Refused(faults) => faults.iter().map(|fault| (fault.place(), fault.code())).collect(),
        error => panic!("{error}"),
    })
}

async fn open(db: &FreshDatabase, now: OffsetDateTime, by: &By, new: &NewCase) -> Answered<Opened> {
    let acting = Acting { scope: &home(), by, now, note: Map::new() };
    told(open_case(db, &acting, new).await)
}

async fn act(db: &FreshDatabase, by: &By, case: &str, name: &str, what: What<'_>) -> Answered<Acted> {
    let act = Act { case_id: case_id(case), action_id: action(name), seen: None, what, reason: "vì sao" };
    let acting = Acting { scope: &home(), by, now: MONDAY + Duration::hours(1), note: Map::new() };
    told(act_on_case(db, &acting, &act).await)
}

async fn issue(
    db: &FreshDatabase,
    by: &By,
    case: &str,
    paper: &PaperText,
    answers: &[AnswerText],
) -> Answered<Acted> {
    let what = What::IssuePaper { paper, scan: Some(b"%PDF-1.7 extract"), answers };
    act(db, by, case, "issue", what).await
}

async fn row(db: &FreshDatabase, who: u32) -> ResidentRecord {
    let mut conn = db.work().acquire().await.unwrap();
    people::records(&mut conn, &[person(who)]).await.unwrap().remove(0).1
}

async fn case(db: &FreshDatabase, name: &str) -> corrections::CaseRow {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(corrections::check_folds(&mut conn).await.unwrap(), []);
    corrections::read(&mut conn, case_id(name)).await.unwrap().unwrap()
}

/// Every row that a case or an event can change.
async fn all(db: &FreshDatabase) -> Vec<String> {
    let mut rows = everything(db).await;
    for table in ["correction_case", "correction_item", "correction_action"] {
        let sql = format!("SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY row");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(db.admin()).await.unwrap();
        rows.extend(found);
    }
    rows
}

#[tokio::test]
async fn the_whole_way_changes_what_the_paper_grants_and_nothing_else() {
    let db = world().await;
    offices(&db).await;
    let asked = new("a", 1, &[("name", "lê thị  hoa"), ("religion", "1")]);
    let opened = open(&db, MONDAY, &clerk(), &asked).await.unwrap();
    assert_eq!((opened.due_on, opened.repeated), (Some(date!(2021 - 07 - 08)), false));
    let item = case(&db, "a").await.case.items[&(Field::Name, Part::Whole)].clone();
    assert_eq!(item.register_value.as_deref(), Some("Nguyễn Thị Hoa"));
    act(&db, &justice(), "a", "take", What::Take { verifies: true }).await.unwrap();
    let taken = case(&db, "a").await;
    assert_eq!(
        (taken.case.kind, taken.due_on),
        (Correction::CorrectionVerified, Some(date!(2021 - 07 - 13)))
    );
    let answers = [answer(Field::Name, Some("Lê Thị Hòa")), answer(Field::Religion, None)];
    issue(&db, &justice(), "a", &paper("civil_status", "7/2021"), &answers).await.unwrap();
    assert_eq!(row(&db, 1).await, resident(1, HOME), "a paper alone changes nothing");
    let done = act(&db, &clerk(), "a", "apply", What::Apply).await.unwrap();
    let after = row(&db, 1).await;
    assert_eq!((after.name.as_str(), after.religion), ("Lê Thị Hòa", 0));
    let applied = done.applied.unwrap();
    assert_eq!((done.state, applied.version), (CaseState::Applied, 2));
    let row = case(&db, "a").await;
    assert_eq!(row.closed_at, Some(MONDAY + Duration::hours(1)));
    // The event names its case and its paper, and each act is a row of the trail.
    let linked = "SELECT count(*) FROM civil_event e JOIN correction_case c \
                  ON c.case_id = e.case_id AND c.document_id = e.document_id WHERE e.kind = 'corrected'";
    assert_eq!(count(&db, linked).await, 1);
    let acts: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit WHERE action LIKE 'correction.%' ORDER BY at, seq")
            .fetch_all(db.admin())
            .await
            .unwrap();
    assert_eq!(acts.len(), 4, "{acts:?}");
    let names = "SELECT count(*) FROM audit WHERE detail::text LIKE '%Hoa%' OR detail::text LIKE '%Hòa%'";
    assert_eq!(count(&db, names).await, 0, "the trail names fields and no values");
    sound(&db).await;
}

#[tokio::test]
async fn what_is_sent_again_is_answered_as_before() {
    let db = world().await;
    offices(&db).await;
    let asked = new("a", 1, &[("name", "Lê Thị Hoa")]);
    let paper = paper("civil_status", "7/2021");
    let answers = [answer(Field::Name, Some("Lê Thị Hoa"))];
    open(&db, MONDAY, &clerk(), &asked).await.unwrap();
    act(&db, &justice(), "a", "take", What::Take { verifies: false }).await.unwrap();
    issue(&db, &justice(), "a", &paper, &answers).await.unwrap();
    act(&db, &clerk(), "a", "apply", What::Apply).await.unwrap();
    let before = all(&db).await;
    let opened = open(&db, MONDAY + Duration::days(2), &clerk(), &asked).await.unwrap();
    assert!(opened.repeated && opened.due_on == Some(date!(2021 - 07 - 08)));
    assert!(act(&db, &justice(), "a", "take", What::Take { verifies: false }).await.unwrap().repeated);
    assert!(issue(&db, &justice(), "a", &paper, &answers).await.unwrap().repeated);
    assert!(act(&db, &clerk(), "a", "apply", What::Apply).await.unwrap().repeated);
    // Something else under the same id is refused.
    let other = act(&db, &justice(), "a", "take", What::Take { verifies: true }).await;
    assert_eq!(other, Err(vec![("act", "other_act")]));
    let others = new("a", 1, &[("religion", "1")]);
    assert_eq!(open(&db, MONDAY, &clerk(), &others).await, Err(vec![("case", "other_case")]));
    assert_eq!(
        open(&db, MONDAY, &clerk(), &new("a", 3, &[("name", "Lê Thị Hoa")])).await,
        Err(vec![("case", "other_case")])
    );
    assert_eq!(all(&db).await, before);
}

#[tokio::test]
async fn a_case_of_another_unit_is_as_one_that_does_not_exist() {
    let db = world().await;
    offices(&db).await;
    open(&db, MONDAY, &clerk(), &new("a", 1, &[("name", "Lê Thị Hoa")])).await.unwrap();
    let before = all(&db).await;
    let stranger = by(Desk::Justice, "stranger");
    let there = UnitScope::parse(ELSEWHERE).unwrap();
    let acting = Acting { scope: &there, by: &stranger, now: MONDAY, note: Map::new() };
    for case in [case_id("a"), case_id("nothing")] {
        let what = What::Take { verifies: false };
        let act = Act { case_id: case, action_id: action("x"), seen: None, what, reason: "" };
        assert_eq!(told(act_on_case(&db, &acting, &act).await), Err(vec![("case", "no_case")]));
    }
    let theirs = Acting { scope: &there, by: &clerk(), now: MONDAY, note: Map::new() };
    for who in [1, 99] {
        let asked = new("b", who, &[("religion", "1")]);
        assert_eq!(told(open_case(&db, &theirs, &asked).await), Err(vec![("person", "no_person")]));
    }
    // Nor is a case given to them.
    let commander = by(Desk::Commander, "commander");
    for login in ["stranger", "clerk", "nobody"] {
        let to = What::Reassign { to: Actor::Account(account(login)) };
        assert_eq!(act(&db, &commander, "a", "give", to).await, Err(vec![("to", "not_justice")]), "{login}");
    }
    assert_eq!(all(&db).await, before);
    let to = What::Reassign { to: Actor::Account(account("colleague")) };
    act(&db, &commander, "a", "give", to).await.unwrap();
    let refused = act(&db, &justice(), "a", "take", What::Take { verifies: false }).await;
    assert_eq!(refused, Err(vec![("act", "not_owner")]));
}

#[tokio::test]
async fn what_stands_against_it_is_said_and_changes_nothing() {
    let db = world().await;
    offices(&db).await;
    open(&db, MONDAY, &clerk(), &new("a", 1, &[("name", "Lê Thị Hoa")])).await.unwrap();
    act(&db, &justice(), "a", "take", What::Take { verifies: false }).await.unwrap();
    let before = all(&db).await;
    let open_codes =
        async |values: &[(&str, &str)]| open(&db, MONDAY, &clerk(), &new("b", 1, values)).await.unwrap_err();
    assert_eq!(open_codes(&[("name", "Lê Thị Lan")]).await, [("name", "asked_already")]);
    assert_eq!(open_codes(&[("religion", "0")]).await, [("changes", "nothing")]);
    assert_eq!(open_codes(&[("ethnicity", "99")]).await, [("ethnicity", "not_in_list")]);
    assert_eq!(open_codes(&[]).await, [("changes", "no_change")]);
    let foreign = open(&db, MONDAY, &justice(), &new("b", 1, &[("religion", "1")])).await;
    assert_eq!(foreign, Err(vec![("act", "not_yours")]));
    let wrong = PaperText { number: String::new(), ..paper("civil_status", "7/2021") };
    let answers = [answer(Field::Name, Some("Lê Thị Hoa"))];
    assert_eq!(
        issue(&db, &justice(), "a", &wrong, &answers).await,
        Err(vec![("paper.number", "paper_number")])
    );
    let paper = paper("civil_status", "7/2021");
    let none = [answer(Field::Name, None)];
    assert_eq!(issue(&db, &justice(), "a", &paper, &none).await, Err(vec![("changes", "nothing_granted")]));
    assert_eq!(issue(&db, &justice(), "a", &paper, &[]).await, Err(vec![("name", "unanswered")]));
    assert_eq!(issue(&db, &clerk(), "a", &paper, &answers).await, Err(vec![("act", "not_yours")]));
    let colleague = by(Desk::Justice, "colleague");
    assert_eq!(issue(&db, &colleague, "a", &paper, &answers).await, Err(vec![("act", "not_owner")]));
    let stale = Act {
        case_id: case_id("a"),
        action_id: action("late"),
        seen: Some(1),
        what: What::Refuse,
        reason: "không có căn cứ",
    };
    let acting = Acting { scope: &home(), by: &justice(), now: MONDAY, note: Map::new() };
    assert_eq!(told(act_on_case(&db, &acting, &stale).await), Err(vec![("case", "stale")]));
    let silent = Act { seen: Some(2), reason: " ", ..stale };
    assert_eq!(told(act_on_case(&db, &acting, &silent).await), Err(vec![("reason", "no_reason")]));
    assert_eq!(all(&db).await, before);
}

#[tokio::test]
async fn a_register_that_went_on_is_not_written_over() {
    let db = world().await;
    offices(&db).await;
    open(&db, MONDAY, &clerk(), &new("a", 1, &[("name", "Lê Thị Hoa")])).await.unwrap();
    act(&db, &justice(), "a", "take", What::Take { verifies: false }).await.unwrap();
    let answers = [answer(Field::Name, Some("Lê Thị Hoa"))];
    issue(&db, &justice(), "a", &paper("civil_status", "7/2021"), &answers).await.unwrap();
    // The same paper stands behind nobody else's event or case.
    let others = corrected("e", 3, &[("religion", "1")]);
    let others = register::NewEvent { paper: Some(paper("civil_status", "7/2021")), ..others };
    assert_eq!(crate::world::codes(at(&db, 0, &others).await), [("paper.number", "paper_taken")]);
    at(&db, 0, &corrected("d", 1, &[("name", "Trần Thị Hoa")])).await.unwrap();
    let refused = act(&db, &clerk(), "a", "apply", What::Apply).await;
    assert_eq!(refused, Err(vec![("name", "changed")]));
    act(&db, &justice(), "a", "refuse", What::Refuse).await.unwrap();
    assert_eq!(row(&db, 1).await.name.as_str(), "Trần Thị Hoa");
    assert_eq!(case(&db, "a").await.case.state, CaseState::Refused);
}

#[tokio::test]
async fn the_overdue_list_has_whoever_is_late_with_owner_and_age() {
    let db = world().await;
    offices(&db).await;
    open(&db, MONDAY, &clerk(), &new("a", 1, &[("name", "Lê Thị Hoa")])).await.unwrap();
    // What was missing is supplemented on the same working day, and after three on the next.
    let late = MONDAY + Duration::hours(6) + Duration::minutes(1);
    let supplement = open(&db, late, &clerk(), &new("b", 3, &[("old_id", "183456789")])).await.unwrap();
    assert_eq!(supplement.due_on, Some(date!(2021 - 07 - 06)));
    act(&db, &justice(), "a", "take", What::Take { verifies: false }).await.unwrap();
    let listed = async |which, scope: &UnitScope| {
        let mut scoped = db.scoped(scope).await.unwrap();
        let found = pages::list(&mut scoped, which, None, 10).await.unwrap();
        found.into_iter().map(|line| (line.case_id, line.owner)).collect::<Vec<_>>()
    };
    let me = justice().actor.to_string();
    let (a, b) = ((case_id("a"), Some(me.clone())), (case_id("b"), None));
    let overdue = |day| pages::Which::Overdue(day);
    assert_eq!(listed(overdue(date!(2021 - 07 - 06)), &home()).await, []);
    assert_eq!(listed(overdue(date!(2021 - 07 - 07)), &home()).await, std::slice::from_ref(&b));
    assert_eq!(listed(pages::Which::Mine(&me), &home()).await, std::slice::from_ref(&a));
    assert_eq!(listed(overdue(date!(2021 - 07 - 09)), &home()).await, [a, b]);
    assert_eq!(listed(pages::Which::Open, &UnitScope::parse(ELSEWHERE).unwrap()).await, []);
    // From Thursday to Monday are two working days.
    assert_eq!(days_late(Some(date!(2021 - 07 - 08)), date!(2021 - 07 - 12)), 2);
    assert_eq!(days_late(Some(date!(2021 - 07 - 08)), date!(2021 - 07 - 08)), 0);
    assert_eq!(days_late(None, date!(2021 - 07 - 12)), 0);
    // Before the lists begin no limit is invented.
    let early = datetime!(2021-04-20 09:00 +7);
    let opened = open(&db, early, &clerk(), &new("c", 3, &[("religion", "1")])).await.unwrap();
    assert_eq!(opened.due_on, None);
}

/// An act that is tried: who, what, how.
type Try = (u8, u8, u8);

async fn tried(db: &FreshDatabase, who: u32, index: usize, (whose, what, how): Try) {
    let actors = [clerk(), justice(), by(Desk::Justice, "colleague"), by(Desk::Commander, "commander")];
    let by = &actors[usize::from(whose) % actors.len()];
    let paper = paper("civil_status", &format!("{who}-{}", how % 2));
    let value = ["Lê Thị Hoa", "Nguyễn Thị Hoa", "Trần Thị Lan"][usize::from(how) % 3];
    let answers = [answer(Field::Name, (how % 4 != 3).then_some(value)), answer(Field::Religion, None)];
    let to = Actor::Account(account(["justice", "colleague", "stranger"][usize::from(how) % 3]));
    let what = match what % 7 {
        0 | 1 => What::Take { verifies: how % 2 == 0 },
        2 | 3 => What::IssuePaper { paper: &paper, scan: None, answers: &answers },
        4 => What::Apply,
        5 if how % 3 == 0 => What::Refuse,
        5 => What::Withdraw,
        _ => What::Reassign { to },
    };
    let act = Act {
        case_id: case_id(&who.to_string()),
        action_id: action(&format!("{who}-{index}")),
        seen: None,
        what,
        reason: "lý do",
    };
    let now = MONDAY + Duration::minutes(i64::try_from(index).unwrap());
    let acting = Acting { scope: &home(), by, now, note: Map::new() };
    match act_on_case(db, &acting, &act).await {
        Ok(_) | Err(CaseError::Refused(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

async fn holds(db: &FreshDatabase, who: u32, tries: &[Try]) -> Result<(), TestCaseError> {
    enter(db, &[(who, HOME)]).await;
    let asked = new(&who.to_string(), who, &[("name", "Lê Thị Hoa"), ("religion", "1")]);
    open(db, MONDAY, &clerk(), &asked).await.unwrap();
    for (index, one) in tries.iter().enumerate() {
        tried(db, who, index, *one).await;
    }
    let row_now = row(db, who).await;
    let case = case(db, &who.to_string()).await;
    let granted = case.case.items[&(Field::Name, Part::Whole)].outcome.value().cloned().flatten();
    match case.case.state {
        CaseState::Applied => prop_assert_eq!(Some(row_now.name.as_str()), granted.as_deref()),
        _ => prop_assert_eq!(&row_now, &resident(who, HOME), "only what was applied changes the register"),
    }
    prop_assert_eq!(row_now.religion, 0, "what was refused stays");
    Ok(())
}

#[test]
fn any_sequence_of_acts_leaves_a_row_that_is_the_fold_of_its_actions() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let db = world().await;
        offices(&db).await;
        db
    });
    let who = std::sync::atomic::AtomicU32::new(100);
    let tries = prop::collection::vec((0u8..4, 0u8..7, 0u8..12), 1..25);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    runner
        .run(&tries, |tries| {
            let who = who.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            runtime.block_on(holds(&db, who, &tries))
        })
        .unwrap();
    runtime.block_on(sound(&db));
}
