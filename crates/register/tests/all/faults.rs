//! What is wrong with an event is said at once, each fault at its field; and then nothing is changed.

use crate::world::{
    at, change, codes, corrected, decided, died, event_id, everything, moved, paper, person, reversed, sound,
    with_scan, world,
};
use domain::Actor;
use domain::id::EventId;
use register::{Fault, NewEvent, PaperText};
use store::register::record::{CivilEvent, Happening};
use testkit::FreshDatabase;

async fn check(db: &FreshDatabase, event: NewEvent, expect: &[(&str, &str)]) {
    let before = everything(db).await;
    assert_eq!(codes(at(db, 0, &event).await), expect);
    assert_eq!(everything(db).await, before, "a refused event changes nothing");
}

#[tokio::test]
async fn all_faults_of_an_event_are_said_at_once() {
    let db = world().await;
    let paper = PaperText { kind: "death_extract".to_owned(), ..PaperText::default() };
    let event = NewEvent {
        legal_on: "21/04/2021".to_owned(),
        paper: Some(paper),
        since: Some("always".to_owned()),
        ..NewEvent::new(event_id("a"), "042190000009", "died")
    };
    let before = everything(&db).await;
    let faults = with_scan(&db, &event, b"GIF89a").await;
    let expect = [
        ("person", "no_person"),
        ("legal_on", "future"),
        ("paper.number", "paper_number"),
        ("paper.authority", "paper_authority"),
        ("paper.issued_on", "no_day"),
        ("scan", "scan_type"),
        ("since", "not_of_kind"),
    ];
    let mut found = codes(faults);
    found.sort_unstable();
    let mut expect = expect.to_vec();
    expect.sort_unstable();
    assert_eq!(found, expect);
    assert_eq!(everything(&db).await, before);
}

#[tokio::test]
async fn days_must_have_come_and_lie_after_the_birth() {
    let db = world().await;
    let on = |day: &str| NewEvent { legal_on: day.to_owned(), ..died("a", 1, "1/2021") };
    check(&db, on("21/04/2021"), &[("legal_on", "future")]).await;
    check(&db, on("05/2021"), &[("legal_on", "future")]).await;
    check(&db, on("14/03/1990"), &[("legal_on", "before_birth")]).await;
    check(&db, on("31/02/2021"), &[("legal_on", "no_day")]).await;
    check(&db, on(""), &[("legal_on", "no_day")]).await;
    // What is known in part may have been on a day that has come.
    at(&db, 0, &on("04/2021")).await.unwrap();
}

#[tokio::test]
async fn units_must_have_been_there_on_the_day() {
    let db = world().await;
    check(&db, moved("a", 1, "99999"), &[("permanent", "unit_not_in_force")]).await;
    check(&db, moved("a", 1, "42"), &[("permanent", "unit_too_high")]).await;
    check(&db, moved("a", 1, "x"), &[("permanent", "field_unreadable")]).await;
    check(&db, moved("a", 1, " "), &[("to", "no_destination")]).await;
    let mut both = moved("a", 1, "99999");
    both.to.as_mut().unwrap().current_unit = "99998".to_owned();
    check(&db, both, &[("permanent", "unit_not_in_force"), ("current", "unit_not_in_force")]).await;
    let native = corrected("a", 1, &[("native_place", "99999"), ("permanent.unit", "99998")]);
    check(&db, native, &[("native_place", "unit_not_in_force"), ("permanent", "unit_not_in_force")]).await;
}

#[tokio::test]
async fn a_paper_is_whole_where_it_is_needed_and_where_it_is_given() {
    let db = world().await;
    for kind in ["died", "death_undone", "declared_missing", "found"] {
        let event = NewEvent { paper: None, ..decided("a", 1, kind) };
        let found = codes(at(&db, 0, &event).await);
        assert!(found.contains(&("paper.kind", "paper_missing")), "{kind}: {found:?}");
    }
    let with = |paper: PaperText| NewEvent { paper: Some(paper), ..moved("a", 1, "21550") };
    check(
        &db,
        with(PaperText { number: " ".to_owned(), ..paper("residence", "") }),
        &[("paper.number", "paper_number")],
    )
    .await;
    check(
        &db,
        with(PaperText { authority: String::new(), ..paper("residence", "1") }),
        &[("paper.authority", "paper_authority")],
    )
    .await;
    check(&db, with(paper("letter", "1")), &[("paper.kind", "paper_kind")]).await;
    check(
        &db,
        with(PaperText { issued_on: "04/2021".to_owned(), ..paper("residence", "1") }),
        &[("paper.issued_on", "no_day")],
    )
    .await;
    check(&db, with(paper("residence", "1\u{202e}2")), &[("paper.number", "paper_text")]).await;
    at(&db, 0, &NewEvent { paper: None, ..moved("a", 1, "21550") }).await.unwrap();
}

#[tokio::test]
async fn values_are_of_the_record_and_of_the_lists() {
    let db = world().await;
    check(&db, corrected("a", 1, &[]), &[("changes", "no_change")]).await;
    check(&db, corrected("a", 1, &[("phone", "1")]), &[("changes", "no_field")]).await;
    check(&db, corrected("a", 1, &[("permanent", "18562")]), &[("changes", "no_field")]).await;
    check(&db, corrected("a", 1, &[("ethnicity", "99")]), &[("ethnicity", "not_in_list")]).await;
    check(
        &db,
        corrected("a", 1, &[("name", ""), ("sex", "3")]),
        &[("sex", "field_unreadable"), ("name", "field_empty")],
    )
    .await;
    check(&db, corrected("a", 1, &[("name", "A"), ("name", "B")]), &[("name", "twice")]).await;
    check(&db, corrected("a", 1, &[("pin", "042190000009")]), &[("changes", "number_by_correction")]).await;
    check(&db, corrected("a", 1, &[("name", "Nguyễn Thị Hoa")]), &[("changes", "nothing")]).await;
    check(
        &db,
        NewEvent { since: None, ..corrected("a", 1, &[("religion", "1")]) },
        &[("since", "since_missing")],
    )
    .await;
    let mut added =
        NewEvent { since: None, ..corrected("a", 1, &[("name", "Lê Thị Hoa"), ("old_id", "")]) };
    added.kind = "supplemented".to_owned();
    let found = codes(at(&db, 0, &added).await);
    assert!(
        found.contains(&("name", "not_empty")) && found.contains(&("old_id", "nothing_added")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_kind_has_its_own_parts_only() {
    let db = world().await;
    let mut event = died("a", 1, "1/2021");
    event.changes = vec![change("name", "X")];
    event.to = moved("b", 1, "21550").to;
    event.reverses = Some(event_id("b"));
    check(&db, event, &[("changes", "not_of_kind"), ("to", "not_of_kind"), ("reverses", "not_of_kind")])
        .await;
    check(
        &db,
        NewEvent::new(event_id("a"), "nobody", "buried"),
        &[("kind", "kind"), ("person", "whom"), ("legal_on", "no_day")],
    )
    .await;
}

#[tokio::test]
async fn the_state_of_the_record_must_allow_it() {
    let db = world().await;
    check(&db, decided("a", 1, "death_undone"), &[("person", "not_now")]).await;
    check(&db, decided("a", 1, "found"), &[("person", "not_now")]).await;
    at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    check(&db, died("b", 1, "1/2021"), &[("person", "not_now")]).await;
    // The place is wrong too, and both are said.
    check(&db, moved("b", 1, "99999"), &[("permanent", "unit_not_in_force"), ("person", "not_now")]).await;
    check(&db, reversed("b", 1, "a"), &[("reverses", "not_reversible")]).await;
    at(&db, 1, &corrected("c", 1, &[("religion", "1")])).await.unwrap();
    at(&db, 2, &corrected("d", 1, &[("religion", "2")])).await.unwrap();
    let newer = at(&db, 3, &reversed("b", 1, "c")).await;
    assert_eq!(codes(newer), [("reverses", "superseded")]);
    sound(&db).await;
}

#[tokio::test]
async fn of_a_merged_record_it_is_said_which_one_goes_on() {
    let db = world().await;
    let merge = CivilEvent {
        event_id: EventId::derive(crate::world::AT, &[b"merge"]),
        what: Happening::Merge { keep: person(3), drop: person(1), reason: serde_json::json!({}) },
        legal_on: domain::PartialDate::from_date(crate::world::TODAY),
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    };
    let mut tx = db.begin().await.unwrap();
    let done = store::register::record(&mut tx, crate::world::NOW, &[merge]).await.unwrap();
    assert_eq!(done.applied, 1);
    store::commit(tx).await.unwrap();
    for event in [died("a", 1, "1/2021"), corrected("a", 1, &[("name", "")]), moved("a", 1, "99999")] {
        let faults = at(&db, 0, &event).await.expect_err("the record is over");
        let merged = faults.iter().find(|fault| fault.code() == "merged").expect("it says so");
        assert!(merged.to_string().contains(&person(3).to_string()), "{merged}");
    }
    at(&db, 0, &died("a", 3, "1/2021")).await.unwrap();
}

#[test]
fn no_fault_quotes_a_value() {
    let fault = Fault::Field(domain::field::FieldFault::Empty(domain::Field::Name));
    assert_eq!(fault.to_string(), "the field name is empty; a record states it");
}
