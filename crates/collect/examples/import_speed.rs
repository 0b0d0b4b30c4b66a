//! Rows a second of an import, beside a bare COPY of rows of the same width on the same machine in the same
//! minute.
//!
//! `cargo run --release -p collect --example import_speed [ROWS]`, with `DATABASE_URL` for a server of your
//! own (whose user may create databases); else the cluster that tests share, which runs without fsync.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::clock::SystemClock;
use domain::form::DC01_COLUMNS;
use store::{CopyIn, CopyRow};
use testkit::FreshDatabase;

const DEFAULT_ROWS: u32 = 300_000;

#[tokio::main]
async fn main() {
    let rows = std::env::args().nth(1).map_or(DEFAULT_ROWS, |rows| rows.parse().expect("ROWS is a number"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("forms.csv");
    write_forms(&path, rows).expect("the forms fit on the disk");
    let db = testkit::fresh_database().await;
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    println!("{rows} forms, {} MiB of CSV", bytes >> 20);

    let bare = bare_copy(&db, &path, rows).await;
    report("bare COPY, 25 text columns, primary key", rows, bare);
    let first = import(&db, &path, dir.path()).await;
    report("import", rows, first);
    let copied = dir.path().join("again.csv");
    let mut text = std::fs::read(&path).expect("the forms");
    text.push(b'\n'); // other bytes, the same forms
    std::fs::write(&copied, text).expect("the forms fit on the disk twice");
    let again = import(&db, &copied, dir.path()).await;
    report("import of the same forms in another file", rows, again);
}

fn report(what: &str, rows: u32, took: Duration) {
    println!("{what}: {:.2} s, {:.0} rows/s", took.as_secs_f64(), f64::from(rows) / took.as_secs_f64());
}

async fn import(db: &FreshDatabase, path: &Path, dir: &Path) -> Duration {
    let began = Instant::now();
    let options = collect::ImportOptions::new(dir);
    let mut go_on = |_: &collect::Progress| ControlFlow::Continue(());
    let summary =
        collect::import(db, path, &options, &SystemClock, &mut go_on).await.expect("the import succeeds");
    assert_eq!(summary.counts.rows_rejected, 0, "every form is sound");
    began.elapsed()
}

async fn bare_copy(db: &FreshDatabase, path: &Path, rows: u32) -> Duration {
    let columns = DC01_COLUMNS.map(|column| format!("{column} text")).join(", ");
    let sql = sqlx::AssertSqlSafe(format!("CREATE TABLE bare ({columns}, PRIMARY KEY (form_no))"));
    sqlx::raw_sql(sql).execute(db.admin()).await.expect("the table is new");
    let text = std::fs::read_to_string(path).expect("the forms");
    let began = Instant::now();
    let mut tx = db.admin().begin().await.expect("a connection");
    let mut copy =
        CopyIn::begin(&mut tx, "COPY bare FROM STDIN (FORMAT binary)").await.expect("the table is there");
    for line in text.lines().skip(1) {
        let fields = |row: &mut CopyRow| {
            for field in line.split(',') {
                row.text(field);
            }
        };
        let filled = copy.row(|row| {
            fields(row);
            row
        });
        filled.await.expect("the row has the table's columns");
    }
    assert_eq!(copy.finish().await.expect("the rows are sound"), u64::from(rows));
    tx.commit().await.expect("the connection lives");
    began.elapsed()
}

/// Forms of invented people over the communes of Thạch Hà, as wide as real ones.
fn write_forms(path: &Path, rows: u32) -> std::io::Result<()> {
    const FAMILY: [&str; 6] = ["NGUYỄN", "TRẦN", "LÊ", "PHẠM", "HOÀNG", "ĐẶNG"];
    const MIDDLE: [&str; 5] = ["THỊ", "THỊ NGỌC", "THỊ THANH", "THU", "MỸ"];
    const GIVEN: [&str; 7] = ["HÒA", "HƯƠNG", "THỦY", "ÁNH", "DUYÊN", "MẪU", "YẾN"];
    let units = domain::unit::Units::latest();
    let communes = units.leaves_of("445".parse().expect("a unit code"));
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(out, "{}", DC01_COLUMNS.join(","))?;
    for n in 0..rows {
        let pick = |list: &[&'static str], step: u32| list[(n / step) as usize % list.len()];
        let name = format!("{} {} {}", pick(&FAMILY, 1), pick(&MIDDLE, 3), pick(&GIVEN, 5));
        let unit = communes[n as usize * communes.len() / rows as usize];
        let (year, serial) = (1930 + n % 70, n / 70);
        let pin = format!("0421{:02}{serial:06}", year % 100);
        let (day, month) = (1 + n % 28, 1 + n % 12);
        writeln!(
            out,
            "{unit}-{n:07},{pin},18{n:07},{name},2,{day:02}/{month:02}/{year},01,00,VNM,2,,\
             {unit},{unit},{unit},Thôn {},,,NGUYỄN VĂN {},042060{serial:06},\
             TRẦN THỊ {},042160{serial:06},,,445-{:06},03",
            n % 12,
            pick(&GIVEN, 2),
            pick(&GIVEN, 9),
            n / 4
        )?;
    }
    out.flush()
}
