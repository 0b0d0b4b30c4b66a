//! Vietnamese and English, from two plain files of `key = text` lines that are compiled in.
//!
//! Why not a message-format library: Vietnamese does not inflect, the English sentences are written so that no number
//! governs a plural, and numbers and dates are formatted before they are put in. What is left is a table with named
//! places, and a test holds the two tables to the same keys and places.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    Vi,
    En,
}

impl Lang {
    /// The code in `?lang=`, in the cookie and in the `lang` attribute.
    pub const fn code(self) -> &'static str {
        match self {
            Lang::Vi => "vi",
            Lang::En => "en",
        }
    }

    pub fn from_code(code: &str) -> Option<Lang> {
        [Lang::Vi, Lang::En].into_iter().find(|lang| lang.code() == code)
    }

    pub const fn other(self) -> Lang {
        match self {
            Lang::Vi => Lang::En,
            Lang::En => Lang::Vi,
        }
    }

    /// The text of `key`; the key itself when there is none, which a test excludes for every key in the sources.
    pub fn text(self, key: &str) -> &'static str {
        match self.find(key) {
            Some(text) => text,
            // The only keys that are not literals are made of codes; a code without a text shows as the dash.
            None => "—",
        }
    }

    pub fn find(self, key: &str) -> Option<&'static str> {
        table(self).get(key).copied()
    }

    /// The text of `key` with every `{name}` replaced.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut rest = self.text(key);
        let mut out = String::with_capacity(rest.len() + 32);
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else { break };
            out.push_str(&rest[..open]);
            let name = &rest[open + 1..open + close];
            out.push_str(values.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value));
            rest = &rest[open + close + 1..];
        }
        out.push_str(rest);
        out
    }
}

fn table(lang: Lang) -> &'static BTreeMap<&'static str, &'static str> {
    static TABLES: OnceLock<[BTreeMap<&'static str, &'static str>; 2]> = OnceLock::new();
    let tables =
        TABLES.get_or_init(|| [parse(include_str!("i18n/vi.txt")), parse(include_str!("i18n/en.txt"))]);
    &tables[lang as usize]
}

fn parse(file: &'static str) -> BTreeMap<&'static str, &'static str> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).map(|(key, text)| (key.trim(), text.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_places() {
        let (vi, en) = (table(Lang::Vi), table(Lang::En));
        let keys = |table: &BTreeMap<&'static str, &'static str>| table.keys().copied().collect::<Vec<_>>();
        assert_eq!(keys(vi), keys(en));
        for (key, text) in vi {
            assert_eq!(places(text), places(en[key]), "{key}");
            assert!(!text.is_empty() && !en[key].is_empty(), "{key}");
        }
        for file in [include_str!("i18n/vi.txt"), include_str!("i18n/en.txt")] {
            let keys: Vec<&str> =
                file.lines().filter_map(|line| line.split_once(" = ")).map(|(k, _)| k.trim()).collect();
            assert_eq!(keys.len(), keys.iter().collect::<BTreeSet<_>>().len(), "a key stands twice");
        }
    }

    #[test]
    fn vietnamese_text_is_composed() {
        for (key, text) in table(Lang::Vi) {
            assert!(!domain::text::is_decomposed(text), "{key}");
        }
    }

    /// Finds every literal key in the sources and templates: `t("…")`, `text("…")` and `fill("…"`.
    #[test]
    fn every_key_that_is_used_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for dir in ["src", "src/pages", "templates"] {
            for entry in std::fs::read_dir(root.join(dir)).unwrap() {
                let path = entry.unwrap().path();
                if !path.is_file() || path.ends_with("i18n.rs") {
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                for call in ["t(\"", "text(\"", "fill(\""] {
                    for (at, _) in source.match_indices(call) {
                        if source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                            continue;
                        }
                        let key = source[at + call.len()..].split('"').next().unwrap();
                        assert!(Lang::Vi.find(key).is_some(), "{key} in {}", path.display());
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 100, "only {seen} keys were found: the search is broken");
    }

    #[test]
    fn every_code_of_the_domain_has_a_text() {
        for state in domain::application::State::ALL {
            assert!(Lang::Vi.find(&format!("state.{}", state.code())).is_some(), "{state}");
            assert!(Lang::Vi.find(&format!("track.{}", state.code())).is_some(), "{state}");
        }
        for action in domain::application::Action::ALL {
            assert!(Lang::Vi.find(&format!("action.{}", action.code())).is_some(), "{}", action.code());
        }
        for field in domain::Field::ALL {
            assert!(Lang::Vi.find(&format!("field.{}", field.code())).is_some(), "{field}");
        }
        for kind in domain::person::Kind::ALL {
            assert!(Lang::Vi.find(&format!("event.{}", kind.code())).is_some(), "{}", kind.code());
        }
        for state in domain::card::CardState::ALL {
            assert!(Lang::Vi.find(&format!("card.state.{}", state.code())).is_some(), "{state}");
        }
    }

    #[test]
    fn places_are_filled_once_and_values_are_not_read_as_places() {
        assert_eq!(Lang::En.fill("page.results", &[("n", "{n}")]), "{n} shown");
    }
}
