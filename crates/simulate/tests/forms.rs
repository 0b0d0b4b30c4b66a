//! The files are what the format says, the planted rates are exact, and the truth names every form.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests they serve")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use domain::form::{DC01_COLUMNS, column};
use domain::{PartialDate, PersonName, Pin, UnitCode};
use simulate::forms::{self, Fault, FormModel, Variation, WrittenForms};
use simulate::{Model, Population};

fn population() -> Population {
    Population::generate(&Model::default(), 11, "445".parse().unwrap(), 6_000).unwrap()
}

fn write(population: &Population, directory: &Path) -> WrittenForms {
    forms::write(population, &FormModel::default(), 5, directory).unwrap()
}

#[test]
fn planted_rates_are_exact_and_every_kind_occurs() {
    let (population, directory) = (population(), tempfile::tempdir().unwrap());
    let written = write(&population, directory.path());
    let count =
        |test: &dyn Fn(&forms::FormTruth) -> bool| written.forms.iter().filter(|form| test(form)).count();
    assert_eq!(written.forms.len(), 6_000 + 60);
    assert_eq!(count(&|form| form.duplicate_of.is_some()), 60);
    assert_eq!(count(&|form| form.fault == Some(Fault::UnknownCode)), 30);
    assert_eq!(count(&|form| form.fault.is_some_and(|fault| fault != Fault::UnknownCode)), 180);
    for fault in Fault::ERRORS {
        assert!(count(&|form| form.fault == Some(fault)) >= 8, "{fault:?}");
    }
    for variation in Variation::ALL {
        assert_eq!(count(&|form| form.duplicate_of.is_some_and(|(_, kind)| kind == variation)), 20);
    }
    let numbers: HashSet<_> = written.forms.iter().map(|form| form.form_no).collect();
    assert_eq!(numbers.len(), written.forms.len());
    let truth: HashMap<_, _> = written.forms.iter().map(|form| (form.form_no, form.truth)).collect();
    for form in &written.forms {
        if let Some((first, _)) = form.duplicate_of {
            assert_eq!(truth[&first], form.truth);
        }
    }
}

#[test]
fn the_same_arguments_write_the_same_bytes_and_no_other_files() {
    let population = population();
    let contents = |directory: &Path| -> BTreeMap<String, Vec<u8>> {
        let written = write(&population, directory);
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory.join("forms")).unwrap() {
            let path = entry.unwrap().path();
            files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
        }
        assert_eq!(files.len(), written.files.len());
        files.insert("truth".to_owned(), fs::read(&written.truth_file).unwrap());
        files
    };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contents_of_one = contents(one.path());
    assert_eq!(contents_of_one, contents(other.path()));
    // A second run replaces the first and leaves nothing else behind.
    assert_eq!(contents_of_one, contents(one.path()));
    assert_eq!(contents_of_one.len(), 22 + 1);
}

/// Rows by form number, from the CSV files as they are and from the XML files read back element by element.
fn rows(written: &WrittenForms) -> HashMap<String, Vec<String>> {
    let mut rows = HashMap::new();
    for path in &written.files {
        let found = if path.extension().is_some_and(|extension| extension == "csv") {
            let mut reader = csv::Reader::from_path(path).unwrap();
            assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), DC01_COLUMNS);
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
        } else {
            xml_rows(&fs::read_to_string(path).unwrap())
        };
        for row in found {
            let row: Vec<String> = row;
            assert!(rows.insert(row[0].clone(), row).is_none());
        }
    }
    rows
}

fn xml_rows(text: &str) -> Vec<Vec<String>> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut path, mut rows): (Vec<String>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let tag = start.name().as_ref().to_owned();
                if tag == "CongDan" {
                    rows.push(vec![String::new(); DC01_COLUMNS.len()]);
                }
                path.push(tag);
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) if path.len() > 2 => {
                let text = text.xml10_content().into_owned();
                let row = rows.last_mut().unwrap();
                store(row, &path[2..].join("/"), &text);
            }
            Event::Eof => return rows,
            _ => {}
        }
    }
}

fn store(row: &mut [String], path: &str, text: &str) {
    let (name, joint, text) = match path {
        "NgayThangNamSinh/NgayThangNam" => {
            ("birth_date", "", format!("{}/{}/{}", &text[6..], &text[4..6], &text[..4]))
        }
        "NgayThangNamSinh/Nam" => ("birth_date", "", text.to_owned()),
        "NgayThangNamSinh/Thang" => ("birth_date", "month", text.to_owned()),
        path => {
            let whole =
                path.strip_suffix("/Ho").or(path.strip_suffix("/ChuDem")).or(path.strip_suffix("/Ten"));
            let wanted = whole.unwrap_or(path);
            let Some(form_column) = domain::form::DC01
                .iter()
                .find(|form_column| form_column.xml.split(' ').any(|xml| xml == wanted || xml == path))
            else {
                assert!(path.ends_with("/QuocGia"), "{path}");
                return;
            };
            (form_column.name, if whole.is_some() { " " } else { "" }, text.to_owned())
        }
    };
    let cell = &mut row[column(name).unwrap()];
    match joint {
        "month" => *cell = format!("{text}/{cell}"),
        " " if !cell.is_empty() => *cell = format!("{cell} {text}"),
        _ => cell.push_str(&text),
    }
}

#[test]
fn forms_without_a_fault_say_what_the_population_says() {
    let (population, directory) = (population(), tempfile::tempdir().unwrap());
    let written = write(&population, directory.path());
    let rows = rows(&written);
    assert_eq!(rows.len(), written.forms.len());
    for form in &written.forms {
        let row = &rows[&form.form_no.to_string()];
        let cell = |name| row[column(name).unwrap()].as_str();
        let record = population.record(population.person(form.truth).unwrap());
        if form.fault.is_some() || form.duplicate_of.is_some() {
            continue;
        }
        assert_eq!(cell("full_name"), record.name.upper());
        assert_eq!(PartialDate::parse(cell("birth_date")), Ok(record.birth));
        assert_eq!(Pin::parse(cell("pin")).ok(), record.pin);
        assert_eq!(cell("sex"), record.sex.code().to_string());
        assert_eq!(cell("permanent_unit").parse::<UnitCode>(), Ok(record.permanent.unit));
        assert_eq!(cell("permanent_detail"), record.permanent.detail);
        assert_eq!(cell("household_no"), record.household.unwrap());
        assert_eq!(cell("father_name"), record.father.map_or(String::new(), |father| father.name.upper()));
        let spouse_pin = record.spouse.and_then(|spouse| spouse.pin);
        assert_eq!(cell("spouse_pin"), spouse_pin.map_or(String::new(), String::from));
    }
}

#[test]
fn every_fault_can_be_noticed() {
    let (population, directory) = (population(), tempfile::tempdir().unwrap());
    let written = write(&population, directory.path());
    let rows = rows(&written);
    let units = domain::unit::Units::latest();
    for form in &written.forms {
        let Some(fault) = form.fault else { continue };
        let row = &rows[&form.form_no.to_string()];
        let cell = |name| row[column(name).unwrap()].as_str();
        let pin = Pin::parse(cell("pin"));
        let birth = PartialDate::parse(cell("birth_date"));
        let noticed = match fault {
            Fault::ImpossibleDate => birth.is_err(),
            Fault::FutureBirth => birth.is_ok_and(|birth| birth.latest() > population.as_of),
            Fault::MissingMandatory => ["full_name", "sex", "birth_date", "permanent_unit", "household_no"]
                .iter()
                .any(|name| cell(name).is_empty()),
            Fault::PinSex => pin.is_ok_and(|pin| pin.sex().code().to_string() != cell("sex")),
            Fault::PinYear => pin.is_ok_and(|pin| birth.is_ok_and(|birth| birth.year() != pin.birth_year())),
            Fault::PinShape => pin.is_err(),
            Fault::UnitShape => cell("permanent_unit").parse::<UnitCode>().is_err(),
            Fault::UnknownUnit => cell("native_unit").parse().is_ok_and(|code| units.get(code).is_none()),
            Fault::NameCharacter => PersonName::parse(cell("full_name")).is_err(),
            Fault::OldIdShape => domain::OldId::parse(cell("old_id")).is_err(),
            Fault::UnknownCode => unknown_code(&cell),
        };
        assert!(noticed, "{fault:?} in form {}", form.form_no);
    }
}

fn unknown_code<'a>(cell: &dyn Fn(&'static str) -> &'a str) -> bool {
    use domain::codes::CodeList;
    [
        (CodeList::EthnicGroup, "ethnicity"),
        (CodeList::Religion, "religion"),
        (CodeList::MaritalState, "marital_status"),
        (CodeList::RelationToHead, "relation_to_head"),
        (CodeList::BloodType, "blood_type"),
        (CodeList::Nationality, "nationality"),
    ]
    .into_iter()
    .any(|(list, name)| !cell(name).is_empty() && list.find(cell(name)).is_none())
}

#[test]
fn shares_that_are_not_shares_are_refused() {
    let (population, directory) = (population(), tempfile::tempdir().unwrap());
    let model = FormModel { error_share: 0.9, duplicate_share: 0.2, unknown_code_share: 0.0 };
    assert!(forms::write(&population, &model, 1, directory.path()).is_err());
}
