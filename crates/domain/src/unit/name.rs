//! A unit as people name it: by its code, or by its name with or without kind and marks.

use super::{Unit, UnitCode, UnitError, UnitLevel, Units};
use crate::text::{fold_ascii, tidy};

/// How many units an error lists at most.
const MOST_LISTED: usize = 12;

/// Why a text names no one unit. Each message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitNameError {
    /// It is written as a code and is none.
    #[error(transparent)]
    Code(#[from] UnitError),
    /// No unit has this code.
    #[error(
        "{0} is not in the list of units; codes, such as 445 for Thạch Hà, come from `dancu unit find NAME`"
    )]
    NoCode(UnitCode),
    /// No unit is called so.
    #[error("no {what} is called `{text}`{}", like_it(.near))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// What was asked for.
        text: String,
        /// Units with a name like it, as [`Units::told`] tells them.
        near: Vec<String>,
    },
    /// Several units are called so.
    #[error(
        "`{text}` names several units; give a code, or the unit above after a comma: {}",
        .units.join("; ")
    )]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The units, as [`Units::told`] tells them.
        units: Vec<String>,
    },
    /// It is a unit of another level.
    #[error("{unit} is a {is}, and a {wanted} is asked for")]
    Level {
        /// The unit, as [`Units::told`] tells it.
        unit: String,
        /// Its level.
        is: &'static str,
        /// The level that was asked for.
        wanted: &'static str,
    },
}

fn like_it(units: &[String]) -> String {
    match units {
        [] => "; `dancu unit find NAME` looks for a part of a name".to_owned(),
        units => format!("; like it are: {}", units.join("; ")),
    }
}

impl Units<'_> {
    /// The unit that a text names: `445`, `Thạch Hà`, `huyen thach ha`, `Thạch Hà, Hà Tĩnh`. Case, marks
    /// and the kind may be left out as long as one unit remains; the names of units above may follow after
    /// commas. `level` is that of the unit, if only one will do.
    ///
    /// # Errors
    /// [`UnitNameError`], with the units that it may have been.
    pub fn named(self, text: &str, level: Option<UnitLevel>) -> Result<UnitCode, UnitNameError> {
        let text = tidy(text);
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            return self.by_code(text.parse()?, level);
        }
        let mut parts = text.split(',').map(str::trim);
        let (name, above) = (parts.next().unwrap_or_default(), parts.collect::<Vec<_>>());
        let is_there = |unit: &&Unit| {
            unit.is_valid_on(self.day)
                && level.is_none_or(|level| unit.code.level() == level)
                && is_called(unit, name, fold_ascii)
                && self.is_below(unit.code, &above)
        };
        let mut found: Vec<&Unit> = self.table.units.iter().filter(is_there).collect();
        // Whoever writes the marks means them.
        let exact = |unit: &&Unit| is_called(unit, name, |text| text.to_lowercase());
        if found.len() > 1 && found.iter().filter(|unit| exact(unit)).count() == 1 {
            found.retain(exact);
        }
        match found[..] {
            [unit] => Ok(unit.code),
            [] => Err(UnitNameError::Unknown {
                what: level.map_or("unit", UnitLevel::as_str),
                near: self.search(name, MOST_LISTED).iter().map(|unit| self.told(unit.code)).collect(),
                text,
            }),
            ref several => {
                let units = several.iter().take(MOST_LISTED).map(|unit| self.told(unit.code)).collect();
                Err(UnitNameError::Ambiguous { text, units })
            }
        }
    }

    /// Code and name with the names above it: "445 Huyện Thạch Hà, Tỉnh Hà Tĩnh".
    pub fn told(self, code: UnitCode) -> String {
        format!("{code} {}", self.full_name(code).unwrap_or_default())
    }

    fn by_code(self, code: UnitCode, level: Option<UnitLevel>) -> Result<UnitCode, UnitNameError> {
        self.get(code).ok_or(UnitNameError::NoCode(code))?;
        match level {
            Some(wanted) if code.level() != wanted => Err(UnitNameError::Level {
                unit: self.told(code),
                is: code.level().as_str(),
                wanted: wanted.as_str(),
            }),
            _ => Ok(code),
        }
    }

    /// Whether each of these names is that of a unit above.
    fn is_below(self, code: UnitCode, names: &[&str]) -> bool {
        names.iter().all(|name| self.chain(code).skip(1).any(|above| is_called(above, name, fold_ascii)))
    }
}

/// Whether this is the unit's name, with or without its kind.
fn is_called(unit: &Unit, text: &str, fold: impl Fn(&str) -> String) -> bool {
    let (text, name, kind) = (fold(text), fold(&unit.name), fold(&unit.kind));
    text == name || text.strip_prefix(&*kind).is_some_and(|rest| rest.trim_start() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<String, UnitNameError> {
        Units::latest().named(text, None).map(|code| code.to_string())
    }

    #[test]
    fn a_unit_is_named_by_code_or_by_name_with_or_without_marks() {
        for text in
            ["445", "huyện Thạch Hà", "Huyen Thach Ha", "  HUYỆN  THẠCH HÀ ", "huyện Thạch Hà, Hà Tĩnh"]
        {
            assert_eq!(named(text).as_deref(), Ok("445"), "{text}");
        }
        assert_eq!(named("tỉnh Hà Tĩnh").as_deref(), Ok("42"));
        let district = Units::latest().named("thach ha", Some(UnitLevel::District));
        assert_eq!(district.unwrap().to_string(), "445", "the townlet of that name is no district");
    }

    #[test]
    fn a_name_of_several_units_lists_them() {
        let Err(UnitNameError::Ambiguous { units, .. }) = named("Thạch Hà") else {
            panic!("two are called so")
        };
        assert!(units.iter().any(|unit| unit == "445 Huyện Thạch Hà, Tỉnh Hà Tĩnh"), "{units:?}");
        let said = named("Hà Tĩnh").unwrap_err().to_string();
        assert!(said.contains("42 Tỉnh Hà Tĩnh") && said.contains("436 Thành phố Hà Tĩnh"), "{said}");
    }

    #[test]
    fn what_names_no_unit_says_what_to_do() {
        let said = named("Thạch H").unwrap_err().to_string();
        assert!(said.contains("no unit is called") && said.contains("445 Huyện Thạch Hà"), "{said}");
        assert!(named("Xanh Lơ").unwrap_err().to_string().contains("dancu unit find"));
        assert!(named("").is_err());
        assert_eq!(named("999"), Err(UnitNameError::NoCode("999".parse().unwrap())));
        assert!(matches!(named("4455"), Err(UnitNameError::Code(UnitError::Length { length: 4 }))));
        let commune = Units::latest().named("42", Some(UnitLevel::District)).unwrap_err();
        assert_eq!(commune.to_string(), "42 Tỉnh Hà Tĩnh is a province, and a district is asked for");
    }
}
