use proptest::prelude::*;

use super::*;

fn mandatory() -> Vec<&'static str> {
    DC01.iter().filter(|column| column.presence == Presence::Mandatory).map(|column| column.name).collect()
}

/// Reads a file whose columns are the mandatory ones: the texts of form_no and full_name of each row, and its
/// faults.
fn read(separator: char, body: &str) -> Result<Vec<(String, String, Vec<FaultCode>)>, Error> {
    let header = mandatory().join(&separator.to_string());
    let text = format!("{header}\n{body}");
    read_file(text.as_bytes())
}

fn read_file(bytes: &[u8]) -> Result<Vec<(String, String, Vec<FaultCode>)>, Error> {
    let header = Header::read(bytes, 0)?.expect("a header");
    let from = header.end;
    let mut rows = CsvRows::new(&bytes[from as usize..], Path::new("f.csv"), header, from, 0);
    let (mut row, mut found) = (RawRow::default(), Vec::new());
    while rows.next(&mut row)? {
        let codes = row.faults.iter().map(|fault| fault.code).collect();
        found.push((row.get(0).to_owned(), row.get(3).to_owned(), codes));
    }
    Ok(found)
}

/// A row with these first two fields, the rest empty.
fn line(separator: char, first: &str, second: &str) -> String {
    let mut fields = vec![""; mandatory().len()];
    (fields[0], fields[1]) = (first, second);
    fields.join(&separator.to_string())
}

#[test]
fn fields_are_what_rfc_4180_says() {
    for (written, read_as) in [
        ("An", "An"),
        ("\"An\"", "An"),
        ("\"An, \"\"B\"\"\"", "An, \"B\""),
        ("\"two\nlines\"", "two\nlines"),
        ("\"\"", ""),
        ("Đỗ\u{a0}Ẩn", "Đỗ\u{a0}Ẩn"),
    ] {
        let body = format!(
            "{}\n{}\r\n{}",
            line(',', "1", written),
            line(',', "2", written),
            line(',', "3", written)
        );
        let rows = read(',', &body).unwrap();
        assert_eq!(rows.len(), 3, "{written}");
        for (index, (form_no, name, faults)) in rows.iter().enumerate() {
            assert_eq!(
                (form_no.as_str(), name.as_str()),
                ((index + 1).to_string().as_str(), read_as),
                "{written}"
            );
            assert_eq!(faults.as_slice(), [], "{written}");
        }
    }
}

#[test]
fn semicolons_any_order_case_and_blank_lines_are_read() {
    let rows = read(';', &format!("\n{}\n\r\n{}\n\n", line(';', "1", "a, b"), line(';', "2", "c"))).unwrap();
    assert_eq!(rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(), ["a, b", "c"]);
    let mut names = mandatory();
    names.reverse();
    let text = format!(" {} \n{}1", names.join(",").to_uppercase(), ",".repeat(names.len() - 1));
    assert_eq!(read_file(text.as_bytes()).unwrap()[0].0, "1");
}

#[test]
fn a_malformed_row_stops_only_itself() {
    let good = line(',', "2", "b");
    for (bad, code) in [
        ("1,2,3".to_owned(), FaultCode::FieldCount),
        (line(',', "1", "a,b"), FaultCode::FieldCount),
        (line(',', "1", "Xóm \"Đông\""), FaultCode::StrayQuote),
        (line(',', "1", "5\" x"), FaultCode::StrayQuote),
        (line(',', "1", "\"a\" b"), FaultCode::StrayQuote),
    ] {
        let rows = read(',', &format!("{bad}\n{good}\n")).unwrap();
        assert_eq!(rows.len(), 2, "{bad}");
        assert_eq!(rows[0].2, [code], "{bad}");
        assert_eq!((rows[1].1.as_str(), rows[1].2.len()), ("b", 0), "{bad}");
    }
    let faults = {
        let header = Header::read(format!("{}\n", mandatory().join(",")).as_bytes(), 0).unwrap().unwrap();
        let body = line(',', "1", "5\" x");
        let mut rows = CsvRows::new(body.as_bytes(), Path::new("f.csv"), header, 100, 0);
        let mut row = RawRow::default();
        rows.next(&mut row).unwrap();
        row.faults[0].message.clone()
    };
    assert!(faults.contains("column 2, byte 103"), "{faults}");
}

#[test]
fn a_lost_quote_names_row_column_and_byte() {
    let body = format!("{}\n{}\n", line(',', "1", "a"), line(',', "2", "\"b"));
    let header_bytes = mandatory().join(",").len() as u64 + 1;
    let expected = header_bytes + line(',', "1", "a").len() as u64 + 1 + 2;
    for padding in [0, 70_000] {
        match read(',', &format!("{body}{}", "x".repeat(padding))) {
            Err(Error::UnclosedQuote { row: 2, column: 2, byte }) => assert_eq!(byte, expected),
            other => panic!("{other:?}"),
        }
    }
    let endless = format!("{}\n{}", line(',', "1", "a"), "x".repeat(400_000));
    assert!(matches!(read(',', &endless), Err(Error::RowTooLong { row: 2, .. })));
}

#[test]
fn a_header_says_what_is_wrong_with_it() {
    let names = mandatory().join(",");
    let refused = |header: &str| read_file(header.as_bytes()).unwrap_err();
    assert!(
        matches!(refused(&format!("{names},phone")), Error::UnknownColumn { name, .. } if name == "phone")
    );
    assert!(matches!(refused(&format!("{names},SEX")), Error::RepeatedColumn { name: "sex" }));
    assert!(
        matches!(refused("form_no,sex"), Error::MissingColumns { names } if names.starts_with("full_name, \
            birth_date"))
    );
    // Without a header the first line is somebody's data, of which nothing is told.
    assert_eq!(Header::read(b"42-1,NGUYEN THI MAU,2\n", 0).unwrap(), None);
}

#[test]
fn a_reader_goes_on_at_the_byte_where_a_row_ended() {
    let names = mandatory().join(",");
    let rows: Vec<String> = (1..=2_000).map(|i| line(',', &i.to_string(), "\"x,\ny\"")).collect();
    let text = format!("{names}\n{}\n", rows.join("\n"));
    let header = Header::read(text.as_bytes(), 0).unwrap().unwrap();
    let from = header.end;
    let mut reader = CsvRows::new(&text.as_bytes()[from as usize..], Path::new("f"), header.clone(), from, 0);
    let mut row = RawRow::default();
    while row.number < 1_234 {
        assert!(reader.next(&mut row).unwrap());
    }
    let end = row.end;
    let mut again = CsvRows::new(&text.as_bytes()[end as usize..], Path::new("f"), header, end, 1_234);
    assert!(again.next(&mut row).unwrap());
    assert_eq!((row.number, row.get(0)), (1_235, "1235"));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()],
            0..300,
        ),
    ) {
        let mut text = format!("{}\n", mandatory().join(",")).into_bytes();
        text.extend(bytes);
        let _ = read_file(&text);
    }

    #[test]
    fn what_is_quoted_comes_back(values in proptest::collection::vec("[^\0]{0,20}", 1..20)) {
        let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        let rows: Vec<String> = values.iter().map(|value| line(',', "1", &quoted(value))).collect();
        let found = read(',', &rows.join("\n")).unwrap();
        prop_assert_eq!(found.into_iter().map(|row| row.1).collect::<Vec<_>>(), values);
    }
}
