//! The audit trail of the unit: who did or looked at what. Each reading of it is a row of it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use time::{Date, Duration, OffsetDateTime, Time};

use super::{KITS, TRAIL, tabs};
use crate::error::Error;
use crate::extract::Query;
use crate::form::percent_encode;
use crate::frame::page;
use crate::pages::Tab;
use crate::pages::actor::Actors;
use crate::pages::worklist::parse_day;
use crate::session::Who;
use crate::state::AppState;
use domain::clock::VIETNAM;
use store::trail::{self, Line as Row, Mark, Part, Question, Reader, Turn};
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

/// Rows on one page.
const PAGE: i64 = 50;
/// Characters of what is typed into a field, and of a row's detail, at most.
const TYPED: usize = 100;
const DETAIL: usize = 400;
/// What the list of actions offers: one verb or the beginning of many.
const ACTIONS: [&str; 21] = [
    "person",
    "people",
    "register",
    "application",
    "applications",
    "card",
    "case",
    "photo",
    "packet",
    "packets",
    "kit",
    "officer",
    "consignment",
    "worklist",
    "import",
    "session",
    "sign_in",
    "account",
    "audit",
    "denied",
    "quota",
];

#[derive(Template)]
#[template(path = "trail.html")]
struct Page {
    ui: Frame,
    tabs: Vec<Tab>,
    filter: Typed,
    actions: Vec<Choice>,
    wrong: &'static str,
    /// What the list is of, where it is of one thing that has a page.
    thing: Option<String>,
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

struct Choice {
    code: String,
    label: String,
    selected: bool,
}

struct Line {
    at: String,
    who: String,
    who_href: String,
    what: String,
    code: String,
    subject: String,
    subject_href: String,
    detail: String,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    ai: Option<String>,
    viec: Option<String>,
    tu: Option<String>,
    den: Option<String>,
    #[serde(rename = "doi-tuong")]
    subject: Option<String>,
    /// Older than this row.
    sau: Option<String>,
    /// Newer than this row.
    truoc: Option<String>,
}

/// What was asked, as the form has it again.
#[derive(Default)]
struct Typed {
    who: String,
    action: String,
    from: String,
    to: String,
    subject: String,
}

impl Typed {
    fn of(asked: &Asked) -> Typed {
        let text = |field: &Option<String>| {
            let typed = field.as_deref().unwrap_or("").trim().chars();
            typed.filter(|c| !c.is_control()).take(TYPED).collect::<String>()
        };
        let day = |field: &Option<String>| {
            field.as_deref().and_then(parse_day).map(|day| day.to_string()).unwrap_or_default()
        };
        Typed {
            who: text(&asked.ai),
            action: text(&asked.viec),
            from: day(&asked.tu),
            to: day(&asked.den),
            subject: text(&asked.subject),
        }
    }

    /// The address of another page of the same list.
    fn page(&self, turn: &str, mark: Mark) -> String {
        let fields = [
            ("ai", &self.who),
            ("viec", &self.action),
            ("tu", &self.from),
            ("den", &self.to),
            ("doi-tuong", &self.subject),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: String = given.map(|(name, value)| format!("{name}={}&", percent_encode(value))).collect();
        format!("{TRAIL}?{pairs}{turn}={}", text_of(mark))
    }
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let typed = Typed::of(&asked);
    let actor = match typed.who.as_str() {
        "" => Some(None),
        text => trail::actor_of(&mut *state.db.read().await?, text).await?.map(Some),
    };
    let part = match &actor {
        Some(actor) => read(&state, &who, &typed, actor.as_deref(), turn(&asked)).await?,
        None => Part::default(),
    };
    let wrong = if actor.is_none() { ui.t("trail.no_account") } else { "" };
    let proposers = part.rows.iter().filter_map(|row| row.detail["proposed_by"].as_str());
    let named = part.rows.iter().map(|row| row.actor.as_str()).chain(proposers);
    let named: Vec<&str> = named.chain(part.rows.iter().map(|row| row.subject.as_str())).collect();
    let actors = Actors::load(&state, named.into_iter()).await?;
    let end =
        |row: Option<&Row>, turn, there: bool| row.filter(|_| there).map(|r| typed.page(turn, r.mark()));
    page(&Page {
        tabs: tabs(&state, &who, &ui, TRAIL).await?,
        actions: actions(ui.lang, &typed.action),
        wrong,
        thing: page_of(&typed.subject),
        newer: end(part.rows.first(), "truoc", part.newer),
        older: end(part.rows.last(), "sau", part.older),
        lines: part.rows.iter().map(|row| line(ui.lang, &actors, row)).collect(),
        filter: typed,
        ui,
    })
}

/// The rows that are asked for. Where nothing is newer than a row, the newest are shown.
async fn read(
    state: &AppState,
    who: &Who,
    typed: &Typed,
    actor: Option<&str>,
    turn: Turn,
) -> Result<Part, Error> {
    let given = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let (subject, action) = (given(&typed.subject), given(&typed.action));
    let begins = |day: Date| day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM);
    let question = Question {
        subject: subject.as_deref(),
        actor,
        action: action.as_deref(),
        from: parse_day(&typed.from).map(begins),
        to: parse_day(&typed.to).map(|day| begins(day).saturating_add(Duration::DAY)),
        limit: PAGE,
    };
    let by = who.actor();
    let reader = Reader { by: &by, scope: &who.scope, address: Some(&who.address), at: state.clock.now() };
    let part = trail::read(&state.db, &reader, &question, turn).await?;
    match turn {
        Turn::NewerThan(_) if part.rows.is_empty() => {
            Ok(trail::read(&state.db, &reader, &question, Turn::Newest).await?)
        }
        Turn::NewerThan(_) | Turn::OlderThan(_) | Turn::Newest => Ok(part),
    }
}

fn actions(lang: Lang, chosen: &str) -> Vec<Choice> {
    let choice = |code: &str| Choice {
        code: code.to_owned(),
        label: action_text(lang, code),
        selected: code == chosen,
    };
    let mut choices: Vec<Choice> = ACTIONS.map(choice).into();
    if !chosen.is_empty() && !ACTIONS.contains(&chosen) {
        choices.push(choice(chosen));
    }
    choices
}

/// An action or the beginning of many, in words; the code of one that has none.
fn action_text(lang: Lang, code: &str) -> String {
    lang.find(&format!("trail.action.{code}")).map_or_else(|| code.to_owned(), str::to_owned)
}

fn line(lang: Lang, actors: &Actors, row: &Row) -> Line {
    Line {
        at: format::moment(row.at),
        who: actors.name(lang, &row.actor),
        who_href: format!("{TRAIL}?ai={}", percent_encode(&row.actor)),
        what: action_text(lang, &row.action),
        code: row.action.clone(),
        subject: subject_text(lang, actors, &row.subject),
        subject_href: format!("{TRAIL}?doi-tuong={}", percent_encode(&row.subject)),
        detail: detail(lang, actors, &row.detail),
    }
}

/// On what, in words: the kind of thing and the end of its id, by which one is told from the next.
fn subject_text(lang: Lang, actors: &Actors, subject: &str) -> String {
    let Some((kind, id)) = subject.split_once(':') else {
        return lang.find(&format!("trail.subject.{subject}")).unwrap_or(subject).to_owned();
    };
    if kind == "account" {
        return actors.name(lang, subject);
    }
    let is_id = id.len() == 36 && id.is_ascii();
    let end = if is_id { format!("…{}", &id[28..]) } else { id.to_owned() };
    match lang.find(&format!("trail.subject.{kind}")) {
        Some(kind) => format!("{kind} {end}"),
        None => format!("{kind}:{end}"),
    }
}

/// The page of a thing that has one.
fn page_of(subject: &str) -> Option<String> {
    let (kind, id) = subject.split_once(':')?;
    let id: uuid::Uuid = id.parse().ok()?;
    let path = match kind {
        "person" => "/cu-dan",
        "application" => "/ho-so",
        "card" => "/the",
        "consignment" => "/giao-nhan",
        "correction" => "/cai-chinh",
        "kit" => KITS,
        _ => return None,
    };
    Some(format!("{path}/{id}"))
}

/// What explains a row, as names and values. Ids of what a list showed stay in the trail: a page of fifty
/// rows would hold thousands.
fn detail(lang: Lang, actors: &Actors, detail: &Value) -> String {
    let mut parts = Vec::new();
    flatten(lang, actors, detail, &mut parts);
    let text = parts.join(" · ");
    match text.char_indices().nth(DETAIL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn flatten(lang: Lang, actors: &Actors, detail: &Value, parts: &mut Vec<String>) {
    let Some(fields) = detail.as_object() else { return };
    for (name, value) in fields {
        if name == "ids" || name == "session" {
            continue;
        }
        let text = match value {
            Value::Null => continue,
            Value::Object(_) => {
                flatten(lang, actors, value, parts);
                continue;
            }
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => value_text(lang, actors, name, text),
            other => other.to_string(),
        };
        let name = lang.find(&format!("trail.field.{name}")).unwrap_or(name);
        parts.push(format!("{name}: {text}"));
    }
}

fn value_text(lang: Lang, actors: &Actors, name: &str, text: &str) -> String {
    let prefixes: &[&str] = match name {
        "reason" | "set_aside_for" => &["why.reason", "quarantine.reason"],
        "proposed_by" => return actors.name(lang, text),
        "proposed" => &["kit.proposed"],
        "action" => &["trail.action"],
        _ => &[],
    };
    let found = prefixes.iter().find_map(|prefix| lang.find(&format!("{prefix}.{text}")));
    found.map_or_else(|| text.to_owned(), str::to_owned)
}

fn turn(asked: &Asked) -> Turn {
    let mark = |field: &Option<String>| field.as_deref().and_then(mark_of);
    match (mark(&asked.sau), mark(&asked.truoc)) {
        (Some(mark), _) => Turn::OlderThan(mark),
        (None, Some(mark)) => Turn::NewerThan(mark),
        (None, None) => Turn::Newest,
    }
}

fn text_of(mark: Mark) -> String {
    format!("{}.{}.{}", mark.at.unix_timestamp_nanos() / 1_000, mark.chain, mark.seq)
}

fn mark_of(text: &str) -> Option<Mark> {
    let mut parts = text.splitn(3, '.');
    let nanos = i128::from(parts.next()?.parse::<i64>().ok()?) * 1_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    let mark = Mark { at, chain: parts.next()?.parse().ok()?, seq: parts.next()?.parse().ok()? };
    Some(mark).filter(|mark| (1900..2200).contains(&mark.at.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        let mark = Mark { at: datetime!(2026-01-15 01:00:00.123456 UTC), chain: 3, seq: 41 };
        assert_eq!(mark_of(&text_of(mark)), Some(mark));
        for bad in ["", "1", "1.2", "x.1.2", "1.99999999.2", &format!("{}.1.1", i64::MAX), "1.2.x"] {
            assert_eq!(mark_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_row_is_told_in_words_and_without_the_ids_of_a_list() {
        let actors = Actors::default();
        let told = |value: Value| detail(Lang::En, &actors, &value);
        let searched = json!({"address": "203.0.113.9", "question": {"name": "an", "year": ""}, "ids": ["x"],
                              "count": 3, "session": "abc"});
        let text = told(searched);
        assert!(text.contains("an") && text.contains("203.0.113.9") && text.contains('3'), "{text}");
        assert!(!text.contains('x') && !text.contains("abc") && !text.contains("year"), "{text}");
        assert!(
            told(json!({"reason": "kit_revoked"})).ends_with(Lang::En.text("quarantine.reason.kit_revoked"))
        );
        assert!(told(json!({"reason": "lost on the road"})).ends_with("lost on the road"));
        assert!(told(json!({"words": "đ".repeat(5_000)})).chars().count() <= DETAIL + 1);
        assert_eq!(told(json!([1])), "");
    }

    #[test]
    fn what_is_offered_to_choose_from_has_words() {
        for lang in [Lang::Vi, Lang::En] {
            for code in ACTIONS {
                assert!(lang.find(&format!("trail.action.{code}")).is_some(), "{code}");
            }
        }
        let chosen = actions(Lang::En, "person.reason");
        assert_eq!(chosen.iter().filter(|choice| choice.selected).count(), 1);
    }
}
