//! Papers and their scans: one paper is one row, and a taken number takes no other.

use crate::world::{
    ELSEWHERE, NOW, at, codes, count, decided, died, event_id, moved, paper, person, send, with_scan, world,
};
use register::scan::MOST_BYTES;
use register::{NewEvent, PaperText};
use store::UnitScope;
use store::register::papers;

const PDF: &[u8] = b"%PDF-1.7 an extract";

#[tokio::test]
async fn a_paper_and_its_scan_are_kept_with_the_event_and_read_by_its_person_alone() {
    let db = world().await;
    with_scan(&db, &died("a", 1, "1/2021"), PDF).await.unwrap();
    let mut conn = db.work().acquire().await.unwrap();
    let rows = store::register::timeline::timeline(&mut conn, person(1)).await.unwrap();
    let newest = &rows[0];
    assert_eq!((newest.version, newest.kind.as_str(), newest.legal_on), (2, "died", Some(20_210_418)));
    assert_eq!(newest.paper_number.as_deref(), Some("1/2021"));
    assert_eq!(newest.scan_type.as_deref(), Some("application/pdf"));
    let document = domain::id::DocumentId::from_uuid(newest.document_id.unwrap());
    let scan = papers::scan(&mut conn, person(1), document).await.unwrap();
    assert_eq!(scan, Some(("application/pdf".to_owned(), PDF.to_vec())));
    assert_eq!(papers::scan(&mut conn, person(3), document).await.unwrap(), None, "another person's");
}

#[tokio::test]
async fn a_scan_is_told_by_its_bytes_and_has_four_mebibytes_at_most() {
    let db = world().await;
    let mut large = vec![0; MOST_BYTES + 1];
    large[..5].copy_from_slice(b"%PDF-");
    for (bytes, code) in [
        (&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], "scan_type"),
        (b"PK\x03\x04", "scan_type"),
        (b"", "scan_empty"),
        (&large, "scan_too_large"),
    ] {
        assert_eq!(codes(with_scan(&db, &died("a", 1, "1/2021"), bytes).await), [("scan", code)]);
    }
    let alone = NewEvent { paper: None, ..moved("a", 1, "21550") };
    assert_eq!(codes(with_scan(&db, &alone, PDF).await), [("scan", "scan_alone")]);
    assert_eq!(count(&db, "SELECT count(*) FROM document_scan").await, 0);
    large.truncate(MOST_BYTES);
    with_scan(&db, &died("a", 1, "1/2021"), &large).await.unwrap();
}

#[tokio::test]
async fn a_number_that_is_taken_takes_no_other_paper() {
    let db = world().await;
    with_scan(&db, &died("a", 1, "1/2021"), PDF).await.unwrap();
    let taken = [("paper.number", "paper_taken")];
    // The extract is of one person.
    assert_eq!(codes(at(&db, 1, &died("b", 3, "1/2021")).await), taken);
    let undone = |paper: PaperText| NewEvent { paper: Some(paper), ..decided("c", 1, "death_undone") };
    let other_day = PaperText { issued_on: "18/04/2021".to_owned(), ..paper("death_extract", "1/2021") };
    assert_eq!(codes(at(&db, 1, &undone(other_day)).await), taken);
    let same = undone(paper("death_extract", "1/2021"));
    let other_scan = send(&db, &crate::world::home(), NOW, &same, Some(b"%PDF-1.7 another")).await;
    assert_eq!(codes(other_scan), taken);
    // The same paper once more, of another year, of another authority, or a decision about several people.
    at(&db, 1, &same).await.unwrap();
    let last_year = PaperText { issued_on: "18/04/2020".to_owned(), ..paper("death_extract", "1/2021") };
    let again = NewEvent { paper: Some(last_year), ..died("d", 3, "1/2021") };
    at(&db, 1, &again).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM legal_document").await, 2);
    at(&db, 2, &NewEvent { paper: Some(paper("residence", "9")), ..moved("e", 1, "18565") }).await.unwrap();
}

#[tokio::test]
async fn one_decision_may_stand_behind_the_events_of_several_people() {
    let db = world().await;
    for (name, who) in [("a", 1), ("b", 3)] {
        let event = NewEvent {
            paper: Some(paper("court_decision", "7/QĐ")),
            ..decided(name, who, "declared_missing")
        };
        at(&db, 0, &event).await.unwrap();
    }
    assert_eq!(count(&db, "SELECT count(*) FROM legal_document").await, 1);
    assert_eq!(count(&db, "SELECT count(*) FROM civil_event WHERE document_id IS NOT NULL").await, 2);
}

#[tokio::test]
async fn one_paper_entered_twice_at_once_is_one_row() {
    let db = world().await;
    let of = |name: &str, who| NewEvent {
        paper: Some(paper("court_decision", "7/QĐ")),
        ..decided(name, who, "declared_missing")
    };
    let there = UnitScope::parse(ELSEWHERE).unwrap();
    let (one, two) = (of("a", 1), of("b", 2));
    let (first, second) = tokio::join!(at(&db, 0, &one), send(&db, &there, NOW, &two, None));
    assert_eq!((first.unwrap().event_id, second.unwrap().event_id), (event_id("a"), event_id("b")));
    assert_eq!(count(&db, "SELECT count(*) FROM legal_document").await, 1);
}
