//! What a clerk typed into the form of an event, and the event that it says.

use std::collections::BTreeMap;

use axum::http::HeaderMap;

use crate::error::Error;
use crate::multipart::Form;
use domain::Field;
use domain::codes::CodeList;
use domain::field::Part;
use domain::id::{EventId, PersonId};
use domain::unit::Units;
use register::{ChangeText, Destination, EventKind, NewEvent, PaperText};

/// Values that one form takes.
pub(super) const ROWS: usize = 3;
/// Fields of the form that hold text.
const FIELDS: [&str; 21] = [
    "loai",
    "ma",
    "hieu-luc",
    "giay-loai",
    "giay-so",
    "giay-noi",
    "giay-ngay",
    "tu-khi",
    "tu-ngay",
    "truong-1",
    "truong-2",
    "truong-3",
    "gia-tri-1",
    "gia-tri-2",
    "gia-tri-3",
    "thuong-tru",
    "thuong-tru-ct",
    "hien-tai",
    "hien-tai-ct",
    "su-kien",
    "xac-nhan",
];
/// Characters of a field that are read.
const MOST: usize = 500;

/// The texts by the names of their fields.
#[derive(Default)]
pub(super) struct Typed {
    texts: BTreeMap<&'static str, String>,
    /// The file that was chosen.
    pub scan: Option<Vec<u8>>,
}

impl Typed {
    /// Of a form with or without a file.
    pub async fn read(headers: &HeaderMap, body: &[u8]) -> Result<Typed, Error> {
        let form = Form::read(headers, body, &FIELDS).await?;
        let text = |name: &&'static str| {
            let text: String = form.typed(name)?.chars().take(MOST).collect();
            Some((*name, text))
        };
        let texts = FIELDS.iter().filter_map(text).collect();
        Ok(Typed { texts, scan: form.files("tep").next().map(|(_, bytes)| bytes) })
    }

    /// The text of a field; nothing where the form has no such field.
    pub fn get(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// What happened, if one of the kinds was chosen.
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::from_code(self.get("loai"))
    }

    /// Whether the clerk confirms what will happen.
    pub fn is_confirmed(&self) -> bool {
        self.get("xac-nhan") == "1"
    }

    /// The id that the form was drawn with; `None` for what nobody drew.
    pub fn event_id(&self) -> Option<EventId> {
        self.get("ma").parse().ok()
    }

    /// The event that the form says. Names of units and of codes become their codes; what is neither stays as
    /// it was typed, and is refused as such.
    pub fn event(&self, event_id: EventId, person: PersonId, units: Units<'_>) -> NewEvent {
        let kind = self.kind();
        let is = |of: EventKind| kind == Some(of);
        let unit = |name: &str| unit(units, self.get(name));
        let paper = PaperText {
            kind: self.get("giay-loai").to_owned(),
            number: self.get("giay-so").to_owned(),
            authority: self.get("giay-noi").to_owned(),
            issued_on: self.get("giay-ngay").to_owned(),
        };
        // The kind alone is chosen by the form itself.
        let is_given =
            [&paper.number, &paper.authority, &paper.issued_on].iter().any(|text| !text.is_empty());
        let since = match self.get("tu-khi") {
            "ngay" => self.get("tu-ngay"),
            other => other,
        };
        NewEvent {
            legal_on: self.get("hieu-luc").to_owned(),
            paper: (is_given || self.scan.is_some()).then_some(paper),
            changes: match kind {
                Some(EventKind::Corrected | EventKind::Supplemented) => self.changes(units),
                _ => Vec::new(),
            },
            since: is(EventKind::Corrected).then(|| since.to_owned()),
            to: is(EventKind::Moved).then(|| Destination {
                permanent_unit: unit("thuong-tru"),
                permanent_detail: self.get("thuong-tru-ct").to_owned(),
                current_unit: unit("hien-tai"),
                current_detail: self.get("hien-tai-ct").to_owned(),
            }),
            reverses: if is(EventKind::Reversed) { self.get("su-kien").parse().ok() } else { None },
            ..NewEvent::new(event_id, &person.to_string(), self.get("loai"))
        }
    }

    fn changes(&self, units: Units<'_>) -> Vec<ChangeText> {
        let row = |row: usize| {
            let field = self.get(&format!("truong-{row}"));
            let (code, part) = field.split_once('.')?;
            let typed = self.get(&format!("gia-tri-{row}"));
            Some(ChangeText {
                field: code.to_owned(),
                part: part.to_owned(),
                value: value(units, code, part, typed),
            })
        };
        (1..=ROWS).filter_map(row).collect()
    }
}

/// What was typed as the value of a field: names of units and of codes become their codes.
pub(crate) fn value(units: Units<'_>, field: &str, part: &str, typed: &str) -> String {
    let Some(field) = Field::from_code(field) else { return typed.to_owned() };
    let is_unit = part == Part::Unit.code() || matches!(field, Field::BirthRegistration | Field::NativePlace);
    let list = if field == Field::Sex { Some(CodeList::Sex) } else { register::list_of(field) };
    match list.and_then(|list| list.find_by_name(typed)) {
        Some(entry) => entry.code.to_owned(),
        None if is_unit => unit(units, typed),
        None => typed.to_owned(),
    }
}

/// The code of a unit that is named by its code or name.
fn unit(units: Units<'_>, typed: &str) -> String {
    units.named(typed, None).map_or_else(|_| typed.to_owned(), |code| code.to_string())
}
