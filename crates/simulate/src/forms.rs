//! The DC01 forms of a population as files, with planted faults and the truth of each form.
//!
//! [`write`] makes in a directory: `forms/{commune}.csv` and `forms/{commune}.xml` in turn, one file per
//! commune, in the formats of [`domain::form`]; and beside the folder, where no importer looks, `truth.csv`.

mod correct;
mod fault;
mod row;
mod sheet;
mod twice;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::SimulateError;
use crate::population::{Population, TruthId};
use crate::stream::Streams;
use domain::UnitCode;
use row::FormRow;

pub use correct::correct;
pub use fault::Fault;
pub use twice::Variation;

/// How many forms go wrong. Shares are of the people; the three kinds never meet in one person, and each
/// count is exactly the share, rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FormModel {
    /// Forms with one error, the kinds of [`Fault`] except [`Fault::UnknownCode`] in equal numbers where they
    /// apply.
    pub error_share: f64,
    /// People with a second form, see [`Variation`].
    pub duplicate_share: f64,
    /// Forms with one code outside its list.
    pub unknown_code_share: f64,
}

impl Default for FormModel {
    fn default() -> Self {
        FormModel { error_share: 0.03, duplicate_share: 0.01, unknown_code_share: 0.005 }
    }
}

/// The file of the commune that filled the form in, and the running number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormNo {
    pub unit: UnitCode,
    /// From 1.
    pub number: u32,
}

impl fmt::Display for FormNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}", self.unit, self.number)
    }
}

/// What an importer should find out about one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormTruth {
    pub form_no: FormNo,
    pub truth: TruthId,
    pub fault: Option<Fault>,
    /// The person's first form, and how this one differs from it.
    pub duplicate_of: Option<(FormNo, Variation)>,
}

/// The files that were written and the truth about each form, in the order of the files.
#[derive(Debug)]
pub struct WrittenForms {
    pub files: Vec<PathBuf>,
    pub truth_file: PathBuf,
    pub forms: Vec<FormTruth>,
}

/// One form before it is written.
#[derive(Clone, Copy)]
struct Sheet {
    truth: FormTruth,
    person: u32,
    /// Number of the stream from which the details of the fault or variation are drawn.
    stream: u64,
}

/// Writes all forms of `population` below `directory`, which is made when it is missing.
///
/// Files are written under a temporary name and renamed when complete; the same arguments give the same
/// bytes.
///
/// # Errors
/// [`SimulateError::Share`] for shares that are not shares, [`SimulateError::Write`] for the disk.
pub fn write(
    population: &Population,
    model: &FormModel,
    seed: u64,
    directory: &Path,
) -> Result<WrittenForms, SimulateError> {
    let sheets = plan(population, model, seed)?;
    let folder = directory.join("forms");
    fs::create_dir_all(&folder).map_err(|source| SimulateError::Write { path: folder.clone(), source })?;
    let streams = Streams::new(seed, b"form-details");
    let files: Vec<PathBuf> = sheets
        .par_iter()
        .enumerate()
        .map(|(index, (unit, sheets))| {
            let rows = sheets.iter().map(|sheet| fill_in(population, &streams, sheet));
            let format = if index % 2 == 0 { sheet::Format::Csv } else { sheet::Format::Xml };
            sheet::write(&folder, *unit, format, population.as_of, rows, sheets.len())
        })
        .collect::<Result<_, _>>()?;
    let forms: Vec<FormTruth> =
        sheets.iter().flat_map(|(_, sheets)| sheets.iter().map(|sheet| sheet.truth)).collect();
    let truth_file = sheet::write_truth(directory, &forms)?;
    Ok(WrittenForms { files, truth_file, forms })
}

/// Writes a sound form of everybody into one CSV file, as a province that puts its forms together does, and
/// returns their numbers in the order of `population.people`.
///
/// # Errors
/// [`SimulateError::Write`] for the disk.
pub fn write_all(population: &Population, path: &Path) -> Result<Vec<FormNo>, SimulateError> {
    let numbers: Vec<FormNo> = (population.communes.iter())
        .flat_map(|commune| {
            let first = commune.people.start;
            commune
                .people
                .clone()
                .map(move |at| FormNo { unit: commune.unit, number: (at - first + 1) as u32 })
        })
        .collect();
    let rows = population.people.iter().zip(&numbers);
    sheet::write_whole(path, rows.map(|(person, number)| FormRow::of(population, person, *number)))?;
    Ok(numbers)
}

/// Decides who has which fault and who has two forms, and numbers the forms of each commune.
fn plan(
    population: &Population,
    model: &FormModel,
    seed: u64,
) -> Result<Vec<(UnitCode, Vec<Sheet>)>, SimulateError> {
    for (name, value) in [
        ("error_share", model.error_share),
        ("duplicate_share", model.duplicate_share),
        ("unknown_code_share", model.unknown_code_share),
        (
            "error_share + duplicate_share + unknown_code_share",
            model.error_share + model.duplicate_share + model.unknown_code_share,
        ),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(SimulateError::Share { name, value });
        }
    }
    let people = population.people.len();
    let count = |share: f64| (people as f64 * share).round() as usize;
    let (errors, duplicates, unknown) =
        (count(model.error_share), count(model.duplicate_share), count(model.unknown_code_share));
    let mut stream = Streams::new(seed, b"form-faults").stream(0);
    let chosen = stream.distinct(people as u32, errors + duplicates + unknown);
    let (wrong, rest) = chosen.split_at(errors.min(chosen.len()));
    let (twice, outside) = rest.split_at(duplicates.min(rest.len()));

    let mut faults: BTreeMap<u32, Fault> = BTreeMap::new();
    for (index, &person) in wrong.iter().enumerate() {
        faults.insert(person, Fault::applicable(index, &population.people[person as usize]));
    }
    faults.extend(outside.iter().map(|&person| (person, Fault::UnknownCode)));

    let mut sheets: Vec<(UnitCode, Vec<Sheet>)> = Vec::with_capacity(population.communes.len());
    for commune in &population.communes {
        let first = commune.people.start;
        let forms = commune.people.clone().map(|person| {
            let form_no = FormNo { unit: commune.unit, number: (person - first + 1) as u32 };
            let fault = faults.get(&(person as u32)).copied();
            let truth = FormTruth { form_no, truth: population.truth_id(person), fault, duplicate_of: None };
            Sheet { truth, person: person as u32, stream: person as u64 }
        });
        sheets.push((commune.unit, forms.collect()));
    }
    let mut twice = twice.to_vec();
    twice.sort_unstable();
    for (index, &person) in twice.iter().enumerate() {
        add_second_form(population, &mut sheets, index, person, &mut stream);
    }
    Ok(sheets)
}

/// Half of the second forms are filled in at the same commune, half at another of the population.
fn add_second_form(
    population: &Population,
    sheets: &mut [(UnitCode, Vec<Sheet>)],
    index: usize,
    person: u32,
    stream: &mut crate::stream::Stream,
) {
    let home = population.communes.partition_point(|commune| commune.people.end <= person as usize);
    let first = FormNo {
        unit: population.communes[home].unit,
        number: person - population.communes[home].people.start as u32 + 1,
    };
    let variation = Variation::ALL[index % Variation::ALL.len()];
    let place = match variation {
        Variation::OtherHousehold => stream.below(sheets.len() as u32) as usize,
        Variation::Respelt | Variation::LessKnown => home,
    };
    let (unit, forms) = &mut sheets[place];
    let form_no = FormNo { unit: *unit, number: forms.len() as u32 + 1 };
    let truth = FormTruth {
        form_no,
        truth: population.truth_id(person as usize),
        fault: None,
        duplicate_of: Some((first, variation)),
    };
    forms.push(Sheet { truth, person, stream: 1 << 40 | u64::from(person) });
}

fn fill_in(population: &Population, streams: &Streams, sheet: &Sheet) -> FormRow {
    let person = &population.people[sheet.person as usize];
    let mut row = FormRow::of(population, person, sheet.truth.form_no);
    let mut stream = streams.stream(sheet.stream);
    if let Some(fault) = sheet.truth.fault {
        fault.plant(&mut row, person, &mut stream);
    }
    if let Some((_, variation)) = sheet.truth.duplicate_of {
        variation.apply(&mut row, person, sheet.truth.form_no, &mut stream);
    }
    row
}
