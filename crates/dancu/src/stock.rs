//! `dancu stock`: blank cards in boxes, what became of them, and what people count.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::output::{self, Ending, Form, Table};
use centre::{Centre, Installation, Place};
use chip::{ChipSerial, MasterKey};
use domain::Actor;
use domain::blank::{BlankState, SpoilReason};
use domain::id::AccountId;
use issue::{Delivery, Received};
use store::cards::stock::Totals;
use ui::{say, terminal};

/// A list of serial numbers or a key letter that is longer is something else.
const MOST_FILE_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Take a box of blanks into the stock, by its first serial number and their count, or by a list.
    Receive(ReceiveOptions),
    /// The boxes and what became of their blanks; with --box or --state, the blanks one by one.
    List {
        #[arg(long = "box")]
        number: Option<i64>,
        /// in_stock, writing, used or spoiled.
        #[arg(long, value_parser = states())]
        state: Option<BlankState>,
        /// At most so many blanks.
        #[arg(long, default_value = "1000", value_parser = terminal::count)]
        limit: u32,
        #[command(flatten)]
        form: Form,
    },
    /// Record how many blanks were counted in the store and on the readers, and say what there should be.
    Count {
        #[arg(value_parser = terminal::count)]
        counted: u32,
        /// Print the count as JSON.
        #[arg(long)]
        json: bool,
        #[arg(long)]
        note: Option<String>,
        /// The login of whoever counted.
        #[arg(long, env = "DANCU_OPERATOR")]
        operator: Option<String>,
    },
    /// Record a blank as lost, damaged or broken. A card that was being written on it is spoiled with it, and
    /// its person waits for another.
    Spoil {
        serial: ChipSerial,
        #[arg(long, value_parser = reasons())]
        reason: SpoilReason,
        #[arg(long, env = "DANCU_OPERATOR")]
        operator: Option<String>,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReceiveOptions {
    /// The box's number.
    #[arg(long = "box")]
    number: i64,
    /// The first blank's serial number: twenty hexadecimal digits.
    #[arg(long, requires = "count", required_unless_present = "serials")]
    from: Option<ChipSerial>,
    /// How many blanks follow on one another.
    #[arg(long, requires = "from", value_parser = terminal::count)]
    count: Option<u32>,
    /// Instead: a file with one serial number a line.
    #[arg(long, conflicts_with = "from")]
    serials: Option<PathBuf>,
    /// The manufacturer's key letter: a file with the box's master key, 64 hexadecimal digits. It is kept
    /// wrapped by the key-encryption key; destroy the file afterwards. Without it, the blanks are for a
    /// machine that has the key itself.
    #[arg(long)]
    transport_key: Option<PathBuf>,
    /// The login of whoever received the box.
    #[arg(long, env = "DANCU_OPERATOR")]
    operator: Option<String>,
}

/// Reads a state of a blank, and names those there are.
fn states() -> impl TypedValueParser<Value = BlankState> {
    PossibleValuesParser::new(BlankState::ALL.map(BlankState::code))
        .map(|code| BlankState::from_code(&code).expect("the parser admits codes only"))
}

/// Reads a reason that people report, and names those there are.
fn reasons() -> impl TypedValueParser<Value = SpoilReason> {
    PossibleValuesParser::new(SpoilReason::REPORTED.map(SpoilReason::code))
        .map(|code| SpoilReason::from_code(&code).expect("the parser admits codes only"))
}

/// A count ends with [`Ending::Good`] when it agrees, with [`Ending::Bad`] when it differs.
pub async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let centre = Installation::open(place).await?;
    match command {
        Command::Receive(options) => receive(&centre, options).await?,
        Command::List { number: None, state: None, form, .. } => list_boxes(&centre, *form).await?,
        Command::List { number, state, limit, form } => {
            list_blanks(&centre, *number, *state, *limit, *form).await?;
        }
        Command::Count { counted, json, note, operator } => {
            let actor = actor(&centre, operator.as_deref()).await?;
            return count(&centre, *counted, note.as_deref(), &actor, *json).await;
        }
        Command::Spoil { serial, reason, operator } => {
            let actor = actor(&centre, operator.as_deref()).await?;
            let card = issue::spoil_blank(&centre.db, *serial, *reason, &actor, centre.clock.now()).await?;
            match card {
                Some(number) => {
                    say!("spoiled    blank {serial}, and card {number} with it; its person waits for another")
                }
                None => say!("spoiled    blank {serial}"),
            }
        }
    }
    Ok(Ending::Good.into())
}

/// Who works here, as the audit trail names it. Whoever has a shell on this machine acts for the centre and
/// may name an account.
pub async fn actor(centre: &Installation, login: Option<&str>) -> Result<Actor> {
    let Some(login) = login else { return Ok(Actor::Centre) };
    let mut conn = centre.db.read().await?;
    let account = store::accounts::by_login(&mut conn, login).await?.with_context(|| {
        format!("there is no account {login}; `dancu account list` names those there are")
    })?;
    ensure!(account.disabled_at.is_none(), "the account {login} is disabled");
    Ok(Actor::Account(AccountId::from_uuid(account.id)))
}

/// The master key in a key letter.
pub fn master_key(path: &Path) -> Result<MasterKey> {
    let text = Zeroizing::new(read(path)?);
    MasterKey::parse(text.trim()).with_context(|| format!("{}", path.display()))
}

async fn receive(centre: &Installation, options: &ReceiveOptions) -> Result<()> {
    let serials = match (&options.serials, options.from, options.count) {
        (Some(path), ..) => read(path)?
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| {
                ChipSerial::parse(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
            })
            .collect::<Result<Vec<_>>>()?,
        (None, Some(from), Some(count)) => (0..count)
            .map(|position| {
                from.plus(position).context("the serial numbers run beyond the last of their batch")
            })
            .collect::<Result<Vec<_>>>()?,
        _ => bail!("give --from and --count, or --serials"),
    };
    let wrapped_key = match &options.transport_key {
        Some(path) => {
            let centre = Centre::of(centre.clone()).await?;
            Some(centre.seal_transport_key(options.number, master_key(path)?.bytes())?)
        }
        None => None,
    };
    let actor = actor(centre, options.operator.as_deref()).await?;
    let (number, count) = (options.number, serials.len());
    let delivery = Delivery { number, serials, wrapped_key };
    match issue::receive_box(&centre.db, &delivery, &actor, centre.clock.now()).await? {
        Received::New => say!("received   box {number}: {count} blanks"),
        Received::Before => say!("unchanged  box {number} was received before with these {count} blanks"),
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    let length = fs::metadata(path).with_context(|| format!("{}", path.display()))?.len();
    ensure!(length <= MOST_FILE_BYTES, "{} has {length} bytes; at most 4 MiB are read", path.display());
    fs::read_to_string(path).with_context(|| format!("{}", path.display()))
}

async fn list_boxes(centre: &Installation, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let columns = &["box", "received", "in_stock", "writing", "used", "spoiled", "key"];
    let mut table = Table::new("boxes", columns);
    let line = |name: Value, totals: Totals, key: Value| {
        let Totals { in_stock, writing, used, spoiled } = totals;
        let received = totals.received();
        [name, received.into(), in_stock.into(), writing.into(), used.into(), spoiled.into(), key]
    };
    for found in store::cards::stock::boxes(&mut conn).await? {
        table.push(line(found.number.into(), found.totals, found.has_key.into()));
    }
    table.total(line("all".into(), store::cards::stock::totals(&mut conn).await?, Value::Null));
    table.print(form)
}

async fn list_blanks(
    centre: &Installation,
    number: Option<i64>,
    state: Option<BlankState>,
    limit: u32,
    form: Form,
) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let mut table = Table::new("blanks", &["serial", "box", "state", "card_number", "reason"]);
    for blank in store::cards::stock::blanks(&mut conn, state, number, limit.into()).await? {
        table.push([
            blank.serial.to_string().into(),
            blank.box_number.into(),
            blank.state.code().into(),
            blank.card_number.into(),
            blank.reason.map(SpoilReason::code).into(),
        ]);
    }
    table.print(form)
}

async fn count(
    centre: &Installation,
    counted: u32,
    note: Option<&str>,
    actor: &Actor,
    json: bool,
) -> Result<ExitCode> {
    let totals = issue::count_stock(&centre.db, counted, note, actor, centre.clock.now()).await?;
    let expected = totals.expected();
    let difference = i64::from(counted) - expected;
    let ending = if difference == 0 { Ending::Good } else { Ending::Bad };
    if json {
        output::print_json(&json!({
            "received": totals.received(),
            "used": totals.used,
            "spoiled": totals.spoiled,
            "writing": totals.writing,
            "expected": expected,
            "counted": counted,
            "difference": difference,
        }))?;
        return Ok(ending.into());
    }
    say!(
        "received {} - used {} - spoiled {} = {expected} expected (of them {} being written); counted \
         {counted}",
        totals.received(),
        totals.used,
        totals.spoiled,
        totals.writing
    );
    if difference == 0 {
        say!("the count agrees, and is recorded");
    } else {
        let word = if difference < 0 { "missing" } else { "too many" };
        say!("DIFFERS: {} blanks {word}; the count is recorded", difference.abs());
    }
    Ok(ending.into())
}
