//! Maps from one list of units to the next, as somebody would submit them.

use std::sync::OnceLock;

use domain::unit::map::parse;
use domain::unit::{Readdressed, UnitMap, UnitTable, Units, readdress};
use time::macros::date;

/// Two communes and an island district become two communes of another province: a country that a fuzzer can
/// learn.
const LISTS: &str = "code,level,kind,name,parent,valid_from,valid_to\n\
    01,province,tỉnh,Một,,2021-01-01,2025-07-01\n\
    001,district,huyện,Đất,01,2021-01-01,2025-07-01\n\
    002,district,huyện,Đảo,01,2021-01-01,2025-07-01\n\
    00001,commune,xã,An,001,2021-01-01,2025-07-01\n\
    00002,commune,xã,Bình,001,2021-01-01,2025-07-01\n\
    02,province,tỉnh,Hai,,2025-07-01,\n\
    00001,commune,phường,Chung,02,2025-07-01,\n\
    00003,commune,xã,Mới,02,2025-07-01,\n";

fn lists() -> (Units<'static>, Units<'static>) {
    static TABLE: OnceLock<UnitTable> = OnceLock::new();
    let table = TABLE.get_or_init(|| UnitTable::parse(LISTS).expect("the list is right"));
    (table.on(date!(2025 - 06 - 30)), table.on(date!(2025 - 07 - 01)))
}

/// Whatever is wrong has a sentence; what is accepted takes every old unit to new ones, and every address to
/// one of these or to somebody who is asked.
pub fn map(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let (rows, faults) = parse(text);
    assert!(rows.iter().all(|row| row.line > 1) && faults.iter().all(|fault| fault.line.is_some()));
    let (before, after) = lists();
    let map = match UnitMap::read(text, before, after) {
        Ok(map) => map,
        Err(faults) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.to_string().is_empty()));
            return false;
        }
    };
    assert!(faults.is_empty());
    for from in map.leaves() {
        let parts = map.successors(from);
        assert!(!parts.is_empty() && parts.iter().all(|to| after.get(*to).is_some()));
        match readdress(from, text.get(..200).unwrap_or_default(), &map) {
            Readdressed::Whole(to) => assert_eq!(parts, [to]),
            Readdressed::ByHamlet(to) => assert!(parts.len() > 1 && parts.contains(&to)),
            Readdressed::Ask(candidates) => assert_eq!(candidates, parts),
            Readdressed::NotInMap => panic!("an old unit of the map is not in the map"),
        }
    }
    true
}

pub(crate) fn map_seeds() -> Vec<Vec<u8>> {
    let whole = "from,to,how,hamlets,basis\n00001,00001,whole,,code\n00002,00003,whole,,code\n\
                 002,00003,whole,,name\n";
    let divided = "from,to,how,hamlets,basis\n00001,00001,whole,,code\n\
                   00002,00001,divided,Thôn 1|Xóm Đình,code\n\
                   00002,00003,divided,Thôn 10,code\n002,00003,whole,,code\n";
    vec![whole.as_bytes().to_vec(), divided.as_bytes().to_vec()]
}
