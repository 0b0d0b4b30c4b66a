//! Exhaustive search: few fingers, any position, any turn.

use fingerprint::scan::Kernel;
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{
    Capture, Error, FingerPosition, Minutia, Positions, Scan, ScanQuery, Template, threshold_for,
};

const PEOPLE: u64 = 240;

fn capture(person: u64, occasion: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

fn query(positions: Positions) -> ScanQuery {
    ScanQuery { positions, threshold: threshold_for(PEOPLE as usize, 1e-4), most: 10 }
}

fn enrolled(kernel: Kernel) -> Scan {
    let mut scan = Scan::with_kernel(kernel);
    for person in 0..PEOPLE {
        scan.insert(person.into(), &capture(person, 1)).expect("every person is new");
    }
    scan
}

fn ids(scan: &Scan, probe: &[Template], positions: Positions) -> Vec<u128> {
    scan.search(probe, None, query(positions)).expect("four captures").0.iter().map(|hit| hit.id).collect()
}

/// A quarter turn counter-clockwise, which maps whole pixels to whole pixels.
fn turned(template: &Template) -> Template {
    let minutiae = template.minutiae().iter();
    let turned = minutiae.map(|m| Minutia {
        x: m.y,
        y: template.width() - 1 - m.x,
        angle: m.angle.wrapping_add(64),
        ..*m
    });
    let capture = Capture { width: template.height(), height: template.width(), ..template.capture() };
    Template::new(capture, turned.collect()).expect("inside the turned image")
}

/// Thumb for thumb, index for index.
fn other_hand(position: FingerPosition) -> FingerPosition {
    FingerPosition::from_code((position.code() + 4) % 10 + 1).expect("1 to 10")
}

#[test]
fn finds_four_fingers_swapped_turned_and_unnamed() {
    let scan = enrolled(Kernel::detect());
    let mut missed = [0; 5];
    for person in (0..PEOPLE).step_by(20) {
        let four = &capture(person, 2)[1..5];
        let swapped: Vec<Template> =
            four.iter().map(|t| t.clone().with_position(other_hand(t.position()))).collect();
        let unnamed: Vec<Template> =
            four.iter().map(|t| t.clone().with_position(FingerPosition::Unknown)).collect();
        let turned: Vec<Template> = four.iter().map(turned).collect();
        for (missed, (probe, positions)) in missed.iter_mut().zip([
            (four, Positions::AsStated),
            (&swapped, Positions::Any),
            (&unnamed, Positions::AsStated),
            (&turned, Positions::AsStated),
            (&four[..2], Positions::AsStated),
        ]) {
            let found = ids(&scan, probe, positions);
            assert!(found.is_empty() || found == [u128::from(person)], "a wrong hit for {person}");
            *missed += u32::from(found.is_empty());
        }
    }
    assert!(missed[..4].iter().all(|&missed| missed == 0) && missed[4] <= 2, "{missed:?} of 12 missed");
    for stranger in PEOPLE..PEOPLE + 4 {
        assert_eq!(ids(&scan, &capture(stranger, 2)[1..5], Positions::Any), []);
    }
    let probe = &capture(7, 2)[..4];
    assert_eq!(scan.search(probe, Some(7), query(Positions::Any)).unwrap().0, []);
}

#[test]
fn every_kernel_finds_the_same() {
    let scans: Vec<Scan> = Kernel::available().into_iter().map(enrolled).collect();
    for person in [3, PEOPLE + 3] {
        let probe = &capture(person, 2)[2..6];
        let first = scans[0].search(probe, None, query(Positions::Any)).unwrap();
        for scan in &scans[1..] {
            assert_eq!(scan.search(probe, None, query(Positions::Any)).unwrap(), first);
        }
    }
}

#[test]
fn keeps_within_bounds_whatever_it_is_given() {
    let mut scan = Scan::new();
    assert_eq!(scan.search(&capture(1, 1), None, query(Positions::Any)).unwrap().0, []);
    let one = capture(1, 1).remove(0);
    let same = Minutia { x: 100, y: 100, ..one.minutiae()[0] };
    let heap = Template::new(one.capture(), vec![same; 255]).unwrap();
    let empty = Template::new(one.capture(), vec![]).unwrap();
    scan.insert(1, &[heap.clone(), empty.clone()]).unwrap();
    scan.insert(2, &[]).unwrap();
    scan.insert(3, std::slice::from_ref(&one)).unwrap();
    assert_eq!(scan.insert(3, &[]), Err(Error::AlreadyEnrolled));
    for probe in [&[heap][..], &[empty], &[]] {
        assert_eq!(scan.search(probe, None, query(Positions::Any)).unwrap().0, []);
    }
    let too_many = vec![one; 41];
    assert!(matches!(scan.insert(4, &too_many), Err(Error::InvalidTemplate { value: 41, .. })));
    assert!(scan.search(&too_many, None, query(Positions::Any)).is_err());
    assert_eq!((scan.len(), format!("{scan:?}").contains("redacted")), (3, true));
}
