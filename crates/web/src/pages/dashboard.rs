//! What a commander looks at every morning: the sentence, the figures, the funnel, the burn-up, the units,
//! the ledger and the oldest item of each stage.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use time::{Date, Duration};

use crate::error::Error;
use crate::extract::Query;
use crate::frame::{page, unit_of_path};
use crate::pages::share;
use crate::pages::units::{Column, UnitRow, View, code_of, columns, unit_rows};
use crate::session::Who;
use crate::state::{AppState, Standing};
use domain::deadline::{Deadline, Wording};
use report::{Counts, Outlook, Overview, Progress};
use store::UnitScope;
use ui::chart::{BurnUp, DayPoint, bar, burn_up};
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Page {
    ui: Frame,
    unit: String,
    /// The way back up, when a part of the reader's unit is shown.
    up: Option<String>,
    sentence: Sentence,
    /// When the figures were counted, where that is a while ago.
    counted: Option<String>,
    figures: Vec<Figure>,
    funnel: Vec<Bar>,
    chart: Option<String>,
    columns: Vec<Column>,
    units: Vec<UnitRow>,
    identities: Vec<LedgerRow>,
    kits: Option<KitsLine>,
    ledger_holds: bool,
    ages: Vec<AgeRow>,
}

/// The state of the campaign in one sentence, and how it is meant.
struct Sentence {
    class: &'static str,
    share: String,
    rest: String,
    below: String,
}

struct Figure {
    label: &'static str,
    value: String,
    of: String,
}

struct Bar {
    label: &'static str,
    value: String,
    share: String,
    bar: String,
}

struct LedgerRow {
    left_label: &'static str,
    left: String,
    terms: String,
    holds: bool,
    differences: String,
    href: String,
}

/// The kits' own counters against what the centre knows of them.
struct KitsLine {
    text: String,
    agrees: bool,
    /// Kits that count otherwise, each with its days and missing counters.
    differing: Vec<String>,
}

struct AgeRow {
    label: &'static str,
    count: String,
    age: String,
    since: String,
    href: String,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(view): Query<View>,
) -> Result<Response, Error> {
    let scope = match view.duoi.as_deref() {
        Some(path) => UnitScope::parse(path)
            .ok()
            .filter(|scope| who.scope.covers(scope.as_str()))
            .ok_or(Error::NotFound)?,
        None => who.scope.clone(),
    };
    let (lang, now, today) = (ui.lang, state.campaign.now(), state.campaign.today());
    let standing = standing(&state, &scope, today).await?;
    let Overview { progress, funnel: rows, days, ledger: identities, kits, ages } = &standing.overview;
    let total = report::total(rows);
    let under = view.duoi.as_deref().unwrap_or("");
    let ledger_holds =
        identities.iter().all(|identity| identity.holds()) && kits.iter().all(|kit| kit.agrees());
    let chart = progress.as_ref().map(|progress| draw(lang, progress, days));
    page(&Page {
        unit: unit_of_path(&state, scope.as_str()).unwrap_or_else(|| ui.t("unit.country").to_owned()),
        up: view.duoi.is_some().then(|| "/tong-quan".to_owned()),
        sentence: sentence(lang, progress.as_ref()),
        counted: counted(&state, lang, &standing),
        figures: figures(lang, &total, progress.as_ref()),
        funnel: funnel(lang, &total),
        chart,
        columns: columns(lang, &view),
        units: unit_rows(&state, lang, &scope, rows, &view),
        identities: identities.iter().map(|identity| ledger_row(lang, identity, under)).collect(),
        kits: (!kits.is_empty()).then(|| kits_line(lang, kits)),
        ledger_holds,
        ages: ages
            .iter()
            .map(|age| AgeRow {
                label: lang.text(&format!("state.{}", age.state.code())),
                count: format::count(lang, age.count),
                age: format::age(lang, age.oldest, now),
                since: format::moment(age.oldest),
                href: format!("/ho-so?trang-thai={}&duoi={under}", age.state.code()),
            })
            .collect(),
        ui,
    })
}

/// How a unit stands: as it is now, or, where counting takes seconds, as it was some moments ago.
async fn standing(state: &AppState, scope: &UnitScope, today: Date) -> Result<Arc<Standing>, report::Error> {
    let key = (scope.as_str().to_owned(), today);
    let (db, clock, scope) = (state.db.clone(), Arc::clone(&state.clock), scope.clone());
    let count = async move {
        let counted = clock.now();
        let mut conn = db.read().await?;
        let overview = report::overview(&mut conn, code_of(scope.as_str()), &scope, today).await?;
        Ok(Arc::new(Standing { overview, counted }))
    };
    state.overviews.get(key, count).await
}

/// When it was counted, where that is a while ago.
fn counted(state: &AppState, lang: Lang, standing: &Standing) -> Option<String> {
    (state.clock.now() - standing.counted >= Duration::minutes(1))
        .then(|| lang.fill("dashboard.counted", &[("at", &format::moment(standing.counted))]))
}

fn sentence(lang: Lang, progress: Option<&Progress>) -> Sentence {
    let Some(p) = progress else {
        let rest = lang.text("dashboard.no_target").to_owned();
        return Sentence { class: "plain", share: String::new(), rest, below: String::new() };
    };
    let outlook = p.outlook();
    let expected = if let Outlook::Behind { expected } = outlook { expected } else { p.missing() };
    let finite = |rate: f64| if rate.is_finite() { format::rate_up(lang, rate) } else { String::new() };
    let values: &[(&str, &str)] = &[
        ("required", &finite(p.required_per_day)),
        ("achieved", &format::rate_down(lang, p.achieved_per_day_7d)),
        ("seats", &format::count(lang, p.seats.planned)),
        (
            "attendance",
            &p.seats.attendance_tenths().map_or_else(String::new, |tenths| format::percent(lang, tenths)),
        ),
        ("expected", &format::count(lang, expected)),
        ("deadline", &deadline(lang, p.deadline)),
        ("left", &format::count(lang, p.missing())),
        ("target", &format::count(lang, p.target)),
        ("done", &format::count(lang, p.done)),
        ("days", &format::count(lang, p.days_left)),
        ("as_of", &format::date(p.as_of)),
    ];
    let (class, key) = match outlook {
        Outlook::Reached => ("good", "dashboard.reached"),
        Outlook::Overdue => ("late", "dashboard.overdue"),
        Outlook::SeatsMissing => ("late", "dashboard.seats_missing"),
        Outlook::Behind { .. } => ("late", "dashboard.behind"),
        Outlook::OnTime => ("good", "dashboard.on_time"),
        Outlook::Unmeasured => ("plain", "dashboard.unmeasured"),
    };
    let (rest, below) = (lang.fill(key, values), lang.fill("dashboard.below", values));
    let share = lang.fill("dashboard.share", &[("share", &format::percent(lang, p.share_tenths()))]);
    Sentence { class, share, rest, below }
}

/// The deadline as it is worded: which day is the last one is the difference.
fn deadline(lang: Lang, deadline: Deadline) -> String {
    let key = match deadline.wording {
        Wording::Before => "deadline.before",
        Wording::Through => "deadline.through",
    };
    lang.fill(key, &[("date", &format::date(deadline.date))])
}

fn figures(lang: Lang, total: &Counts, progress: Option<&Progress>) -> Vec<Figure> {
    let n = |number| format::count(lang, number);
    let of_target = progress.map_or_else(String::new, |p| {
        lang.fill("dashboard.of_target", &[("done", &n(p.done)), ("target", &n(p.target))])
    });
    // A share says of what.
    let of_captured = |part| match share(lang, part, total.captured).as_str() {
        "" => String::new(),
        share => lang.fill("dashboard.of_captured", &[("share", share)]),
    };
    vec![
        Figure { label: lang.text("dashboard.captured"), value: n(total.captured), of: of_target },
        Figure {
            label: lang.text("dashboard.printed"),
            value: n(total.printed),
            of: of_captured(total.printed),
        },
        Figure {
            label: lang.text("dashboard.handed_over"),
            value: n(total.handed_over),
            of: of_captured(total.handed_over),
        },
        Figure {
            label: lang.text("dashboard.in_case"),
            value: n(total.in_case),
            of: of_captured(total.in_case),
        },
        Figure {
            label: lang.text("dashboard.rejected"),
            value: n(total.rejected),
            of: of_captured(total.rejected),
        },
    ]
}

fn funnel(lang: Lang, total: &Counts) -> Vec<Bar> {
    let stages = [
        ("eligible", total.eligible),
        ("invited", total.invited),
        ("captured", total.captured),
        ("transmitted", total.transmitted),
        ("accepted", total.accepted),
        ("printed", total.printed),
        ("dispatched", total.dispatched),
        ("at_unit", total.at_unit),
        ("handed_over", total.handed_over),
    ];
    let full = stages.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    stages
        .into_iter()
        .map(|(code, number)| Bar {
            label: lang.text(&format!("funnel.{code}")),
            value: format::count(lang, number),
            share: share(lang, number, total.eligible),
            bar: bar(number as f64 / full as f64, "bar-done"),
        })
        .collect()
}

fn draw(lang: Lang, progress: &Progress, days: &[report::Day]) -> String {
    let point = |day: &report::Day| DayPoint {
        date: day.date,
        people: day.people,
        printed: day.printed,
        handed_over: day.handed_over,
    };
    // A chart is a few hundred pixels wide: of a long campaign every n-th day is drawn, and the last one.
    let step = days.len().div_ceil(160).max(1);
    let last = days.len().saturating_sub(1);
    let points: Vec<DayPoint> = days
        .iter()
        .enumerate()
        .filter(|(index, day)| day.date <= progress.as_of && (index % step == 0 || *index == last))
        .map(|(_, day)| point(day))
        .collect();
    burn_up(
        lang,
        &BurnUp {
            days: &points,
            target: progress.target,
            starts_on: progress.starts_on,
            last_day: progress.deadline.last_day(),
            as_of: progress.as_of,
            title: lang.text("dashboard.burn_up_title"),
            target_label: &lang
                .fill("dashboard.target_label", &[("target", &format::count(lang, progress.target))]),
            deadline_label: &lang
                .fill("dashboard.deadline_label", &[("deadline", &deadline(lang, progress.deadline))]),
        },
    )
}

fn ledger_row(lang: Lang, identity: &report::Identity, under: &str) -> LedgerRow {
    let term = |(code, number): &(&str, i64)| {
        format!("{} {}", lang.text(&format!("ledger.term.{code}")), format::count(lang, *number))
    };
    LedgerRow {
        left_label: lang.text(&format!("ledger.{}", identity.code)),
        left: format::count(lang, identity.left),
        terms: identity.terms.iter().map(term).collect::<Vec<_>>().join(" + "),
        holds: identity.holds(),
        differences: lang
            .fill("ledger.differences", &[("n", &format::count(lang, identity.difference_count))]),
        href: format!("/ho-so?chenh={}&duoi={under}", identity.code),
    }
}

/// How many days and counters of one kit are listed.
const MOST_OF_A_KIT: usize = 6;

fn kits_line(lang: Lang, kits: &[report::KitTotal]) -> KitsLine {
    let n = |number| format::count(lang, number);
    let sum = |of: fn(&report::KitTotal) -> i64| n(kits.iter().map(of).sum());
    let values: &[(&str, &str)] =
        &[("kits", &n(kits.len() as i64)), ("own", &sum(|kit| kit.own)), ("known", &sum(|kit| kit.known))];
    let differing = kits.iter().filter(|kit| !kit.agrees()).map(|kit| differing_kit(lang, kit)).collect();
    KitsLine {
        text: lang.fill("ledger.kits", values),
        agrees: kits.iter().all(report::KitTotal::agrees),
        differing,
    }
}

fn differing_kit(lang: Lang, kit: &report::KitTotal) -> String {
    let n = |number| format::count(lang, number);
    let days = kit.days.iter().take(MOST_OF_A_KIT).map(|day| {
        let values: &[(&str, &str)] =
            &[("day", &format::date(day.day)), ("own", &n(day.own)), ("known", &n(day.known))];
        lang.fill("ledger.kit_day", values)
    });
    let range = |&(from, to): &(u64, u64)| match from == to {
        true => from.to_string(),
        false => format!("{from}–{to}"),
    };
    let missing: Vec<String> = kit.missing.iter().take(MOST_OF_A_KIT).map(range).collect();
    let counters =
        (!missing.is_empty()).then(|| lang.fill("ledger.kit_missing", &[("counters", &missing.join(", "))]));
    let values: &[(&str, &str)] = &[("name", &kit.name), ("own", &n(kit.own)), ("known", &n(kit.known))];
    std::iter::once(lang.fill("ledger.kit", values))
        .chain(days)
        .chain(counters)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::Seats;
    use time::macros::date;

    /// Where a campaign of a thousand people stands on the evening of a day in June.
    fn progress(done: i64, day: u8, deadline: Deadline, seats: Seats) -> Progress {
        let as_of = date!(2021 - 06 - 01).replace_day(day).unwrap();
        let counts =
            report::PeopleCounts { done, done_7_days_before: done - 294, printed: 0, handed_over: 0 };
        report::measure(1_000, date!(2021 - 03 - 01), deadline, as_of, counts, seats)
    }

    fn says(p: Option<&Progress>) -> (&'static str, String) {
        let sentence = sentence(Lang::Vi, p);
        (sentence.class, format!("{} {}", sentence.share, sentence.rest))
    }

    #[track_caller]
    fn check(p: &Progress, class: &str, parts: &[&str]) {
        let (found, text) = says(Some(p));
        assert_eq!(found, class, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)) && !text.contains("inf"), "{text}");
    }

    const ENOUGH: Seats = Seats { planned: 500, attended: 90, missed: 10 };
    const THROUGH: Deadline = Deadline::through(date!(2021 - 06 - 30));
    const BEFORE: Deadline = Deadline::before(date!(2021 - 06 - 30));

    #[test]
    fn the_sentence_says_how_it_stands() {
        // 376 people are missing on the evening of the 19th: 11 days are left, or 10.
        check(
            &progress(624, 19, THROUGH, ENOUGH),
            "good",
            &["62,4", "35", "42", "500", "90", "hết ngày 30/06/2021"],
        );
        check(&progress(624, 19, BEFORE, ENOUGH), "good", &["38", "trước ngày 30/06/2021"]);
        let few = Seats { planned: 400, ..ENOUGH };
        check(&progress(624, 19, THROUGH, few), "late", &["400", "360", "376", "chậm"]);
        check(&progress(1_008, 19, THROUGH, ENOUGH), "good", &["100,8"]);
        check(&progress(900, 30, THROUGH, ENOUGH), "late", &["100"]);
        assert_eq!(says(None).0, "plain");
    }

    #[test]
    fn after_the_last_seat_nobody_is_on_time_with_people_missing() {
        let none = Seats { planned: 0, ..ENOUGH };
        // The last week brought 42 a day where one a day would do.
        check(&progress(995, 19, THROUGH, none), "late", &["0 chỗ", "5 người"]);
        let begun = Seats { planned: 5, attended: 0, missed: 0 };
        check(&progress(995, 19, THROUGH, begun), "plain", &["5 chỗ"]);
    }

    #[test]
    fn the_last_day_counts_when_the_deadline_says_so() {
        check(&progress(900, 29, BEFORE, ENOUGH), "late", &["đã qua hạn"]);
        check(&progress(900, 29, THROUGH, ENOUGH), "good", &["100"]);
    }
}
