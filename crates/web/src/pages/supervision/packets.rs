//! Packets that are set aside, for the commander of the unit: why nobody opens them, and what ends that.
//! Nothing of the people in them is shown.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{PACKETS, tabs};
use crate::error::Error;
use crate::extract::Query;
use crate::form::{form_field, form_fields};
use crate::frame::{own_unit, page};
use crate::looked::{self, Look};
use crate::pages::{PageSize, Tab, not_shown};
use crate::session::Who;
use crate::state::AppState;
use domain::id::{KitId, PacketId};
use enrol::intake::quarantine::{self, Held, Reason};
use enrol::{EnrolError, MOST_REASON_CHARS};
use store::applications::quarantine::{Asked, seen};
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

const PAGE: PageSize = PageSize(50);
/// Packets that one form names at most.
const MOST_NAMED: usize = 200;

#[derive(Template)]
#[template(path = "packets.html")]
struct Page {
    ui: Frame,
    tabs: Vec<Tab>,
    message: String,
    refusal: &'static str,
    reasons: Vec<ReasonLine>,
    /// Which of them the list is of; nothing where it is of all.
    filter: String,
    /// The list of all, where this one is of some.
    whole: Option<&'static str>,
    action: String,
    packets: Vec<Line>,
    shown: String,
    may_retry: bool,
    may_release: bool,
    why: String,
    most: usize,
    next: Option<String>,
}

/// A reason with what it means, and how many packets have it.
struct ReasonLine {
    href: String,
    label: &'static str,
    count: String,
    means: &'static str,
    current: bool,
}

struct Line {
    id: String,
    chosen: bool,
    since: String,
    age: String,
    reason: &'static str,
    class: &'static str,
    kit: String,
    kit_href: String,
    number: String,
    officer: String,
    unit: String,
    received: String,
    application: String,
}

/// Which part of the list is asked for.
#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    #[serde(rename = "ly-do")]
    reason: Option<String>,
    /// A kit's id.
    may: Option<String>,
    /// Where the page before ended.
    sau: Option<String>,
    /// What was done: how many packets, and how many of the chosen were left.
    kq: Option<String>,
    n: Option<u32>,
    con: Option<u32>,
}

impl Filter {
    fn reason(&self) -> Option<Reason> {
        self.reason.as_deref().and_then(Reason::from_code)
    }

    fn kit(&self) -> Option<KitId> {
        self.may.as_deref().and_then(|text| text.parse().ok())
    }

    /// The address of the list, without a page of it and without what was done.
    fn address(&self) -> String {
        let reason = self.reason().map(|reason| format!("ly-do={}", reason.code()));
        let kit = self.kit().map(|kit| format!("may={kit}"));
        let parts: Vec<String> = reason.into_iter().chain(kit).collect();
        if parts.is_empty() { PACKETS.to_owned() } else { format!("{PACKETS}?{}", parts.join("&")) }
    }
}

/// What the form was sent with.
#[derive(Default)]
struct Typed {
    chosen: Vec<PacketId>,
    why: String,
}

/// What a page says beside the list.
#[derive(Default)]
struct View {
    message: String,
    refusal: &'static str,
    typed: Typed,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let message = message(ui.lang, &filter);
    draw(&state, &who, ui, &filter, View { message, ..View::default() }).await
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Frame,
    filter: &Filter,
    view: View,
) -> Result<Response, Error> {
    let (reason, kit) = (filter.reason(), filter.kit());
    let asked = Asked {
        reason: reason.map(Reason::code),
        kit,
        after: filter.sau.as_deref().and_then(mark_of),
        limit: PAGE.asked(),
    };
    let mut found = quarantine::list(&state.db, &who.scope, &asked).await?;
    let more = PAGE.cut(&mut found);
    let counts = quarantine::counts(&state.db, &who.scope).await?;
    let question = json!({ "reason": reason.map(Reason::code), "kit": kit });
    looked::note(state, who, Look::list(who, "packets.listed", question, Vec::new())).await?;
    let address = filter.address();
    let next = found.last().filter(|_| more).map(|last| {
        let join = if address.contains('?') { '&' } else { '?' };
        format!("{address}{join}sau={}", mark(last.packet.since, last.packet.packet_id))
    });
    let ends = |held: &Held, by_attempt: bool| {
        Reason::from_code(&held.packet.reason).map(Reason::ends_by_another_attempt) == Some(by_attempt)
    };
    let names: Vec<String> = found.iter().map(|held| held.packet.packet_id.to_string()).collect();
    let now = state.campaign.now();
    page(&Page {
        tabs: tabs(state, who, &ui, PACKETS).await?,
        message: view.message,
        refusal: view.refusal,
        reasons: counts.iter().map(|(code, count)| reason_line(&ui, code, *count, reason)).collect(),
        filter: filter_text(&ui, reason, kit, &found),
        whole: (reason.is_some() || kit.is_some()).then_some(PACKETS),
        action: address,
        shown: names.join(","),
        may_retry: found.iter().any(|held| ends(held, true)),
        may_release: found.iter().any(|held| ends(held, false)),
        packets: found.iter().map(|held| line(state, &ui, held, &view.typed.chosen, now)).collect(),
        why: view.typed.why,
        most: MOST_REASON_CHARS,
        next,
        ui,
    })
}

fn reason_line(ui: &Frame, code: &str, count: i64, current: Option<Reason>) -> ReasonLine {
    ReasonLine {
        href: format!("{PACKETS}?ly-do={code}"),
        label: ui.code("quarantine.reason", code),
        count: ui.n(&count),
        means: ui.code("quarantine.means", code),
        current: current.is_some_and(|reason| reason.code() == code),
    }
}

/// Of which packets the list is, where it is not of all.
fn filter_text(ui: &Frame, reason: Option<Reason>, kit: Option<KitId>, found: &[Held]) -> String {
    let name = found.first().map_or("", |held| held.kit.as_str());
    match (reason, kit) {
        (Some(reason), _) => ui.code("quarantine.reason", reason.code()).to_owned(),
        (None, Some(_)) => ui.lang.fill("quarantine.of_kit", &[("kit", name)]),
        (None, None) => String::new(),
    }
}

fn line(state: &AppState, ui: &Frame, held: &Held, chosen: &[PacketId], now: OffsetDateTime) -> Line {
    let packet = &held.packet;
    let by_attempt = Reason::from_code(&packet.reason).is_some_and(Reason::ends_by_another_attempt);
    let known = |text: &str| if text.is_empty() { ui.t("actor.unknown").to_owned() } else { text.to_owned() };
    Line {
        id: packet.packet_id.to_string(),
        chosen: chosen.contains(&packet.packet_id),
        since: format::moment(packet.since),
        age: format::age(ui.lang, packet.since, now),
        reason: ui.code("quarantine.reason", &packet.reason),
        class: if by_attempt { "wait" } else { "late" },
        kit: known(&held.kit),
        kit_href: format!("{}/{}", super::KITS, packet.kit_id),
        number: ui.n(&packet.kit_seq),
        officer: known(&held.officer),
        unit: own_unit(state, &packet.unit_path),
        received: format::moment(packet.received_at),
        application: format!("/ho-so/{}", packet.application_id),
    }
}

/// What was done, as an address tells it.
fn message(lang: Lang, filter: &Filter) -> String {
    let key = match filter.kq.as_deref() {
        Some("thu-lai") => "quarantine.retried",
        Some("cho-mo") => "quarantine.released",
        _ => return String::new(),
    };
    let number = |n: Option<u32>| format::count(lang, i64::from(n.unwrap_or_default()));
    let mut text = lang.fill(key, &[("n", &number(filter.n))]);
    if filter.con.is_some_and(|left| left > 0) {
        text.push(' ');
        text.push_str(&lang.fill("quarantine.left", &[("n", &number(filter.con))]));
    }
    text
}

/// Takes what a commander says about packets of the own unit. What may be done is
/// [`enrol::intake::quarantine`]'s.
pub(crate) async fn act(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
    body: Bytes,
) -> Result<Response, Error> {
    let field = |name| form_field(&body, name).unwrap_or_default();
    let why: String = field("ly-do").trim().chars().filter(|c| !c.is_control()).collect();
    let (by, now) = (who.actor(), state.campaign.now());
    let what = field("viec");
    if what == "thu-lai-het" {
        let again = quarantine::retry(&state.db, &who.scope, None, &by, now).await?;
        return Ok(done(&filter, "thu-lai", again, 0));
    }
    let chosen = chosen(&body)?;
    let refuse = async |ui: Frame, status: StatusCode, key: &'static str, typed: Typed| {
        let view = View { refusal: ui.t(key), typed, ..View::default() };
        Ok((status, draw(&state, &who, ui, &filter, view).await?).into_response())
    };
    if chosen.is_empty() {
        return refuse(ui, StatusCode::BAD_REQUEST, "quarantine.refusal.none", Typed { chosen, why }).await;
    }
    let mut tx = state.db.scoped(&who.scope).await?;
    let known = seen(&mut tx, &chosen).await?;
    drop(tx);
    if let Some(foreign) = chosen.iter().find(|id| !known.contains(id)) {
        return Err(not_shown(&state, &who, format!("packet:{foreign}")).await);
    }
    match what.as_str() {
        "thu-lai" => {
            let again = quarantine::retry(&state.db, &who.scope, Some(&chosen), &by, now).await?;
            if again == 0 {
                let key = "quarantine.refusal.word";
                return refuse(ui, StatusCode::CONFLICT, key, Typed { chosen, why }).await;
            }
            Ok(done(&filter, "thu-lai", again, chosen.len() - again))
        }
        "cho-mo" if why.is_empty() || why.chars().count() > MOST_REASON_CHARS => {
            let key = "quarantine.refusal.no_reason";
            refuse(ui, StatusCode::BAD_REQUEST, key, Typed { chosen, why }).await
        }
        "cho-mo" => match quarantine::release(&state.db, &who.scope, &chosen, &why, &by, now).await {
            Ok(released) => Ok(done(&filter, "cho-mo", released, 0)),
            // Either altered, which nobody's word makes whole, or somebody else was faster.
            Err(EnrolError::Packet(_)) => {
                let key = "quarantine.refusal.not_released";
                refuse(ui, StatusCode::CONFLICT, key, Typed { chosen, why }).await
            }
            Err(error) => Err(error.into()),
        },
        _ => Err(Error::BadForm("the form does not say what to do")),
    }
}

/// The packets that a form names: those that were ticked, or all that its page showed.
fn chosen(body: &[u8]) -> Result<Vec<PacketId>, Error> {
    let all = form_field(body, "tat-ca").is_some();
    let shown = form_field(body, "trang").unwrap_or_default();
    let ticked: Vec<String> =
        form_fields(body).filter(|(name, _)| *name == "goi").map(|(_, value)| value).collect();
    let texts: Vec<&str> = match all {
        true => shown.split(',').filter(|text| !text.is_empty()).collect(),
        false => ticked.iter().map(String::as_str).collect(),
    };
    if texts.len() > MOST_NAMED {
        return Err(Error::BadForm("the form names more packets than a page shows"));
    }
    let ids: Result<Vec<PacketId>, Error> = texts.into_iter().map(crate::pages::id).collect();
    let mut ids = ids?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Leads back to the list, which says what was done.
fn done(filter: &Filter, what: &str, packets: usize, left: usize) -> Response {
    let address = filter.address();
    let join = if address.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{address}{join}kq={what}&n={packets}&con={left}")).into_response()
}

fn mark(since: OffsetDateTime, packet: PacketId) -> String {
    format!("{}.{packet}", since.unix_timestamp_nanos() / 1_000)
}

fn mark_of(text: &str) -> Option<(OffsetDateTime, PacketId)> {
    let (since, packet) = text.split_once('.')?;
    let nanos = since.parse::<i64>().ok().map(|micros| i128::from(micros) * 1_000)?;
    let since = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    Some((since, packet.parse().ok()?)).filter(|(since, _)| (1900..2200).contains(&since.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_reason_has_words_and_says_what_to_do() {
        for lang in [Lang::Vi, Lang::En] {
            let texts = |of: &str| {
                let mut texts: Vec<&str> =
                    Reason::ALL.map(|reason| lang.text(&format!("quarantine.{of}.{}", reason.code()))).into();
                texts.sort_unstable();
                texts.dedup();
                texts.len()
            };
            assert_eq!((texts("reason"), texts("means")), (Reason::ALL.len(), Reason::ALL.len()));
        }
    }

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        let packet = PacketId::derive(datetime!(2021-04-06 01:00 UTC), &[b"1"]);
        let since = datetime!(2021-04-06 01:00:00.123456 UTC);
        assert_eq!(mark_of(&mark(since, packet)), Some((since, packet)));
        for bad in ["", ".", "1", "x.y", &format!("{}.{packet}", i64::MAX), "1.x"] {
            assert_eq!(mark_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_form_names_what_was_ticked_or_all_of_its_page() {
        let ids = [b"1", b"2"].map(|n| PacketId::derive(datetime!(2021-04-06 01:00 UTC), &[n]));
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let shown = format!("trang={},{}", ids[0], ids[1]);
        assert_eq!(chosen(format!("{shown}&tat-ca=1").as_bytes()).unwrap(), sorted);
        assert_eq!(chosen(shown.as_bytes()).unwrap(), []);
        let twice = format!("{shown}&goi={}&goi={}", ids[1], ids[1]);
        assert_eq!(chosen(twice.as_bytes()).unwrap(), [ids[1]]);
        assert!(chosen(b"goi=x").is_err());
        let many = "&goi=".to_owned() + &ids[0].to_string();
        assert!(chosen(many.repeat(MOST_NAMED + 1).as_bytes()).is_err());
    }
}
