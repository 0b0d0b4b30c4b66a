//! `dancu register event`: civil events from a list, one a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::cli::Operator;
use crate::output::Ending;
use centre::Installation;
use domain::Actor;
use register::{Effects, Error, Fault, NewEvent, Outcome, Request, lines, scan};
use store::UnitScope;
use ui::say;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// A list of events, one JSON object a line (docs/events.md); `-` reads standard input. A scan is named
    /// beside its paper and read from where the list lies.
    list: PathBuf,
    /// The scan of the paper, for a list of one event that names none (JPEG, PNG or PDF).
    #[arg(long)]
    scan: Option<PathBuf>,
    /// Say of each event what would be done, and record none.
    #[arg(long)]
    check: bool,
    /// Print one JSON object for each line of the list.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

/// What came of a line.
enum Answer {
    Done(Outcome),
    Faults(Vec<Fault>),
    Unread(String),
}

/// [`Ending::Good`] when every event is recorded, [`Ending::Bad`] when none is, [`Ending::Open`] otherwise.
pub(crate) async fn run(centre: &Installation, options: &Options) -> Result<ExitCode> {
    let by = options.operator.actor(centre).await?;
    let mut list = open(&options.list)?;
    let beside = options.list.parent().map(Path::to_path_buf).unwrap_or_default();
    let (mut at, mut done, mut refused) = (0, 0_usize, 0_usize);
    while let Some((line, read)) = lines::next(&mut list, &mut at).context("the list cannot be read")? {
        let answer = match read {
            Err(fault) => Answer::Unread(fault.to_string()),
            Ok(event) => {
                ensure!(
                    options.scan.is_none() || done + refused == 0,
                    "--scan is for a list of one event; name each scan in its line"
                );
                match scan_of(&event, options.scan.as_deref(), &beside) {
                    Err(error) => Answer::Unread(format!("{error:#}")),
                    Ok(scan) => one(centre, &by, &event, scan.as_deref(), options.check).await?,
                }
            }
        };
        match &answer {
            Answer::Done(_) => done += 1,
            Answer::Faults(_) | Answer::Unread(_) => refused += 1,
        }
        tell(line, &answer, options)?;
    }
    if !options.json {
        say!("{}  {done} events, {refused} refused", if options.check { "judged   " } else { "recorded " });
    }
    Ok(match (done, refused) {
        (_, 0) => Ending::Good,
        (0, _) => Ending::Bad,
        _ => Ending::Open,
    }
    .into())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(Box::new(BufReader::new(file)))
}

/// The bytes of the paper's scan, one more than a scan may have at most.
fn scan_of(event: &NewEvent, given: Option<&Path>, beside: &Path) -> Result<Option<Vec<u8>>> {
    let path = match (given, &event.scan) {
        (Some(path), None) => path.to_path_buf(),
        (None, Some(name)) => {
            let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                inside,
                "a scan lies beside its list or below; name it without `..` and without `/` before it"
            );
            beside.join(name)
        }
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => anyhow::bail!("the line names a scan, and --scan names another; leave one out"),
    };
    let most = u64::try_from(scan::MOST_BYTES + 1).context("a scan's size fits")?;
    let mut bytes = Vec::new();
    let file = File::open(&path).with_context(|| format!("the scan {} cannot be read", path.display()))?;
    file.take(most).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    Ok(Some(bytes))
}

async fn one(
    centre: &Installation,
    by: &Actor,
    event: &NewEvent,
    scan: Option<&[u8]>,
    check: bool,
) -> Result<Answer> {
    let scope = UnitScope::everything();
    let request =
        Request { scope: &scope, actor: by, now: centre.clock.now(), event, scan, note: Map::new() };
    let answered = if check {
        register::preview(&centre.db, &request).await
    } else {
        register::apply(&centre.db, &request).await
    };
    match answered {
        Ok(outcome) => Ok(Answer::Done(outcome)),
        Err(Error::Refused(faults)) => Ok(Answer::Faults(faults)),
        Err(error) => Err(error.into()),
    }
}

fn tell(line: usize, answer: &Answer, options: &Options) -> Result<()> {
    if options.json {
        say!("{}", serde_json::to_string(&as_json(line, answer, options.check))?);
        return Ok(());
    }
    match answer {
        Answer::Done(outcome) => {
            let word = match (outcome.repeated, options.check) {
                (true, _) => "repeated ",
                (false, true) => "would be ",
                (false, false) => "recorded ",
            };
            say!(
                "{word}  line {line}: event {}, person {}, version {}",
                outcome.event_id,
                outcome.person,
                outcome.version
            );
            for effect in in_words(&outcome.effects) {
                say!("           {effect}");
            }
        }
        Answer::Faults(faults) => {
            for fault in faults {
                say!("refused    line {line}: {}: {fault}", fault.place());
            }
        }
        Answer::Unread(reason) => say!("refused    line {line}: {reason}"),
    }
    Ok(())
}

fn in_words(effects: &Effects) -> Vec<String> {
    let mut words = Vec::new();
    if effects.invitations_withdrawn > 0 {
        words.push("the open invitation is withdrawn".to_owned());
    }
    words.extend(effects.cards.iter().map(|(card, effect)| format!("card {card} is {}", effect.code())));
    let counted =
        |one: &register::Counted| format!("{:+} in what the campaign counts in unit {}", one.delta, one.unit);
    words.extend(effects.counted.iter().map(counted));
    words
}

fn as_json(line: usize, answer: &Answer, check: bool) -> Value {
    match answer {
        Answer::Done(outcome) => {
            let cards = outcome.effects.cards.iter();
            let cards: Vec<Value> =
                cards.map(|(card, effect)| json!({ "card": card, "effect": effect.code() })).collect();
            let counted = outcome.effects.counted.iter();
            let counted: Vec<Value> =
                counted.map(|one| json!({ "unit": one.unit.to_string(), "delta": one.delta })).collect();
            json!({
                "line": line, "event": outcome.event_id, "person": outcome.person,
                "version": outcome.version, "repeated": outcome.repeated, "recorded": !check,
                "invitations_withdrawn": outcome.effects.invitations_withdrawn, "cards": cards,
                "counted": counted,
            })
        }
        Answer::Faults(faults) => {
            let faults: Vec<Value> = faults
                .iter()
                .map(|f| json!({ "field": f.place(), "code": f.code(), "message": f.to_string() }))
                .collect();
            json!({ "line": line, "faults": faults })
        }
        Answer::Unread(reason) => {
            json!({ "line": line, "faults": [{ "field": "line", "code": "line", "message": reason }] })
        }
    }
}
