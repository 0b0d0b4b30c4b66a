use super::*;
use time::macros::{date, datetime};

use domain::person::fold;

const TODAY: Date = date!(2021 - 04 - 20);
const NOW: OffsetDateTime = datetime!(2021-04-20 10:00 +7);

fn person() -> Person {
    let record = testkit::resident();
    let event = Event::Registered { record: Box::new(record) };
    let registered = Recorded { event, legal_on: PartialDate::from_date(TODAY), recorded_at: NOW };
    let id = PersonId::derive(NOW, &[b"1"]);
    fold(id, [&registered]).expect("a registration").expect("somebody")
}

fn id(name: &str) -> EventId {
    EventId::derive(NOW, &[name.as_bytes()])
}

fn check(event: &NewEvent, expect: &[&str]) -> Option<Event> {
    let (reading, mut faults) = read(event, None, TODAY);
    let person = person();
    let told = told(&reading, &person, &[Some(id("registered"))]);
    faults.extend(judge(&reading, &person, told.as_ref(), NOW));
    assert_eq!(faults.iter().map(Fault::code).collect::<Vec<_>>(), expect);
    told
}

fn event(kind: &str) -> NewEvent {
    let paper = PaperText {
        kind: "civil_status".to_owned(),
        number: "1/2021".to_owned(),
        authority: "UBND xã".to_owned(),
        issued_on: "19/04/2021".to_owned(),
    };
    NewEvent {
        legal_on: "19/04/2021".to_owned(),
        paper: Some(paper),
        ..NewEvent::new(id("event"), "042190000001", kind)
    }
}

fn values(pairs: &[(&str, &str)]) -> Vec<ChangeText> {
    let one = |(field, value): &(&str, &str)| ChangeText {
        field: (*field).to_owned(),
        part: String::new(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(one).collect()
}

#[test]
fn values_are_told_as_the_register_writes_them() {
    let changes = values(&[("birth", "1-2-1991"), ("ethnicity", "03"), ("name", " Lê  Thị Hoa ")]);
    let event = NewEvent { changes, since: Some(ALWAYS.to_owned()), ..event("corrected") };
    let Some(Event::Corrected { changes, since: None }) = check(&event, &[]) else {
        panic!("it is a correction")
    };
    let told: Vec<_> = changes.iter().map(|change| change.value.as_deref().unwrap_or_default()).collect();
    assert_eq!(told, ["01/02/1991", "3", "Lê Thị Hoa"]);
}

#[test]
fn the_words_and_the_record_are_judged_together() {
    let changes = values(&[("ethnicity", "03"), ("ethnicity", "04"), ("sex", "")]);
    check(&NewEvent { changes, ..event("corrected") }, &["since_missing", "twice"]);
    let changes = values(&[("name", "Lê Thị Hoa"), ("blood", "09")]);
    check(&NewEvent { changes, ..event("supplemented") }, &["not_in_list"]);
    check(&event("found"), &["not_now"]);
    check(&event("reversed"), &["no_event"]);
    let mut early = event("died");
    early.legal_on = "1989".to_owned();
    check(&early, &["before_birth"]);
}

#[test]
fn a_person_is_named_by_id_or_number() {
    assert_eq!(find(" 042190000001 "), Pin::parse("042190000001").ok().map(Whom::Pin));
    let id = PersonId::derive(NOW, &[b"1"]);
    assert_eq!(find(&id.to_string()), Some(Whom::Id(id)));
    for nobody in ["", "1", "Nguyễn Thị Hoa", "04219000000"] {
        assert_eq!(find(nobody), None);
    }
}

#[test]
fn a_papers_id_follows_from_what_says_which_it_is() {
    let (reading, _) = read(&event("corrected"), None, TODAY);
    let paper = reading.paper.expect("it is whole");
    assert_eq!(paper.id(), paper.clone().id());
    for other in [
        Paper { number: "2/2021".to_owned(), ..paper.clone() },
        Paper { authority: "UBND".to_owned(), ..paper.clone() },
        Paper { kind: PaperKind::Other, ..paper.clone() },
        Paper { issued_on: date!(2021 - 04 - 18), ..paper.clone() },
    ] {
        assert_ne!(other.id(), paper.id());
    }
}
