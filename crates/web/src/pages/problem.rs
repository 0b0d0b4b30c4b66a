//! The calm page for an answer that is not the page that was asked for.

use askama::Template;

use crate::error::Problem;
use crate::ui::Ui;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    ui: Ui,
    title: &'static str,
    text: &'static str,
}

pub(crate) fn page(ui: Ui, problem: Problem) -> Result<String, askama::Error> {
    let (title, text) = match problem.code {
        "not_found" => (ui.t("problem.not_found.title"), ui.t("problem.not_found.text")),
        "forbidden" => (ui.t("problem.forbidden.title"), ui.t("problem.forbidden.text")),
        "signed_out" => (ui.t("problem.signed_out.title"), ui.t("problem.signed_out.text")),
        "csrf" => (ui.t("problem.csrf.title"), ui.t("problem.csrf.text")),
        "bad_form" => (ui.t("problem.bad_form.title"), ui.t("problem.bad_form.text")),
        "too_large" => (ui.t("problem.too_large.title"), ui.t("problem.too_large.text")),
        "too_many" => (ui.t("problem.too_many.title"), ui.t("problem.too_many.text")),
        "unavailable" => (ui.t("problem.unavailable.title"), ui.t("problem.unavailable.text")),
        _ => (ui.t("problem.internal.title"), ui.t("problem.internal.text")),
    };
    Page { ui, title, text }.render()
}
