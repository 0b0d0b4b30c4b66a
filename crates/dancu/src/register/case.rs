//! `dancu register case`: cases of correction, opened, acted on and listed by the functions of the pages.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;
use serde_json::{Map, Value, json};
use time::Date;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::cli::Operator;
use crate::output::{Form, Table, print_json};
use centre::Installation;
use domain::Actor;
use domain::correction::{By, CaseAction, Desk, Outcome};
use domain::field::{Field, Part};
use domain::id::{AccountId, ActId, CorrectionId};
use register::cases::{Act, Acting, AnswerText, CaseError, NewCase, What, act_on_case, days_late, open_case};
use register::{ChangeText, PaperText, scan};
use store::UnitScope;
use store::accounts::Account;
use store::audit::{self, Entry};
use store::register::corrections::pages::{self as rows, Which};
use store::register::corrections::{self, CaseRow};
use ui::say;

/// Cases that are listed at most.
const MOST_LISTED: i64 = 10_000;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Ask the justice office for a correction.
    Open(OpenOptions),
    /// Do something about a case: take it, issue its paper, apply it, refuse or withdraw it, or give it away.
    Act(Box<ActOptions>),
    /// The cases of a unit, those that were opened first first, each with its owner, age and last day.
    List {
        /// open, overdue or closed; `mine` takes --as.
        #[arg(long, default_value = "open", value_parser = ["open", "mine", "overdue", "closed"])]
        stage: String,
        /// Only what this account sees.
        #[arg(long = "as", value_name = "LOGIN", required_if_eq("stage", "mine"))]
        login: Option<String>,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        operator: Operator,
    },
    /// A case: its items, where it stands, what was done. Reading it is a row of the audit trail.
    Show {
        case: CorrectionId,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OpenOptions {
    /// The person's id in the register, or the personal number (12 digits).
    person: String,
    /// What the register should state, such as `name=Lê Thị Hoa` or `permanent.detail=Thôn 2`; an empty value
    /// when it should state nothing.
    #[arg(long = "set", value_name = "FIELD=VALUE", required = true)]
    set: Vec<String>,
    /// citizen, clerk, officer, quality_rule or agency_list.
    #[arg(long, default_value = "clerk")]
    source: String,
    /// Which rule of quality, or which list.
    #[arg(long = "ref", value_name = "TEXT", default_value = "")]
    source_ref: String,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    /// The account of the clerk or officer who asks.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// An id of the sender's for the case, so that sending it again opens no other.
    #[arg(long, value_name = "UUID")]
    case: Option<CorrectionId>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ActOptions {
    case: CorrectionId,
    /// take, issue-paper, apply, refuse, withdraw or reassign.
    #[arg(value_parser = ["take", "issue-paper", "apply", "refuse", "withdraw", "reassign"])]
    act: String,
    /// The account that does it; its role says for which office.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// The version of the case that was read, as `case show` prints it: if somebody did something since,
    /// nothing is done.
    #[arg(long, value_name = "VERSION")]
    seen: Option<u16>,
    /// Why. To refuse, to withdraw and to reassign take one.
    #[arg(long, default_value = "")]
    reason: String,
    /// With take: others must be asked first, which has the longer limit.
    #[arg(long)]
    verifies: bool,
    /// With issue-paper, a field that the paper grants: as it was asked for (`name`), or with another value
    /// (`name=Lê Thị Hoa`).
    #[arg(long, value_name = "FIELD[=VALUE]")]
    grant: Vec<String>,
    /// With issue-paper, a field that it does not grant.
    #[arg(long, value_name = "FIELD")]
    refuse: Vec<String>,
    /// With issue-paper: civil_status, court_decision, verification or another kind (docs/events.md).
    #[arg(long, value_name = "KIND", default_value = "civil_status")]
    paper: String,
    /// With issue-paper: the number on the paper.
    #[arg(long, value_name = "TEXT", default_value = "")]
    number: String,
    /// With issue-paper: who issued it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    authority: String,
    /// With issue-paper: the day on it, dd/mm/yyyy.
    #[arg(long, value_name = "DAY", default_value = "")]
    issued_on: String,
    /// With issue-paper: the paper's scan (JPEG, PNG or PDF).
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
    /// With reassign: the account of the justice office that it is given to.
    #[arg(long, value_name = "LOGIN", required_if_eq("act", "reassign"))]
    to: Option<String>,
    /// An id of the sender's for this act, so that sending it again does nothing more.
    #[arg(long, value_name = "UUID")]
    action: Option<ActId>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(centre: &Installation, command: &Command) -> Result<()> {
    match command {
        Command::Open(options) => open(centre, options).await,
        Command::Act(options) => act(centre, options).await,
        Command::List { stage, login, form, operator } => {
            list(centre, stage, login.as_deref(), *form, operator).await
        }
        Command::Show { case, json, operator } => show(centre, *case, *json, operator).await,
    }
}

async fn open(centre: &Installation, options: &OpenOptions) -> Result<()> {
    let (account, by) = acting_as(centre, &options.login).await?;
    let claims: Result<Vec<ChangeText>> = options
        .set
        .iter()
        .map(|text| {
            let (field, value) = text.split_once('=').context("--set takes FIELD=VALUE")?;
            let (field, part) = field_and_part(field)?;
            Ok(ChangeText {
                field: field.code().to_owned(),
                part: part.code().to_owned(),
                value: value.to_owned(),
            })
        })
        .collect();
    let new = NewCase {
        case_id: options.case.unwrap_or_else(|| CorrectionId::from_uuid(random_id())),
        person: options.person.clone(),
        source: options.source.clone(),
        source_ref: options.source_ref.clone(),
        claims: claims?,
        reason: options.reason.clone(),
    };
    let acting = Acting { scope: &account.scope, by: &by, now: centre.clock.now(), note: Map::new() };
    let opened = open_case(&centre.db, &acting, &new).await.map_err(said)?;
    if options.json {
        return print_json(&json!({
            "case": opened.case_id, "person": opened.person,
            "due_on": opened.due_on.map(|day| day.to_string()), "repeated": opened.repeated,
        }));
    }
    let what = if opened.repeated { "unchanged " } else { "opened    " };
    let due = opened.due_on.map_or_else(|| "no limit is known".to_owned(), |day| format!("due on {day}"));
    say!("{what} case {}: {due}", opened.case_id);
    Ok(())
}

async fn act(centre: &Installation, options: &ActOptions) -> Result<()> {
    let (account, by) = acting_as(centre, &options.login).await?;
    let scan = options.scan.as_deref().map(scan_of).transpose()?;
    let paper = PaperText {
        kind: options.paper.clone(),
        number: options.number.clone(),
        authority: options.authority.clone(),
        issued_on: options.issued_on.clone(),
    };
    let answers = answers(centre, options).await?;
    let what = match options.act.as_str() {
        "take" => What::Take { verifies: options.verifies },
        "issue-paper" => What::IssuePaper { paper: &paper, scan: scan.as_deref(), answers: &answers },
        "apply" => What::Apply,
        "refuse" => What::Refuse,
        "withdraw" => What::Withdraw,
        _ => {
            let login = options.to.as_deref().context("reassign takes --to LOGIN")?;
            let to = account_of(centre, login).await?;
            What::Reassign { to: Actor::Account(AccountId::from_uuid(to.id)) }
        }
    };
    let acting = Acting { scope: &account.scope, by: &by, now: centre.clock.now(), note: Map::new() };
    let act = Act {
        case_id: options.case,
        action_id: options.action.unwrap_or_else(|| ActId::from_uuid(random_id())),
        seen: options.seen,
        what,
        reason: &options.reason,
    };
    let acted = act_on_case(&centre.db, &acting, &act).await.map_err(said)?;
    if options.json {
        let event = acted.applied.as_ref().map(|outcome| outcome.event_id);
        return print_json(&json!({
            "case": acted.case_id, "act": options.act, "state": acted.state.code(),
            "version": acted.actions, "event": event, "repeated": acted.repeated,
        }));
    }
    let what = if acted.repeated { "unchanged " } else { "done      " };
    say!("{what} case {}: {}, version {}", acted.case_id, acted.state.code(), acted.actions);
    Ok(())
}

/// The answers of the command line; what is granted as it was asked for is read from the case.
async fn answers(centre: &Installation, options: &ActOptions) -> Result<Vec<AnswerText>> {
    let mut answers = Vec::new();
    for text in &options.grant {
        let (field, value) = match text.split_once('=') {
            Some((field, value)) => (field, Some(value.to_owned())),
            None => (text.as_str(), None),
        };
        let (field, part) = field_and_part(field)?;
        let value = match value {
            Some(value) => value,
            None => {
                let row = read(centre, options.case).await?;
                let item = row.case.items.get(&(field, part));
                let item = item.with_context(|| format!("the case has no item {field}"))?;
                item.claimed_value.clone().unwrap_or_default()
            }
        };
        answers.push(AnswerText { field, part, granted: Some(value) });
    }
    for text in &options.refuse {
        let (field, part) = field_and_part(text)?;
        answers.push(AnswerText { field, part, granted: None });
    }
    Ok(answers)
}

async fn list(
    centre: &Installation,
    stage: &str,
    login: Option<&str>,
    form: Form,
    operator: &Operator,
) -> Result<()> {
    let today = centre.clock.today();
    let (scope, actor) = match login {
        Some(login) => {
            let account = account_of(centre, login).await?;
            (account.scope, Actor::Account(AccountId::from_uuid(account.id)))
        }
        None => (UnitScope::everything(), operator.actor(centre).await?),
    };
    let me = actor.to_string();
    let which = match stage {
        "mine" => Which::Mine(&me),
        "overdue" => Which::Overdue(today),
        "closed" => Which::Closed,
        _ => Which::Open,
    };
    let mut scoped = centre.db.scoped(&scope).await?;
    let found = rows::list(&mut scoped, which, None, MOST_LISTED).await?;
    drop(scoped);
    let entry = Entry {
        at: centre.clock.now(),
        subject: actor.to_string(),
        actor,
        action: "correction.listed".to_owned(),
        unit_path: scope.as_str().to_owned(),
        detail: json!({ "list": stage, "shown": found.len() }),
    };
    note(centre, &entry).await?;
    let columns = &["case", "state", "fields", "owner", "opened", "age_days", "due_on", "days_late"];
    let mut table = Table::new("cases", columns);
    for line in &found {
        let fields: Vec<&str> = line.fields.iter().map(|field| field.code()).collect();
        let opened = domain::clock::day_in_vietnam(line.opened_at);
        let until = line.closed_at.map_or(today, domain::clock::day_in_vietnam);
        let late = if line.state.is_open() { days_late(line.due_on, today) } else { 0 };
        table.push([
            json!(line.case_id),
            line.state.code().into(),
            fields.join(",").into(),
            json!(line.owner),
            opened.to_string().into(),
            (until - opened).whole_days().into(),
            json!(line.due_on.map(|day| day.to_string())),
            late.into(),
        ]);
    }
    table.print(form)
}

async fn show(centre: &Installation, case: CorrectionId, json: bool, operator: &Operator) -> Result<()> {
    let actor = operator.actor(centre).await?;
    let row = read(centre, case).await?;
    let mut conn = centre.db.read().await?;
    let history = corrections::history(&mut conn, case).await?;
    drop(conn);
    let entry = Entry {
        at: centre.clock.now(),
        actor,
        action: "correction.read".to_owned(),
        subject: format!("correction:{case}"),
        unit_path: row.unit_path.clone(),
        detail: json!({ "person": row.person_id }),
    };
    note(centre, &entry).await?;
    if json {
        let items = row.case.items.iter().map(|((field, part), item)| {
            json!({
                "field": field.code(), "part": part.code(), "register": item.register_value,
                "claimed": item.claimed_value, "outcome": item.outcome.code(),
                "granted": item.outcome.value(),
            })
        });
        let done: Result<Vec<Value>> = history
            .iter()
            .map(|done| {
                Ok(json!({
                    "version": done.seq, "act": done.action.verb().code(), "at": done.at.format(&Rfc3339)?,
                    "actor": done.by.actor, "desk": done.by.desk.code(), "reason": done.reason,
                    "event": done.event_id,
                    "to": match &done.action { CaseAction::Reassign { to } => Some(to), _ => None },
                }))
            })
            .collect();
        return print_json(&json!({
            "case": case, "person": row.person_id, "kind": row.case.kind.code(),
            "source": row.source.code(), "ref": row.source_ref, "state": row.case.state.code(),
            "version": row.case.actions, "owner": row.case.owner,
            "due_on": row.due_on.map(|day: Date| day.to_string()), "document": row.case.document,
            "opened_at": row.opened_at.format(&Rfc3339)?, "items": items.collect::<Vec<_>>(),
            "done": done?,
        }));
    }
    say!("case       {case}: {}, version {}", row.case.state.code(), row.case.actions);
    say!("person     {}", row.person_id);
    say!("owner      {}", row.case.owner.as_ref().map_or_else(|| "nobody".to_owned(), Actor::to_string));
    say!("due on     {}", row.due_on.map_or_else(|| "no limit is known".to_owned(), |day| day.to_string()));
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
    for ((field, part), item) in &row.case.items {
        let name = if *part == Part::Whole { field.code().to_owned() } else { format!("{field}.{part}") };
        let granted = match &item.outcome {
            Outcome::Granted(value) | Outcome::Applied(value) => format!(": {}", word(value)),
            Outcome::Open | Outcome::Refused => String::new(),
        };
        let (from, to) = (word(&item.register_value), word(&item.claimed_value));
        say!("{name:<10} {from} → {to} ({}{granted})", item.outcome.code());
    }
    for done in &history {
        let (at, by) = (done.at.format(&Rfc3339)?, &done.by.actor);
        say!("{:<10} {at} by {by} ({})", done.action.verb().code(), done.by.desk.code());
    }
    Ok(())
}

async fn note(centre: &Installation, entry: &Entry) -> Result<()> {
    let mut tx = centre.db.begin().await?;
    audit::append(&mut tx, entry).await?;
    store::commit(tx).await?;
    Ok(())
}

async fn read(centre: &Installation, case: CorrectionId) -> Result<CaseRow> {
    let mut conn = centre.db.read().await?;
    let found = corrections::read(&mut conn, case).await?;
    found
        .with_context(|| format!("there is no case {case}; `dancu register case list` names those there are"))
}

/// The account, which has a part in cases, and for which office it acts.
async fn acting_as(centre: &Installation, login: &str) -> Result<(Account, By)> {
    let account = account_of(centre, login).await?;
    let desk = Desk::from_code(&account.role)
        .with_context(|| format!("the account {login} has no part in cases of correction"))?;
    let actor = Actor::Account(AccountId::from_uuid(account.id));
    Ok((account, By { actor, desk }))
}

async fn account_of(centre: &Installation, login: &str) -> Result<Account> {
    let mut conn = centre.db.read().await?;
    let account = store::accounts::by_login(&mut conn, login).await?.with_context(|| {
        format!("there is no account {login}; `dancu account list` names those there are")
    })?;
    ensure!(account.disabled_at.is_none(), "the account {login} is disabled");
    Ok(account)
}

fn field_and_part(text: &str) -> Result<(Field, Part)> {
    let (field, part) = text.split_once('.').unwrap_or((text, ""));
    let known = || format!("`{text}` is no field of a record; docs/events.md names them");
    let field = Field::from_code(field.trim()).with_context(known)?;
    let part = match (part.trim(), field.parts()) {
        ("", [part]) => *part,
        ("", _) => bail!("say which part of {field}: {field}.{}", field.parts()[0]),
        (code, parts) => Part::from_code(code).filter(|part| parts.contains(part)).with_context(known)?,
    };
    Ok((field, part))
}

/// The bytes of the paper's scan, one more than a scan may have at most.
fn scan_of(path: &Path) -> Result<Vec<u8>> {
    let most = u64::try_from(scan::MOST_BYTES + 1).context("a scan's size fits")?;
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("the scan {} cannot be read", path.display()))?;
    file.take(most).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    Ok(bytes)
}

/// Each fault on a line of its own.
fn said(error: CaseError) -> anyhow::Error {
    match error {
        CaseError::Refused(faults) => {
            let lines: Vec<String> =
                faults.iter().map(|fault| format!("{}: {fault}", fault.place())).collect();
            anyhow::anyhow!("nothing was done\n{}", lines.join("\n"))
        }
        error => error.into(),
    }
}

fn random_id() -> Uuid {
    let mut bytes = [0u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
