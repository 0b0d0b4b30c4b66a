//! The public page for whoever is shown a card: is it genuine? By the chip's files, by the printed lines, or
//! by the QR code.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;

use crate::address::Address;
use crate::checking::{self, Card};
use crate::error::Error;
use crate::frame::page;
use crate::multipart::Form;
use crate::pages::cards::{MOST_PHOTO_BYTES, data_uri};
use crate::state::AppState;
use card::lds::{
    DataGroup,
    dg2::{self, ImageEncoding},
    dg13::{Dg13, FieldNumber},
};
use domain::clock::day_in_vietnam;
use ui::checks;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::Fact;
use verify::{Check, CheckCode, Outcome, Overall, Verdict};

#[derive(Template)]
#[template(path = "check.html")]
struct AskPage {
    ui: Frame,
    /// What was wrong with what was sent; empty at first.
    wrong: &'static str,
}

#[derive(Template)]
#[template(path = "check_result.html")]
struct ResultPage {
    ui: Frame,
    class: &'static str,
    word: &'static str,
    sentence: &'static str,
    task: &'static str,
    failed: Vec<&'static str>,
    open: Vec<&'static str>,
    passed: Vec<&'static str>,
    /// Codes with details, for whoever looks into it.
    technical: Vec<String>,
    /// By which day.
    judged: String,
    /// Only print was read.
    paper: bool,
    shown: Option<Shown>,
}

/// What the signed data say, to compare with the card and with whoever holds it.
struct Shown {
    photo: Option<String>,
    facts: Vec<Fact>,
}

pub(crate) async fn form(ui: Frame) -> Result<Response, Error> {
    page(&AskPage { ui, wrong: "" })
}

pub(crate) async fn answer(
    State(state): State<AppState>,
    ui: Frame,
    address: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    checking::admit(&state, &address.0)?;
    let form = Form::read(&headers, &body, &["qr", "mrz"]).await?;
    drop(body);
    // Small letters and gaps are the typist's, not the card's.
    let mrz = form.typed("mrz").map(|text| text.to_ascii_uppercase().replace([' ', '\t'], ""));
    let qr = form.typed("qr");
    let mut files = verify::CardFiles::default();
    let mut sent = false;
    for (name, bytes) in form.files("tep") {
        sent = true;
        if files.add(&name, bytes).is_err() {
            return ask_again(ui, "check.wrong.twice");
        }
    }
    let at = state.campaign.now();
    match (files.named(), sent) {
        (Ok(files), _) => {
            let (verdict, card) = checking::chip(&state, Card { files, qr, mrz }, at).await?;
            let shown = (verdict.overall == Overall::Genuine).then(|| shown(ui.lang, &card));
            result(ui, verdict, shown, at)
        }
        (Err(_), true) => ask_again(ui, "check.wrong.files"),
        (Err(_), false) if qr.is_some() || mrz.is_some() => {
            result(ui, verify::check_paper(qr.as_deref(), mrz.as_deref(), at, None), None, at)
        }
        (Err(_), false) => ask_again(ui, "check.wrong.nothing"),
    }
}

fn ask_again(ui: Frame, wrong: &'static str) -> Result<Response, Error> {
    let wrong = ui.lang.text(wrong);
    Ok((StatusCode::BAD_REQUEST, page(&AskPage { ui, wrong })?).into_response())
}

fn result(ui: Frame, verdict: Verdict, shown: Option<Shown>, at: OffsetDateTime) -> Result<Response, Error> {
    let lines = |outcome: Outcome| -> Vec<&'static str> {
        let of = |check: &&Check| check.outcome == outcome && check.code != CheckCode::PaperOnly;
        let said = |check: &Check| checks::sentence(ui.lang, &check.words_key());
        verdict.checks.iter().filter(of).map(said).collect()
    };
    let paper = verdict.checks.iter().any(|check| check.code == CheckCode::PaperOnly);
    let (class, word, sentence, task) = match (verdict.overall, paper) {
        (Overall::Genuine, _) => ("good", "check.genuine", "check.genuine.text", "check.genuine.do"),
        (Overall::Rejected, false) => ("late", "check.rejected", "check.rejected.text", "check.rejected.do"),
        (Overall::Rejected, true) => ("late", "check.rejected", "check.rejected.text", "check.paper.again"),
        (Overall::Unproven, false) if verdict.lacks_list_alone() => {
            ("wait", "check.unproven", "check.no_list.text", "check.no_list.do")
        }
        (Overall::Unproven, false) => ("wait", "check.unproven", "check.unproven.text", "check.unproven.do"),
        (Overall::Unproven, true) => ("wait", "check.unproven", "check.paper.text", "check.paper.do"),
    };
    page(&ResultPage {
        class,
        word: ui.lang.text(word),
        sentence: ui.lang.text(sentence),
        task: ui.lang.text(task),
        failed: lines(Outcome::Fail),
        open: lines(Outcome::NotChecked),
        passed: lines(Outcome::Pass),
        technical: verdict.checks.iter().map(|check| format!("{}: {}", check.code, check.detail)).collect(),
        judged: ui.lang.fill("check.judged", &[("day", &format::date(day_in_vietnam(at)))]),
        paper,
        shown,
        ui,
    })
}

/// Called for a card that proved genuine: until then nothing in its files is anybody's name.
fn shown(lang: Lang, card: &Card) -> Shown {
    let file = |group: DataGroup| card.files.get(&group.file_name());
    let face = file(DataGroup::DG2).and_then(|file| dg2::parse(file).ok());
    // Browsers draw JPEG; the other kind is left to the reading program.
    let drawable =
        face.filter(|face| face.encoding == ImageEncoding::Jpeg && face.image.len() <= MOST_PHOTO_BYTES);
    let dg13 = file(DataGroup::DG13).and_then(|file| Dg13::parse(file).ok());
    let fields = [
        ("field.name", FieldNumber::NAME),
        ("card.pin", FieldNumber::PIN),
        ("field.birth", FieldNumber::BIRTH),
        ("field.sex", FieldNumber::SEX),
        ("card.issued", FieldNumber::ISSUED),
        ("card.expires", FieldNumber::EXPIRES),
    ];
    let fact = |(label, number)| {
        let value = dg13.as_ref()?.text(number)?.to_owned();
        Some(Fact { label: lang.text(label), value })
    };
    Shown {
        photo: drawable.map(|face| data_uri(face.image)),
        facts: fields.into_iter().filter_map(fact).collect(),
    }
}
