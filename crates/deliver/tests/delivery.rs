//! Boxes and hand-overs on a real database: the whole way, what is missing, and who must not get a card.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use time::Duration;

use common::{DISTRICT, NOW, communes, officer, print, scope};
use deliver::{
    Attempt, Count, Error, HandedOver, Presented, Scan, Sent, arrived_late, dispatch, forward, hand_over,
    receive,
};
use domain::application::Action;
use domain::card::{CardAction, RevokeReason};
use domain::id::{ApplicationId, CardId, ConsignmentId, EventId, ImportId, PersonId};
use domain::person::Event;
use domain::{Actor, PartialDate};
use fingerprint::synthetic::{Condition, person_masters};
use store::cards::record::{Transition, record};
use store::register::record::{CivilEvent, Happening, NewPerson};
use store::{Database, UnitScope, applications};
use testkit::FreshDatabase;

/// Cards of persons 0 to `count`, by turns for the first two communes.
async fn printed(count: u32) -> (FreshDatabase, Vec<ApplicationId>) {
    let db = testkit::fresh_database().await;
    let ids = print(&db, "a", 0..count).await;
    (db, ids)
}

/// The same, carried to the communes.
async fn at_units(count: u32) -> (FreshDatabase, Vec<ApplicationId>) {
    let (db, ids) = printed(count).await;
    carry(&db).await;
    (db, ids)
}

async fn carry(db: &Database) {
    let by = officer();
    let sent = dispatch(db, &scope(), DISTRICT, &Actor::Centre, NOW).await.unwrap().unwrap();
    receive(db, sent.consignment, &[], &by, NOW).await.unwrap();
    for sent in forward(db, &scope(), DISTRICT, &Actor::Centre, NOW).await.unwrap() {
        receive(db, sent.consignment, &[], &by, NOW).await.unwrap();
    }
}

async fn states(db: &Database, ids: &[ApplicationId]) -> Vec<&'static str> {
    let mut conn = db.work().acquire().await.unwrap();
    let mut states = Vec::new();
    for &id in ids {
        states.push(applications::find(&mut conn, id).await.unwrap().unwrap().state.code());
    }
    states
}

async fn card_state(db: &Database, id: ApplicationId) -> String {
    sqlx::query_scalar("SELECT state FROM card WHERE application_id = $1")
        .bind(id.uuid())
        .fetch_one(db.work())
        .await
        .unwrap()
}

async fn open(db: &Database) -> Vec<store::boxes::OpenConsignment> {
    store::boxes::open_consignments(&mut db.work().acquire().await.unwrap()).await.unwrap()
}

async fn sound(db: &Database) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(applications::check_folds(&mut conn).await.unwrap(), []);
    assert_eq!(store::cards::history::check_folds(&mut conn).await.unwrap(), []);
}

/// Person `holder` applied, person `comes` stands there.
fn fingers(holder: u64, comes: u64) -> Option<Presented> {
    let of = |person: u64, impression: u64| {
        person_masters(person)[..4].iter().map(|m| m.impression(impression, Condition::Station)).collect()
    };
    Some(Presented { enrolled: of(holder, 1), probe: of(comes, 2) })
}

fn attempt(application: ApplicationId, number: i16, presented: Option<Presented>) -> Attempt {
    let at = NOW + Duration::days(number.into());
    Attempt { application, at, officer: officer(), number, presented }
}

#[tokio::test]
async fn the_whole_way_from_the_store_to_the_hand() {
    let (db, ids) = printed(6).await;
    let elsewhere = UnitScope::parse("42/446").unwrap();
    assert_eq!(dispatch(&db, &elsewhere, "446", &officer(), NOW).await.unwrap(), None);
    let sent = dispatch(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap().unwrap();
    assert_eq!((sent.applications.len(), sent.to.as_str()), (6, DISTRICT));
    assert_eq!(
        dispatch(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap(),
        None,
        "nothing is sent twice"
    );
    assert_eq!(open(&db).await.len(), 1);
    assert_eq!(states(&db, &ids[..1]).await, ["to_district"]);
    for _ in 0..2 {
        assert_eq!(receive(&db, sent.consignment, &[], &officer(), NOW).await.unwrap(), 6);
    }
    let boxes = forward(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap();
    let to: Vec<(String, usize)> = boxes.iter().map(|b| (b.to.clone(), b.applications.len())).collect();
    assert_eq!(to, [(communes()[0].to_string(), 3), (communes()[1].to_string(), 3)]);
    for sent in &boxes {
        assert_eq!(receive(&db, sent.consignment, &[], &officer(), NOW).await.unwrap(), 3);
    }
    assert_eq!(forward(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap(), Vec::<Sent>::new());
    assert!(open(&db).await.is_empty());
    let attempts: Vec<Attempt> =
        ids.iter().zip(0..).map(|(&id, person)| attempt(id, 1, fingers(person, person))).collect();
    let handed = hand_over(&db, &attempts, NOW).await.unwrap();
    assert_eq!(handed, HandedOver { handed_over: 6, ..HandedOver::default() });
    assert_eq!(states(&db, &ids).await, ["handed_over"; 6]);
    assert_eq!(card_state(&db, ids[5]).await, "active");
    sound(&db).await;
}

#[tokio::test]
async fn what_is_missing_stays_in_transit_under_its_name_until_it_is_found() {
    let (db, ids) = printed(4).await;
    let sent = dispatch(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap().unwrap();
    assert_eq!(
        arrived_late(&db, sent.consignment, &ids[..1], &officer(), NOW).await.unwrap(),
        0,
        "it is not counted yet"
    );
    assert_eq!(receive(&db, sent.consignment, &[ids[1]], &officer(), NOW).await.unwrap(), 3);
    let listed = open(&db).await;
    assert_eq!((listed.len(), listed[0].counted), (1, true));
    assert_eq!(listed[0].missing, [ids[1]]);
    assert_eq!(states(&db, &ids).await, ["at_district", "to_district", "at_district", "at_district"]);
    for expected in [1, 0] {
        assert_eq!(arrived_late(&db, sent.consignment, &ids[..2], &officer(), NOW).await.unwrap(), expected);
    }
    assert!(open(&db).await.is_empty());
    assert_eq!(states(&db, &ids).await, ["at_district"; 4]);
    sound(&db).await;
}

#[tokio::test]
async fn a_box_is_counted_number_by_number_and_a_repeat_must_agree() {
    let (db, ids) = printed(3).await;
    sqlx::query(
        "UPDATE card SET number = '000001' || right(number, 4), pin = '04209500' || right(number, 4)",
    )
    .execute(db.admin())
    .await
    .unwrap();
    let sent = dispatch(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap().unwrap();
    let count = async |lines: &[&str]| {
        let mut count = Count::begin(&db, sent.consignment).await.unwrap();
        let scans: Vec<Scan> = lines.iter().map(|line| count.scan(line)).collect();
        (count, scans)
    };
    let (first, scans) = count(&["0000010000", "042095000002|x", "0000010000", "0000019999"]).await;
    let expected = [Scan::Counted, Scan::Counted, Scan::Twice { first: 1 }, Scan::Foreign];
    assert_eq!(scans, expected);
    assert_eq!(first.missing()[0].application_id, ids[1]);
    assert!(matches!(first.arrived_late(&db, &officer(), NOW).await, Err(Error::NotCounted(_))));
    assert!(!first.was_closed().unwrap());
    assert_eq!(first.close(&db, &officer(), NOW).await.unwrap(), 2);
    assert!(count(&["0000010002", "0000010000"]).await.0.was_closed().unwrap());
    let (all, _) = count(&["0000010000", "0000010001", "0000010002"]).await;
    assert!(matches!(all.was_closed(), Err(Error::CountDiffers { cards }) if cards == ["0000010001"]));
    for found in [1, 0] {
        assert_eq!(all.arrived_late(&db, &officer(), NOW).await.unwrap(), found);
    }
    let nowhere = ConsignmentId::derive(NOW, &[b"nowhere"]);
    assert!(matches!(Count::begin(&db, nowhere).await, Err(Error::NoConsignment(_))));
    sound(&db).await;
}

#[tokio::test]
async fn an_item_of_another_box_is_named_and_nothing_moves() {
    let (db, ids) = printed(2).await;
    let sent = dispatch(&db, &scope(), DISTRICT, &officer(), NOW).await.unwrap().unwrap();
    let stranger = print(&db, "b", 9..10).await[0];
    let wrong = receive(&db, sent.consignment, &[ids[0], stranger], &officer(), NOW).await.unwrap_err();
    assert!(matches!(wrong, Error::NotInBox { application, .. } if application == stranger), "{wrong}");
    assert_eq!(states(&db, &ids).await, ["to_district"; 2]);
    assert!(!open(&db).await[0].counted);
    receive(&db, sent.consignment, &[ids[0]], &officer(), NOW).await.unwrap();
    let wrong = arrived_late(&db, sent.consignment, &[ids[0], stranger], &officer(), NOW).await.unwrap_err();
    assert!(matches!(wrong, Error::NotInBox { .. }), "{wrong}");
    assert_eq!(states(&db, &[ids[0], stranger]).await, ["to_district", "printed"]);
    let nowhere = ConsignmentId::derive(NOW, &[b"none"]);
    assert!(matches!(receive(&db, nowhere, &[], &officer(), NOW).await, Err(Error::NoConsignment(_))));
}

#[tokio::test]
async fn a_card_waits_for_its_holder_and_goes_to_nobody_else() {
    let (db, ids) = at_units(2).await;
    let first = [attempt(ids[0], 1, None), attempt(ids[1], 1, fingers(1, 7))];
    let handed = hand_over(&db, &first, NOW).await.unwrap();
    assert_eq!(handed, HandedOver { absent: 1, no_match: 1, ..HandedOver::default() });
    let waiting = store::boxes::handovers::waiting_cards(&mut db.work().acquire().await.unwrap(), &scope())
        .await
        .unwrap();
    assert_eq!(waiting.iter().map(|card| card.attempts).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(card_state(&db, ids[1]).await, "personalised");

    let twice = [attempt(ids[0], 1, None), attempt(ids[0], 2, None), attempt(ids[0], 2, None)];
    let handed = hand_over(&db, &twice, NOW).await.unwrap();
    assert_eq!(handed, HandedOver { absent: 1, repeated: 2, ..HandedOver::default() });
    let steps = applications::timeline(&mut db.work().acquire().await.unwrap(), ids[0]).await.unwrap();
    assert_eq!(steps.iter().filter(|step| step.action == Action::HandoverFail).count(), 2);

    let came = [attempt(ids[0], 3, fingers(0, 0))];
    assert_eq!(hand_over(&db, &came, NOW).await.unwrap().handed_over, 1);
    assert_eq!(
        hand_over(&db, &came, NOW).await.unwrap(),
        HandedOver { repeated: 1, ..HandedOver::default() }
    );
    assert_eq!(states(&db, &ids).await, ["handed_over", "at_unit"]);
    let again = [attempt(ids[1], 2, fingers(1, 1)), attempt(ids[0], 4, None)];
    let refused = hand_over(&db, &again, NOW).await.unwrap_err();
    assert!(matches!(refused, Error::State { application, .. } if application == ids[0]), "{refused}");
    assert_eq!(states(&db, &ids).await, ["handed_over", "at_unit"], "one impossible attempt undoes its list");
    sound(&db).await;
}

#[tokio::test]
async fn a_new_card_replaces_the_active_one_of_the_same_person() {
    let (db, ids) = at_units(2).await;
    let both = [attempt(ids[0], 1, fingers(0, 0)), attempt(ids[1], 1, fingers(1, 1))];
    hand_over(&db, &both, NOW).await.unwrap();
    let exchanged = print(&db, "b", 0..1).await[0];
    carry(&db).await;
    assert_eq!(hand_over(&db, &[attempt(exchanged, 1, fingers(0, 7))], NOW).await.unwrap().no_match, 1);
    assert_eq!(
        card_state(&db, ids[0]).await,
        "active",
        "the old card counts until the new one is in the hand"
    );
    hand_over(&db, &[attempt(exchanged, 2, fingers(0, 0))], NOW).await.unwrap();
    assert_eq!(card_state(&db, ids[0]).await, "replaced");
    assert_eq!(card_state(&db, ids[1]).await, "active");
    assert_eq!(card_state(&db, exchanged).await, "active");
}

#[tokio::test]
async fn a_revoked_card_is_not_handed_over() {
    let (db, ids) = at_units(1).await;
    let id = CardId::derive(NOW, &[ids[0].uuid().as_bytes()]);
    let revoke = Transition {
        card_id: id,
        action: CardAction::Revoke(RevokeReason::HolderDied),
        at: NOW,
        actor: Actor::Centre,
    };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(record(&mut tx, NOW, &[revoke]).await.unwrap().applied, 1);
    store::commit(tx).await.unwrap();
    let refused = hand_over(&db, &[attempt(ids[0], 1, fingers(0, 0))], NOW).await.unwrap_err();
    assert!(refused.to_string().contains("no personalised card"), "{refused}");
    assert_eq!(states(&db, &ids).await, ["at_unit"]);
}

#[tokio::test]
async fn every_box_and_every_attempt_is_in_the_audit_trail_and_a_removed_row_shows() {
    let (db, ids) = at_units(2).await;
    let attempts =
        [attempt(ids[0], 1, fingers(0, 0)), attempt(ids[1], 1, fingers(1, 7)), attempt(ids[1], 2, None)];
    for _ in 0..2 {
        hand_over(&db, &attempts, NOW).await.unwrap();
    }
    let trail: Vec<(String, String)> =
        sqlx::query_as("SELECT action, actor FROM audit WHERE subject LIKE 'application:%' ORDER BY action")
            .fetch_all(db.admin())
            .await
            .unwrap();
    let actor = officer().to_string();
    let expected = ["card.handed_over", "card.not_fetched", "card.refused"];
    assert_eq!(trail, expected.map(|action| (action.to_owned(), actor.clone())));
    let of_boxes: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT action, actor, count(*) FROM audit WHERE subject LIKE 'consignment:%' GROUP BY 1, 2 \
         ORDER BY 1",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    // One box to the district, one to each of two communes; whoever counted stands behind the count.
    let expected = [("consignment.counted", officer()), ("consignment.sent", Actor::Centre)];
    assert_eq!(of_boxes, expected.map(|(action, actor)| (action.to_owned(), actor.to_string(), 3)));

    let verdict = |db: &Database| {
        let db = db.clone();
        async move { store::audit::verify(&mut db.work().acquire().await.unwrap()).await.unwrap() }
    };
    assert_eq!(verdict(&db).await, store::audit::Verdict::Intact { rows: 9 });
    sqlx::query("DELETE FROM audit WHERE action = 'card.refused'").execute(db.admin()).await.unwrap();
    assert!(matches!(verdict(&db).await, store::audit::Verdict::Broken { .. }));
}

/// Registers whoever the application is of.
async fn known(db: &FreshDatabase, application: ApplicationId) -> PersonId {
    let person = PersonId::derive(NOW, &[application.uuid().as_bytes()]);
    let mut record = testkit::resident();
    record.permanent.unit = communes()[0];
    let mut tx = db.begin().await.unwrap();
    let new = NewPerson {
        person_id: person,
        record: &record,
        name_fold: "NGUYEN THI HOA",
        unit_path: "42/445/",
        form_no: &person.to_string(),
        form_hash: &[1; 32],
    };
    let file = ImportId::derive(NOW, &[person.uuid().as_bytes()]);
    store::register::register(&mut tx, file, &Actor::Centre, NOW, &[new]).await.unwrap();
    store::commit(tx).await.unwrap();
    sqlx::query("UPDATE application SET person_id = $1 WHERE application_id = $2")
        .bind(person.uuid())
        .bind(application.uuid())
        .execute(db.admin())
        .await
        .unwrap();
    person
}

async fn happens(db: &FreshDatabase, name: &str, what: Happening) {
    let event = CivilEvent {
        event_id: EventId::derive(NOW, &[name.as_bytes()]),
        what,
        legal_on: PartialDate::from_date(NOW.date()),
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(store::register::record(&mut tx, NOW, &[event]).await.unwrap().applied, 1);
    store::commit(tx).await.unwrap();
}

#[tokio::test]
async fn nobody_is_handed_the_card_of_the_dead_or_the_missing() {
    let (db, ids) = at_units(2).await;
    let (dead, other) = (known(&db, ids[0]).await, known(&db, ids[1]).await);
    let tell = |who, event| Happening::People(vec![(who, event)]);
    let both = [attempt(ids[0], 1, fingers(0, 0)), attempt(ids[1], 1, fingers(1, 1))];
    for (event, undone) in [(Event::Died, Event::DeathUndone), (Event::DeclaredMissing, Event::Found)] {
        happens(&db, &format!("{event:?}"), tell(dead, event)).await;
        let refused = hand_over(&db, &both, NOW).await.unwrap_err();
        assert!(
            matches!(refused, Error::NotLiving { application, .. } if application == ids[0]),
            "{refused}"
        );
        assert_eq!(states(&db, &ids).await, ["at_unit", "at_unit"], "nothing was recorded");
        assert_eq!(card_state(&db, ids[0]).await, "personalised");
        happens(&db, &format!("{undone:?}"), tell(dead, undone)).await;
    }
    // An absence is recorded whatever the register says, and the other gets the card.
    happens(&db, "again", tell(dead, Event::Died)).await;
    let absent = hand_over(&db, &[attempt(ids[0], 1, None), both[1].clone()], NOW).await.unwrap();
    assert_eq!((absent.absent, absent.handed_over), (1, 1));
    // A repeat of what was handed over before is a repeat, whatever happened since.
    happens(&db, "later", tell(other, Event::Died)).await;
    assert_eq!(hand_over(&db, &both[1..], NOW).await.unwrap().repeated, 1);
    sound(&db).await;
}

#[tokio::test]
async fn a_merged_record_is_as_alive_as_the_one_that_goes_on() {
    let (db, ids) = at_units(1).await;
    let (dropped, kept) =
        (known(&db, ids[0]).await, known(&db, ApplicationId::derive(NOW, &[b"none"])).await);
    let reason = serde_json::json!({});
    happens(&db, "merge", Happening::Merge { keep: kept, drop: dropped, reason }).await;
    happens(&db, "death", Happening::People(vec![(kept, Event::Died)])).await;
    let one = [attempt(ids[0], 1, fingers(0, 0))];
    assert!(matches!(hand_over(&db, &one, NOW).await.unwrap_err(), Error::NotLiving { .. }));
    happens(&db, "undone", Happening::People(vec![(kept, Event::DeathUndone)])).await;
    assert_eq!(hand_over(&db, &one, NOW).await.unwrap().handed_over, 1);
}
