//! The annotated rejects file: the form's columns, what is wrong with each row, and where the row came from.
//!
//! It is CSV for XML too, because it is there to be corrected in a spreadsheet and fed back.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::row::REJECT_COLUMNS;
use crate::{Error, Fault};
use domain::form::DC01_COLUMNS;
use domain::id::ImportId;
use store::Database;

const PAGE_ROWS: u32 = 2_000;

/// The faults as they are stored.
pub(crate) fn faults_json(faults: &[Fault]) -> serde_json::Value {
    let fault = |fault: &Fault| {
        let code = fault.code.as_str();
        serde_json::json!({ "field": fault.field, "code": code, "message": fault.message })
    };
    faults.iter().map(fault).collect()
}

/// Writes the open rejects of the import into `dir` and returns the file, or `None` when there are none.
///
/// The file appears whole or not at all. A file of that name with other content may hold somebody's
/// corrections: it is left alone, and the new one has the import's id in its name.
pub(crate) async fn write(
    db: &Database,
    import_id: ImportId,
    dir: &Path,
    name: &str,
) -> Result<Option<PathBuf>, Error> {
    std::fs::create_dir_all(dir).map_err(Error::file("cannot make the directory", dir))?;
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Error::file("cannot write into", dir))?;
    let rows = {
        let mut out = std::io::BufWriter::new(file.as_file_mut());
        let rows = write_rows(db, import_id, &mut out, dir).await?;
        out.flush().map_err(Error::file("cannot write into", dir))?;
        rows
    };
    if rows == 0 {
        return Ok(None);
    }
    for path in paths(import_id, dir, name) {
        match std::fs::read(&path) {
            Ok(there) if same_content(&there, file.path()) => return Ok(Some(path)),
            Ok(_) => continue,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                file.as_file().sync_all().map_err(Error::file("cannot write", &path))?;
                file.persist_noclobber(&path).map_err(|e| Error::file("cannot write", &path)(e.error))?;
                return Ok(Some(path));
            }
            Err(e) => return Err(Error::file("cannot read", &path)(e)),
        }
    }
    // Both names are taken by corrections that somebody has begun.
    Ok(None)
}

/// The file that an earlier run wrote.
pub(crate) fn existing(import_id: ImportId, dir: &Path, name: &str) -> Option<PathBuf> {
    let [plain, own] = paths(import_id, dir, name);
    [own, plain].into_iter().find(|path| path.is_file())
}

fn paths(import_id: ImportId, dir: &Path, name: &str) -> [PathBuf; 2] {
    let id = import_id.uuid().simple().to_string();
    let own = format!("{name}.{}.rejects.csv", &id[id.len() - 8..]);
    [dir.join(format!("{name}.rejects.csv")), dir.join(own)]
}

fn same_content(there: &[u8], new: &Path) -> bool {
    std::fs::read(new).is_ok_and(|new| new == there)
}

async fn write_rows(
    db: &Database,
    import_id: ImportId,
    out: &mut impl Write,
    dir: &Path,
) -> Result<u64, Error> {
    let mut connection = db.read().await?;
    let (mut rows, mut after) = (0u64, 0u64);
    let mut line = DC01_COLUMNS.join(",");
    line.push(',');
    line.push_str(&REJECT_COLUMNS.join(","));
    line.push('\n');
    loop {
        out.write_all(line.as_bytes()).map_err(Error::file("cannot write into", dir))?;
        line.clear();
        let page =
            store::imports::leftover::open_rejects(&mut connection, import_id, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = last.row_no.cast_unsigned();
        rows += page.len() as u64;
        for reject in &page {
            for column in DC01_COLUMNS {
                put_field(&mut line, reject.raw.get(column).and_then(|value| value.as_str()).unwrap_or(""));
                line.push(',');
            }
            put_field(&mut line, &errors_text(&reject.errors));
            line.push_str(&format!(",{},{import_id}\n", reject.row_no));
        }
    }
}

fn errors_text(errors: &serde_json::Value) -> String {
    let field = |error: &serde_json::Value, name| {
        error.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let errors = errors.as_array().map_or(&[][..], Vec::as_slice).iter();
    let texts: Vec<String> = errors
        .map(|error| {
            format!("{}: {} [{}]", field(error, "field"), field(error, "message"), field(error, "code"))
        })
        .collect();
    texts.join("; ")
}

fn put_field(line: &mut String, text: &str) {
    let is_plain = !text.contains([',', ';', '"', '\n', '\r']) && text.trim() == text;
    if is_plain {
        line.push_str(text);
    } else {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    }
}
