//! What holds for every input.

use proptest::prelude::*;

use linkage::{Index, Place, Record, Sex, dedupe, explain};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\u{0}-\u{10ffff}]{0,24}",
        "(Nguyễn|Trần|Huỳnh|Hoàng|Võ) (Văn|Thị|Thu|)[ ]?(Hòa|Hoà|Hùng|Hưng|Dũng|Trung|Chung|An)",
        "[a-zđ\u{300}-\u{323}' .-]{0,40}",
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let names = (text(), any::<Option<()>>(), proptest::option::of(text()), proptest::option::of(text()));
    let dates = (any::<Option<u8>>(), proptest::option::of(0u8..14), proptest::option::of(1950u16..1956));
    let places = (proptest::option::of(1u16..4), 0u16..3, 0u32..3, proptest::option::of(text()));
    let codes = (any::<Option<u8>>(), proptest::option::of(0u16..4), proptest::option::of(0u64..50));
    (any::<u128>(), names, dates, places, codes, proptest::option::of(0u64..50)).prop_map(
        |(id, names, dates, places, codes, pin)| {
            let place = places.0.and_then(|province| Place::new(province, places.1, places.2).ok());
            Record {
                id,
                full_name: names.0,
                sex: names.1.map(|()| if id % 2 == 0 { Sex::Male } else { Sex::Female }),
                birth_day: dates.0,
                birth_month: dates.1,
                birth_year: dates.2,
                ethnicity: codes.0,
                birth_province: codes.1,
                native_place: place,
                residence: place,
                address_line: places.3,
                father_name: names.2,
                mother_name: names.3,
                pin,
                cmnd: codes.2,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn weights_are_symmetric_finite_and_explained(a in record(), b in record()) {
        let (there, back) = (explain(&a, &b), explain(&b, &a));
        prop_assert_eq!(there.levels, back.levels);
        prop_assert!((there.weight - back.weight).abs() < 1e-9);
        prop_assert!(there.weight.is_finite());
        prop_assert!((0.0..=1.0).contains(&there.probability));
        let sum: f64 = there.fields.iter().map(|f| f.weight).sum();
        prop_assert!((sum - there.weight).abs() < 1e-6);
    }

    #[test]
    fn an_index_takes_anything_and_answers_in_order(
        records in proptest::collection::vec(record(), 0..30),
        asked in record(),
    ) {
        let built = Index::build(records.clone());
        let mut grown = Index::default();
        for record in &records {
            grown.insert(record.clone());
        }
        let found = built.search(&asked);
        prop_assert_eq!(&found, &grown.search(&asked));
        prop_assert!(found.windows(2).all(|w| w[0].weight >= w[1].weight));
        prop_assert!(found.iter().all(|c| c.id != asked.id));
        for record in &records {
            grown.remove(record.id);
        }
        prop_assert!(grown.is_empty());
        prop_assert!(grown.search(&asked).is_empty());
        prop_assert!(dedupe(&records, 0.1).iter().all(|pair| pair.a < pair.b));
    }

    #[test]
    fn normal_form_case_and_spacing_do_not_matter(a in record()) {
        use unicode_normalization::UnicodeNormalization;
        let spaced = format!("  {} ", a.full_name.nfd().collect::<String>());
        let b = Record { full_name: spaced, ..a.clone() };
        let level = explain(&a, &b).levels.name.code();
        prop_assert!(level == "exact" || level == "missing", "{}", level);
    }
}
