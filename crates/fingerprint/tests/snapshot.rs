//! A gallery written and read again, a gallery in parts, and a gallery shared by threads.

use std::sync::RwLock;

use fingerprint::identify::{Gallery, GalleryParams, Probe, Shard, merge_hits};
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{SnapshotError, Template};

const PEOPLE: u64 = 60;

fn capture(person: u64, occasion: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

fn gallery(holds: impl Fn(u128) -> bool) -> Gallery {
    let mut gallery = Gallery::new(GalleryParams::default());
    for person in 0..PEOPLE {
        let id = u128::from(person) << 80;
        // Everybody is enrolled twice, so that a search has several hits.
        for (id, occasion) in [(id, 1), (id + 1, 3)] {
            if holds(id) {
                gallery.insert(id, &capture(person, occasion)).expect("every record is new");
            }
        }
    }
    gallery
}

#[test]
fn what_is_written_finds_the_same() {
    let gallery = gallery(|_| true);
    let mut bytes = Vec::new();
    gallery.write_snapshot(&mut bytes).unwrap();
    let read = Gallery::read_snapshot(GalleryParams::default(), &mut &bytes[..]).unwrap();
    assert_eq!((read.len(), read.indexed_quadruples()), (gallery.len(), gallery.indexed_quadruples()));
    for person in (0..PEOPLE + 5).step_by(5) {
        let probe = Probe::new(&capture(person, 2));
        assert_eq!(read.search_probe(&probe, None), gallery.search_probe(&probe, None));
    }
    let mut again = Vec::new();
    read.write_snapshot(&mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn damage_is_told() {
    let mut bytes = Vec::new();
    gallery(|id| id < 3 << 80).write_snapshot(&mut bytes).unwrap();
    let read = |bytes: &[u8]| Gallery::read_snapshot(GalleryParams::default(), &mut &bytes[..]);
    assert!(matches!(read(b"dancuFG0"), Err(SnapshotError::NotASnapshot)));
    assert!(matches!(read(&bytes[..bytes.len() - 9]), Err(SnapshotError::Read(_))));
    for place in [8, 9, 15, 20, 33, 200, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x40;
        assert!(read(&damaged).is_err(), "a change of byte {place} went unnoticed");
    }
}

#[test]
fn parts_find_what_the_whole_finds() {
    let whole = gallery(|_| true);
    let parts: Vec<Gallery> = (0..3)
        .map(|index| {
            let shard = Shard::new(index, 3).unwrap();
            gallery(move |id| shard.holds(id))
        })
        .collect();
    assert_eq!(parts.iter().map(Gallery::len).sum::<usize>(), whole.len());
    assert!(parts.iter().all(|part| part.len() * 6 > whole.len()), "the parts are about equal");
    assert_eq!(Shard::new(3, 3), None);
    let mut several = 0;
    for person in (0..PEOPLE + 5).step_by(5) {
        let probe = Probe::new(&capture(person, 2));
        let merged = merge_hits(parts.iter().map(|part| part.search_probe(&probe, None)));
        let ids = |hits: &[fingerprint::Hit]| hits.iter().map(|h| (h.id, h.score)).collect::<Vec<_>>();
        assert_eq!(ids(&merged), ids(&whole.search_probe(&probe, None)));
        several += usize::from(merged.len() > 1);
    }
    assert!(several > 5);
}

#[test]
fn people_are_taken_in_while_others_search() {
    let shared = RwLock::new(gallery(|id| id >> 80 < 20));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for person in 0..20 {
                    let probe = Probe::new(&capture(person, 2));
                    let hits = shared.read().unwrap().search_probe(&probe, None);
                    assert!(hits.iter().all(|hit| hit.id >> 80 == u128::from(person)) && !hits.is_empty());
                }
            });
        }
        for person in 20..40 {
            // Made outside the lock, which is held for the insertion alone.
            let probe = Probe::new(&capture(person, 1));
            shared.write().unwrap().insert_probe(u128::from(person) << 80, &probe).unwrap();
        }
    });
    let probe = Probe::new(&capture(39, 2));
    assert_eq!(shared.read().unwrap().search_probe(&probe, None)[0].id, 39 << 80);
}
