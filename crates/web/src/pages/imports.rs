//! Imported files and the forms that the importer refused, with every error of every form.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::page;
use crate::pages::{PageSize, id, note_read, share};
use crate::session::Who;
use crate::state::AppState;
use domain::UnitCode;
use domain::id::ImportId;
use store::imports::pages::ImportFileRow;
use store::imports::pages::ImportRejectRow;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::name_in_list;

const FILES: i64 = 200;
const PAGE: PageSize = PageSize(60);

#[derive(Template)]
#[template(path = "imports.html")]
struct FilesPage {
    ui: Frame,
    files: Vec<FileLine>,
}

struct FileLine {
    href: String,
    name: String,
    format: &'static str,
    read: String,
    accepted: String,
    repeated: String,
    rejected: String,
    to_correct: String,
    /// Some forms wait for their correction.
    waits: bool,
    /// When it was finished, or how far it is.
    finished: String,
}

#[derive(Template)]
#[template(path = "rejects.html")]
struct RejectsPage {
    ui: Frame,
    rejects: Vec<RejectLine>,
    next: Option<String>,
}

struct RejectLine {
    row: String,
    form: String,
    /// Shown only when the form belongs to the reader's unit.
    name: String,
    errors: Vec<ErrorLine>,
}

struct ErrorLine {
    field: String,
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct After {
    sau: Option<i64>,
}

pub(crate) async fn files(State(state): State<AppState>, _who: Who, ui: Frame) -> Result<Response, Error> {
    let rows = store::imports::pages::import_files(&mut *state.db.read().await?, FILES).await?;
    let files = rows.iter().map(|row| file_line(ui.lang, row)).collect();
    page(&FilesPage { ui, files })
}

fn file_line(lang: Lang, row: &ImportFileRow) -> FileLine {
    let n = |number| format::count(lang, number);
    FileLine {
        href: format!("/phieu-loi/{}", row.import_id),
        name: row.name.clone(),
        format: if row.format == "csv" { "CSV" } else { "QCVN 109" },
        read: n(row.rows_read),
        accepted: n(row.rows_accepted),
        repeated: n(row.rows_repeated),
        rejected: n(row.rows_rejected),
        to_correct: n(row.rows_to_correct),
        waits: row.rows_to_correct > 0,
        finished: match row.finished_at {
            Some(at) => format::moment(at),
            None => lang.fill("imports.running", &[("share", &share(lang, row.bytes_done, row.bytes_total))]),
        },
    }
}

/// The refused forms. A form of another unit is left out; one whose unit cannot be read belongs to nobody
/// yet, and shows its number and its errors without the name.
pub(crate) async fn rejects(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(import_id): Path,
    Query(after): Query<After>,
) -> Result<Response, Error> {
    let import_id: ImportId = id(&import_id)?;
    let from = after.sau.unwrap_or(0);
    let mut rows =
        store::imports::pages::import_rejects(&mut *state.db.read().await?, import_id, from, PAGE.asked())
            .await?;
    let more = PAGE.cut(&mut rows);
    let last = rows.last().map(|row| row.row_no);
    let subject = format!("import:{import_id}");
    note_read(&state, &who, "import.read", subject, who.scope.as_str(), Vec::new()).await?;
    let rejects = rows.iter().filter_map(|row| reject_line(&state, &who, ui.lang, row)).collect();
    let next = last.filter(|_| more).map(|last| format!("/phieu-loi/{import_id}?sau={last}"));
    page(&RejectsPage { ui, rejects, next })
}

fn reject_line(state: &AppState, who: &Who, lang: Lang, row: &ImportRejectRow) -> Option<RejectLine> {
    let unit: Option<UnitCode> = raw_field(&row.raw, "permanent_unit").and_then(|code| code.parse().ok());
    let path = unit.and_then(|unit| state.units().path(unit));
    let name = match path {
        Some(path) if who.scope.covers(&path) => {
            raw_field(&row.raw, "full_name").as_deref().map(name_in_list).unwrap_or_default()
        }
        Some(_) => return None,
        None => String::new(),
    };
    let errors = row.errors.as_array().map(Vec::as_slice).unwrap_or_default();
    Some(RejectLine {
        row: format::count(lang, row.row_no),
        form: row.form_no.clone().unwrap_or_default(),
        name,
        errors: errors.iter().map(|error| error_line(lang, error)).collect(),
    })
}

/// A field of a form as it was read: by name, or by its column.
fn raw_field(raw: &Value, name: &str) -> Option<String> {
    let value = match raw {
        Value::Object(fields) => fields.get(name),
        Value::Array(fields) => fields.get(domain::form::column(name)?),
        _ => None,
    };
    value.and_then(Value::as_str).map(str::to_owned)
}

/// The field of the form that a column belongs to, in words; the column itself where the form has no such
/// field.
fn column_label(lang: Lang, column: &str) -> String {
    let field = match column {
        "full_name" => "name",
        "birth_date" => "birth",
        "marital_status" => "marital",
        "birth_registration_unit" => "birth_registration",
        "native_unit" => "native_place",
        "permanent_unit" | "permanent_detail" => "permanent",
        "current_unit" | "current_detail" => "current",
        "father_name" | "father_pin" => "father",
        "mother_name" | "mother_pin" => "mother",
        "spouse_name" | "spouse_pin" => "spouse",
        "household_no" => "household",
        "relation_to_head" => "relation",
        other => other,
    };
    lang.find(&format!("field.{field}")).map_or_else(|| column.to_owned(), str::to_owned)
}

fn error_line(lang: Lang, error: &Value) -> ErrorLine {
    let string = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or("");
    let code = string("code");
    ErrorLine {
        field: column_label(lang, string("field")),
        text: match lang.find(&format!("import.error.{code}")) {
            Some(known) => known.to_owned(),
            None => string("message").to_owned(),
        },
    }
}
