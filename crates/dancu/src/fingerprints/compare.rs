//! Every ordered pair of the templates of a folder.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::files::{self, TemplateFile};
use fingerprint::{Prepared, compare};
use ui::tell;

/// Up to so many files each pair is compared once and its score kept for the other order: 512 MiB of scores.
/// Beyond, each order is compared by itself, so that memory does not grow with the square of the files.
const KEPT: usize = 16_384;
/// Rows that are computed together before they are written.
const ROWS: usize = 64;

pub(crate) fn run(folder: &Path, out: &Path, skip_bad: bool) -> Result<()> {
    let loaded = files::load(folder)?;
    let target = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let mut writer = BufWriter::with_capacity(1 << 20, target);
    write_all(&loaded.files, &mut writer, KEPT)
        .and_then(|()| writer.flush())
        .with_context(|| format!("cannot write {}", out.display()))?;
    // The others are compared in any case; only then does the command fail, so that nobody overlooks what is
    // missing.
    loaded.complete(skip_bad)
}

/// Writes the header and one row for every ordered pair. Scores are equal both ways to the last bit, so
/// `kept` decides about time and memory alone.
fn write_all(files: &[TemplateFile], out: &mut impl Write, kept: usize) -> std::io::Result<()> {
    let prepared: Vec<Vec<Prepared>> =
        files.par_iter().map(|file| file.views.iter().map(Prepared::new).collect()).collect();
    let names: Vec<String> = files.iter().map(|file| quoted(&file.path)).collect();
    let mut progress = Progress::new(files.len());
    writeln!(out, "a,b,score")?;
    let mut scores = Triangle::new(if files.len() <= kept { files.len() } else { 0 });
    let mut line = Vec::new();
    for first in (0..files.len()).step_by(ROWS) {
        let rows = first..files.len().min(first + ROWS);
        // A row begins behind its own file when the other order is kept, and at the first file otherwise.
        let computed: Vec<Vec<f32>> = rows
            .clone()
            .into_par_iter()
            .flat_map_iter(|row| {
                let start = if scores.keeps() { row + 1 } else { 0 };
                let middle = start.midpoint(files.len());
                [(row, start..middle), (row, middle..files.len())]
            })
            .map(|(row, columns)| columns.map(|column| best(&prepared[row], &prepared[column])).collect())
            .collect();
        for (row, parts) in rows.zip(computed.chunks_exact(2)) {
            let new = [&parts[0][..], &parts[1]].concat();
            let whole = scores.row(row, new);
            line.clear();
            for (column, score) in whole.iter().enumerate().filter(|&(column, _)| column != row) {
                writeln!(line, "{},{},{score:.4}", names[row], names[column])?;
            }
            out.write_all(&line)?;
        }
        progress.tell(files.len().min(first + ROWS));
    }
    Ok(())
}

fn best(a: &[Prepared], b: &[Prepared]) -> f32 {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| compare(a, b).score));
    pairs.fold(0.0, f32::max)
}

/// The scores above the diagonal, row by row, as far as they are known.
struct Triangle {
    size: usize,
    scores: Vec<f32>,
    starts: Vec<usize>,
}

impl Triangle {
    fn new(size: usize) -> Self {
        Self { size, scores: Vec::new(), starts: Vec::with_capacity(size) }
    }

    fn keeps(&self) -> bool {
        self.size > 0
    }

    /// The whole row, its beginning from the rows before; keeps what is new.
    fn row(&mut self, row: usize, new: Vec<f32>) -> Vec<f32> {
        if !self.keeps() {
            return new;
        }
        let mut whole: Vec<f32> =
            (0..row).map(|earlier| self.scores[self.starts[earlier] + row - earlier - 1]).collect();
        whole.push(0.0);
        whole.extend_from_slice(&new);
        self.starts.push(self.scores.len());
        self.scores.extend_from_slice(&new);
        whole
    }
}

/// A path as a field of RFC 4180.
fn quoted(path: &str) -> String {
    if path.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", path.replace('"', "\"\""))
    } else {
        path.to_owned()
    }
}

/// A line every few seconds, on the error stream.
struct Progress {
    files: usize,
    begun: Instant,
    told: Instant,
}

impl Progress {
    fn new(files: usize) -> Self {
        let now = Instant::now();
        Self { files, begun: now, told: now }
    }

    fn tell(&mut self, done: usize) {
        if self.told.elapsed() >= Duration::from_secs(5) {
            self.told = Instant::now();
            tell!(
                "dancu: {done} of {} templates compared with all after {:.0} s",
                self.files,
                self.begun.elapsed().as_secs_f64()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_is_an_error_after_the_others_were_compared() {
        let folder = tempfile::tempdir().unwrap();
        for finger in 0..2 {
            let template =
                Master::generate(finger, FingerPosition::Unknown).impression(1, Condition::Station);
            let bytes = fingerprint::encode(&[template]).unwrap();
            std::fs::write(folder.path().join(format!("{finger}.iso")), bytes).unwrap();
        }
        std::fs::write(folder.path().join("bad.iso"), b"FMR\0 20\0 and no more").unwrap();
        let out = folder.path().join("scores.csv");
        let error = run(folder.path(), &out, false).unwrap_err().to_string();
        assert!(error.starts_with("1 of the files are no valid template"), "{error}");
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(text.starts_with("a,b,score\n0.iso,1.iso,") && text.lines().count() == 3, "{text}");
        run(folder.path(), &out, true).unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
    }
    use fingerprint::FingerPosition;
    use fingerprint::synthetic::{Condition, Master};

    #[test]
    fn every_ordered_pair_has_one_row_in_order_and_both_ways_agree() {
        let file = |(path, finger, occasion): (&str, u64, u64)| TemplateFile {
            path: path.to_owned(),
            views: vec![
                Master::generate(finger, FingerPosition::Unknown).impression(occasion, Condition::Station),
            ],
        };
        let files: Vec<TemplateFile> =
            [("a/1.iso", 1, 1), ("a/2.iso", 1, 2), ("b,c.iso", 2, 1)].into_iter().map(file).collect();
        let written = |kept| {
            let mut out = Vec::new();
            write_all(&files, &mut out, kept).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = written(KEPT);
        assert_eq!(text, written(0), "keeping scores changes nothing");
        let rows: Vec<(&str, f32)> = text
            .lines()
            .skip(1)
            .map(|line| line.rsplit_once(',').unwrap())
            .map(|(pair, score)| (pair, score.parse().unwrap()))
            .collect();
        let pairs: Vec<&str> = rows.iter().map(|row| row.0).collect();
        let c = "\"b,c.iso\"";
        let expected = [
            "a/1.iso,a/2.iso".to_owned(),
            format!("a/1.iso,{c}"),
            "a/2.iso,a/1.iso".to_owned(),
            format!("a/2.iso,{c}"),
            format!("{c},a/1.iso"),
            format!("{c},a/2.iso"),
        ];
        assert_eq!(
            (text.lines().next(), pairs),
            (Some("a,b,score"), expected.iter().map(String::as_str).collect())
        );
        assert_eq!((rows[0].1, rows[1].1, rows[3].1), (rows[2].1, rows[4].1, rows[5].1));
        assert!(rows[0].1 > 10.3 && rows[1].1 < 10.3);
    }
}
