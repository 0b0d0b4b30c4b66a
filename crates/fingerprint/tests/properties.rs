//! What holds for any two templates, also for those that no finger gives.

use proptest::prelude::*;

use fingerprint::identify::{Gallery, GalleryParams};
use fingerprint::{
    Capture, FingerPosition, Impression, Minutia, MinutiaKind, Positions, Prepared, Scan, ScanQuery,
    Template, compare,
};

const SIDE: u16 = 700;

fn minutia() -> impl Strategy<Value = Minutia> {
    // Few places and directions, so that many minutiae coincide or stand in line.
    (0u16..60, 0u16..60, any::<u8>(), 0u8..3, 0u8..=100).prop_map(|(x, y, angle, kind, quality)| Minutia {
        x: x * 8,
        y: y * 8,
        angle: angle & 0xf8,
        kind: [MinutiaKind::Other, MinutiaKind::Ending, MinutiaKind::Bifurcation][usize::from(kind)],
        quality,
    })
}

fn template(minutiae: Vec<Minutia>) -> Template {
    let (position, impression) = (FingerPosition::RightIndex, Impression::LiveScanPlain);
    let capture = Capture { position, impression, quality: 50, width: SIDE, height: SIDE };
    Template::new(capture, minutiae).expect("inside the image")
}

fn minutiae() -> impl Strategy<Value = Vec<Minutia>> {
    prop_oneof![
        4 => prop::collection::vec(minutia(), 0..=80),
        1 => prop::collection::vec(minutia(), 200..=255),
        // All at one point.
        1 => (minutia(), 0usize..=255).prop_map(|(one, count)| vec![one; count]),
    ]
}

fn moved(minutiae: &[Minutia], x: u16, y: u16) -> Vec<Minutia> {
    minutiae.iter().map(|m| Minutia { x: m.x + x, y: m.y + y, ..*m }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn comparison_is_symmetric_and_blind_to_order_and_shift(
        (a, shuffled) in minutiae().prop_flat_map(|a| (Just(a.clone()), Just(a).prop_shuffle())),
        b in minutiae(), shift in (0u16..200, 0u16..200),
    ) {
        let score = |a: &[Minutia], b: &[Minutia]| {
            compare(&Prepared::new(&template(a.to_vec())), &Prepared::new(&template(b.to_vec()))).score
        };
        let straight = score(&a, &b);
        prop_assert!(straight.is_finite() && straight >= 0.0);
        prop_assert_eq!(straight, score(&b, &a));
        prop_assert_eq!(straight, score(&shuffled, &b));
        let shifted = score(&moved(&a, shift.0, shift.1), &b);
        prop_assert!((straight - shifted).abs() <= 0.02 * straight + 0.02, "{} and {}", straight, shifted);
    }

    #[test]
    fn searches_take_any_template(enrolled in minutiae(), probe in minutiae()) {
        let (enrolled, probe) = ([template(enrolled)], [template(probe)]);
        let mut gallery = Gallery::new(GalleryParams::default());
        gallery.insert(1, &enrolled).expect("the first");
        prop_assert!(gallery.search(&probe, None).len() <= 1);
        let mut scan = Scan::new();
        scan.insert(1, &enrolled).expect("the first");
        let query = ScanQuery { positions: Positions::Any, threshold: 0.0, most: 5 };
        let (hits, _) = scan.search(&probe, None, query).expect("one capture");
        prop_assert!(hits.iter().all(|hit| hit.id == 1 && hit.score.is_finite()));
    }
}
