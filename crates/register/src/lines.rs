//! A list of events: one JSON object a line.

use std::io::{self, BufRead, Read};

use serde_json::error::Category;

use crate::event::NewEvent;

/// Bytes of a line at most.
pub const MOST_LINE: usize = 64 * 1024;

/// Why a line is no event. It quotes nothing of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It is not text.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// It is too long.
    #[error("the line is longer than {MOST_LINE} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("the line is no JSON object, from character {column} on")]
    NotJson {
        /// Where it stops being one.
        column: usize,
    },
    /// A field is unknown, missing, there twice, or of another type.
    #[error("a field is unknown, missing, twice there or of another type, near character {column}")]
    OtherShape {
        /// Where.
        column: usize,
    },
}

/// Reads one line.
///
/// # Errors
/// [`LineFault`].
pub fn parse(line: &[u8]) -> Result<NewEvent, LineFault> {
    if line.len() > MOST_LINE {
        return Err(LineFault::TooLong);
    }
    let text = std::str::from_utf8(line).map_err(|_| LineFault::NotText)?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => LineFault::OtherShape { column: error.column() },
        Category::Syntax | Category::Eof | Category::Io => LineFault::NotJson { column: error.column() },
    })
}

/// The next line that is not empty, with its number, from 1; `None` at the end. `line` counts those that were
/// read. Of a line that is too long no more is held than may be.
///
/// # Errors
/// Those of reading.
pub fn next(
    from: &mut impl BufRead,
    line: &mut usize,
) -> io::Result<Option<(usize, Result<NewEvent, LineFault>)>> {
    loop {
        let mut bytes = Vec::new();
        let most = u64::try_from(MOST_LINE + 1).expect("a line's length fits");
        if from.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        *line += 1;
        let is_whole = bytes.last() == Some(&b'\n') || bytes.len() <= MOST_LINE;
        if !is_whole {
            skip_line(from)?;
            return Ok(Some((*line, Err(LineFault::TooLong))));
        }
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).filter(|_| *line == 1).unwrap_or(&bytes);
        let text = text.trim_ascii();
        if !text.is_empty() {
            return Ok(Some((*line, parse(text))));
        }
    }
}

/// Reads the rest of a line and keeps nothing of it.
fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let there = from.fill_buf()?;
        let (used, is_end) = match there.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (there.len(), there.is_empty()),
        };
        from.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(usize, Result<String, LineFault>)> {
        let (mut from, mut line, mut found) = (io::BufReader::with_capacity(16, text), 0, Vec::new());
        while let Some((number, event)) = next(&mut from, &mut line).expect("memory is read") {
            found.push((number, event.map(|event| event.kind)));
        }
        found
    }

    const DIED: &str = r#"{"event_id":"0190f3a0-0000-7000-8000-000000000001","person":"1","kind":"died"}"#;

    #[test]
    fn one_event_a_line_and_empty_lines_are_none() {
        let text = format!("\u{feff}{DIED}\r\n\n  \n{DIED}");
        let died = Ok("died".to_owned());
        assert_eq!(read(text.as_bytes()), [(1, died.clone()), (4, died)]);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn a_broken_line_is_named_and_the_next_is_read() {
        let long = format!("{{\"person\":\"{}\"}}", "x".repeat(MOST_LINE));
        let unknown = DIED.replace("person", "persona");
        let text = format!("{long}\n{unknown}\n{{\"event_id\":\n{DIED}\n");
        let mut bytes = text.into_bytes();
        bytes.extend(b"\xff\xfe\n");
        let found = read(&bytes);
        assert_eq!(found[0], (1, Err(LineFault::TooLong)));
        assert!(matches!(found[1], (2, Err(LineFault::OtherShape { .. }))), "{found:?}");
        assert!(matches!(found[2], (3, Err(LineFault::NotJson { .. }))), "{found:?}");
        assert_eq!(found[3], (4, Ok("died".to_owned())));
        assert_eq!(found[4], (5, Err(LineFault::NotText)));
    }

    #[test]
    fn a_fault_quotes_nothing_of_the_line() {
        for line in [
            r#"{"event_id":"Nguyễn Thị Bí Mật","person":"1","kind":"died"}"#,
            r#"{"Nguyễn Thị Bí Mật":1}"#,
            r#"{"person":"Nguyễn Thị Bí Mật"#,
        ] {
            let fault = parse(line.as_bytes()).expect_err("it is no event").to_string();
            assert!(!fault.contains("Mật"), "{fault}");
        }
    }
}
