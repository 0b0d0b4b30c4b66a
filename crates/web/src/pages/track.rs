//! The public page: how does my application stand. Whoever holds the receipt code learns the stage and the
//! place, and nothing about the person. Every wrong code gets the same answer.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;

use crate::address::Address;
use crate::error::Error;
use crate::form::form_field;
use crate::frame::page;
use crate::state::AppState;
use crate::throttle::Guess;
use domain::application::State as Stage;
use domain::profile::Profile;
use packet::ReceiptCode;
use store::register::corrections::pages::{self as corrections, Waiting};
use ui::format;
use ui::frame::Frame;
use ui::place;

#[derive(Template)]
#[template(path = "track.html")]
struct Page {
    ui: Frame,
    wrong: bool,
    found: Option<Found>,
}

struct Found {
    title: &'static str,
    text: String,
    /// What the citizen has to do, if only to wait.
    task: String,
    class: &'static str,
    since: String,
    captured: String,
    place_label: &'static str,
    place: String,
    /// What is asked of whom about the citizen's data, while it is asked.
    corrections: Vec<String>,
    /// Empty for an application that has ended: it is on no way to a card.
    steps: Vec<TrackStep>,
}

/// The way as the citizen sees it: four stations.
struct TrackStep {
    label: &'static str,
    class: &'static str,
    current: bool,
}

pub(crate) async fn form(ui: Frame) -> Result<Response, Error> {
    page(&Page { ui, wrong: false, found: None })
}

pub(crate) async fn answer(
    State(state): State<AppState>,
    ui: Frame,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    let (guess, now) = (Guess::Receipt(address.0), state.clock.now());
    if !state.guesses.take(&guess, now) {
        return Err(state.guesses.refusal(&guess, now));
    }
    let code = form_field(&body, "ma").unwrap_or_default();
    let hash = receipt_hash(&code);
    let mut conn = state.db.read().await?;
    let Some(followed) = store::applications::pages::follow(&mut conn, &hash).await? else {
        return page(&Page { ui, wrong: true, found: None });
    };
    let waiting = corrections::of_receipt(&mut conn, &hash).await?;
    drop(conn);
    state.guesses.give_back(&guess);
    // In the sentences the kind of the unit is small; the fact of its own begins with it.
    let unit = place::full(state.units(), &followed.unit.to_string());
    let code = followed.state.code();
    let found = Found {
        title: ui.code("state", code),
        text: ui.lang.fill(&format!("track.{code}"), &[("unit", &unit)]),
        task: ui.lang.fill(task(followed.state), &[("unit", &unit)]),
        class: if followed.state == Stage::Rejected { "late" } else { "" },
        place_label: ui.t(if followed.state == Stage::Rejected { "track.contact" } else { "track.place" }),
        since: format::date(domain::clock::day_in_vietnam(followed.state_since)),
        captured: format::date(domain::clock::day_in_vietnam(followed.captured_at)),
        place: place::at_head(&unit),
        corrections: waiting.iter().map(|case| asked(&state, &ui, case, followed.state)).collect(),
        steps: if followed.state == Stage::Rejected { Vec::new() } else { steps(&ui, followed.state) },
    };
    page(&Page { ui, wrong: false, found: Some(found) })
}

/// What is asked of whom about the citizen's data, and by when. Fields are named, values never: whoever holds
/// the receipt learns nothing about the person.
fn asked(state: &AppState, ui: &Frame, case: &Waiting, stage: Stage) -> String {
    let fields: Vec<&str> = case.fields.iter().map(|field| ui::record::label(ui.lang, *field)).collect();
    let code = case.unit_path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let unit = place::full(state.units(), code);
    let values = [("fields", fields.join(", ")), ("unit", unit)];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let what = ui.lang.fill(&format!("track.correction.{}", case.state.code()), &values);
    let by_when = case.due_on.map(|day| ui.lang.fill("track.correction.due", &[("day", &format::date(day))]));
    // A card that is made already, or shows nothing of what is asked, does not wait.
    let held = Profile::official().card_fields(state.campaign.today()).unwrap_or_default();
    let is_to_be_made = matches!(stage, Stage::Captured | Stage::Received | Stage::InCase | Stage::Accepted);
    let waits = is_to_be_made && case.fields.iter().any(|field| held.contains(field));
    let waits = waits.then(|| ui.t("track.correction.card_waits").to_owned());
    [Some(what), by_when, waits].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is not a code at all is looked up too, so that no form of a wrong code takes another way.
fn receipt_hash(typed: &str) -> [u8; 32] {
    ReceiptCode::parse(typed).map_or_else(|_| crate::session::hash(typed), |code| code.hash())
}

/// The key of what the citizen has to do.
fn task(stage: Stage) -> &'static str {
    match stage {
        Stage::InCase => "track.do.in_case",
        Stage::Rejected => "track.do.rejected",
        Stage::AtUnit => "track.do.at_unit",
        Stage::HandedOver => "track.do.handed_over",
        Stage::Captured
        | Stage::Received
        | Stage::Accepted
        | Stage::Batched
        | Stage::Printed
        | Stage::ToDistrict
        | Stage::AtDistrict
        | Stage::ToUnit => "track.do.wait",
    }
}

fn steps(ui: &Frame, stage: Stage) -> Vec<TrackStep> {
    let labels = [
        ui.t("track.step.received"),
        ui.t("track.step.checked"),
        ui.t("track.step.printed"),
        ui.t("track.step.ready"),
        ui.t("track.step.handed_over"),
    ];
    let reached = match stage {
        Stage::Captured | Stage::Received | Stage::InCase | Stage::Rejected => 0,
        Stage::Accepted | Stage::Batched => 1,
        Stage::Printed | Stage::ToDistrict | Stage::AtDistrict | Stage::ToUnit => 2,
        Stage::AtUnit => 3,
        Stage::HandedOver => 4,
    };
    let class = |index| if index <= reached { "done" } else { "ahead" };
    labels
        .into_iter()
        .enumerate()
        .map(|(index, label)| TrackStep { label, class: class(index), current: index == reached })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_says_what_to_do() {
        for stage in Stage::ALL {
            for lang in [ui::i18n::Lang::Vi, ui::i18n::Lang::En] {
                let unit = "xã Thạch Hải";
                let text = lang.fill(task(stage), &[("unit", unit)]);
                let goes = matches!(stage, Stage::AtUnit | Stage::Rejected | Stage::HandedOver);
                assert!(text.len() > 20 && text.contains(unit) == goes, "{stage}: {text}");
            }
        }
    }

    #[test]
    fn a_code_may_be_typed_as_one_likes() {
        assert_eq!(receipt_hash("ab3d efgh-7777 0000"), receipt_hash("AB3D-EFGH-7777-OOOO"));
        assert_ne!(receipt_hash("x"), receipt_hash("y"));
    }
}
