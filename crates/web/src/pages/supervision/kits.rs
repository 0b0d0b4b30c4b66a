//! Kits of the unit and the credentials of the officers who work with them: where each stands, and what two
//! people agree on about it.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{KITS, PACKETS, TRAIL, tabs};
use crate::error::Error;
use crate::extract::{Path, Query};
use crate::form::form_field;
use crate::frame::{page, unit_full, unit_name};
use crate::pages::actor::Actors;
use crate::pages::{PageSize, Tab, id, not_shown, note_read};
use crate::session::Who;
use crate::state::AppState;
use domain::id::{CredentialId, KitId};
use enrol::kits::{self, Confirmed};
use enrol::officers;
use enrol::roster::{self, CredentialLine, CredentialState, KitLine, KitState};
use enrol::{EnrolError, MOST_REASON_CHARS};
use store::applications::proposals::Proposal;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

/// So many kits one sees at a glance.
const FEW: usize = 20;
/// Kits on one page, so that it stays light.
const PAGE: PageSize = PageSize(150);

#[derive(Template)]
#[template(path = "kits.html")]
struct ListPage {
    ui: Frame,
    tabs: Vec<Tab>,
    states: String,
    /// Whether there are so many that one searches by name.
    search: bool,
    name: String,
    kits: Vec<Line>,
    cut_off: bool,
}

struct Line {
    href: String,
    name: String,
    state: &'static str,
    class: &'static str,
    unit: String,
    heard: String,
    heard_age: String,
    packets: String,
    set_aside: String,
    missing: String,
    unsent: String,
    officers: String,
    /// Something is proposed of a credential on it.
    doubted: bool,
}

#[derive(Template)]
#[template(path = "kit.html")]
struct OnePage {
    ui: Frame,
    name: String,
    message: String,
    refusal: &'static str,
    state: &'static str,
    class: &'static str,
    means: &'static str,
    facts: Vec<Fact>,
    proposed: Option<Proposed>,
    reason: String,
    action: String,
    may_revoke: bool,
    may_resume: bool,
    /// What was typed as the reason.
    why: String,
    most: usize,
    credentials: Vec<CredentialBlock>,
    trail: String,
}

struct Fact {
    label: &'static str,
    value: String,
    href: Option<String>,
    hint: String,
}

/// What somebody proposes, and whether the reader may answer.
struct Proposed {
    what: &'static str,
    by: String,
    at: String,
    reason: String,
    own: bool,
    /// Tells this proposal from a later one.
    mark: String,
}

struct CredentialBlock {
    id: String,
    login: String,
    state: &'static str,
    class: &'static str,
    from: String,
    until: String,
    reason: String,
    proposed: Option<Proposed>,
    may_revoke: bool,
    /// Its form was sent and refused: it stands open with what was typed.
    open: bool,
    why: String,
}

#[derive(Deserialize)]
pub(crate) struct Search {
    ten: Option<String>,
}

/// What came of an act, as the address tells it.
#[derive(Deserialize)]
pub(crate) struct Outcome {
    kq: Option<String>,
    n: Option<u32>,
}

const fn class_of(state: KitState) -> &'static str {
    match state {
        KitState::Works => "good",
        KitState::Stopped => "late",
        KitState::ToBeResumed | KitState::ToBeRevoked => "wait",
        KitState::Revoked => "ended",
    }
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(search): Query<Search>,
) -> Result<Response, Error> {
    let name: String =
        search.ten.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(64).collect();
    let all = roster::kits_in(&state.db, state.units(), &who.scope).await?;
    let states: Vec<String> = KitState::ALL
        .into_iter()
        .map(|state| (state, all.iter().filter(|line| line.state == state).count() as i64))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{} {}", ui.n(&count), ui.code("kit.count", state.code())))
        .collect();
    let search = all.len() > FEW || !name.is_empty();
    let wanted = name.to_lowercase();
    let mut lines: Vec<KitLine> =
        all.into_iter().filter(|line| line.kit.name.to_lowercase().contains(&wanted)).collect();
    let now = state.campaign.now();
    let credentials = roster::credentials_in(&state.db, state.units(), &who.scope, now).await?;
    let place = |state: KitState| KitState::ALL.iter().position(|one| *one == state);
    lines.sort_by_key(|line| (!doubted(&credentials, line.kit.kit_id), place(line.state)));
    lines.sort_by_key(|line| !(line.state.waits() || doubted(&credentials, line.kit.kit_id)));
    let cut_off = PAGE.cut(&mut lines);
    page(&ListPage {
        tabs: tabs(&state, &who, &ui, KITS).await?,
        states: states.join(" · "),
        search,
        name,
        kits: lines.iter().map(|one| line(&state, &ui, one, &credentials, now)).collect(),
        cut_off,
        ui,
    })
}

fn doubted(credentials: &[CredentialLine], kit: KitId) -> bool {
    let is = |line: &CredentialLine| line.state == CredentialState::ToBeRevoked;
    credentials.iter().any(|line| line.credential.kit_id == kit && is(line))
}

fn line(
    state: &AppState,
    ui: &Frame,
    one: &KitLine,
    credentials: &[CredentialLine],
    now: OffsetDateTime,
) -> Line {
    let (kit, heard) = (&one.kit, &one.heard);
    let good =
        |line: &&CredentialLine| line.credential.kit_id == kit.kit_id && line.state == CredentialState::Good;
    Line {
        href: format!("{KITS}/{}", kit.kit_id),
        name: kit.name.clone(),
        state: ui.code("kit.state", one.state.code()),
        class: class_of(one.state),
        unit: unit_name(state, &kit.unit.to_string()),
        heard: kit.heard_at.map_or_else(|| ui.t("kit.never").to_owned(), format::moment),
        heard_age: kit.heard_at.map(|at| format::age(ui.lang, at, now)).unwrap_or_default(),
        packets: ui.n(&heard.packets),
        set_aside: ui.n(&heard.set_aside),
        missing: ui.n(&heard.missing),
        unsent: one.last_word().map_or_else(|| "—".to_owned(), |(_, unsent)| ui.n(&unsent)),
        officers: ui.n(&(credentials.iter().filter(good).count() as i64)),
        doubted: doubted(credentials, kit.kit_id),
    }
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(kit_id): Path,
    Query(outcome): Query<Outcome>,
) -> Result<Response, Error> {
    let message = message(ui.lang, &outcome);
    draw(&state, &who, ui, id(&kit_id)?, View { message, ..View::default() }).await
}

/// What a page says beside the kit.
#[derive(Default)]
struct View {
    message: String,
    refusal: &'static str,
    why: String,
    /// Whose form was refused.
    of: Option<CredentialId>,
}

/// The kit, if the reader's unit has it.
async fn read(state: &AppState, who: &Who, kit: KitId) -> Result<KitLine, Error> {
    match roster::kit_in(&state.db, state.units(), &who.scope, kit).await? {
        Some(found) => Ok(found),
        None => Err(not_shown(state, who, format!("kit:{kit}")).await),
    }
}

async fn draw(state: &AppState, who: &Who, ui: Frame, kit: KitId, view: View) -> Result<Response, Error> {
    let found = read(state, who, kit).await?;
    let path = state.units().path(found.kit.unit).unwrap_or_default();
    note_read(state, who, "kit.read", format!("kit:{kit}"), &path, Vec::new()).await?;
    let now = state.campaign.now();
    let all = roster::credentials_in(&state.db, state.units(), &who.scope, now).await?;
    let credentials: Vec<CredentialLine> =
        all.into_iter().filter(|line| line.credential.kit_id == kit).collect();
    let proposals = credentials.iter().filter_map(|line| line.credential.proposed.as_ref());
    let proposals = proposals.chain(&found.kit.standing.proposed);
    let actors = Actors::load(state, proposals.map(|proposal| proposal.by.as_str())).await?;
    let told = |proposal: &Proposal| proposed(&ui, who, &actors, proposal);
    let is_open = found.kit.standing.proposed.is_none() && found.state != KitState::Revoked;
    let blocks = credentials.iter().map(|line| CredentialBlock {
        id: line.credential.credential_id.to_string(),
        login: line.credential.login.clone(),
        state: ui.code("credential.state", line.state.code()),
        class: match line.state {
            CredentialState::Good => "good",
            CredentialState::ToBeRevoked => "wait",
            CredentialState::Ended | CredentialState::Revoked => "ended",
        },
        from: format::moment(line.credential.not_before),
        until: format::moment(line.credential.not_after),
        reason: line.credential.revoked_reason.clone().unwrap_or_default(),
        proposed: line.credential.proposed.as_ref().map(told),
        may_revoke: matches!(line.state, CredentialState::Good | CredentialState::Ended),
        open: view.of == Some(line.credential.credential_id),
        why: view.why.clone(),
    });
    let blocks: Vec<CredentialBlock> = blocks.collect();
    page(&OnePage {
        state: ui.code("kit.state", found.state.code()),
        class: class_of(found.state),
        means: ui.code("kit.means", found.state.code()),
        facts: facts(state, &ui, &found, now),
        proposed: found.kit.standing.proposed.as_ref().map(told),
        reason: found.heard.revoked_reason.clone().unwrap_or_default(),
        action: format!("{KITS}/{kit}"),
        may_revoke: is_open || found.state == KitState::ToBeResumed,
        may_resume: found.state == KitState::Stopped,
        message: view.message,
        refusal: view.refusal,
        why: if view.of.is_none() { view.why } else { String::new() },
        most: MOST_REASON_CHARS,
        credentials: blocks,
        trail: format!("{TRAIL}?doi-tuong=kit:{kit}"),
        name: found.kit.name,
        ui,
    })
}

fn proposed(ui: &Frame, who: &Who, actors: &Actors, proposal: &Proposal) -> Proposed {
    Proposed {
        what: ui.code("kit.proposed", &proposal.what),
        by: actors.name(ui.lang, &proposal.by),
        at: format::moment(proposal.at),
        reason: proposal.reason.clone(),
        own: proposal.by == who.actor().to_string(),
        mark: mark(proposal.at),
    }
}

fn facts(state: &AppState, ui: &Frame, found: &KitLine, now: OffsetDateTime) -> Vec<Fact> {
    let (kit, heard) = (&found.kit, &found.heard);
    let fact = |key: &str, value: String| Fact { label: ui.t(key), value, href: None, hint: String::new() };
    let mut facts = vec![
        fact("kit.unit", unit_full(state, &kit.unit.to_string())),
        fact("kit.registered", format::moment(kit.registered_at)),
        Fact {
            hint: kit.heard_at.map(|at| format::age(ui.lang, at, now)).unwrap_or_default(),
            ..fact("kit.heard", kit.heard_at.map_or_else(|| ui.t("kit.never").to_owned(), format::moment))
        },
        fact("kit.packets", ui.n(&heard.packets)),
        Fact {
            href: (heard.set_aside > 0).then(|| format!("{PACKETS}?may={}", kit.kit_id)),
            ..fact("kit.set_aside", ui.n(&heard.set_aside))
        },
        Fact { hint: ui.t("kit.safe_hint").to_owned(), ..fact("kit.safe_to", ui.n(&heard.durable)) },
        Fact { hint: ui.t("kit.missing_hint").to_owned(), ..fact("kit.missing", ui.n(&heard.missing)) },
    ];
    if heard.lost > 0 {
        facts.push(Fact { hint: ui.t("kit.lost_hint").to_owned(), ..fact("kit.lost", ui.n(&heard.lost)) });
    }
    if let Some((at, unsent)) = found.last_word() {
        let hint = ui.lang.fill("kit.reported", &[("at", &format::moment(at))]);
        facts.push(Fact { hint, ..fact("kit.unsent", ui.n(&unsent)) });
    } else {
        facts.push(fact("kit.unsent", ui.t("kit.no_report").to_owned()));
    }
    if let Some((at, code)) = &kit.standing.stopped {
        let why = ui.code("quarantine.reason", code);
        facts.push(Fact { hint: why.to_owned(), ..fact("kit.stopped_at", format::moment(*at)) });
    }
    if let Some(at) = kit.revoked_at {
        facts.push(fact("kit.revoked_at", format::moment(at)));
    }
    facts
}

fn message(lang: Lang, outcome: &Outcome) -> String {
    let key = match outcome.kq.as_deref() {
        Some("de-nghi") => "kit.done.proposed",
        Some("thu-hoi") => "kit.done.revoked",
        Some("tiep-tuc") => "kit.done.resumed",
        Some("giu") => "kit.done.kept",
        Some("truoc") => "kit.done.before",
        _ => return String::new(),
    };
    let number = format::count(lang, i64::from(outcome.n.unwrap_or_default()));
    lang.fill(key, &[("n", &number)])
}

/// What a form asks for.
struct Asked {
    what: String,
    why: String,
    /// Of this credential; of the kit without it.
    of: Option<CredentialId>,
    /// The proposal that the page showed.
    seen: Option<OffsetDateTime>,
}

impl Asked {
    fn read(body: &[u8]) -> Result<Asked, Error> {
        let field = |name| form_field(body, name).unwrap_or_default();
        let credential = field("chung-thuc");
        Ok(Asked {
            what: field("viec"),
            why: field("ly-do").trim().chars().filter(|c| !c.is_control()).collect(),
            of: if credential.is_empty() { None } else { Some(id(&credential)?) },
            seen: mark_of(&field("de-nghi")),
        })
    }

    /// The key of what is missing.
    fn fault(&self) -> Option<&'static str> {
        let long = self.why.is_empty() || self.why.chars().count() > MOST_REASON_CHARS;
        match self.what.as_str() {
            "thu-hoi" | "tiep-tuc" if long => Some("kit.refusal.no_reason"),
            "xac-nhan" | "giu" if self.seen.is_none() => Some("kit.refusal.changed"),
            _ => None,
        }
    }
}

/// Takes what a commander says about a kit of the own unit or a credential on it. What may be done is
/// [`enrol::kits`]'s and [`enrol::officers`]'s.
pub(crate) async fn act(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(kit_id): Path,
    body: Bytes,
) -> Result<Response, Error> {
    let kit: KitId = id(&kit_id)?;
    let found = read(&state, &who, kit).await?;
    let asked = Asked::read(&body)?;
    let proposal = match asked.of {
        None => found.kit.standing.proposed.clone(),
        Some(credential) => {
            let all =
                roster::credentials_in(&state.db, state.units(), &who.scope, state.campaign.now()).await?;
            let on_it = |line: &&CredentialLine| {
                (line.credential.credential_id, line.credential.kit_id) == (credential, kit)
            };
            match all.iter().find(on_it) {
                Some(line) => line.credential.proposed.clone(),
                None => return Err(not_shown(&state, &who, format!("officer:{credential}")).await),
            }
        }
    };
    let own = proposal.is_some_and(|proposal| proposal.by == who.actor().to_string());
    let answers = matches!(asked.what.as_str(), "xac-nhan" | "giu");
    let (status, refusal) = match asked.fault() {
        Some(key) => (StatusCode::BAD_REQUEST, key),
        None if answers && own => (StatusCode::CONFLICT, "kit.refusal.own"),
        None => match done(&state, &who, &found.kit.name, &asked).await {
            Ok((what, n)) => {
                return Ok(Redirect::to(&format!("{KITS}/{kit}?kq={what}&n={n}")).into_response());
            }
            Err(EnrolError::Kit(_) | EnrolError::Officer(_)) => (StatusCode::CONFLICT, "kit.refusal.changed"),
            Err(error) => return Err(error.into()),
        },
    };
    let view = View { refusal: ui.t(refusal), why: asked.why, of: asked.of, ..View::default() };
    Ok((status, draw(&state, &who, ui, kit, view).await?).into_response())
}

/// Does it. Gives what was done as the address tells it, and how many packets are opened because of it.
async fn done(
    state: &AppState,
    who: &Who,
    name: &str,
    asked: &Asked,
) -> Result<(&'static str, usize), EnrolError> {
    let (db, units, now, by) = (&state.db, state.units(), state.campaign.now(), who.actor());
    let came = |came: kits::Came| match came {
        kits::Came::Now => ("de-nghi", 0),
        kits::Came::Before => ("truoc", 0),
    };
    match (asked.what.as_str(), asked.of) {
        ("thu-hoi", None) => kits::revoke(db, units, name, &asked.why, &by, now).await.map(came),
        ("thu-hoi", Some(one)) => officers::revoke(db, units, one, &asked.why, &by, now).await.map(came),
        ("tiep-tuc", None) => kits::resume(db, units, name, &asked.why, &by, now).await.map(came),
        ("xac-nhan", None) => match kits::confirm(db, units, name, asked.seen, &by, now).await? {
            (_, kits::Came::Before) => Ok(("truoc", 0)),
            (Confirmed::Revoked, kits::Came::Now) => Ok(("thu-hoi", 0)),
            (Confirmed::Resumed, kits::Came::Now) => Ok(("tiep-tuc", 0)),
        },
        ("xac-nhan", Some(one)) => match officers::confirm(db, units, one, &by, now).await? {
            kits::Came::Now => Ok(("thu-hoi", 0)),
            kits::Came::Before => Ok(("truoc", 0)),
        },
        ("giu", None) => Ok(("giu", kits::keep(db, units, name, asked.seen, &by, now).await?)),
        ("giu", Some(one)) => Ok(("giu", officers::keep(db, units, one, &by, now).await?)),
        _ => Err(EnrolError::Kit("the form does not say what to do".to_owned())),
    }
}

fn mark(at: OffsetDateTime) -> String {
    (at.unix_timestamp_nanos() / 1_000).to_string()
}

fn mark_of(text: &str) -> Option<OffsetDateTime> {
    let micros = text.parse::<i64>().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_words() {
        for lang in [Lang::Vi, Lang::En] {
            for of in ["state", "means", "count"] {
                let mut texts: Vec<&str> =
                    KitState::ALL.map(|state| lang.text(&format!("kit.{of}.{}", state.code()))).into();
                texts.sort_unstable();
                texts.dedup();
                assert_eq!(texts.len(), KitState::ALL.len(), "{of}");
            }
            for state in CredentialState::ALL {
                assert!(!lang.text(&format!("credential.state.{}", state.code())).is_empty());
            }
        }
    }

    #[test]
    fn who_proposes_says_why_and_who_answers_saw_what() {
        let fault = |body: &str| Asked::read(body.as_bytes()).unwrap().fault();
        assert_eq!(fault("viec=thu-hoi&ly-do=+"), Some("kit.refusal.no_reason"));
        assert_eq!(fault(&format!("viec=tiep-tuc&ly-do={}", "x".repeat(201))), Some("kit.refusal.no_reason"));
        assert_eq!(fault("viec=thu-hoi&ly-do=lost"), None);
        assert_eq!(fault("viec=xac-nhan"), Some("kit.refusal.changed"));
        assert_eq!(fault("viec=giu&de-nghi=1"), None);
        assert!(Asked::read(b"viec=giu&chung-thuc=x").is_err());
    }
}
