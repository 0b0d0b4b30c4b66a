//! Faults, overlaps and gaps that are planted in a list are found, and where they are is said.

use super::super::*;

/// The compiled list with one text in place of another, which must occur in it.
fn with(list: List, found: &str, planted: &str) -> String {
    let text = list.csv();
    assert!(text.contains(found), "{list} has no {found:?}");
    text.replacen(found, planted, 1)
}

fn found(text: &str) -> Vec<String> {
    check(text.as_bytes()).unwrap().findings.iter().map(ToString::to_string).collect()
}

fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn a_row_that_is_gone_leaves_a_gap() {
    let text = List::Fees.csv();
    let row = text.lines().find(|line| line.starts_with("exchange,any,2022-01-01")).unwrap();
    let told = found(&with(List::Fees, &format!("{row}\n"), ""));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("exchange/age") && told[0].contains("and 9 more"), "{told:?}");
    assert!(told[0].ends_with("from 2022-01-01 to 2022-06-30"), "{told:?}");
}

#[test]
fn a_gap_of_one_day_and_one_at_either_end_are_found() {
    let shorter = with(List::Fees, "new,any,2021-07-01,2021-12-31", "new,any,2021-07-01,2021-12-30");
    assert_eq!(found(&shorter), ["no row answers for new/first_card, new/old_card, on 2021-12-31"]);
    let late = with(List::Fees, "reissue,any,2021-01-01", "reissue,any,2021-01-02");
    let told = "no row answers for reissue/lost, reissue/nationality_regained, on 2021-01-01";
    assert_eq!(found(&late), [told]);
    let early = with(List::Ages, "due,2024-07-01,,14", "due,2024-07-01,2026-12-31,14");
    assert_eq!(found(&early), ["no row answers for due, from 2027-01-01 on"]);
    let no_stage: String = List::StageLimits
        .csv()
        .lines()
        .filter(|line| !line.starts_with("deliver_back"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(found(&no_stage), ["no row answers for deliver_back, from 2021-07-01 on"]);
    let no_year: String = List::Holidays
        .csv()
        .lines()
        .filter(|line| !line.starts_with("year,2023"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(found(&no_year), ["no row answers for year, from 2023-01-01 to 2023-12-31"]);
    let milestone = with(List::Validity, "40,2016-01-01,2024-06-30", "40,2016-01-01,2024-06-29");
    assert_eq!(found(&milestone), ["no row answers for 40, on 2024-06-30"]);
}

#[test]
fn two_answers_for_one_day_are_found() {
    let text = with(List::Fees, "new,any,2021-01-01,2021-06-30", "new,any,2021-01-01,2021-07-01");
    assert_eq!(found(&text), ["line 3: line 2 answers for new/first_card too, on 2021-07-01"]);
    // A row for one reason beside the one for all.
    let text = List::Fees.csv().to_owned() + "new,old_card,2021-03-01,2021-03-31,1,Circular,press\n";
    let last = text.lines().count();
    let told = format!("line {last}: line 2 answers for new/old_card too, from 2021-03-01 to 2021-03-31");
    assert_eq!(found(&text), [told]);
    // An end that is not known reaches over everything behind it.
    let text = with(List::DueDays, "new,city,2016-01-01,2024-06-30", "new,city,2016-01-01,");
    assert_eq!(found(&text), ["line 3: line 2 answers for new/city too, from 2024-07-01 on"]);
    // A day that is off and worked.
    let text = List::Holidays.csv().to_owned() + "worked,2021-05-01,2021-05-01,Làm bù,Notice,press\n";
    let (first, last) = (line_of(&text, "holiday,2021-05-01"), text.lines().count());
    assert_eq!(found(&text), [format!("line {last}: line {first} answers for the day too, on 2021-05-01")]);
    let checked = check(text.as_bytes()).unwrap();
    assert_eq!(checked.findings[0].code(), "overlap");
}

#[test]
fn each_faulty_cell_is_named_with_its_line_and_column() {
    let row = "exchange,lost,2021-01-01,2020-01-01,5O000,,H";
    let text = format!("kind,reason,from,to,dong,source,mark\n{row}\nrenewal,any,2021-02-30,,-5,Law,press\n");
    let told = found(&text);
    let expected = [
        "line 2, column dong: a whole number from 0 to 10000000 is expected",
        "line 2, column source: it is empty",
        "line 2, column mark: it is no code of its list; the codes are legal text, press, inference",
        "line 2, column to: the last day lies before the first",
        "line 3, column from: a day is written yyyy-mm-dd, from 1945 to 2199",
        "line 3, column kind: it is no code of its list; the codes are new, exchange, reissue",
        "line 3, column dong: a whole number from 0 to 10000000 is expected",
    ];
    assert_eq!(told, expected);
    let other_kind = with(List::Fees, "new,any,2021-01-01", "new,lost,2021-01-01");
    assert_eq!(
        found(&other_kind),
        ["line 2, column reason: the reason is one for another kind of application"]
    );
    let cells = with(List::Ages, "due,2016-01-01,2024-06-30,14", "due,2016-01-01,2024-06-30");
    assert_eq!(found(&cells), ["line 2: 6 cells are expected, and there are 5"]);
    let quotes = with(List::Ages, "\"Law 59", "Law \"59");
    assert_eq!(
        found(&quotes),
        ["line 2: a quotation mark is not closed, or stands inside a cell that does not begin with one"]
    );
    let hour = with(List::CorrectionLimits, "15:00", "25:00");
    assert_eq!(found(&hour), ["line 2, column cut_off: a time of day is written hh:mm"]);
    let hidden = with(List::Forms, "Phiếu thu thập", "Phiếu\u{202e} thu thập");
    let decomposed = with(List::Forms, "Phiếu thu thập", "Phie\u{302}\u{301}u thu thập");
    for text in [hidden, decomposed] {
        let told =
            "line 2, column title: it holds a control character, an invisible mark or a decomposed letter";
        assert_eq!(found(&text), [told]);
    }
    let long = with(List::Forms, "Phiếu thu thập", &"x".repeat(301));
    assert_eq!(found(&long), ["line 2, column title: at most 300 characters are expected"]);
}

#[test]
fn the_day_of_the_week_must_fit() {
    let add = |row: &str| found(&format!("{}{row}\n", List::Holidays.csv()));
    let last = List::Holidays.csv().lines().count() + 1;
    for (row, told) in [
        ("worked,2021-03-01,2021-03-01,x,Notice,press", "only a Saturday or Sunday is worked"),
        ("in_lieu,2021-03-06,2021-03-06,x,Notice,press", "a Saturday or Sunday is off anyway"),
        ("moved_off,2021-03-04,2021-03-06,x,Notice,press", "a Saturday or Sunday is off anyway"),
        ("holiday,2021-03-01,,x,Notice,press", "column to: it is empty"),
        ("holiday,2021-03-01,2021-03-20,x,Notice,press", "at most 14 of them"),
    ] {
        let found = add(row);
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        assert!(found[0].starts_with(&format!("line {last}, ")) && found[0].contains(told), "{found:?}");
    }
}

#[test]
fn what_is_no_list_is_refused_and_what_programs_add_is_taken() {
    let why = |bytes: &[u8]| check(bytes).unwrap_err().why;
    assert_eq!(why(b""), Why::Header);
    assert_eq!(why(b"kind,reason\n"), Why::Header);
    assert_eq!(why(b"\"kind\n"), Why::Quotes);
    assert_eq!(why(&[0xff, 0xfe]), Why::NotText);
    assert_eq!(why(&vec![b'x'; MOST_BYTES + 1]), Why::TooBig);
    assert_eq!(found("rule,from,to,years,source,mark\n"), ["line 1: the list has no row"]);
    let row = "due,2016-01-01,2024-06-30,14,Law,press\n";
    let many = format!("rule,from,to,years,source,mark\n{}", row.repeat(2_001));
    assert!(found(&many).contains(&"line 2002: a list has at most 2000 rows".to_owned()));
    let shouting = format!("rule,from,to,years,source,mark\n{}", "x\n".repeat(1_000));
    assert_eq!(found(&shouting).len(), 100);
    let windows = format!("\u{feff}{}", List::Ages.csv().replace('\n', "\r\n"));
    assert_eq!(check(windows.as_bytes()).unwrap().findings, []);
    let quoted: String = "\"rule\",from,to,years,source,mark\n".to_owned()
        + &List::Ages.csv().lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(check(quoted.as_bytes()).unwrap().findings, []);
}
