//! The table of units below a commander's: a district's communes, a province's districts, the country's
//! provinces.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::pages::share;
use crate::state::AppState;
use domain::UnitCode;
use domain::unit::UnitLevel;
use report::{Counts, FunnelRow};
use store::UnitScope;
use ui::chart::bar;
use ui::format;
use ui::i18n::Lang;
use ui::place;

/// How the table is asked for.
#[derive(Deserialize)]
pub(crate) struct View {
    /// Column to sort by.
    pub xep: Option<String>,
    /// `tang` for ascending.
    pub chieu: Option<String>,
    /// Path of a unit inside the reader's.
    pub duoi: Option<String>,
}

pub(crate) struct Column {
    pub label: &'static str,
    pub class: &'static str,
    pub href: String,
    /// `aria-sort` of the header.
    pub sort: &'static str,
    pub mark: &'static str,
}

pub(crate) struct UnitRow {
    pub name: String,
    /// Further down, where there are units below.
    pub href: Option<String>,
    pub eligible: String,
    pub captured: String,
    pub share: String,
    pub bar: String,
    pub accepted: String,
    pub printed: String,
    pub handed_over: String,
    pub in_case: String,
    pub rejected: String,
}

/// Columns of the table of units with the code that sorts by each.
#[allow(clippy::type_complexity, reason = "a name for this pair would hide more than it tells")]
const COLUMNS: [(&str, fn(&Counts) -> i64); 8] = [
    ("eligible", |t| t.eligible),
    ("captured", |t| t.captured),
    ("share", |t| report::share_tenths(t.captured, t.eligible)),
    ("accepted", |t| t.accepted),
    ("printed", |t| t.printed),
    ("handed_over", |t| t.handed_over),
    ("in_case", |t| t.in_case),
    ("rejected", |t| t.rejected),
];

pub(crate) fn columns(lang: Lang, view: &View) -> Vec<Column> {
    let (by, ascending) = sorting(view);
    let names = std::iter::once("name").chain(COLUMNS.iter().map(|(code, _)| *code));
    names
        .map(|code| {
            let current = code == by;
            let next_ascending = if current { !ascending } else { ascends_at_first(code) };
            let direction = if next_ascending { "tang" } else { "giam" };
            let under = view.duoi.as_deref().map(|path| format!("&duoi={path}")).unwrap_or_default();
            let (sort, mark) = match (current, ascending) {
                (false, _) => ("none", ""),
                (true, true) => ("ascending", "▲"),
                (true, false) => ("descending", "▼"),
            };
            let class = match code {
                "name" => "",
                "share" => "share",
                _ => "num",
            };
            Column {
                label: lang.text(&format!("column.{code}")),
                class,
                href: format!("/tong-quan?xep={code}&chieu={direction}{under}#don-vi"),
                sort,
                mark,
            }
        })
        .collect()
}

/// The column that the table is sorted by, and whether it ascends: until the reader chooses, the units that
/// are furthest behind come first, for they are what a commander has to act on.
fn sorting(view: &View) -> (&str, bool) {
    let by = view.xep.as_deref().filter(|by| *by == "name" || COLUMNS.iter().any(|(code, _)| code == by));
    let by = by.unwrap_or("share");
    (by, view.chieu.as_deref().map_or(ascends_at_first(by), |direction| direction == "tang"))
}

/// Names from A, shares from the smallest, numbers from the largest.
fn ascends_at_first(code: &str) -> bool {
    matches!(code, "name" | "share")
}

pub(crate) fn unit_rows(
    state: &AppState,
    lang: Lang,
    scope: &UnitScope,
    rows: &[FunnelRow],
    view: &View,
) -> Vec<UnitRow> {
    let mut groups: BTreeMap<UnitCode, Counts> = BTreeMap::new();
    let level = code_of(scope.as_str()).map(UnitCode::level);
    for row in rows {
        // A district shows its communes, a province its districts, the country its provinces.
        let shown = match level {
            Some(UnitLevel::District | UnitLevel::Commune) => row.unit,
            Some(UnitLevel::Province) => ancestor(state, row.unit, UnitLevel::District),
            None => ancestor(state, row.unit, UnitLevel::Province),
        };
        *groups.entry(shown).or_default() += row.counts;
    }
    let mut shown: Vec<(String, UnitCode, Counts)> = groups
        .into_iter()
        .map(|(code, total)| {
            (
                state.units().get(code).map_or(code.to_string(), |u| place::at_head(&u.in_sentence())),
                code,
                total,
            )
        })
        .collect();
    let (by, ascending) = sorting(view);
    match COLUMNS.iter().find(|(code, _)| *code == by) {
        // Of equals, the one that most people are missing from.
        Some((_, value)) => {
            shown.sort_by_key(|(_, code, total)| (value(total), total.captured - total.eligible, *code))
        }
        None => shown.sort_by_cached_key(|(name, ..)| domain::text::fold_ascii(name)),
    }
    if !ascending {
        shown.reverse();
    }
    // A share of nobody is none: such units are neither the best nor the worst.
    if by == "share" {
        shown.sort_by_key(|(_, _, total)| total.eligible == 0);
    }
    shown.into_iter().map(|(name, code, total)| unit_row(state, lang, scope, name, code, &total)).collect()
}

fn unit_row(
    state: &AppState,
    lang: Lang,
    scope: &UnitScope,
    name: String,
    code: UnitCode,
    total: &Counts,
) -> UnitRow {
    let n = |number| format::count(lang, number);
    let path = state.units().path(code);
    let inner = path.as_deref().filter(|path| *path != scope.as_str() && scope.covers(path));
    let href = inner.map(|path| match state.units().children(code).is_empty() {
        true => format!("/ho-so?duoi={path}"),
        false => format!("/tong-quan?duoi={path}"),
    });
    let done = if total.eligible > 0 { total.captured as f64 / total.eligible as f64 } else { 0.0 };
    UnitRow {
        name,
        href,
        eligible: n(total.eligible),
        captured: n(total.captured),
        share: share(lang, total.captured, total.eligible),
        bar: bar(done, "bar-done"),
        accepted: n(total.accepted),
        printed: n(total.printed),
        handed_over: n(total.handed_over),
        in_case: n(total.in_case),
        rejected: n(total.rejected),
    }
}

fn ancestor(state: &AppState, code: UnitCode, level: UnitLevel) -> UnitCode {
    state.units().chain(code).map(|unit| unit.code).find(|above| above.level() == level).unwrap_or(code)
}

/// The unit at the end of a path.
pub(crate) fn code_of(path: &str) -> Option<UnitCode> {
    path.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}
