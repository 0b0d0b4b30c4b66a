//! `dancu box`: boxes of cards on their way, packed, counted, sent on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::card_name::CardName;
use crate::cli::Operator;
use crate::output::{self, Ending, Form, Table};
use centre::{Installation, Place};
use deliver::{Count, MOST_LINES, Scan, Sent};
use domain::UnitCode;
use domain::id::ConsignmentId;
use domain::unit::Units;
use store::UnitScope;
use store::boxes::BoxCard;
use store::boxes::pages::{self as rows, BoxStage};
use ui::{say, terminal};

/// A line is a number or the text of a QR code.
const MOST_LINE_BYTES: u64 = 4 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// The boxes, the newest first.
    List {
        /// way (not counted), missing (counted, and something was not in it) or all.
        #[arg(long, default_value = "all", value_parser = ["way", "missing", "all"])]
        stage: String,
        /// Only boxes to this unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        to: Option<UnitCode>,
        /// At most so many.
        #[arg(long, default_value = "1000", value_parser = terminal::count)]
        limit: u32,
        #[command(flatten)]
        form: Form,
    },
    /// Pack every printed card of a district into a box and send it there.
    Pack(WhereTo),
    /// Send every card that waits at a district on, a box for each commune.
    Forward(WhereTo),
    /// Count a box at arrival: a number a line, as printed on the card or read from its QR code. What is
    /// foreign or doubled is told at once; what is missing is told before the box is closed.
    Count(CountOptions),
    /// The way of a card through boxes.
    Find {
        /// The card's id, its serial number, or the personal number on it.
        card: CardName,
        #[command(flatten)]
        form: Form,
    },
    /// Record cards that were missing when their box was counted and have turned up.
    Late(CountOptions),
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WhereTo {
    /// The district, by its code or name.
    #[arg(long, value_parser = crate::cli::district)]
    unit: UnitCode,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CountOptions {
    /// The box, as `dancu box list` names it.
    #[arg(value_name = "BOX")]
    consignment: ConsignmentId,
    /// The numbers, one a line; `-` is standard input, such as a reader of QR codes.
    file: PathBuf,
    /// Close the box although something is missing: that stays under way under its name.
    #[arg(long)]
    close: bool,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

/// A count ends with [`Ending::Good`] when every line is a card of the box and none is missing, with
/// [`Ending::Bad`] when it differs.
pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let centre = Installation::open(place).await?;
    match command {
        Command::List { stage, to, limit, form } => list(&centre, stage, *to, *limit, *form).await?,
        Command::Pack(to) => {
            let (district, scope, by, now) = to.parts(&centre).await?;
            let sent = deliver::dispatch(&centre.db, &scope, &district, &by, now).await?;
            say_sent(&sent.into_iter().collect::<Vec<_>>(), "no printed card waits for a box", to.json)?;
        }
        Command::Forward(to) => {
            let (district, scope, by, now) = to.parts(&centre).await?;
            let sent = deliver::forward(&centre.db, &scope, &district, &by, now).await?;
            say_sent(&sent, "no card waits at the district", to.json)?;
        }
        Command::Count(options) => return count(&centre, options).await,
        Command::Find { card, form } => find(&centre, card, *form).await?,
        Command::Late(options) => return late(&centre, options).await,
    }
    Ok(Ending::Good.into())
}

impl WhereTo {
    async fn parts(
        &self,
        centre: &Installation,
    ) -> Result<(String, UnitScope, domain::Actor, time::OffsetDateTime)> {
        let path = Units::latest().path(self.unit).context("a district of the list has a path")?;
        let by = self.operator.actor(centre).await?;
        Ok((self.unit.to_string(), UnitScope::parse(&path)?, by, centre.clock.now()))
    }
}

async fn list(
    centre: &Installation,
    stage: &str,
    to: Option<UnitCode>,
    limit: u32,
    form: Form,
) -> Result<()> {
    let stage = match stage {
        "way" => BoxStage::OnTheWay,
        "missing" => BoxStage::Missing,
        _ => BoxStage::All,
    };
    let places = to.map(|unit| vec![unit.to_string()]);
    let mut conn = centre.db.read().await?;
    let boxes = rows::boxes(&mut conn, places.as_deref(), stage, limit.into()).await?;
    if boxes.is_empty() && !form.json {
        say!("none       no such box; `dancu box pack` packs printed cards");
        return Ok(());
    }
    let mut table = Table::new("boxes", &["box", "from", "to", "cards", "arrived", "sent_at", "counted_at"]);
    for row in boxes {
        table.push([
            row.consignment_id.to_string().into(),
            row.from_code.into(),
            row.to_code.into(),
            row.size.into(),
            row.received.into(),
            row.sent_at.format(&Rfc3339)?.into(),
            row.received_at.map(|at| at.format(&Rfc3339)).transpose()?.into(),
        ]);
    }
    table.print(form)
}

fn say_sent(sent: &[Sent], nothing: &str, json: bool) -> Result<()> {
    if json {
        let told = sent
            .iter()
            .map(|sent| json!({ "box": sent.consignment, "to": sent.to, "cards": sent.applications.len() }));
        return output::print_json(&json!({ "boxes": told.collect::<Vec<Value>>() }));
    }
    if sent.is_empty() {
        say!("unchanged  {nothing}");
    }
    for Sent { consignment, to, applications } in sent {
        say!("sent       box {consignment} to {to}: {} cards", applications.len());
    }
    Ok(())
}

/// Numbers of cards, and lines that are none of the box's.
struct Scanned {
    count: Count,
    wrong: Vec<Value>,
}

/// Scans line by line, and tells what is wrong with a line before the next is read.
async fn scan(centre: &Installation, options: &CountOptions) -> Result<Scanned> {
    let mut count = Count::begin(&centre.db, options.consignment).await?;
    let mut lines = input(&options.file)?;
    let mut wrong = Vec::new();
    let mut text = String::new();
    loop {
        text.clear();
        let length = lines.by_ref().take(MOST_LINE_BYTES).read_line(&mut text).context("the numbers")?;
        if length == 0 {
            return Ok(Scanned { count, wrong });
        }
        let scan = count.scan(&text);
        let line = count.line();
        ensure!(line <= MOST_LINES, "more than {MOST_LINES} lines; a box holds fewer");
        let (code, what) = match scan {
            Scan::Counted | Scan::Blank => continue,
            Scan::Twice { first } => ("twice", format!("the same card as line {first}")),
            Scan::Foreign => {
                ("foreign", "no card of this box; `dancu box find NUMBER` says where it belongs".to_owned())
            }
            Scan::Unreadable => {
                ("unreadable", "no card's number (10 digits) or personal number (12)".to_owned())
            }
        };
        if !options.json {
            say!("line {line:<5} {what}");
        }
        wrong.push(json!({ "line": line, "code": code }));
    }
}

fn input(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = File::open(file).with_context(|| format!("{}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}

async fn count(centre: &Installation, options: &CountOptions) -> Result<ExitCode> {
    let Scanned { count, wrong } = scan(centre, options).await?;
    let (packed, counted) = (count.packed(), count.counted());
    let missing: Vec<&BoxCard> = count.missing();
    let before = count.was_closed()?;
    let closes = before || missing.is_empty() || options.close;
    if closes && !before {
        count.close(&centre.db, &options.operator.actor(centre).await?, centre.clock.now()).await?;
    }
    let ending = if missing.is_empty() && wrong.is_empty() { Ending::Good } else { Ending::Bad };
    if options.json {
        output::print_json(&json!({
            "box": options.consignment, "packed": packed, "counted": counted, "closed": closes,
            "repeated": before, "wrong_lines": wrong,
            "missing": missing.iter().map(|card| card.number.as_str()).collect::<Vec<_>>(),
        }))?;
        return Ok(ending.into());
    }
    for card in &missing {
        say!("missing    {}", card.number);
    }
    let word = match (before, closes) {
        (true, _) => "unchanged",
        (false, true) => "closed",
        (false, false) => "OPEN",
    };
    say!("{word:<10} {packed} packed, {counted} counted, {} missing", missing.len());
    if !closes {
        say!("next       look for what is missing and count again, or close the box with --close");
    }
    Ok(ending.into())
}

async fn late(centre: &Installation, options: &CountOptions) -> Result<ExitCode> {
    let Scanned { count, wrong } = scan(centre, options).await?;
    let by = options.operator.actor(centre).await?;
    let found = count.arrived_late(&centre.db, &by, centre.clock.now()).await?;
    let ending = if wrong.is_empty() { Ending::Good } else { Ending::Bad };
    if options.json {
        output::print_json(&json!({ "box": options.consignment, "found": found, "wrong_lines": wrong }))?;
    } else {
        let word = if found > 0 { "recorded" } else { "unchanged" };
        say!("{word:<10} {found} cards that were missing have turned up");
    }
    Ok(ending.into())
}

async fn find(centre: &Installation, card: &CardName, form: Form) -> Result<()> {
    let id = card.find(centre).await?;
    let mut conn = centre.db.read().await?;
    let item = store::cards::batches::card_item(&mut conn, id)
        .await?
        .context("this card is in no batch; `dancu card list` names those there are")?;
    let boxes = rows::boxes_of(&mut conn, item.application_id).await?;
    if boxes.is_empty() && !form.json {
        say!("none       card {} ({}) was put into no box yet", item.number, item.state);
        return Ok(());
    }
    let mut table = Table::new("boxes", &["box", "from", "to", "sent_at", "counted_at", "in_it"]);
    for row in boxes {
        table.push([
            row.consignment_id.to_string().into(),
            row.from_code.into(),
            row.to_code.into(),
            row.sent_at.format(&Rfc3339)?.into(),
            row.received_at.map(|at| at.format(&Rfc3339)).transpose()?.into(),
            row.received.into(),
        ]);
    }
    table.print(form)
}
