//! Units are rearranged: everybody goes somewhere or is asked, whatever stops the run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlx::{AssertSqlSafe, Row};
use time::OffsetDateTime;
use time::macros::{date, datetime};

use crate::world::{AT, HOME, campaign, enter, moved, person, resident, send, world};
use domain::clock::day_in_vietnam;
use domain::id::{ImportId, PersonId};
use domain::record::Place;
use domain::unit::{UnitTable, Units};
use domain::{Actor, UnitCode};
use register::units::{Answer, Applied, Change, Error, apply, preview, settle_person, settle_unit};
use store::register::rearranged::waiting::{self, Residence};
use store::register::record::NewPerson;
use store::register::{check_folds, person_as_of, rearranged};
use store::{UnitScope, audit};
use testkit::FreshDatabase;

const DAY: time::Date = date!(2025 - 07 - 01);
/// When the change is applied: some days late, as it happens.
const NOW: OffsetDateTime = datetime!(2025-07-03 09:00 +7);
/// Kỳ Lợi, which three communes divided among them.
const DIVIDED: &str = "42/449/18796/";
/// Thạch Sơn, whose people go to the new commune that has the code of their old neighbour.
const NEIGHBOUR: &str = "42/445/18589/";
const NEW_HOME: &str = "42/18562/";

fn code(text: &str) -> UnitCode {
    text.parse().unwrap()
}

fn everywhere() -> UnitScope {
    UnitScope::everything()
}

fn change() -> Change {
    Change::shipped(DAY).unwrap()
}

/// The map of the country, in which one hamlet of the divided commune is written down.
fn with_hamlet() -> Change {
    let map = domain::unit::map::of_2025();
    Change::read(DAY, &map.replace("18796,18823,divided,,", "18796,18823,divided,Thôn 7,")).unwrap()
}

/// Person 1, 3 and 4 at home, 2 in another province, 5 to 9 next door, 10 and 11 where it is divided, the
/// latter in hamlet 7; 12 at home by paper, and in the divided commune in fact; 13 in a district whose
/// commune nobody knows.
async fn country() -> FreshDatabase {
    let db = world().await;
    enter(&db, &[(4, HOME), (10, DIVIDED), (13, "42/445/")]).await;
    enter(&db, &(5..10).map(|number| (number, NEIGHBOUR)).collect::<Vec<_>>()).await;
    enter_at(&db, 11, DIVIDED, |record| record.permanent.detail = "Số 3, thôn 7".to_owned()).await;
    enter_at(&db, 12, HOME, |record| {
        record.current = Some(Place { unit: code("18796"), detail: "Thôn 1".to_owned() });
    })
    .await;
    db
}

async fn enter_at(
    db: &FreshDatabase,
    number: u32,
    path: &str,
    change: impl FnOnce(&mut domain::ResidentRecord),
) {
    let mut record = resident(number, path);
    change(&mut record);
    let new = NewPerson {
        person_id: person(number),
        record: &record,
        name_fold: "NGUYEN THI HOA",
        unit_path: path,
        form_no: &number.to_string(),
        form_hash: &[7; 32],
    };
    let mut tx = db.begin().await.unwrap();
    let file = ImportId::derive(AT, &[b"file"]);
    let done = store::register::register(&mut tx, file, &Actor::Centre, AT, &[new]).await.unwrap();
    assert_eq!(done.registered, 1);
    store::commit(tx).await.unwrap();
}

/// In one go, two people a transaction.
async fn go(db: &FreshDatabase, change: &Change) -> Result<Applied, Error> {
    apply(db, change, &everywhere(), &Actor::Centre, NOW, 2, |_| ControlFlow::Continue(())).await
}

/// How many people are registered at each path.
async fn inhabitants(db: &FreshDatabase) -> BTreeMap<String, i64> {
    let sql = "SELECT unit_path, count(*) FROM person GROUP BY 1";
    sqlx::query_as(sql).fetch_all(db.admin()).await.unwrap().into_iter().collect()
}

fn counted(paths: &[(&str, i64)]) -> BTreeMap<String, i64> {
    paths.iter().map(|(path, people)| ((*path).to_owned(), *people)).collect()
}

/// All rows that the change touches, without the times of the rounds.
async fn everything(db: &FreshDatabase) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT p::text FROM person p ORDER BY person_id",
        "SELECT e::text FROM person_event e ORDER BY person_id, version",
        "SELECT f::text FROM person_fact f ORDER BY person_id, version, field, part",
        "SELECT c::text FROM civil_event c ORDER BY event_id",
        "SELECT m::text FROM unit_map m ORDER BY from_code, to_code",
        "SELECT s::text FROM unit_successor s ORDER BY path",
        "SELECT a::text FROM unit_ask a ORDER BY person_id, part",
        "SELECT u::text FROM unit u ORDER BY code, valid_from",
        "SELECT unit_change::text FROM unit_change",
    ] {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(db.admin()).await.unwrap();
        all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    all
}

async fn sound(db: &FreshDatabase) {
    let mut conn = db.read().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), Vec::<PersonId>::new());
    assert!(audit::verify(&mut conn).await.is_ok());
}

#[tokio::test]
async fn everybody_goes_with_their_unit_by_their_hamlet_or_is_asked() {
    let db = country().await;
    let looked = preview(&db, &with_hamlet(), &everywhere()).await.unwrap();
    assert_eq!((looked.people(), looked.by_hamlet(), looked.ask(), looked.divided()), (13, 1, 2, 2));
    let applied = go(&db, &with_hamlet()).await.unwrap();
    assert_eq!((applied.moved, applied.asked, applied.units_left), (11, 2, 0));
    assert!(applied.finished);
    let expected = [(NEW_HOME, 9), ("42/18823/", 1), ("52/21601/", 1), (DIVIDED, 1), ("42/445/", 1)];
    assert_eq!(inhabitants(&db).await, counted(&expected));
    let told = looked.units.iter().flat_map(|unit| &unit.to).map(|(_, people)| people).sum::<u64>();
    assert_eq!(told, applied.moved, "the preview said so");
    let mut conn = db.read().await.unwrap();
    let ways = rearranged::ways(&mut conn, DAY).await.unwrap();
    let by_old: i64 = ways.iter().map(|way| way.people).sum();
    assert_eq!(by_old + 2, 13, "residents are conserved on the map, with those who are asked");
    assert_eq!(rearranged::reached(&mut conn).await.unwrap(), Some(DAY));
    drop(conn);
    sound(&db).await;
}

#[tokio::test]
async fn a_run_that_is_stopped_anywhere_ends_as_one_that_is_not() {
    let (whole, stopped) = (country().await, country().await);
    go(&whole, &with_hamlet()).await.unwrap();
    let mut runs = 0;
    loop {
        // Each run ends after its first transaction, as if the process had died then.
        let (scope, change) = (everywhere(), with_hamlet());
        let run = apply(&stopped, &change, &scope, &Actor::Centre, NOW, 2, |_| ControlFlow::Break(()));
        runs += 1;
        if run.await.unwrap().finished {
            break;
        }
        assert!(runs < 50, "it goes on");
    }
    assert!(runs > 10, "{runs} runs");
    assert_eq!(everything(&stopped).await, everything(&whole).await);
    let before = everything(&whole).await;
    let again = go(&whole, &with_hamlet()).await.unwrap();
    assert_eq!((again.moved, again.units, again.finished), (0, 0, true));
    assert_eq!(everything(&whole).await, before, "a repeat changes nothing");
}

#[tokio::test]
async fn a_batch_that_dies_half_way_leaves_nothing() {
    let db = country().await;
    let before = inhabitants(&db).await;
    // The second statement of a batch fails: its rows of the history cannot be written.
    let block = "ALTER TABLE person_event ADD CONSTRAINT stop CHECK (kind <> 'readdressed')";
    sqlx::query(block).execute(db.admin()).await.unwrap();
    assert!(matches!(go(&db, &change()).await, Err(Error::Store(_))));
    assert_eq!(inhabitants(&db).await, before);
    sqlx::query("ALTER TABLE person_event DROP CONSTRAINT stop").execute(db.admin()).await.unwrap();
    assert!(go(&db, &change()).await.unwrap().finished);
    sound(&db).await;
}

#[tokio::test]
async fn whoever_watches_the_new_unit_sees_the_people_and_their_history() {
    let db = country().await;
    go(&db, &change()).await.unwrap();
    let seen = async |path: &str, table: &str| {
        let mut tx = db.scoped(&UnitScope::parse(path).unwrap()).await.unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap()
    };
    assert_eq!(seen(NEW_HOME, "person").await, 9);
    assert_eq!(seen(NEW_HOME, "person_event").await, 18);
    assert_eq!(seen("42/445/", "person").await, 1, "whose commune nobody knows");
    assert_eq!(seen("52/", "person").await, 1);
    assert_eq!(seen("42/", "unit_ask").await, 4, "one of them about a current residence");
    assert_eq!(seen("52/", "unit_ask").await, 0);
}

#[tokio::test]
async fn a_record_says_on_each_day_the_code_of_that_day() {
    let db = country().await;
    go(&db, &change()).await.unwrap();
    let mut conn = db.read().await.unwrap();
    let eve = DAY.previous_day().unwrap();
    for (day, expected, name) in [(eve, "18589", "Xã Thạch Sơn"), (DAY, "18562", "Xã Thạch Hà")] {
        let record = person_as_of(&mut conn, person(5), day, NOW).await.unwrap().unwrap();
        assert_eq!(record.permanent.unit, code(expected), "{day}");
        assert_eq!(UnitTable::bearer(record.permanent.unit, day).unwrap().full_name(), name);
        assert_eq!(record.permanent.detail, "Thôn 1", "the address stays as it was stated");
    }
    let (legal_on, kind): (i32, String) =
        sqlx::query_as("SELECT legal_on, kind FROM person_event WHERE person_id = $1 AND version = 2")
            .bind(person(5).uuid())
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!((legal_on, kind.as_str()), (20_250_701, "readdressed"), "nobody moved");
}

fn answer<'a>(scope: &'a UnitScope, who: u32, residence: Residence, to: &str) -> Answer<'a> {
    Answer { scope, actor: &Actor::Centre, now: NOW, person: person(who), residence, to: code(to) }
}

#[tokio::test]
async fn who_was_asked_goes_where_they_say() {
    let db = country().await;
    go(&db, &change()).await.unwrap();
    let scope = everywhere();
    let wrong = settle_person(&db, &answer(&scope, 10, Residence::Permanent, "18562")).await.unwrap_err();
    assert!(wrong.to_string().contains("18754, 18823, 18832"), "{wrong}");
    let elsewhere = UnitScope::parse("52/").unwrap();
    let unseen = settle_person(&db, &answer(&elsewhere, 10, Residence::Permanent, "18832")).await;
    assert!(matches!(unseen, Err(Error::NoQuestion)));
    settle_person(&db, &answer(&scope, 10, Residence::Permanent, "18832")).await.unwrap();
    settle_person(&db, &answer(&scope, 11, Residence::Permanent, "18823")).await.unwrap();
    settle_person(&db, &answer(&scope, 12, Residence::Current, "18754")).await.unwrap();
    settle_person(&db, &answer(&scope, 13, Residence::Permanent, "18604")).await.unwrap();
    let again = settle_person(&db, &answer(&scope, 10, Residence::Permanent, "18832")).await;
    assert!(matches!(again, Err(Error::NoQuestion)), "it is answered");
    let expected = [(NEW_HOME, 9), ("42/18832/", 1), ("42/18823/", 1), ("42/18604/", 1), ("52/21601/", 1)];
    assert_eq!(inhabitants(&db).await, counted(&expected));
    let mut conn = db.read().await.unwrap();
    assert!(waiting::counts(&mut conn).await.unwrap().is_empty());
    let units = rearranged::old_units(&mut conn, DAY, "").await.unwrap();
    assert!(units.iter().all(|unit| unit.moved == unit.people && unit.asked == 0), "{units:?}");
    let record = person_as_of(&mut conn, person(12), DAY, NOW).await.unwrap().unwrap();
    assert_eq!((record.permanent.unit, record.current.unwrap().unit), (code("18562"), code("18754")));
    drop(conn);
    sound(&db).await;
}

#[tokio::test]
async fn accounts_kits_and_applications_get_a_successor_once() {
    let db = country().await;
    let sql = |path: &str, unit: &str, name: &str| {
        format!(
            "INSERT INTO account (id, login, password_hash, role, unit_path, display_name, created_at) \
             VALUES (gen_random_uuid(), '{name}', 'x', 'officer', '{path}', '{name}', now()); \
             INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
             VALUES (gen_random_uuid(), '{name}', '{unit}', '\\x00', '2021-03-01'); \
             INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
             unit_path, captured_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'new', '{name}', now(), \
             1, \
             '{unit}', '{path}', now()); \
             INSERT INTO correction_case (case_id, kind, person_id, source, state, requested_by, opened_at, \
             actions, unit_path) VALUES (md5('{name}')::uuid, 'correction', gen_random_uuid(), 'clerk', \
             'requested', '{name}', now(), 1, '{path}'); \
             INSERT INTO correction_item (case_id, field, part, outcome, unit_path) \
             VALUES (md5('{name}')::uuid, 'religion', 'whole', 'open', '{path}'); \
             INSERT INTO correction_action (case_id, seq, action, at, actor, desk, action_id, \
             detail, unit_path) VALUES (md5('{name}')::uuid, 1, 'request', now(), 'clerk', 'clerk', \
             gen_random_uuid(), '{{}}', '{path}')"
        )
    };
    // 18562 is the code of the old unit and of the new one that both go to; 18604 is that of a neighbour.
    for (path, unit, state) in [
        (HOME, "18562", "at_unit"),
        (NEIGHBOUR, "18589", "handed_over"),
        (DIVIDED, "18796", "received"),
        ("42/445/", "445", "captured"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql(path, unit, state))).execute(db.admin()).await.unwrap();
    }
    let applied = go(&db, &change()).await.unwrap();
    assert_eq!((applied.things.accounts, applied.things.kits, applied.things.applications), (2, 2, 2));
    assert_eq!(applied.things.cases, 2);
    let of_corrections = "SELECT c.unit_path, i.unit_path, a.unit_path FROM correction_case c \
        JOIN correction_item i USING (case_id) JOIN correction_action a USING (case_id) \
        WHERE c.requested_by = 'at_unit'";
    let paths: (String, String, String) = sqlx::query_as(of_corrections).fetch_one(db.admin()).await.unwrap();
    assert_eq!(paths, (NEW_HOME.to_owned(), NEW_HOME.to_owned(), NEW_HOME.to_owned()));
    let now = async || {
        let sql = "SELECT a.login, a.unit_path, k.unit_code, p.unit_path || p.unit_code \
                   FROM account a JOIN kit k ON k.name = a.login JOIN application p ON p.state = a.login \
                   ORDER BY 1";
        sqlx::query_as::<_, (String, String, String, String)>(sql).fetch_all(db.admin()).await.unwrap()
    };
    let row = |name: &str, path: &str, unit: &str, application: &str| {
        (name.to_owned(), path.to_owned(), unit.to_owned(), application.to_owned())
    };
    let mut expected = vec![
        row("at_unit", NEW_HOME, "18562", "42/18562/18562"),
        row("captured", "42/445/", "445", "42/445/445"),
        row("handed_over", NEW_HOME, "18562", "42/18562/18589"),
        row("received", DIVIDED, "18796", "42/449/18796/18796"),
    ];
    assert_eq!(now().await, expected, "where it was captured stays with an application that is over");
    let settle = async |unit, to| settle_unit(&db, &Actor::Centre, NOW, (DAY, code(unit)), code(to)).await;
    assert!(matches!(settle("18796", "18562").await, Err(Error::NotAPart { .. })));
    settle("18796", "18823").await.unwrap();
    settle("445", "42").await.unwrap();
    expected[1] = row("captured", "42/", "42", "42/42");
    expected[3] = row("received", "42/18823/", "18823", "42/18823/18823");
    assert_eq!(now().await, expected);
    assert_eq!(settle("445", "42").await.unwrap(), Default::default(), "the same again changes nothing");
    assert!(matches!(settle("445", "18562").await, Err(Error::Settled { .. })));
    assert!(settle("18562", "18562").await.is_ok());
}

#[tokio::test]
async fn a_province_goes_by_itself_and_the_change_is_finished_when_all_have() {
    let db = country().await;
    let part = async |path: &str| {
        let scope = UnitScope::parse(path).unwrap();
        apply(&db, &change(), &scope, &Actor::Centre, NOW, 100, |_| ControlFlow::Continue(())).await.unwrap()
    };
    let first = part("42/").await;
    assert_eq!((first.moved, first.asked, first.units_left, first.finished), (9, 3, 0, false));
    assert!(part("52/").await.finished);
}

#[tokio::test]
async fn what_cannot_be_applied_says_why_and_changes_nothing() {
    let db = country().await;
    let before = everything(&db).await;
    let on = async |now| {
        apply(&db, &change(), &everywhere(), &Actor::Centre, now, 2, |_| ControlFlow::Continue(())).await
    };
    let eve = on(datetime!(2025-06-30 23:59 +7)).await.unwrap_err();
    assert!(matches!(eve, Error::NotYet { effective_on: DAY, .. }), "{eve}");
    assert!(matches!(Change::read(date!(2025 - 07 - 02), ""), Err(Error::NoList { .. })));
    assert!(matches!(Change::read(DAY, "from,to,how,hamlets,basis\n"), Err(Error::Map(_))));
    assert_eq!(everything(&db).await, before);
    go(&db, &change()).await.unwrap();
    assert!(matches!(go(&db, &with_hamlet()).await, Err(Error::OtherMap(DAY))));
}

#[tokio::test]
async fn a_campaign_under_way_is_closed_first() {
    let db = country().await;
    campaign(&db).await;
    let long = "UPDATE campaign SET deadline = '2025-12-31'";
    sqlx::query(long).execute(db.admin()).await.unwrap();
    let refused = go(&db, &change()).await.unwrap_err();
    assert!(matches!(&refused, Error::Campaign { unit, .. } if unit == "445"), "{refused}");
    sqlx::query("UPDATE campaign SET deadline = '2025-06-30'").execute(db.admin()).await.unwrap();
    assert!(go(&db, &change()).await.unwrap().finished);
}

/// A move that a clerk records after the change is one between new units.
#[tokio::test]
async fn a_move_after_the_change_is_between_units_of_the_new_list() {
    let db = country().await;
    go(&db, &change()).await.unwrap();
    assert_eq!(day_in_vietnam(NOW), date!(2025 - 07 - 03));
    // The process works by the first list until it adopts the next, and says so.
    assert_eq!(Units::latest().path(code("18562")).as_deref(), Some(HOME));
    let mut event = moved("away", 1, "18562");
    event.legal_on = "02/07/2025".to_owned();
    let done = send(&db, &everywhere(), NOW, &event, None).await;
    let paths = inhabitants(&db).await;
    assert!(done.is_err() || paths.contains_key(NEW_HOME), "nobody is put back under an old path");
    assert!(!paths.contains_key(HOME));
}
