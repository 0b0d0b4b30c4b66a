//! The file of forms, its import, and the same file by PostgreSQL's own client.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use time::macros::date;

use super::{NOW, Options, Resident, TODAY};
use collect::ImportOptions;
use domain::clock::VirtualClock;
use domain::form::DC01_COLUMNS;
use domain::text::fold_ascii;
use simulate::{Model, Population, forms};
use store::Database;

/// What the two ways of loading took.
pub struct Loaded {
    pub rows: u64,
    pub bare: Duration,
    pub import: Duration,
    /// What the program held at most while it imported, beyond what it held before.
    pub peak_mib: u64,
}

/// One file with a sound form of everybody; and everybody, as questions ask for them.
pub async fn written(folder: &Path, options: &Options) -> Result<(PathBuf, Vec<Resident>)> {
    let (file, options) = (folder.join("forms.csv"), options.clone());
    tokio::task::spawn_blocking(move || {
        // Everybody was born before the day from which the events have effect.
        let model = Model { as_of: date!(2021 - 04 - 01), ..Model::default() };
        let population =
            Population::generate(&model, options.seed, options.province, options.people as usize)?;
        let numbers = forms::write_all(&population, &file)?;
        let residents = population.people.iter().zip(numbers).map(|(person, number)| Resident {
            id: collect::person_id(&number.to_string()),
            pin: person.pin.map(|pin| pin.as_str().to_owned()),
            name_fold: fold_ascii(&person.name.text()),
        });
        let residents = residents.collect();
        Ok((file, residents))
    })
    .await?
}

/// Imports the file, and then copies it into a bare table.
pub async fn load(db: &Database, folder: &Path, file: &Path) -> Result<Loaded> {
    collect::load_units(db).await?;
    let options = ImportOptions { collected_on: Some(TODAY), ..ImportOptions::new(folder) };
    // Of the morning, so that the events of the day come later.
    let clock = VirtualClock::at(NOW - time::Duration::hours(2));
    let before = held_at_most(true)?;
    let begun = Instant::now();
    let mut go_on = |_: &collect::Progress| ControlFlow::Continue(());
    let summary = collect::import(db, file, &options, &clock, &mut go_on).await?;
    let import = begun.elapsed();
    let peak_mib = held_at_most(false)?.saturating_sub(before);
    let counts = summary.counts;
    ensure!(counts.rows_rejected == 0, "{} forms were refused", counts.rows_rejected);
    let bare = bare_copy(db, file)?;
    Ok(Loaded { rows: counts.rows_read, bare, import, peak_mib })
}

/// A table of the file's columns as text, with the one key that any register needs, filled by `\copy`.
fn bare_copy(db: &Database, file: &Path) -> Result<Duration> {
    let cluster = db.cluster().context("the database is one of its own")?;
    let columns = DC01_COLUMNS.map(|column| format!("{column} text")).join(", ");
    let sql = |text: &str| -> Result<()> {
        let done = cluster.client("dancu")?.args(["--command", text]).status()?;
        ensure!(done.success(), "PostgreSQL's client ended with {done}");
        Ok(())
    };
    sql(&format!("CREATE TABLE bare ({columns}, PRIMARY KEY (form_no))"))?;
    let begun = Instant::now();
    sql(&format!("\\copy bare FROM '{}' WITH (FORMAT csv, HEADER true)", file.display()))?;
    let took = begun.elapsed();
    sql("DROP TABLE bare")?;
    Ok(took)
}

/// The most memory that this process held since it was last asked anew, in MiB (Linux, `proc(5)`).
fn held_at_most(anew: bool) -> Result<u64> {
    if anew {
        fs::write("/proc/self/clear_refs", "5").context("/proc/self/clear_refs")?;
    }
    let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM is a number")?;
    Ok(kib / 1_024)
}
