//! 1:N search on a small population; `examples/identify.rs` measures a large one.

use fingerprint::identify::{Gallery, GalleryParams, Probe};
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Error, FingerPosition, Template};

const PEOPLE: u64 = 1_500;

fn capture(person: u64, occasion: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

fn gallery() -> Gallery {
    // Smaller than needed, so that the index grows while people are added.
    let mut gallery = Gallery::new(GalleryParams { expected_people: 100, ..Default::default() });
    for person in 0..PEOPLE {
        gallery.insert(person.into(), &capture(person, 1)).expect("every person is new");
    }
    gallery
}

#[test]
fn finds_the_enrolled_and_nobody_else() {
    let gallery = gallery();
    assert_eq!(gallery.len() as u64, PEOPLE);
    let mut missed = 0;
    for person in (0..PEOPLE).step_by(5) {
        let hits = gallery.search(&capture(person, 2), None);
        assert!(hits.iter().all(|hit| hit.id == u128::from(person)), "a wrong hit for {person}");
        missed += u32::from(hits.is_empty());
    }
    assert!(missed <= 1, "{missed} of 300 missed");
    for stranger in PEOPLE..PEOPLE + 200 {
        assert_eq!(gallery.search(&capture(stranger, 2), None), []);
    }

    let probe = capture(7, 2);
    assert_eq!(gallery.search(&probe, Some(7)), [], "the excluded record is not a hit");
    assert_eq!(gallery.search(&probe, None), gallery.search(&probe, None));
    assert_eq!(gallery.search(&probe[..5], None)[0].id, 7, "one hand is enough");
    assert_eq!(gallery.search(&[], None), []);
}

#[test]
fn few_fingers_are_enough_on_either_side() {
    let mut gallery = gallery();
    let missed = |gallery: &Gallery, probes: &[(u64, Vec<Template>)]| {
        let found = |(person, probe): &&(u64, Vec<Template>)| {
            gallery.search(probe, None).iter().any(|hit| hit.id == u128::from(*person))
        };
        probes.iter().filter(|probe| !found(probe)).count()
    };
    let four: Vec<(u64, Vec<Template>)> =
        (0..PEOPLE).step_by(15).map(|person| (person, capture(person, 3)[1..5].to_vec())).collect();
    assert!(missed(&gallery, &four) <= 2, "of 100 with four fingers");
    // Enrolled with four fingers among people with ten, and captured again with all.
    let later: Vec<(u64, Vec<Template>)> =
        (PEOPLE..PEOPLE + 100).map(|person| (person, capture(person, 2))).collect();
    for person in PEOPLE..PEOPLE + 100 {
        gallery.insert(person.into(), &capture(person, 1)[1..5]).expect("every person is new");
    }
    assert!(missed(&gallery, &later) <= 2, "of 100 enrolled with four fingers");
}

#[test]
fn many_at_once_are_enrolled_as_one_by_one() {
    let people: Vec<(u128, Vec<Template>)> =
        (0..60).map(|person| (u128::from(person), capture(person, 1))).collect();
    let (mut together, mut one_by_one) =
        (Gallery::new(GalleryParams::default()), Gallery::new(GalleryParams::default()));
    together.insert_all(&people).expect("every person is new");
    for (id, templates) in &people {
        one_by_one.insert(*id, templates).expect("every person is new");
    }
    assert_eq!(together.indexed_quadruples(), one_by_one.indexed_quadruples());
    for person in 0..70 {
        let probe = capture(person, 2);
        assert_eq!(together.search(&probe, None), one_by_one.search(&probe, None));
    }
    let more = [(100, capture(100, 1)), (3, capture(3, 2)), (101, capture(101, 1))];
    assert_eq!(together.insert_all(&more), Err(Error::AlreadyEnrolled));
    assert!(together.contains(100) && !together.contains(101));
}

#[test]
fn finds_in_the_smallest_galleries() {
    for people in [1u64, 2, 5] {
        let mut gallery = Gallery::new(GalleryParams::default());
        for person in 0..people {
            gallery.insert(person.into(), &capture(person, 1)).expect("every person is new");
        }
        for person in 0..people {
            let found = |probe: &[Template]| -> Vec<u128> {
                gallery.search(probe, None).iter().map(|hit| hit.id).collect()
            };
            for occasion in 2..12 {
                assert_eq!(found(&capture(person, occasion)), [u128::from(person)], "{person} of {people}");
            }
            assert_eq!(
                found(&capture(person, 2)[..5]),
                [u128::from(person)],
                "one hand of {person} of {people}"
            );
            assert_eq!(found(&capture(person + 100, 2)), []);
        }
    }
}

#[test]
fn a_probe_made_once_serves_search_and_insertion() {
    let mut by_templates = Gallery::new(GalleryParams::default());
    let mut by_probes = Gallery::new(GalleryParams::default());
    for person in 0..50 {
        by_templates.insert(person.into(), &capture(person, 1)).unwrap();
        by_probes.insert_probe(person.into(), &Probe::new(&capture(person, 1))).unwrap();
    }
    assert_eq!(by_templates.indexed_quadruples(), by_probes.indexed_quadruples());
    for person in 0..50 {
        let probe = Probe::new(&capture(person, 2));
        let hits = by_probes.search_probe(&probe, None);
        assert_eq!(hits[0].id, u128::from(person));
        assert_eq!(hits, by_templates.search(&capture(person, 2), None));
    }
    let probe = Probe::new(&capture(7, 1));
    assert_eq!(by_probes.insert_probe(7, &probe), Err(Error::AlreadyEnrolled));
    assert_eq!(format!("{probe:?}"), "Probe(10 fingers, redacted)");
}

#[test]
fn reports_every_record_of_a_person_in_order() {
    let mut gallery = Gallery::new(GalleryParams::default());
    for (id, occasion) in [(9, 1), (4, 1), (6, 3)] {
        gallery.insert(id, &capture(1, occasion)).unwrap();
    }
    let hits = gallery.search(&capture(1, 2), None);
    assert_eq!(hits.len(), 3);
    assert!(
        hits.windows(2).all(|w| w[0].score > w[1].score || (w[0].score == w[1].score && w[0].id < w[1].id))
    );
    assert!(hits.iter().position(|h| h.id == 4) < hits.iter().position(|h| h.id == 9));
}

#[test]
fn refuses_an_identifier_twice_and_ignores_unknown_positions() {
    let mut gallery = Gallery::new(GalleryParams::default());
    let unknown: Vec<Template> =
        capture(1, 1).into_iter().map(|t| t.with_position(FingerPosition::Unknown)).collect();
    gallery.insert(1, &unknown).unwrap();
    assert_eq!(gallery.insert(1, &unknown), Err(Error::AlreadyEnrolled));
    assert!(gallery.contains(1) && gallery.search(&capture(1, 2), None).is_empty());
    assert_eq!(format!("{gallery:?}"), "Gallery(1 people, redacted)");
}
