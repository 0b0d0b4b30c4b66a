//! 1:1 comparison on synthetic fingers.

use fingerprint::params::{PERSON_THRESHOLD, VERIFY_THRESHOLD};
use fingerprint::synthetic::{Condition, Master, person_masters};
use fingerprint::{Capture, FingerPosition, Minutia, Prepared, Template, compare, compare_person, quality};

fn prepared(seed: u64, occasion: u64) -> Prepared {
    let master = Master::generate(seed, FingerPosition::RightThumb);
    Prepared::new(&master.impression(seed * 100 + occasion, Condition::Station))
}

fn hand(seed: u64, occasion: u64) -> Vec<Prepared> {
    let captures = person_masters(seed).map(|m| m.impression(seed * 100 + occasion, Condition::Station));
    captures.iter().map(Prepared::new).collect()
}

#[test]
fn tells_the_same_finger_from_another() {
    let genuine =
        (0..200).filter(|&s| compare(&prepared(s, 1), &prepared(s, 2)).score >= VERIFY_THRESHOLD).count();
    let impostor =
        (0..200).filter(|&s| compare(&prepared(s, 1), &prepared(s + 1, 2)).score >= VERIFY_THRESHOLD).count();
    assert!(genuine >= 190, "{genuine} of 200 genuine pairs passed");
    assert_eq!(impostor, 0);
}

#[test]
fn is_symmetric_to_the_last_bit() {
    for seed in 0..20 {
        let (a, b, c) = (prepared(seed, 1), prepared(seed, 2), prepared(seed + 50, 1));
        for (x, y) in [(&a, &b), (&a, &c)] {
            let (forth, back) = (compare(x, y), compare(y, x));
            assert_eq!(forth.score, back.score);
            let turned: Vec<_> = back.pairs.iter().map(|p| (p.second, p.first)).collect();
            assert_eq!(forth.pairs.iter().map(|p| (p.first, p.second)).collect::<Vec<_>>(), turned);
        }
    }
}

#[test]
fn does_not_mind_shift_quarter_turns_or_order() {
    for seed in 0..20 {
        let master = Master::generate(seed, FingerPosition::LeftThumb);
        let first = master.impression(1, Condition::Station);
        let second = master.impression(2, Condition::Station);
        // A quarter turn counter-clockwise maps whole pixels to whole pixels: (x, y down) to (y, width - x).
        let mut turned: Vec<Minutia> = second
            .minutiae()
            .iter()
            .map(|m| Minutia {
                x: m.y + 7,
                y: second.width() - 1 - m.x + 9,
                angle: m.angle.wrapping_add(64),
                ..*m
            })
            .collect();
        turned.reverse();
        let capture = Capture { width: 900, height: 900, ..second.capture() };
        let turned = Template::new(capture, turned).unwrap();
        let straight = compare(&Prepared::new(&first), &Prepared::new(&second));
        let turned_score = compare(&Prepared::new(&first), &Prepared::new(&turned)).score;
        assert!(
            (straight.score - turned_score).abs() <= 0.15 * straight.score + 0.5,
            "{} and {turned_score}",
            straight.score
        );
    }
}

#[test]
fn pairs_name_each_minutia_once() {
    let master = Master::generate(3, FingerPosition::RightThumb);
    let template = master.impression(1, Condition::Station);
    let all = compare(&Prepared::new(&template), &Prepared::new(&template));
    assert!(all.pairs.len() * 10 >= template.minutiae().len().min(60) * 9);
    assert!(
        all.pairs.iter().all(|p| p.first == p.second),
        "a template is matched with itself minutia by minutia"
    );
    let mut seconds: Vec<_> =
        compare(&prepared(1, 1), &prepared(1, 2)).pairs.iter().map(|p| p.second).collect();
    let count = seconds.len();
    seconds.sort_unstable();
    seconds.dedup();
    assert_eq!(seconds.len(), count);
}

#[test]
fn sparse_templates_score_nothing() {
    let master = Master::generate(3, FingerPosition::RightThumb);
    let full = master.impression(1, Condition::Station);
    let sparse = Template::new(full.capture(), full.minutiae()[..2].to_vec()).unwrap();
    assert_eq!(compare(&Prepared::new(&full), &Prepared::new(&sparse)).score, 0.0);
    assert_eq!(quality(&Template::new(full.capture(), vec![]).unwrap()), 0);
    assert!(quality(&sparse) < quality(&full));
}

#[test]
fn ten_fingers_decide_clearly() {
    for seed in 0..40 {
        let same = compare_person(&hand(seed, 1), &hand(seed, 2));
        let other = compare_person(&hand(seed, 1), &hand(seed + 1000, 2));
        assert_eq!((same.fingers, other.fingers), (10, 10));
        assert!(same.score > PERSON_THRESHOLD && other.score < PERSON_THRESHOLD / 2.0, "{same:?} {other:?}");
    }
}

#[test]
fn one_finger_never_decides_alone_by_little() {
    let (a, b) = (hand(5, 1), hand(5, 2));
    assert_eq!(compare_person(&a[..3], &b[2..]).fingers, 1);
    assert_eq!(compare_person(&a[..2], &b[5..]), compare_person(&[], &b));
}
