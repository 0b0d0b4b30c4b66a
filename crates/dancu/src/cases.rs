//! `dancu case`: cases that people decide, read and decided by the same functions as on the pages.

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::cli::Operator;
use crate::output::{Form, Table, print_json};
use centre::{Installation, Place};
use domain::Actor;
use domain::id::{AccountId, CaseId, PersonId};
use resolve::cases::{self, Act, ActKind, Choice, Decision, Sheet};
use store::UnitScope;
use store::accounts::Account;
use store::audit::Entry;
use store::cases::Case;
use store::cases::pages::CaseStage;
use ui::say;
use web::Role;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// One case a line: id, kind, day by which it must be decided, decision. What is due first comes first.
    List {
        /// open, proposed or closed.
        #[arg(long, default_value = "open", value_parser = ["open", "proposed", "closed"])]
        stage: String,
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        /// Only what this account sees.
        #[arg(long = "as", value_name = "LOGIN")]
        login: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// A case: where it stands, what was said, what may be decided now and what may not.
    Show {
        case: CaseId,
        /// Also what this account may do about it.
        #[arg(long = "as", value_name = "LOGIN")]
        login: Option<String>,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Propose a decision; a colleague must confirm it.
    Propose {
        case: CaseId,
        /// link, same_person, different_people or reject.
        #[arg(value_parser = ["link", "same_person", "different_people", "reject"])]
        decision: String,
        /// With link: whose register record the application is.
        #[arg(long, required_if_eq("decision", "link"))]
        person: Option<PersonId>,
        #[command(flatten)]
        how: How,
    },
    /// Confirm what a colleague proposed, and carry it out.
    Confirm {
        case: CaseId,
        #[command(flatten)]
        how: How,
    },
    /// Disagree with what a colleague proposed: the case is open again, for a third adjudicator.
    Disagree {
        case: CaseId,
        #[command(flatten)]
        how: How,
    },
    /// Take one's own proposal back.
    Withdraw {
        case: CaseId,
        #[command(flatten)]
        how: How,
    },
    /// Open a closed case again, and take back what its decision did, as long as that can be.
    Reopen {
        case: CaseId,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    /// The account of the adjudicator who does it.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// The version of the case that was read, as `case show` prints it: if somebody did something since,
    /// nothing is done. To confirm takes it.
    #[arg(long, value_name = "VERSION")]
    seen: Option<i16>,
    /// Why. To disagree and to open again take one.
    #[arg(long)]
    reason: Option<String>,
    /// An id of the sender's for this command, so that sending it again does nothing more.
    #[arg(long, value_name = "UUID")]
    command: Option<Uuid>,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    let centre = Installation::open(place).await?;
    let (case, act, how) = match command {
        Command::List { stage, limit, login, form } => {
            return list(&centre, stage, *limit, login.as_deref(), *form).await;
        }
        Command::Show { case, login, json, operator } => {
            return show(&centre, *case, login.as_deref(), operator, *json).await;
        }
        Command::Propose { case, decision, person, how } => {
            ensure!(decision == "link" || person.is_none(), "--person goes with the decision `link` alone");
            let decision = Decision::from_parts(decision, *person, None).context("link takes --person")?;
            (case, Act::Propose(decision), how)
        }
        Command::Confirm { case, how } => {
            ensure!(how.seen.is_some(), "give --seen, so that what is confirmed is what was read");
            (case, Act::Confirm, how)
        }
        Command::Disagree { case, how } => (case, Act::Disagree, how),
        Command::Withdraw { case, how } => (case, Act::Withdraw, how),
        Command::Reopen { case, how } => (case, Act::Reopen, how),
    };
    act_as(&centre, *case, &act, how).await
}

async fn act_as(centre: &Installation, case: CaseId, act: &Act, how: &How) -> Result<()> {
    let account = adjudicator(centre, &how.login).await?;
    let sheet = read(centre, &account.scope, case).await?;
    let by = Actor::Account(AccountId::from_uuid(account.id));
    let id = how.command.unwrap_or_else(|| {
        let mut bytes = [0u8; 16];
        rand::rng().fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    });
    let reason = how.reason.as_deref();
    let command = cases::Command { id, case, by: &by, seen: how.seen, reason, at: centre.clock.now() };
    let done = cases::act(&centre.db, &command, act).await?;
    let stage = done.standing.stage.code();
    let decision = done.standing.stage.decision().or_else(|| sheet.standing.stage.decision());
    if how.json {
        let line = json!({
            "case": case, "act": act.kind().code(), "stage": stage, "version": done.standing.version,
            "decision": decision.map(decision_json), "repeated": done.is_repeat,
        });
        return print_json(&line);
    }
    let what = match (done.is_repeat, act.kind()) {
        (true, _) => "unchanged",
        (false, ActKind::Propose) => "proposed",
        (false, ActKind::Confirm) => "confirmed",
        (false, ActKind::Disagree) => "disagreed",
        (false, ActKind::Withdraw) => "withdrawn",
        (false, ActKind::Reopen) => "reopened",
    };
    say!("{what:<10} case {case}: {stage}, version {}", done.standing.version);
    Ok(())
}

/// The account, which decides cases.
async fn adjudicator(centre: &Installation, login: &str) -> Result<Account> {
    let account = account(centre, login).await?;
    ensure!(
        Role::from_code(&account.role) == Some(Role::Adjudicator),
        "the account {login} is no adjudicator's; `dancu account list` names them"
    );
    Ok(account)
}

async fn account(centre: &Installation, login: &str) -> Result<Account> {
    let mut conn = centre.db.read().await?;
    let account = store::accounts::by_login(&mut conn, login).await?.with_context(|| {
        format!("there is no account {login}; `dancu account list` names those there are")
    })?;
    ensure!(account.disabled_at.is_none(), "the account {login} is disabled");
    Ok(account)
}

async fn scope(centre: &Installation, login: Option<&str>) -> Result<UnitScope> {
    match login {
        Some(login) => Ok(account(centre, login).await?.scope),
        None => Ok(UnitScope::everything()),
    }
}

async fn read(centre: &Installation, scope: &UnitScope, case: CaseId) -> Result<Sheet> {
    match cases::read(&centre.db, scope, case).await? {
        Some(sheet) => Ok(sheet),
        None => {
            bail!("there is no case {case}, or the account does not see it; `dancu case list` names them")
        }
    }
}

async fn list(centre: &Installation, stage: &str, limit: u32, login: Option<&str>, form: Form) -> Result<()> {
    let of = match stage {
        "proposed" => CaseStage::Unconfirmed,
        "closed" => CaseStage::Closed,
        _ => CaseStage::Open,
    };
    let scope = scope(centre, login).await?;
    let mut scoped = centre.db.scoped(&scope).await?;
    let found = store::cases::pages::cases(&mut scoped, of, limit.into()).await?;
    if form.json {
        return print_json(&found.iter().map(case_json).collect::<Result<Value>>()?);
    }
    let mut table = Table::new("cases", &["id", "kind", "due_on", "decision"]);
    for case in &found {
        let due = day(case.due_at).to_string();
        table.push([json!(case.case_id), json!(case.kind), json!(due), json!(case.decision)]);
    }
    table.print(form)
}

async fn show(
    centre: &Installation,
    case: CaseId,
    login: Option<&str>,
    operator: &Operator,
    json: bool,
) -> Result<()> {
    let reader = match login {
        Some(login) => Some(adjudicator(centre, login).await?),
        None => None,
    };
    let scope = reader.as_ref().map_or_else(UnitScope::everything, |account| account.scope.clone());
    let sheet = read(centre, &scope, case).await?;
    let who = match &reader {
        Some(account) => Actor::Account(AccountId::from_uuid(account.id)),
        None => operator.actor(centre).await?,
    };
    note_read(centre, &who, &sheet).await?;
    let acts: Vec<&str> = match reader {
        Some(_) => ActKind::ALL
            .into_iter()
            .filter(|kind| sheet.may(*kind, &who).is_ok())
            .map(ActKind::code)
            .collect(),
        None => Vec::new(),
    };
    if json {
        let mut shown = case_json(&sheet.case)?;
        let said = sheet.said.iter().map(|action| {
            Ok(json!({
                "version": action.seq, "act": action.action, "at": action.at.format(&Rfc3339)?,
                "actor": action.actor,
                "decision": action.decision, "person": action.decided_person_id, "reason": action.note,
            }))
        });
        shown["stage"] = json!(sheet.standing.stage.code());
        shown["version"] = json!(sheet.standing.version);
        shown["obstacle"] = json!(sheet.obstacle.map(|obstacle| obstacle.code()));
        shown["disagreed"] = json!(sheet.standing.parties);
        shown["choices"] = sheet.options.iter().map(choice_json).collect();
        shown["evidence"] = serde_json::to_value(&sheet.evidence)?;
        shown["said"] = said.collect::<Result<Value>>()?;
        shown["acts"] = json!(acts);
        return print_json(&shown);
    }
    let Sheet { case, standing, .. } = &sheet;
    say!("case       {} {}", case.case_id, case.kind);
    say!("stage      {}, version {}", standing.stage.code(), standing.version);
    say!("due        {}", day(case.due_at));
    for action in &sheet.said {
        let reason = action.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        say!("{:<10} {} by {} on {}{reason}", action.action, action.decision, action.actor, day(action.at));
    }
    if let Some(obstacle) = sheet.obstacle {
        say!("obstacle   {obstacle}");
    }
    for choice in sheet.options.iter().filter(|_| standing.stage.decision().is_none()) {
        let person = choice.decision.person().map(|person| format!(" --person {person}")).unwrap_or_default();
        let may = choice.obstacle.map(|obstacle| format!(" cannot be: {obstacle}")).unwrap_or_default();
        say!("choice     {}{person}{may}", choice.decision.code());
    }
    if login.is_some() {
        say!("acts       {}", if acts.is_empty() { "none".to_owned() } else { acts.join(", ") });
    }
    Ok(())
}

/// A case names people: that it was read is in the audit trail, as when it is read on its page.
async fn note_read(centre: &Installation, who: &Actor, sheet: &Sheet) -> Result<()> {
    let entry = Entry {
        at: centre.clock.now(),
        actor: who.clone(),
        action: "case.read".to_owned(),
        subject: format!("case:{}", sheet.case.case_id),
        unit_path: sheet.case.unit_path.clone(),
        detail: json!({}),
    };
    let mut tx = centre.db.begin().await?;
    store::audit::append(&mut tx, &entry).await?;
    Ok(store::commit(tx).await?)
}

fn day(at: OffsetDateTime) -> time::Date {
    domain::clock::day_in_vietnam(at)
}

fn case_json(case: &Case) -> Result<Value> {
    Ok(json!({
        "case": case.case_id, "kind": case.kind, "application": case.application_id,
        "other_application": case.other_application_id, "person": case.person_id,
        "other_person": case.other_person_id, "opened_at": case.opened_at.format(&Rfc3339)?,
        "due_at": case.due_at.format(&Rfc3339)?, "decision": case.decision,
        "decided_person": case.decided_person_id, "decision_code": case.decision_code,
        "decided_by": case.decided_by, "confirmed_by": case.confirmed_by,
    }))
}

fn decision_json(decision: &Decision) -> Value {
    json!({ "decision": decision.code(), "person": decision.person(), "code": decision.reason() })
}

fn choice_json(choice: &Choice) -> Value {
    let mut shown = decision_json(&choice.decision);
    shown["obstacle"] = json!(choice.obstacle.map(|obstacle| obstacle.code()));
    shown
}
