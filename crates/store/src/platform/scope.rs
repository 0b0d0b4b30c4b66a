//! Which part of the country a reader may see.

use crate::Error;

/// A subtree of the administrative units, as the path of area codes from the top, each followed by `/`:
/// `52/540/21550/` is a commune, `52/` a province, and the empty path the whole country.
///
/// The closing slash is what keeps `52/54/` from covering `52/540/`. Only digits, ASCII letters, `-` and `/`
/// occur, so the path can stand in SQL as a literal and in LIKE as a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitScope(String);

impl UnitScope {
    /// Reads a path; a missing last slash is added.
    ///
    /// # Errors
    /// [`Error::UnitScope`] for any other character, an empty code, or more than 64 bytes.
    pub fn parse(path: &str) -> Result<UnitScope, Error> {
        if path.is_empty() {
            return Ok(UnitScope::everything());
        }
        let codes = path.strip_suffix('/').unwrap_or(path);
        let valid =
            |code: &str| !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if path.len() > 64 || !codes.split('/').all(valid) {
            return Err(Error::UnitScope);
        }
        Ok(UnitScope(format!("{codes}/")))
    }

    /// The whole country.
    pub fn everything() -> UnitScope {
        UnitScope(String::new())
    }

    /// The path, empty or ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes after all paths inside, and before all others that come after the path itself, in the order
    /// of bytes: `unit_path ~>=~ path AND unit_path ~<~ end` is a condition that an index with
    /// `text_pattern_ops` answers also where the path is not known before.
    pub fn end(&self) -> String {
        format!("{}~", self.0)
    }

    /// Whether a row with this `unit_path` is inside.
    pub fn covers(&self, unit_path: &str) -> bool {
        unit_path.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_closed_by_a_slash() {
        assert_eq!(UnitScope::parse("52/540").unwrap().as_str(), "52/540/");
        assert_eq!(UnitScope::parse("52/540/").unwrap().as_str(), "52/540/");
        assert!(!UnitScope::parse("52/54").unwrap().covers("52/540/21550/"));
        assert!(UnitScope::parse("52").unwrap().covers("52/540/21550/"));
        assert!(UnitScope::everything().covers("52/540/21550/"));
    }

    #[test]
    fn what_is_inside_lies_between_the_path_and_its_end() {
        let paths = ["", "5/", "52/", "52/54/", "52/540/", "52/540/21550/", "52/54a/", "52/Z-9/", "53/"];
        for scope in paths.map(|path| UnitScope::parse(path).unwrap()) {
            for path in paths {
                let between = scope.as_str() <= path && path < scope.end().as_str();
                assert_eq!(between, scope.covers(path), "{path} in {}", scope.as_str());
            }
        }
    }

    #[test]
    fn nothing_that_could_end_a_literal_or_match_a_pattern_passes() {
        for bad in ["52/'", "%", "5_", "52//540", "/", "/52", "52/ ", "\\", "52;"] {
            assert!(matches!(UnitScope::parse(bad), Err(Error::UnitScope)), "{bad}");
        }
        assert!(UnitScope::parse(&"5/".repeat(40)).is_err());
    }
}
