//! The clerk who corrects rejected forms: reads the annotated rejects and writes them again as they should
//! have been.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::row::FormRow;
use super::{FormTruth, WrittenForms};
use crate::population::Population;
use crate::stream::Streams;
use crate::{SimulateError, TruthId};

/// Writes `corrected` with the rows of `rejects` put right, keeping the columns `errors` and `source_row` as
/// they came, so that the import knows which rejects are settled. A share of the rows, drawn from the seed,
/// is left for later, and so are rows whose form number cannot be read. Returns how many rows were written,
/// and who remains without a form.
///
/// # Errors
/// [`SimulateError::Write`] for the disk and for a rejects file of another shape.
pub fn correct(
    population: &Population,
    written: &WrittenForms,
    rejects: &[PathBuf],
    share_left: f64,
    seed: u64,
    corrected: &Path,
) -> Result<(usize, Vec<TruthId>), SimulateError> {
    let known: HashMap<String, &FormTruth> =
        written.forms.iter().map(|truth| (truth.form_no.to_string(), truth)).collect();
    let streams = Streams::new(seed, b"corrections");
    let fault = |path: &Path, source: std::io::Error| SimulateError::Write { path: path.to_owned(), source };
    let draft = corrected.with_extension("draft");
    let mut out = csv::Writer::from_path(&draft).map_err(|e| fault(&draft, e.into()))?;
    let (mut count, mut left, mut header_written) = (0, Vec::new(), false);
    for path in rejects {
        let mut reader = csv::Reader::from_path(path).map_err(|e| fault(path, e.into()))?;
        let header = reader.headers().map_err(|e| fault(path, e.into()))?.clone();
        if !header_written {
            out.write_record(&header).map_err(|e| fault(&draft, e.into()))?;
            header_written = true;
        }
        for record in reader.records() {
            let record = record.map_err(|e| fault(path, e.into()))?;
            let form_no = header
                .iter()
                .position(|name| name == "form_no")
                .and_then(|i| record.get(i))
                .unwrap_or_default();
            let Some(truth) = known.get(form_no) else { continue };
            if streams.stream(truth.truth.index() as u64).chance(share_left) {
                left.push(truth.truth);
                continue;
            }
            let right = FormRow::of(population, &population.people[truth.truth.index()], truth.form_no);
            let right: HashMap<&str, &str> = right.fields().collect();
            let row = header
                .iter()
                .enumerate()
                .map(|(i, name)| right.get(name).copied().or(record.get(i)).unwrap_or_default());
            out.write_record(row).map_err(|e| fault(&draft, e.into()))?;
            count += 1;
        }
    }
    out.flush().map_err(|e| fault(&draft, e))?;
    drop(out);
    fs::rename(&draft, corrected).map_err(|e| fault(corrected, e))?;
    Ok((count, left))
}
