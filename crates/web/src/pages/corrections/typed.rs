//! What somebody typed into a form about a case.

use std::collections::BTreeMap;

use axum::http::HeaderMap;

use crate::error::Error;
use crate::multipart::Form;
use crate::pages::events::typed::value;
use domain::Actor;
use domain::correction::{Case, MOST_ITEMS, Verb};
use domain::id::ActId;
use domain::unit::Units;
use register::PaperText;
use register::cases::AnswerText;

/// Fields of the form that hold text, beside two for each item.
const FIELDS: [&str; 10] =
    ["viec", "lenh", "ban", "ly-do", "xac-minh", "xac-nhan", "giay-loai", "giay-so", "giay-noi", "giay-ngay"];
/// To whom a case is given.
const TO: &str = "cho";
/// Characters of a field that are read.
const MOST: usize = 2_000;

/// The answers to an item.
pub(super) const AS_ASKED: &str = "nhu-de-nghi";
pub(super) const OTHER_VALUE: &str = "gia-tri-khac";
pub(super) const REFUSED: &str = "tu-choi";

/// The texts by the names of their fields.
#[derive(Default)]
pub(super) struct Typed {
    texts: BTreeMap<String, String>,
    /// The file that was chosen.
    pub scan: Option<Vec<u8>>,
}

impl Typed {
    /// Of a form with or without a file.
    pub async fn read(headers: &HeaderMap, body: &[u8]) -> Result<Typed, Error> {
        let items = (1..=MOST_ITEMS).flat_map(|n| [format!("tra-loi-{n}"), format!("gia-tri-{n}")]);
        let names: Vec<String> = FIELDS.into_iter().chain([TO]).map(str::to_owned).chain(items).collect();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let form = Form::read(headers, body, &asked).await?;
        let text = |name: &String| {
            let text: String = form.typed(name)?.chars().take(MOST).collect();
            Some((name.clone(), text))
        };
        let texts = names.iter().filter_map(text).collect();
        Ok(Typed { texts, scan: form.files("tep").next().map(|(_, bytes)| bytes) })
    }

    /// The text of a field; nothing where the form has no such field.
    pub fn get(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// What is to be done.
    pub fn verb(&self) -> Option<Verb> {
        Verb::from_code(self.get("viec")).filter(|verb| *verb != Verb::Request)
    }

    /// The id that the form was drawn with.
    pub fn action_id(&self) -> Option<ActId> {
        self.get("lenh").parse().ok()
    }

    /// How many actions the case had when the form was drawn.
    pub fn seen(&self) -> Option<u16> {
        self.get("ban").parse().ok()
    }

    /// Whether it is confirmed what will happen.
    pub fn is_confirmed(&self) -> bool {
        self.get("xac-nhan") == "1"
    }

    /// To whom a case is given.
    pub fn to(&self) -> Option<Actor> {
        self.get(TO).parse().ok()
    }

    /// The paper, in the words of the form.
    pub fn paper(&self) -> PaperText {
        PaperText {
            kind: self.get("giay-loai").to_owned(),
            number: self.get("giay-so").to_owned(),
            authority: self.get("giay-noi").to_owned(),
            issued_on: self.get("giay-ngay").to_owned(),
        }
    }

    /// The answers to the items, in their order; an item without one is left out.
    pub fn answers(&self, case: &Case, units: Units<'_>) -> Vec<AnswerText> {
        let items = case.items.iter().zip(1..);
        items
            .filter_map(|(((field, part), item), n)| {
                let typed = self.get(&format!("gia-tri-{n}"));
                let granted = match self.get(&format!("tra-loi-{n}")) {
                    AS_ASKED => Some(item.claimed_value.clone().unwrap_or_default()),
                    OTHER_VALUE => Some(value(units, field.code(), part.code(), typed)),
                    REFUSED => None,
                    _ => return None,
                };
                Some(AnswerText { field: *field, part: *part, granted })
            })
            .collect()
    }
}
