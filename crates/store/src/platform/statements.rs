//! A migration's text as the commands that are in it.
//!
//! A server that spreads tables over others (Citus) refuses a message of several commands, so each goes by
//! itself.

/// The commands of an SQL text in order, without the semicolons between them. Comments stay with the command
/// that they stand before; what is only comments is no command.
///
/// Understood are what PostgreSQL's lexer does with semicolons (its manual, §4.1): strings, escape strings,
/// quoted names, dollar quotes, nested comments, and parentheses, in which a semicolon ends nothing (`CREATE
/// RULE`). Not understood are bodies of `BEGIN ATOMIC`: write such a function with dollar quotes.
pub(super) fn statements(sql: &str) -> Vec<&str> {
    let bytes = sql.as_bytes();
    let (mut start, mut at, mut depth, mut is_command) = (0, 0, 0_u32, false);
    let mut found = Vec::new();
    while at < bytes.len() {
        let lexeme = lexeme(bytes, at);
        match lexeme.kind {
            Kind::Blank => {}
            Kind::End if depth == 0 => {
                if is_command {
                    found.push(sql[start..at].trim());
                }
                (start, is_command) = (at + 1, false);
            }
            Kind::End => {}
            Kind::Open => (depth, is_command) = (depth + 1, true),
            Kind::Close => (depth, is_command) = (depth.saturating_sub(1), true),
            Kind::Other => is_command = true,
        }
        at = lexeme.end;
    }
    if is_command {
        found.push(sql[start..].trim());
    }
    found
}

struct Lexeme {
    kind: Kind,
    /// Where the next one begins.
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// White space or a comment.
    Blank,
    /// A semicolon.
    End,
    Open,
    Close,
    Other,
}

/// The lexeme that begins at `at`. What is never closed reaches to the end: the server will say what is wrong
/// with it.
fn lexeme(bytes: &[u8], at: usize) -> Lexeme {
    let rest = &bytes[at..];
    let (kind, length) = match rest {
        [b';', ..] => (Kind::End, 1),
        [b'(', ..] => (Kind::Open, 1),
        [b')', ..] => (Kind::Close, 1),
        [b'-', b'-', ..] => (Kind::Blank, past(rest, b"\n", 0)),
        [b'/', b'*', ..] => (Kind::Blank, comment(rest)),
        [b'\'', ..] => (Kind::Other, quoted(rest, b'\'', false)),
        [b'"', ..] => (Kind::Other, quoted(rest, b'"', false)),
        [b'e' | b'E', b'\'', ..] => (Kind::Other, 1 + quoted(&rest[1..], b'\'', true)),
        [b'$', ..] => (Kind::Other, dollar(rest)),
        [c, ..] if is_name(*c) => (Kind::Other, rest.iter().take_while(|c| is_name(**c)).count()),
        [c, ..] if c.is_ascii_whitespace() || *c == 0x0b => (Kind::Blank, 1),
        _ => (Kind::Other, 1),
    };
    Lexeme { kind, end: at + length }
}

/// Bytes of which names and numbers are made, inside which neither a dollar quote nor an escape string
/// begins.
fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'$' || !c.is_ascii()
}

/// Where `end`, sought from `from`, is over; or the end of all.
fn past(bytes: &[u8], end: &[u8], from: usize) -> usize {
    let found = bytes[from..].windows(end.len()).position(|window| window == end);
    found.map_or(bytes.len(), |at| from + at + end.len())
}

/// The length of a comment with the comments inside it.
fn comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_u32);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

/// The length of what stands in quotes. A doubled quote ends one string and begins the next, which comes to
/// the same.
fn quoted(bytes: &[u8], quote: u8, has_escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if has_escapes => at += 2,
            // In an escape string the doubled quote must not end it: the next part would be read without
            // escapes.
            c if c == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of a dollar-quoted string; 1 for a dollar that begins none, as in `$1`.
fn dollar(bytes: &[u8]) -> usize {
    let tag = bytes[1..].iter().take_while(|c| is_name(**c) && **c != b'$').count();
    let is_tag = bytes.get(1 + tag) == Some(&b'$') && !bytes[1].is_ascii_digit();
    if is_tag { past(bytes, &bytes[..tag + 2], tag + 2) } else { 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &[&str]) {
        assert_eq!(statements(sql), expected, "{sql}");
    }

    #[test]
    fn semicolons_part_commands() {
        check("", &[]);
        check(" ;; \n;", &[]);
        check("SELECT 1; SELECT 2 ;\n", &["SELECT 1", "SELECT 2"]);
        check("SELECT 1", &["SELECT 1"]);
        check("SELECT $1;SELECT a$b;c$b", &["SELECT $1", "SELECT a$b", "c$b"]);
    }

    #[test]
    fn semicolons_inside_something_part_nothing() {
        check("SELECT 'a;''b;'; SELECT 2", &["SELECT 'a;''b;'", "SELECT 2"]);
        check(
            r"SELECT e'a\';'';b'; SELECT 'a\'; SELECT 3",
            &[r"SELECT e'a\';'';b'", r"SELECT 'a\'", "SELECT 3"],
        );
        check(r#"SELECT ";"";" FROM t; SELECT 2"#, &[r#"SELECT ";"";" FROM t"#, "SELECT 2"]);
        check("DO $$ a; $b$ b; $$; DO $b$ a; $$ b; $b$", &["DO $$ a; $b$ b; $$", "DO $b$ a; $$ b; $b$"]);
        check(
            "CREATE RULE r AS ON INSERT TO t DO (a; b); c",
            &["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"],
        );
    }

    #[test]
    fn a_comment_is_no_command_and_hides_what_is_in_it() {
        check("-- a; 'b\nSELECT 1; -- c;", &["-- a; 'b\nSELECT 1"]);
        check("/* a; /* b; */ c; */ SELECT 1 /* ; */; /* d; */", &["/* a; /* b; */ c; */ SELECT 1 /* ; */"]);
        check("SELECT 1 -- $$ ;\n; SELECT 2", &["SELECT 1 -- $$ ;", "SELECT 2"]);
    }

    #[test]
    fn what_is_never_closed_reaches_to_the_end() {
        for sql in
            ["SELECT 'a; b", "DO $$ a; b", "SELECT \"a; b", "SELECT (a; b", "SELECT 1 /* a; b", "SELECT e'\\"]
        {
            check(sql, &[sql]);
        }
    }

    #[test]
    fn the_migrations_of_this_program_are_what_they_look_like() {
        for migration in crate::platform::migrate::MIGRATOR.iter() {
            for command in statements(migration.sql.as_str()) {
                let mut lines = command.lines().map(str::trim);
                let first = lines.find(|line| !line.is_empty() && !line.starts_with("--")).unwrap_or("");
                let verb = first.split_whitespace().next().unwrap_or("");
                let verbs = [
                    "ALTER", "CREATE", "DELETE", "DO", "DROP", "GRANT", "INSERT", "REVOKE", "UPDATE", "WITH",
                ];
                assert!(verbs.contains(&verb), "version {}: {first}", migration.version);
            }
        }
    }

    /// A piece of a command in which every semicolon is hidden.
    fn piece() -> impl Strategy<Value = String> {
        let hidden = "[a-z;' -]{0,6}";
        prop_oneof![
            "[a-zđ_][a-z0-9_$]{0,4}",
            "[0-9(,=+*<>]".prop_map(|c| if c == "(" { "()".to_owned() } else { c }),
            "[a-z;\" $/*-]{0,6}".prop_map(|text| format!("'{text}'")),
            "[a-z;' $/*-]{0,6}".prop_map(|text| format!("\"{text}\"")),
            r"[a-z; $/*-]{0,4}".prop_map(|text| format!(r"E'\'{text}''\\'")),
            ("[a-z_]{0,3}", hidden).prop_map(|(tag, text)| format!("${tag}${text}${tag}$")),
            "[a-z;'\"$ ]{0,6}".prop_map(|text| format!("/*{text}/*{text}*/*/")),
            "[a-z;'\"$/* ]{0,6}".prop_map(|text| format!("--{text}\n")),
            Just("(a; b)".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn commands_that_were_joined_come_apart_again(
            commands in prop::collection::vec(prop::collection::vec(piece(), 0..6), 0..6)
        ) {
            // The word first: without it a list of comments would be no command.
            let commands: Vec<String> = commands.iter().map(|pieces| format!("x \
                {}", pieces.join(" "))).collect();
            let expected: Vec<&str> = commands.iter().map(|command| command.trim()).collect();
            let joined = commands.join(";");
            prop_assert_eq!(statements(&joined), expected.clone());
            let parted = commands.join(" ;\n-- between;\n;");
            prop_assert_eq!(statements(&parted), expected);
        }

        #[test]
        fn nothing_is_lost_but_semicolons_and_comments(sql in "[a-b;'\"$/*()\\\\eE \n-]{0,40}") {
            let mut done = 0;
            for command in statements(&sql) {
                let at = command.as_ptr().addr() - sql.as_ptr().addr();
                prop_assert!(statements(&sql[done..at]).is_empty(), "{:?} was lost", &sql[done..at]);
                done = at + command.len();
            }
            prop_assert!(statements(&sql[done..]).is_empty(), "{:?} was lost", &sql[done..]);
        }
    }
}
