use super::*;
use time::macros::date;
use unicode_normalization::is_nfc;

fn code(text: &str) -> UnitCode {
    text.parse().unwrap()
}

#[test]
fn official_counts_and_islands() {
    let table = Units::latest();
    let count = |level| table.level(level).count();
    assert_eq!(count(UnitLevel::Province), 63);
    assert_eq!(count(UnitLevel::District), 705);
    assert_eq!(count(UnitLevel::Commune), 10_599);
    let islands: Vec<String> = table
        .level(UnitLevel::District)
        .filter(|unit| table.children(unit.code).is_empty())
        .map(|unit| unit.code.to_string())
        .collect();
    assert_eq!(islands, ["318", "471", "498", "536", "755"]);
    assert_eq!(table.leaves_of(code("318")), [code("318")]);
    let leaves: usize = table.level(UnitLevel::Province).map(|unit| table.leaves_of(unit.code).len()).sum();
    assert_eq!(leaves, 10_599 + 5);
}

#[test]
fn every_name_is_nfc_and_clean() {
    for unit in UnitTable::official().units() {
        assert!(is_nfc(&unit.name) && is_nfc(&unit.kind), "{}", unit.code);
        assert!(!unit.name.contains("  ") && unit.name.trim() == &*unit.name, "{}", unit.code);
    }
}

#[test]
fn codes_parse_print_and_pack() {
    for text in ["01", "445", "00004", "18562", "96"] {
        assert_eq!(code(text).to_string(), text);
        assert_eq!(UnitCode::from_packed(code(text).packed()), Ok(code(text)));
    }
    assert_ne!(code("01"), code("001"));
    assert_ne!(code("001"), code("00001"));
    assert!(code("96") < code("001") && code("999") < code("00001"));
    assert_eq!("4a5".parse::<UnitCode>(), Err(UnitError::NotDigits { position: 2 }));
    assert_eq!("1856".parse::<UnitCode>(), Err(UnitError::Length { length: 4 }));
    assert_eq!("".parse::<UnitCode>(), Err(UnitError::Length { length: 0 }));
    assert_eq!("000".parse::<UnitCode>(), Err(UnitError::Zero));
    assert_eq!("٤٥".parse::<UnitCode>(), Err(UnitError::NotDigits { position: 1 }));
    for packed in [0, 100, 100_000, 101_000, 200_000, 300_000, u32::MAX] {
        assert_eq!(UnitCode::from_packed(packed), Err(UnitError::NotPacked { packed }));
    }
}

#[test]
fn path_and_chain_run_through_the_parents() {
    let table = Units::latest();
    assert_eq!(table.path(code("18562")).as_deref(), Some("42/445/18562/"));
    assert_eq!(table.path(code("42")).as_deref(), Some("42/"));
    assert_eq!(table.path(code("99")), None);
    assert_eq!(
        table.full_name(code("18562")).as_deref(),
        Some("Thị trấn Thạch Hà, Huyện Thạch Hà, Tỉnh Hà Tĩnh")
    );
    assert_eq!(table.leaves_of(code("445")), table.children(code("445")));
}

#[test]
fn a_code_answers_only_while_it_is_valid() {
    let csv = "header\n01,province,tỉnh,Một,,2021-01-01,2025-07-01\n01,province,tỉnh,Hai,,2025-07-01,\n";
    let table = UnitTable::parse(csv).unwrap();
    let name = |day| table.on(day).get(code("01")).map(|unit| &*unit.name);
    assert_eq!(name(date!(2020 - 12 - 31)), Some("Một"), "the list does not go back further");
    assert_eq!(name(date!(2021 - 01 - 01)), Some("Một"));
    assert_eq!(name(date!(2025 - 06 - 30)), Some("Một"));
    assert_eq!(name(date!(2025 - 07 - 01)), Some("Hai"));
    assert_eq!(name(Date::MAX), Some("Hai"));
}

/// A commune goes to another district, and its old district ends: each day has its own way up and down.
#[test]
fn ways_through_the_list_are_those_of_the_day() {
    let csv = "header\n01,province,tỉnh,Một,,2021-01-01,\n001,district,huyện,Cũ,01,2021-01-01,2022-01-01\n\
               002,district,huyện,Mới,01,2021-01-01,\n00001,commune,xã,Đầu,001,2021-01-01,2022-01-01\n\
               00001,commune,xã,Đầu,002,2022-01-01,\n";
    let table = UnitTable::parse(csv).unwrap();
    let (before, after) = (table.on(date!(2021 - 12 - 31)), table.on(date!(2022 - 01 - 01)));
    assert_eq!(before.path(code("00001")).as_deref(), Some("01/001/00001/"));
    assert_eq!(after.path(code("00001")).as_deref(), Some("01/002/00001/"));
    assert_eq!(before.children(code("001")), [code("00001")]);
    assert_eq!(before.children(code("002")), []);
    assert_eq!(after.children(code("002")), [code("00001")]);
    assert_eq!((after.children(code("01")), after.get(code("001"))), (vec![code("002")], None));
    assert_eq!(after.full_name(code("00001")).as_deref(), Some("Xã Đầu, Huyện Mới, Tỉnh Một"));
    assert_eq!((before.search("cu", 5).len(), after.search("cu", 5).len()), (1, 0));
    assert_eq!(before.level(UnitLevel::District).count() + after.level(UnitLevel::District).count(), 3);
}

#[test]
fn a_bad_table_is_refused_with_its_line() {
    let refused = |row: &str| UnitTable::parse(&format!("header\n{row}\n")).unwrap_err();
    for row in [
        "01,district,tỉnh,Một,,2021-01-01,",
        "01,province,tỉnh,Một,,2021-02-30,",
        "001,district,huyện,Một,,2021-01-01,",
        "001,district,huyện,Một,01,2021-01-01,",
        "01,province,tỉnh,,,2021-01-01,",
        "01,province,tỉnh,Một",
    ] {
        assert!(matches!(refused(row), UnitError::BadTable { line: 2, .. }), "{row}");
    }
}

#[test]
fn search_ignores_marks_and_finds_the_equal_name_first() {
    let table = Units::latest();
    let first = |query| table.search(query, 5).first().map(|unit| unit.code.to_string());
    assert_eq!(first("ha tinh").as_deref(), Some("42"));
    assert_eq!(first("HUYỆN Côn Đảo").as_deref(), Some("755"));
    assert_eq!(first("co noi").as_deref(), Some("04138"));
    assert_eq!(first("Đồng Vân"), first("dong van"));
    assert_eq!(first("  "), None);
    assert_eq!(table.search("an", 7).len(), 7);
}
