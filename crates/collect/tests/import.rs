//! Files into a real database: once, twice, in pieces, with faults, and corrected.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod support;

use std::ops::ControlFlow;

use domain::form::DC01_COLUMNS;
use support::{Bench, Form, csv, xml};

#[tokio::test]
async fn a_file_becomes_people_with_history_and_numbers() {
    let bench = Bench::new().await;
    let forms: Vec<Form> = (1..=300).map(Form::number).collect();
    let summary = bench.import("commune.csv", &csv(&forms)).await.unwrap();
    assert_eq!((summary.counts.rows_read, summary.counts.rows_accepted), (300, 300));
    assert!(summary.finished && summary.rejects_file.is_none());
    assert_eq!(bench.count("person").await, 300);
    assert_eq!(bench.count("person_event WHERE version = 1 AND kind = 'registered'").await, 300);
    assert_eq!(bench.count("pin JOIN person USING (person_id, pin)").await, 300);
    assert_eq!(
        bench.count("person WHERE unit_path = '42/445/18562/' AND name_fold LIKE 'NGUYEN THI %'").await,
        300
    );
    assert_eq!(bench.count("audit WHERE action = 'import.finished'").await, 1);
}

#[tokio::test]
async fn importing_again_changes_nothing_whatever_the_format() {
    let bench = Bench::new().await;
    let forms: Vec<Form> = (1..=50).map(Form::number).collect();
    let first = bench.import("a.csv", &csv(&forms)).await.unwrap();
    let again = bench.import("renamed.csv", &csv(&forms)).await.unwrap();
    assert!(again.already_done);
    assert_eq!((again.import_id, again.counts), (first.import_id, first.counts));
    let as_xml = bench.import("a.xml", &xml(&forms)).await.unwrap();
    assert_eq!((as_xml.counts.rows_repeated, as_xml.counts.rows_accepted), (50, 0));
    assert_eq!(as_xml.rejects_file, None);
    assert_eq!(bench.count("person").await, 50);
    assert_eq!(bench.count("person_event").await, 50);
}

#[tokio::test]
async fn an_import_that_was_stopped_goes_on_and_ends_as_an_undisturbed_one() {
    let forms: Vec<Form> = (1..=500)
        .map(|n| if n % 10 == 0 { Form::number(n).with("sex", "9") } else { Form::number(n) })
        .collect();
    for (name, bytes) in [("a.csv", csv(&forms)), ("a.xml", xml(&forms))] {
        let undisturbed = Bench::new().await;
        let expected = undisturbed.import(name, &bytes).await.unwrap();
        let bench = Bench::new().await;
        let mut runs = 0;
        let last = loop {
            let mut chunks = 0;
            let mut stop = |_: &collect::Progress| {
                chunks += 1;
                if chunks == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let summary = bench.import_with(name, &bytes, 60, &mut stop).await.unwrap();
            runs += 1;
            assert_eq!(summary.resumed_after_row, (runs - 1) * 120);
            if summary.finished {
                break summary;
            }
            assert_eq!(summary.counts.rows_read, runs * 120);
            assert_eq!(summary.rejects_file, None);
        };
        assert_eq!(runs, 5, "{name}");
        assert_eq!((last.counts, last.import_id), (expected.counts, expected.import_id));
        assert_eq!(bench.people().await, undisturbed.people().await);
        assert_eq!(
            std::fs::read(last.rejects_file.unwrap()).unwrap(),
            std::fs::read(expected.rejects_file.unwrap()).unwrap()
        );
    }
}

#[tokio::test]
async fn rejects_can_be_corrected_and_fed_back() {
    for format in ["csv", "xml"] {
        let bench = Bench::new().await;
        let forms = [
            Form::number(1),
            Form::number(2).with("full_name", "LÊ, \"THỊ\" 2").with("ethnicity", "57"),
            Form::number(3).with("form_no", "").with("permanent_detail", "Ngõ 3; nhà 4"),
            Form::number(4).with("birth_date", "31/02/1990"),
        ];
        let name = format!("commune.{format}");
        let bytes = if format == "csv" { csv(&forms) } else { xml(&forms) };
        let summary = bench.import(&name, &bytes).await.unwrap();
        assert_eq!((summary.counts.rows_accepted, summary.counts.rows_rejected), (1, 3));
        let path = summary.rejects_file.unwrap();
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("{name}.rejects.csv"));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("{},errors,source_row,source_import", DC01_COLUMNS.join(",")));
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains("\"LÊ, \"\"THỊ\"\" 2\"") || lines[1].contains("LÊ"), "{}", lines[1]);
        assert!(lines[1].contains("full_name: ") && lines[1].contains("[unknown_code]"), "{}", lines[1]);
        assert!(lines[1].contains(&format!(",2,{}", summary.import_id)), "{}", lines[1]);

        let corrected = text
            .replace("\"LÊ, \"\"THỊ\"\" 2\"", "LÊ THỊ HAI")
            .replace(",57,", ",01,")
            .replace("31/02/1990", "28/02/1990")
            .replacen("\n,042", "\n18562-000003,042", 1);
        assert_ne!(corrected, text);
        let fed_back = bench.import("corrected.csv", corrected.as_bytes()).await.unwrap();
        assert_eq!((fed_back.counts.rows_accepted, fed_back.counts.rows_rejected), (3, 0), "{format}");
        assert_eq!(fed_back.counts.rows_resolved, 3);
        assert_eq!(bench.count("import_reject WHERE resolved_by IS NULL").await, 0);
        assert_eq!(bench.count("person").await, 4);
    }
}

#[tokio::test]
async fn a_corrected_form_in_another_file_resolves_the_old_reject() {
    let bench = Bench::new().await;
    bench.import("a.csv", &csv(&[Form::number(1).with("sex", "")])).await.unwrap();
    let summary = bench.import("b.csv", &csv(&[Form::number(1), Form::number(2)])).await.unwrap();
    assert_eq!((summary.counts.rows_accepted, summary.counts.rows_resolved), (2, 1));
}

#[tokio::test]
async fn contradictions_with_the_register_are_rejected_and_name_both_forms() {
    let bench = Bench::new().await;
    bench.import("a.csv", &csv(&[Form::number(1)])).await.unwrap();
    let pin = Form::number(1).get("pin");
    let forms = [
        Form::number(1).with("household_no", "445-9"),
        Form::number(2).with("pin", &pin).with("full_name", "TRẦN VĂN KHÁC"),
        Form::number(3).with("pin", &pin).with("full_name", &Form::number(1).get("full_name")),
        Form::number(4),
        Form::number(5).with("pin", &Form::number(4).get("pin")),
    ];
    let summary = bench.import("b.csv", &csv(&forms)).await.unwrap();
    let counts = summary.counts;
    assert_eq!((counts.rows_accepted, counts.rows_repeated, counts.rows_rejected), (1, 1, 3));
    assert_eq!(bench.count("import_repeat WHERE form_no = '18562-000003'").await, 1);
    let rejects = std::fs::read_to_string(summary.rejects_file.unwrap()).unwrap();
    let line =
        |number: usize| rejects.lines().find(|line| line.starts_with(&format!("18562-{number:06}"))).unwrap();
    assert!(line(1).contains("[form_conflict]"));
    assert!(line(2).contains("[pin_taken]") && line(2).contains("that form 18562-000001 states"));
    assert!(line(5).contains("[pin_taken]") && line(5).contains("that form 18562-000004 states"));
    // In a file of its own the second form of one person counts as repeated, and stays one row.
    let again = bench.import("c.csv", &csv(&forms[2..4])).await.unwrap();
    assert_eq!((again.counts.rows_repeated, again.counts.rows_rejected), (2, 0));
    assert_eq!(bench.count("import_repeat").await, 1);
}

/// The tones of the invented names as marks of their own.
fn windows_1258(text: &str) -> Vec<u8> {
    let bytes = |c: char| match c {
        'Ễ' => b"\xca\xde".to_vec(),
        'Ị' => b"I\xf2".to_vec(),
        'Ẫ' => b"\xc2\xde".to_vec(),
        c if c.is_ascii() => vec![c as u8],
        _ => Vec::new(),
    };
    text.chars().flat_map(bytes).collect()
}

fn laughs(xml: &str) -> Vec<u8> {
    xml.replacen("<Cong", "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><Cong", 1).into_bytes()
}

#[tokio::test]
async fn a_byte_order_mark_and_decomposed_letters_change_nothing() {
    let bench = Bench::new().await;
    let forms: Vec<Form> = (1..=20).map(Form::number).collect();
    assert_eq!(bench.import("a.csv", &csv(&forms)).await.unwrap().counts.rows_accepted, 20);
    let marked = ["\u{feff}".as_bytes(), &xml(&forms)].concat();
    let again = bench.import("marked.xml", &marked).await.unwrap();
    assert_eq!((again.counts.rows_repeated, again.counts.rows_rejected), (20, 0));
    let apart =
        String::from_utf8(csv(&forms)).unwrap().replace('Ễ', "E\u{302}\u{303}").replace('Ị', "I\u{323}");
    let again = bench.import("apart.csv", apart.as_bytes()).await.unwrap();
    assert_eq!((again.counts.rows_repeated, again.counts.rows_composed), (20, 20));
}

#[tokio::test]
async fn a_file_that_is_checked_first_says_what_its_import_will_reject() {
    let bench = Bench::new().await;
    let forms = [
        Form::number(1),
        Form::number(2).with("birth_date", "1990-02-31"),
        Form::number(3).with("native_unit", "99999").with("sex", "9"),
    ];
    let path = std::env::temp_dir().join(format!("dancu-check-{}.csv", std::process::id()));
    std::fs::write(&path, csv(&forms)).unwrap();
    let check = collect::check_file(&path, time::macros::date!(2021 - 04 - 06)).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((check.rows, check.sound), (3, 1));
    let told: Vec<(u64, &str)> = check.first.iter().map(|(row, fault)| (*row, fault.field)).collect();
    assert_eq!(told, [(2, "birth_date"), (3, "sex"), (3, "native_unit")]);
    let summary = bench.import("a.csv", &csv(&forms)).await.unwrap();
    assert_eq!(summary.counts.rows_rejected, check.rows - check.sound);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_writes_nothing() {
    let bench = Bench::new().await;
    let good = String::from_utf8(csv(&(1..=30).map(Form::number).collect::<Vec<_>>())).unwrap();
    let xml = String::from_utf8(xml(&[Form::number(1), Form::number(2)])).unwrap();
    for (name, bytes, expected) in [
        ("quote.csv", format!("{good}\"lost").into_bytes(), "row 31, column 1: the quote that opens at byte"),
        ("cut.xml", xml.as_bytes()[..xml.len() - 40].to_vec(), "the file is cut off"),
        ("bytes.csv", [good.as_bytes(), b"\xff\xfe"].concat(), "is not UTF-8"),
        ("empty.csv", Vec::new(), "the file is empty"),
        ("photo.csv", b"GIF89a....".to_vec(), "neither a CSV file"),
        ("list.csv", b"form_no,full_name\n1,2\n".to_vec(), "mandatory columns sex, birth_date"),
        ("picture.csv", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), "byte 4 is zero"),
        ("wide.csv", good.encode_utf16().flat_map(u16::to_le_bytes).collect(), "the file is UTF-16"),
        ("old.csv", windows_1258(&good), "looks like Windows-1258 text"),
        ("laughs.xml", laughs(&xml), ": a document type (DOCTYPE) is refused"),
        ("broken.xml", xml.replacen("</GioiTinh>", "</Gioi>", 1).into_bytes(), "the XML is broken at byte "),
    ] {
        let error = bench.import(name, &bytes).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    for table in ["person", "import_file", "import_reject"] {
        assert_eq!(bench.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn somebody_elses_corrections_are_not_overwritten() {
    let bench = Bench::new().await;
    let first = bench.import("a.csv", &csv(&[Form::number(1).with("sex", "")])).await.unwrap();
    let path = first.rejects_file.unwrap();
    std::fs::write(&path, "half corrected").unwrap();
    let second = bench.import("a.csv", &csv(&[Form::number(2).with("sex", "")])).await.unwrap();
    let other = second.rejects_file.unwrap();
    assert_ne!(other, path);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "half corrected");
    assert!(std::fs::read_to_string(&other).unwrap().contains("18562-000002"));
}

#[tokio::test]
async fn two_imports_at_once_register_nobody_twice() {
    let bench = Bench::new().await;
    let forms: Vec<Form> = (1..=400).map(Form::number).collect();
    let reversed: Vec<Form> = forms.iter().rev().cloned().collect();
    let (bytes_a, bytes_b) = (csv(&forms), csv(&reversed));
    let (mut go_a, mut go_b) = (support::go_on, support::go_on);
    let (a, b) = tokio::join!(
        bench.import_with("a.csv", &bytes_a, 50, &mut go_a),
        bench.import_with("b.csv", &bytes_b, 50, &mut go_b)
    );
    let (a, b) = (a.unwrap().counts, b.unwrap().counts);
    assert_eq!(a.rows_accepted + b.rows_accepted, 400);
    assert_eq!(a.rows_repeated + b.rows_repeated, 400);
    assert_eq!(bench.count("person").await, 400);
}

#[tokio::test]
async fn units_are_loaded_once() {
    let bench = Bench::new().await;
    assert_eq!(collect::load_units(&bench.db).await.unwrap(), 63 + 705 + 10_599);
    assert_eq!(collect::load_units(&bench.db).await.unwrap(), 0);
    assert_eq!(bench.count("unit WHERE path = '42/445/18562/' AND level = 3 AND parent = '445'").await, 1);
    assert_eq!(bench.count("unit WHERE level = 1 AND parent IS NULL").await, 63);
}

#[tokio::test]
async fn quality_counts_what_is_correct_complete_clean_and_live() {
    let bench = Bench::new().await;
    collect::load_units(&bench.db).await.unwrap();
    let forms = [
        Form::number(1),
        Form::number(2).with("birth_date", "1990"),
        Form::number(3).with("pin", ""),
        Form::number(4).with("permanent_unit", "445"),
    ];
    bench.import("a.csv", &csv(&forms)).await.unwrap();
    let person = collect::person_id("18562-000001").uuid();
    for sql in [
        // The birth year was corrected in the register, and its number waits to be replaced.
        "UPDATE person SET birth = 19910412, version = 2 WHERE person_id = $1",
        "INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) \
         VALUES ($1, 2, 'corrected', '2021-04-01 00:00Z', '2021-04-11 00:00Z', 'centre')",
        "INSERT INTO case_file (case_id, kind, person_id, evidence, unit_path, opened_at, due_at) \
         VALUES (gen_random_uuid(), 'register_duplicate', $1, '{}', '42/445/18562/', now(), now())",
    ] {
        sqlx::query(sql).bind(person).execute(bench.db.admin()).await.unwrap();
    }
    let rows = collect::quality(&bench.db, "42/").await.unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.unit_path.as_str(), row.people, row.pin_agrees, row.pin_contradicts, row.complete, row.clean)
        })
        .collect();
    assert_eq!(found, [("42/445/", 1, 1, 0, 0, 1), ("42/445/18562/", 3, 1, 1, 2, 2)]);
    assert_eq!(rows[1].mean_days_to_record, Some(10));
    assert_eq!(collect::quality(&bench.db, "01/").await.unwrap(), []);
}
