//! Templates that no finger gives: safe, and bounded in work. Counted, not timed.

use fingerprint::identify::{Gallery, GalleryParams, Probe};
use fingerprint::params::{MAX_CANDIDATES, MAX_PREPARED, quadruples::MOST_OF_FINGER};
use fingerprint::{
    Capture, FingerPosition, Impression, Minutia, MinutiaKind, Positions, Prepared, Scan, ScanQuery,
    Template, compare, encode, parse, quality,
};

/// The largest image that a record can name (14 bits).
const SIDE: u16 = 16_383;

fn template(position: FingerPosition, places: impl Iterator<Item = (u16, u16, u8)>) -> Template {
    let capture =
        Capture { position, impression: Impression::LiveScanPlain, quality: 80, width: SIDE, height: SIDE };
    let minutia =
        |(x, y, angle)| Minutia { x, y, angle, kind: MinutiaKind::Ending, quality: (x % 100) as u8 };
    Template::new(capture, places.map(minutia).collect()).expect("inside the image")
}

/// Every kind as one finger: nothing, one point, lines, clusters that repeat one base, lattices, the corners
/// of a huge image.
fn hostile(position: FingerPosition) -> Vec<Template> {
    let all = 0..255u16;
    vec![
        template(position, [].into_iter()),
        template(position, all.clone().map(|_| (300, 300, 64))),
        template(position, all.clone().map(|n| (300, 300, n as u8))),
        template(position, all.clone().map(|n| (3 * n, 400, 0))),
        template(position, all.clone().map(|n| (3 * n, 3 * n, (n * 37) as u8))),
        template(position, all.clone().map(|n| (300 + n % 2 * 100, 300, 64))),
        template(position, all.clone().map(|n| (300 + n % 3 * 80, 300 + n % 2 * 70, 64))),
        template(position, all.clone().map(|n| (40 * (n % 16), 40 * (n / 16), 64))),
        template(position, all.clone().map(|n| (9 * (n % 16), 9 * (n / 16), 128 * (n % 2) as u8))),
        // So far apart that squares of distances are large.
        template(position, all.map(|n| (n % 2 * 16_000 + n, n / 2 % 2 * 16_000, n as u8))),
    ]
}

/// Ten fingers of each kind.
fn people() -> Vec<Vec<Template>> {
    let fingers: Vec<Vec<Template>> = FingerPosition::ALL.into_iter().map(hostile).collect();
    (0..fingers[0].len()).map(|kind| fingers.iter().map(|finger| finger[kind].clone()).collect()).collect()
}

#[test]
fn comparisons_end_with_a_number_and_name_each_minutia_once() {
    let templates = hostile(FingerPosition::RightThumb);
    let prepared: Vec<Prepared> = templates.iter().map(Prepared::new).collect();
    for a in &prepared {
        assert!(a.len() <= MAX_PREPARED);
        for b in &prepared {
            let (forth, back) = (compare(a, b), compare(b, a));
            assert!(forth.score.is_finite() && forth.score >= 0.0 && forth.score == back.score);
            for side in [|p: &fingerprint::Pair| p.first, |p: &fingerprint::Pair| p.second] {
                let mut named: Vec<u8> = forth.pairs.iter().map(side).collect();
                named.sort_unstable();
                named.dedup();
                assert_eq!(named.len(), forth.pairs.len());
            }
        }
    }
    assert!(templates.iter().all(|template| quality(template) <= 100));
}

#[test]
fn a_gallery_does_no_more_work_than_its_limits_allow() {
    let people = people();
    let mut gallery = Gallery::new(GalleryParams::default());
    let mut enrolled = 0usize;
    for round in 0..6u128 {
        for (kind, person) in people.iter().enumerate() {
            gallery.insert(round * 100 + kind as u128, person).expect("someone new");
            enrolled += 1;
        }
    }
    assert!(gallery.indexed_quadruples() <= enrolled * 10 * MOST_OF_FINGER);
    for person in &people {
        let (hits, work) = gallery.search_counting(&Probe::new(person), None);
        assert!(work.lookups <= 10 * 2 * MOST_OF_FINGER, "{work:?}");
        assert!(work.votes <= work.lookups * 8_192, "{work:?}");
        assert!(work.comparisons <= MAX_CANDIDATES * 10, "{work:?}");
        assert!(hits.len() <= MAX_CANDIDATES && hits.iter().all(|hit| hit.score.is_finite()));
    }
    let many: Vec<usize> =
        people.iter().map(|p| gallery.search_counting(&Probe::new(p), None).1.lookups).collect();
    assert!(many.contains(&(10 * 2 * MOST_OF_FINGER)) || many.iter().any(|&n| n >= 10 * MOST_OF_FINGER));
}

#[test]
fn a_scan_compares_each_finger_of_a_candidate_once() {
    let people = people();
    let mut scan = Scan::new();
    for (kind, person) in people.iter().enumerate() {
        scan.insert(kind as u128, person).expect("someone new");
    }
    for positions in [Positions::AsStated, Positions::Any] {
        for person in &people {
            let query = ScanQuery { positions, threshold: f32::NEG_INFINITY, most: 3 };
            let (hits, work) = scan.search(person, None, query).expect("ten captures");
            // Fingers without minutiae are left out on both sides.
            assert!(work.sketches <= people.len() * 10 * 10, "{work:?}");
            assert!(work.candidates <= people.len() && work.comparisons <= work.candidates * 10, "{work:?}");
            assert!(hits.len() <= 3 && hits.iter().all(|hit| hit.score.is_finite()));
        }
    }
}

#[test]
fn a_record_whose_counts_or_lengths_are_wrong_is_refused() {
    let views: Vec<Template> = people().into_iter().map(|person| person[1].clone()).collect();
    let record = encode(&views).expect("nine views");
    assert_eq!(parse(&record).expect("as written"), views);
    for length in 0..record.len() {
        assert!(parse(&record[..length]).is_err(), "{length} of {} bytes", record.len());
    }
    let longer = [&record[..], &[0; 7]].concat();
    assert!(parse(&longer).is_err());
    // ISO/IEC 19794-2:2005: byte 22 counts the views, byte 27 is the first view's number of minutiae.
    for (byte, counts) in [(22, 0..=255u8), (27, 0..=255)] {
        for count in counts.filter(|&count| count != record[byte]) {
            let mut wrong = record.clone();
            wrong[byte] = count;
            assert!(parse(&wrong).is_err(), "byte {byte} is {count}");
        }
    }
}
