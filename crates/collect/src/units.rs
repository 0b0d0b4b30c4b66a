//! The units of one day, as an importer asks for them: hundreds of thousands of times a second.

use std::collections::HashMap;
use std::sync::Arc;

use time::Date;

use domain::UnitCode;
use domain::unit::UnitTable;

pub(crate) struct UnitOfDay {
    /// `42/445/18562/`.
    pub path: Arc<str>,
    /// Number of its province, which begins the PINs of those whose birth it registered.
    pub province: u16,
    /// Whether units lie below it.
    pub has_children: bool,
}

pub(crate) struct UnitsOfDay {
    day: Date,
    units: HashMap<UnitCode, UnitOfDay>,
}

impl UnitsOfDay {
    pub(crate) fn new(table: &'static UnitTable, day: Date) -> Self {
        let (known, units) = (table.units().iter().filter(|unit| unit.is_valid_on(day)), table.on(day));
        let of_day = |code| {
            let path: Arc<str> = units.path(code)?.into();
            let province = units.chain(code).last()?.code.number() as u16;
            Some((code, UnitOfDay { path, province, has_children: !units.children(code).is_empty() }))
        };
        let units = known.filter_map(|unit| of_day(unit.code)).collect();
        UnitsOfDay { day, units }
    }

    pub(crate) fn find(&self, code: UnitCode) -> Option<&UnitOfDay> {
        self.units.get(&code)
    }

    pub(crate) fn day(&self) -> Date {
        self.day
    }
}
