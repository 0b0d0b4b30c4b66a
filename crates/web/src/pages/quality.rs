//! Is the register right, whole, clean and alive: for the commander and the clerk of a unit, rule by rule,
//! and whom somebody must ask. The rules are `register::quality`'s.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::Date;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{own_unit, page};
use crate::looked::{self, Look};
use crate::pages::{PageSize, share};
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::PartialDate;
use domain::clock::VIETNAM;
use domain::id::PersonId;
use domain::profile::Mark;
use register::quality::{Dimension, Rule};
use store::UnitScope;
use store::register::corrections::pages as corrections;
use store::register::quality::{self as rows, Count};
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

const PAGE: PageSize = PageSize(50);
/// Looks of which a trend is told.
const DAYS: i64 = 14;
const ADDRESS: &str = "/chat-luong";

#[derive(Template)]
#[template(path = "quality.html")]
struct OverviewPage {
    ui: Frame,
    /// The day of the oldest look that is counted; nothing where nobody has looked.
    day: String,
    dimensions: Vec<DimensionLines>,
}

struct DimensionLines {
    code: &'static str,
    label: &'static str,
    means: &'static str,
    findings: String,
    asked: String,
    lines: Vec<RuleLine>,
}

struct RuleLine {
    href: String,
    says: &'static str,
    fields: String,
    faults: String,
    has_faults: bool,
    of: String,
    share: String,
}

#[derive(Template)]
#[template(path = "quality_rule.html")]
struct RulePage {
    ui: Frame,
    says: &'static str,
    dimension: &'static str,
    source: &'static str,
    mark: &'static str,
    faults: String,
    of: String,
    share: String,
    units: Vec<UnitLine>,
    trend: Vec<DayLine>,
    /// The unit whose people are listed, where it is not the reader's.
    below: String,
    whole: Option<String>,
    people: Vec<PersonLine>,
    next: Option<String>,
}

struct UnitLine {
    href: String,
    name: String,
    faults: String,
    of: String,
    share: String,
    current: bool,
}

struct DayLine {
    day: String,
    faults: String,
    of: String,
    share: String,
}

struct PersonLine {
    href: String,
    name: String,
    born: String,
    unit: String,
    since: String,
    age: String,
    /// To the open case about this person, or the form that opens one.
    case: Option<(String, &'static str)>,
}

pub(crate) async fn overview(State(state): State<AppState>, who: Who, ui: Frame) -> Result<Response, Error> {
    let mut scoped = state.db.scoped(&who.scope).await?;
    let (counts, day) = rows::counts(&mut scoped).await?;
    drop(scoped);
    let counts: HashMap<&str, &Count> = counts.iter().map(|count| (count.rule.as_str(), count)).collect();
    page(&OverviewPage {
        day: day.map(format::date).unwrap_or_default(),
        dimensions: Dimension::ALL.map(|dimension| dimension_lines(&ui, dimension, &counts)).into(),
        ui,
    })
}

fn dimension_lines(ui: &Frame, dimension: Dimension, counts: &HashMap<&str, &Count>) -> DimensionLines {
    let of_rule = |rule: Rule| counts.get(rule.code()).map_or((0, 0), |count| (count.ok, count.of));
    let mut rules: Vec<Rule> =
        Rule::ALL.iter().copied().filter(|rule| rule.text().dimension == dimension).collect();
    // What most people do not keep comes first.
    rules.sort_by_key(|&rule| {
        let (ok, of) = of_rule(rule);
        std::cmp::Reverse(of - ok)
    });
    let sums = rules.iter().fold((0, 0), |(faults, asked), &rule| {
        let (ok, of) = of_rule(rule);
        (faults + of - ok, asked + of)
    });
    let line = |&rule: &Rule| {
        let (ok, of) = of_rule(rule);
        let fields = rule.text().fields.iter().map(|field| ui.code("field", field.code()));
        RuleLine {
            href: format!("{ADDRESS}/{}", rule.code()),
            says: says(ui.lang, rule),
            fields: fields.collect::<Vec<_>>().join(", "),
            faults: ui.n(&(of - ok)),
            has_faults: of > ok,
            of: ui.n(&of),
            share: share(ui.lang, ok, of),
        }
    };
    DimensionLines {
        code: dimension.code(),
        label: ui.code("quality.dimension", dimension.code()),
        means: ui.code("quality.means", dimension.code()),
        findings: ui.n(&sums.0),
        asked: ui.n(&sums.1),
        lines: rules.iter().map(line).collect(),
    }
}

/// A rule in a sentence.
pub(crate) fn says(lang: Lang, rule: Rule) -> &'static str {
    let (vi, en) = &rule.text().says;
    match lang {
        Lang::Vi => vi,
        Lang::En => en,
    }
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
pub(crate) struct Filter {
    /// A unit's path.
    duoi: Option<String>,
    /// Where the page before ended.
    sau: Option<String>,
}

pub(crate) async fn rule(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(code): Path,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let rule = Rule::from_code(&code).ok_or(Error::NotFound)?;
    let below = match filter.duoi.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => {
            let scope = UnitScope::parse(path).ok().filter(|scope| who.scope.covers(scope.as_str()));
            Some(scope.ok_or(Error::NotFound)?)
        }
        None => None,
    };
    let after = filter.sau.as_deref().map(mark_of).transpose()?;
    let under = below.as_ref().unwrap_or(&who.scope);
    let mut scoped = state.db.scoped(&who.scope).await?;
    let mut found = rows::open(&mut scoped, rule.code(), under.as_str(), after, PAGE.asked()).await?;
    let units = rows::by_unit(&mut scoped, rule.code()).await?;
    let trend = rows::trend(&mut scoped, rule.code(), DAYS).await?;
    let more = PAGE.cut(&mut found);
    let people: Vec<PersonId> = found.iter().map(|finding| finding.person_id).collect();
    let open = corrections::open_by_person(&mut scoped, &people).await?;
    drop(scoped);
    let question = json!({ "rule": rule.code(), "under": below.as_ref().map(UnitScope::as_str) });
    let shown = found.iter().map(|finding| finding.person_id.uuid()).collect();
    looked::note(&state, &who, Look::list(&who, "quality.listed", question, shown)).await?;
    let address = |path: &str| format!("{ADDRESS}/{}?duoi={path}", rule.code());
    let next = found.last().filter(|_| more).map(|last| {
        format!(
            "{}&sau={}.{}",
            address(below.as_ref().map_or("", UnitScope::as_str)),
            last.first_seen,
            last.person_id
        )
    });
    let (ok, of) = units.iter().fold((0, 0), |(ok, of), unit| (ok + unit.1, of + unit.2));
    let text = rule.text();
    let unit = |(path, ok, of): &(String, i64, i64)| UnitLine {
        href: address(path),
        name: own_unit(&state, path),
        faults: ui.n(&(of - ok)),
        of: ui.n(of),
        share: share(ui.lang, *ok, *of),
        current: below.as_ref().is_some_and(|scope| scope.as_str() == path),
    };
    let day = |(day, ok, of): &(Date, i64, i64)| DayLine {
        day: format::date(*day),
        faults: ui.n(&(of - ok)),
        of: ui.n(of),
        share: share(ui.lang, *ok, *of),
    };
    let now = state.campaign.now();
    let person = |finding: &rows::Finding| PersonLine {
        href: format!("/cu-dan/{}", finding.person_id),
        name: finding.name.clone(),
        born: PartialDate::from_packed(finding.birth).map(|day| day.to_string()).unwrap_or_default(),
        unit: own_unit(&state, &finding.unit_path),
        since: format::date(finding.first_seen),
        age: format::age(ui.lang, finding.first_seen.midnight().assume_offset(VIETNAM), now),
        case: match open.get(&finding.person_id) {
            Some(case) => Some((format!("/cai-chinh/{case}"), ui.t("correction.under_way"))),
            None if who.role == Role::Clerk => {
                let form = format!("/cu-dan/{}/cai-chinh/moi?luat={}", finding.person_id, rule.code());
                Some((form, ui.t("correction.open")))
            }
            None => None,
        },
    };
    page(&RulePage {
        says: says(ui.lang, rule),
        dimension: ui.code("quality.dimension", text.dimension.code()),
        source: &text.source,
        mark: ui.code("quality.mark", mark(text.mark)),
        faults: ui.n(&(of - ok)),
        of: ui.n(&of),
        share: share(ui.lang, ok, of),
        units: units.iter().map(unit).collect(),
        trend: trend.iter().map(day).collect(),
        below: below.as_ref().map(|scope| own_unit(&state, scope.as_str())).unwrap_or_default(),
        whole: below.is_some().then(|| format!("{ADDRESS}/{}", rule.code())),
        people: found.iter().map(person).collect(),
        next,
        ui,
    })
}

/// The last part of the key of its words.
const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::LegalText => "law",
        Mark::Press => "press",
        Mark::Inference => "inferred",
    }
}

/// Where a page ended: the day and the person.
fn mark_of(text: &str) -> Result<(Date, PersonId), Error> {
    let (day, person) = text.split_once('.').ok_or(Error::NotFound)?;
    let day = crate::pages::worklist::parse_day(day).ok_or(Error::NotFound)?;
    Ok((day, crate::pages::id(person)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pages_say_of_rules_has_words_in_both_languages() {
        for lang in [Lang::Vi, Lang::En] {
            for &rule in Rule::ALL {
                assert!(lang.find(&format!("quality.mark.{}", mark(rule.text().mark))).is_some());
                for field in &rule.text().fields {
                    assert!(lang.find(&format!("field.{}", field.code())).is_some(), "{field:?}");
                }
            }
            for dimension in Dimension::ALL {
                for of in ["dimension", "means"] {
                    assert!(lang.find(&format!("quality.{of}.{}", dimension.code())).is_some());
                }
            }
        }
    }

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        let person = PersonId::from_uuid(uuid::Uuid::from_u128(7));
        let (day, found) = mark_of(&format!("2021-06-01.{person}")).unwrap();
        assert_eq!((day.to_string().as_str(), found), ("2021-06-01", person));
        for bad in ["", "2021-06-01", "x.y", &format!("2021-13-01.{person}")] {
            assert!(mark_of(bad).is_err(), "{bad}");
        }
    }
}
