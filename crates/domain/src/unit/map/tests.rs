use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::unit::UnitTable;

fn code(text: &str) -> UnitCode {
    text.parse().unwrap()
}

/// Two communes and an island district of one province before; two communes of another one after.
const LISTS: &str = "header\n\
    01,province,tỉnh,Một,,2021-01-01,2025-07-01\n\
    001,district,huyện,Đất,01,2021-01-01,2025-07-01\n\
    002,district,huyện,Đảo,01,2021-01-01,2025-07-01\n\
    00001,commune,xã,An,001,2021-01-01,2025-07-01\n\
    00002,commune,xã,Bình,001,2021-01-01,2025-07-01\n\
    02,province,tỉnh,Hai,,2025-07-01,\n\
    00001,commune,phường,Chung,02,2025-07-01,\n\
    00003,commune,xã,Mới,02,2025-07-01,\n";

const GOOD: &str = "from,to,how,hamlets,basis\n\
    00001,00001,whole,,test\n\
    00002,00001,divided,Thôn 1|Xóm Đình,test\n\
    00002,00003,divided,Thôn 10,test\n\
    002,00003,whole,,test\n";

fn read(text: &str) -> Result<UnitMap, Vec<MapFault>> {
    let table = UnitTable::parse(LISTS).unwrap();
    UnitMap::read(text, table.on(date!(2025 - 06 - 30)), table.on(date!(2025 - 07 - 01)))
}

fn check_refused(text: &str, expected: &[(Option<usize>, Option<&str>, FaultKind)]) {
    let faults = read(text).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.line, fault.code, fault.kind)).collect();
    let expected: Vec<_> = expected.iter().map(|(line, unit, kind)| (*line, unit.map(code), *kind)).collect();
    assert_eq!(told, expected);
}

#[test]
fn an_address_goes_with_its_unit_or_by_its_hamlet_or_is_asked() {
    let map = read(GOOD).unwrap();
    let check =
        |unit, detail, expected| assert_eq!(readdress(code(unit), detail, &map), expected, "{detail}");
    check("00001", "Thôn 10", Readdressed::Whole(code("00001")));
    check("002", "", Readdressed::Whole(code("00003")));
    check("00002", "số 5, thôn 1", Readdressed::ByHamlet(code("00001")));
    check("00002", "THON 10, so 1", Readdressed::ByHamlet(code("00003")));
    check("00002", "xom dinh", Readdressed::ByHamlet(code("00001")));
    let both = Readdressed::Ask(vec![code("00001"), code("00003")]);
    check("00002", "", both.clone());
    check("00002", "thôn 1, thôn 10", both.clone());
    check("00002", "thôn 11", both.clone());
    check("001", "thôn 1", both);
    check("00003", "", Readdressed::NotInMap);
    assert_eq!(map.successors(code("01")), [code("02")]);
    assert_eq!(map.successors(code("001")), [code("00001"), code("00003")]);
    assert_eq!(map.successors(code("00001")), [code("00001")]);
}

#[test]
fn a_map_that_loses_or_doubles_is_refused_with_all_faults() {
    let lines = |lines: &[&str]| format!("{HEADER}\n{}\n", lines.join("\n"));
    check_refused(
        &lines(&["00001,00001,whole,,", "00001,00003,whole,,", "00002,00001,divided,,"]),
        &[
            (Some(2), Some("00001"), FaultKind::WholeAndMore),
            (Some(3), Some("00001"), FaultKind::WholeAndMore),
            (Some(4), Some("00002"), FaultKind::DividedAlone),
            (None, Some("002"), FaultKind::Lost),
        ],
    );
    check_refused(
        &lines(&["00001,00001,whole,,", "00002,00001,whole,,", "00002,00001,whole,,", "002,00001,whole,,"]),
        &[(Some(4), Some("00002"), FaultKind::Twice), (None, Some("00003"), FaultKind::FromNowhere)],
    );
    check_refused(
        &lines(&["00003,00002,whole,,", "001,02,whole,,"]),
        &[
            (Some(2), Some("00003"), FaultKind::NotBefore),
            (Some(2), Some("00002"), FaultKind::NotAfter),
            (Some(3), Some("02"), FaultKind::NotALeaf),
            (Some(3), Some("001"), FaultKind::NotALeaf),
            (None, Some("002"), FaultKind::Lost),
            (None, Some("00001"), FaultKind::Lost),
            (None, Some("00002"), FaultKind::Lost),
            (None, Some("00001"), FaultKind::FromNowhere),
            (None, Some("00003"), FaultKind::FromNowhere),
        ],
    );
    check_refused(&GOOD.replace("Thôn 10", "thon 1"), &[(Some(4), Some("00002"), FaultKind::HamletTwice)]);
}

#[test]
fn unreadable_lines_are_told_each_with_its_number() {
    check_refused(
        "code,to\n1,2\n00001,00001,all,,\n0001,00001,whole,,\n",
        &[
            (Some(1), None, FaultKind::Header),
            (Some(2), None, FaultKind::Fields),
            (Some(3), None, FaultKind::How),
            (Some(4), None, FaultKind::Code),
        ],
    );
    let said = read("").unwrap_err()[0].to_string();
    assert_eq!(said, "line 1: the first line must be `from,to,how,hamlets,basis`");
}

#[test]
fn the_map_of_2025_takes_everybody_somewhere() {
    let (before, after) = (date!(2025 - 06 - 30), date!(2025 - 07 - 01));
    let units = |day| UnitTable::within(day).unwrap();
    let map =
        UnitMap::read(of_2025(), units(before), units(after)).unwrap_or_else(|f| panic!("{:?}", &f[..3]));
    assert_eq!(map.leaves().count(), 10_599 + 5);
    let divided = map.leaves().filter(|code| map.successors(*code).len() > 1).count();
    assert_eq!(divided, 471 + 42 + 87, "by code, by name, by district: see data/README.md");
    let new: BTreeSet<UnitCode> = map.pairs().map(|(_, to, _)| to).collect();
    assert_eq!(new.len(), 3_321);
    for province in units(before).level(UnitLevel::Province) {
        assert_eq!(map.successors(province.code).len(), 1, "{}", province.code);
    }
    let ask = readdress(code("445"), "", &map);
    assert!(matches!(ask, Readdressed::Ask(ref to) if to.len() > 1), "{ask:?}");
    assert_eq!(map.successors(code("318")), [code("11948")]);
}

/// A list of `old` communes before and of `new` ones after, and a map that divides some of them.
fn country() -> impl Strategy<Value = (usize, Vec<BTreeSet<usize>>)> {
    (1..8usize).prop_flat_map(|new| {
        (Just(new), prop::collection::vec(prop::collection::btree_set(0..new, 1..=new), 1..20))
    })
}

fn lists_of(old: usize, new: usize) -> UnitTable {
    let mut csv = "header\n01,province,tỉnh,P,,2021-01-01,\n".to_owned();
    for number in 1..=old {
        csv += &format!("{number:05},commune,xã,Cũ {number},01,2021-01-01,2025-07-01\n");
    }
    for number in 1..=new {
        csv += &format!("{number:05},commune,xã,Mới {number},01,2025-07-01,\n");
    }
    UnitTable::parse(&csv).unwrap()
}

fn lines_of(parts: &[BTreeSet<usize>]) -> Vec<String> {
    let mut lines = Vec::new();
    for (from, parts) in parts.iter().enumerate() {
        let how = if parts.len() == 1 { "whole" } else { "divided" };
        let line = |to: &usize| format!("{:05},{:05},{how},Thôn {to},", from + 1, to + 1);
        lines.extend(parts.iter().map(line));
    }
    lines
}

proptest! {
    #[test]
    fn residents_are_conserved_and_each_goes_to_a_part_of_where_they_were(
        (new, mut parts) in country(),
        people in prop::collection::vec((0..20usize, prop::option::of(0..8usize)), 0..60),
    ) {
        // What nobody else reaches, the first old unit does.
        let reached: BTreeSet<usize> = parts.iter().flatten().copied().collect();
        parts[0].extend((0..new).filter(|to| !reached.contains(to)));
        let table = lists_of(parts.len(), new);
        let (before, after) = (table.on(date!(2025 - 06 - 30)), table.on(date!(2025 - 07 - 01)));
        let text = format!("{HEADER}\n{}\n", lines_of(&parts).join("\n"));
        let map = UnitMap::read(&text, before, after).expect("the map is whole");
        let mut counts = BTreeMap::<UnitCode, usize>::new();
        let mut asked = 0;
        for (from, hamlet) in &people {
            let from = from % parts.len();
            let old = UnitCode::new(UnitLevel::Commune, from as u32 + 1).unwrap();
            let detail = hamlet.map(|number| format!("số 7, thôn {number}")).unwrap_or_default();
            let to = match readdress(old, &detail, &map) {
                Readdressed::Whole(to) => { prop_assert_eq!(parts[from].len(), 1); to }
                Readdressed::ByHamlet(to) => {
                    prop_assert_eq!(Some(to.number() as usize - 1), *hamlet);
                    to
                }
                Readdressed::Ask(candidates) => {
                    prop_assert_eq!(candidates, map.successors(old));
                    asked += 1;
                    continue;
                }
                Readdressed::NotInMap => panic!("every old unit is in the map"),
            };
            prop_assert!(parts[from].contains(&(to.number() as usize - 1)));
            prop_assert!(after.get(to).is_some());
            *counts.entry(to).or_default() += 1;
        }
        prop_assert_eq!(counts.values().sum::<usize>() + asked, people.len());
    }

    #[test]
    fn a_map_without_one_of_its_lines_is_refused((new, parts) in country(), gone in 0..100usize) {
        let table = lists_of(parts.len(), new);
        let (before, after) = (table.on(date!(2025 - 06 - 30)), table.on(date!(2025 - 07 - 01)));
        let mut lines = lines_of(&parts);
        let whole: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains("whole")).collect();
        prop_assume!(!whole.is_empty());
        lines.remove(whole[gone % whole.len()]);
        let text = format!("{HEADER}\n{}\n", lines.join("\n"));
        let faults = UnitMap::read(&text, before, after).unwrap_err();
        prop_assert!(faults.iter().any(|fault| fault.kind == FaultKind::Lost));
    }

    #[test]
    fn no_text_is_too_strange_to_be_refused(text in "\\PC{0,200}") {
        let (rows, faults) = parse(&text);
        prop_assert!(rows.len() + faults.len() <= text.lines().count() + 1);
    }
}
