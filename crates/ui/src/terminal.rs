//! What programs print, and the numbers that people type at them.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process;

/// What a shell reports of a program that ended because nobody reads its output any more (128 + SIGPIPE).
const NOBODY_READS: i32 = 141;
/// What a program ends with when its output cannot be written for another reason, such as a full disk.
const NOT_WRITTEN: i32 = 3;

/// Prints a line on standard output, as `println!` does. Where nobody reads it any more (`… | head -1`) the
/// program ends quietly, as programs in a pipe do; `println!` would panic.
#[macro_export]
macro_rules! say {
    () => { $crate::terminal::print_line(format_args!("")) };
    ($($text:tt)*) => { $crate::terminal::print_line(format_args!($($text)*)) };
}

/// Prints a line on standard error, as `eprintln!` does, and goes on where nobody reads it.
#[macro_export]
macro_rules! tell {
    ($($text:tt)*) => { $crate::terminal::tell_line(format_args!($($text)*)) };
}

/// What [`say!`](crate::say) calls.
pub fn print_line(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    let Err(error) = written(out.write_fmt(format_args!("{text}\n"))) else { return };
    tell_line(format_args!("the output cannot be written: {error}"));
    process::exit(NOT_WRITTEN);
}

/// Standard output for whoever writes bytes, with the same end as [`say!`](crate::say).
#[derive(Debug, Default)]
pub struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        written(io::stdout().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        written(io::stdout().lock().flush())
    }
}

fn written<T>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(NOBODY_READS),
        result => result,
    }
}

/// What [`tell!`](crate::tell) calls.
pub fn tell_line(text: Arguments<'_>) {
    // A remark that nobody reads is no reason to stop the work that it is about.
    let _ = io::stderr().lock().write_fmt(format_args!("{text}\n"));
}

/// A whole number as people write it: `20000`, `20.000`, `20,000`, `20 000`.
///
/// # Errors
/// A sentence that says how numbers are written.
pub fn whole_number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let separator = text.chars().find(|letter| !letter.is_ascii_digit());
    let digits = match separator {
        None => Some(text.to_owned()),
        Some(separator) if ". ,_\u{a0}\u{202f}".contains(separator) => {
            let groups: Vec<&str> = text.split(separator).collect();
            let is_first = |group: &str| (1..=3).contains(&group.len());
            let fits = is_first(groups[0]) && groups[1..].iter().all(|group| group.len() == 3);
            let all = groups.concat();
            (fits && all.bytes().all(|byte| byte.is_ascii_digit())).then_some(all)
        }
        Some(_) => None,
    };
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        format!("`{text}` is not a whole number; write it with digits, such as 20000, 20.000 or 20,000")
    })
}

/// A whole number that is not too large for its purpose; see [`whole_number`].
///
/// # Errors
/// A sentence that says how numbers are written, or what the largest is.
pub fn count(text: &str) -> Result<u32, String> {
    u32::try_from(whole_number(text)?).map_err(|_| format!("`{text}` is too large; at most {}", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in ["20000", "20.000", "20,000", "20 000", "20_000", " 20.000 ", "20\u{a0}000"] {
            assert_eq!(whole_number(text), Ok(20_000), "{text}");
        }
        assert_eq!(whole_number("1.526.289"), Ok(1_526_289));
        assert_eq!(whole_number("0"), Ok(0));
    }

    #[test]
    fn what_is_no_number_gets_a_sentence() {
        for text in ["", ".", "2.00", "20.0000", "1.000,5", "1.000,000", "20k", "-3", ".500", "1..000", "٢"]
        {
            let said = whole_number(text).expect_err(text);
            assert!(said.contains("such as 20000"), "{said}");
        }
        assert!(whole_number("99999999999999999999").is_err());
        assert!(count("4.294.967.296").expect_err("one too many").contains("4294967295"));
    }
}
