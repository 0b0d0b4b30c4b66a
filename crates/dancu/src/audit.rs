//! `dancu audit`: whether the audit trail is as it was written, and what is in it.

mod list;

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli;
use crate::output::{self, Ending, Form, Table};
use centre::audit_heads::{self, AuditKey, Findings, SignedHeads, Written};
use centre::{Installation, Place};
use domain::Clock;
use domain::clock::SystemClock;
use packet::keys::PublicKey;
use store::audit::{self, Break, Verdict};
use store::recordings::{self, Broken, Kind};
use ui::say;

/// Bytes of a public key in PEM at most.
const MOST_KEY_BYTES: u64 = 16 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Read every row and every recorded action, and check its hash, its place, and that none is missing.
    /// With --heads also that they are those whose heads were signed.
    Verify {
        /// A file of signed heads, as `dancu work` and `dancu audit heads --out` write it; best a copy from
        /// another machine. `-` is standard input.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// The public key that signed them, in PEM; again for each, where the key was changed. Without it,
        /// the key of this installation.
        #[arg(long, value_name = "PEM", requires = "heads")]
        key: Vec<PathBuf>,
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the last hash of each chain; or sign them and add them to a file.
    Heads {
        /// Sign the heads and add them to this file as one line, if a chain has moved since its last one.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "no_header"])]
        out: Option<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
    /// Print the public key that checks signed heads, in PEM. Keep it outside this machine.
    Key,
    /// Rows of the trail, the newest first: who did what, on what, when.
    List(list::ListOptions),
    /// Whose day was unusual: far more people than others, without work at hand, at night, at the quota,
    /// refused at the door.
    Anomalies(list::AnomalyOptions),
}

/// [`Ending::Good`] when the trail is intact, [`Ending::Bad`] when it is not.
pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    if let Command::Key = command {
        say!("{}", AuditKey::open(place).await?.public.to_pem().trim_end());
        return Ok(Ending::Good.into());
    }
    let installation = Installation::open(place).await?;
    match command {
        Command::Verify { heads, key, json } => {
            let lines = match heads {
                Some(file) => Some(signed(place, file, key).await?),
                None => None,
            };
            verify(&installation, lines.as_deref(), *json).await
        }
        Command::Heads { out: Some(file), .. } => {
            let key = Arc::new(AuditKey::open(place).await?);
            match audit_heads::write(&installation.db, &key, file, SystemClock.now()).await? {
                Written::Line(number) => say!("signed     line {number} of {}", file.display()),
                Written::Unmoved => say!("unmoved    nothing was recorded since the last line"),
            }
            Ok(Ending::Good.into())
        }
        Command::Heads { out: None, form } => heads(&installation, *form).await,
        Command::Key => unreachable!("it needs no installation"),
        Command::List(options) => list::list(&installation, options).await,
        Command::Anomalies(options) => list::anomalies(&installation, options).await,
    }
}

async fn heads(centre: &Installation, form: Form) -> Result<ExitCode> {
    let mut conn = centre.db.read().await?;
    let mut table = Table::new("chains", &["chain", "rows", "hash"]);
    for head in audit::heads(&mut conn).await? {
        let hash: String = head.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        table.push([head.chain.into(), head.seq.into(), hash.into()]);
    }
    table.print(form)?;
    Ok(Ending::Good.into())
}

/// The lines of a file of signed heads, each checked.
async fn signed(place: &Place, file: &Path, keys: &[PathBuf]) -> Result<Vec<SignedHeads>> {
    let mut known = Vec::new();
    for path in keys {
        let pem = cli::text_of(path, MOST_KEY_BYTES)?;
        let key = PublicKey::from_pem(&pem);
        known.push(key.with_context(|| format!("{} holds no P-256 public key in PEM", path.display()))?);
    }
    if known.is_empty() {
        known.push(AuditKey::open(place).await?.public);
    }
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || -> Result<_> {
        if path == Path::new("-") {
            ensure!(!std::io::stdin().is_terminal(), "nothing is sent to standard input");
            return Ok(audit_heads::read(std::io::stdin().lock(), &known));
        }
        let file = File::open(&path).with_context(|| format!("{}", path.display()))?;
        Ok(audit_heads::read(BufReader::new(file), &known))
    });
    match read.await?? {
        Ok(lines) if lines.is_empty() => bail!("{} holds no signed heads", file.display()),
        Ok(lines) => Ok(lines),
        Err((line, fault)) => bail!("{}, line {line}: {fault}", file.display()),
    }
}

async fn verify(centre: &Installation, lines: Option<&[SignedHeads]>, json: bool) -> Result<ExitCode> {
    let found = audit_heads::verify(&centre.db, lines.unwrap_or_default()).await?;
    let ending = if found.is_intact() { Ending::Good } else { Ending::Bad };
    if json {
        output::print_json(&as_json(&found, lines))?;
        return Ok(ending.into());
    }
    match (&found.trail, &found.actions) {
        (Verdict::Broken { chain, seq, how }, _) => {
            tell_broken(*chain, *seq, *how, lines.unwrap_or_default())
        }
        (Verdict::Intact { .. }, Some(recordings::Verdict::Broken(broken))) => tell_action(broken),
        (Verdict::Intact { rows }, actions) => {
            let (actions, unsealed) = match actions {
                Some(recordings::Verdict::Intact { actions, unsealed }) => (*actions, *unsealed),
                Some(recordings::Verdict::Broken(_)) | None => (0, 0),
            };
            say!("intact: {rows} rows in 16 chains, each as it was written, none missing");
            say!(
                "        {actions} recorded actions of applications and cards, {unsealed} of them not \
                 sealed yet"
            );
            match lines.and_then(|lines| Some((lines.len(), lines.last()?))) {
                Some((count, last)) => {
                    say!(
                        "signed: {count} lines of heads, the last at {}; every one is in the trail",
                        when(last.at)
                    );
                }
                None => {
                    say!("        no signed heads were given: a trail that was rewritten whole does not show")
                }
            }
        }
    }
    Ok(ending.into())
}

fn tell_broken(chain: i16, row: i64, how: Break, lines: &[SignedHeads]) {
    say!("BROKEN: chain {chain}, row {row}: {}", told(how));
    let (before, after) = audit_heads::around(lines, chain, row);
    if let Some(after) = after {
        let since = before.map_or_else(|| "the beginning".to_owned(), |line| when(line.at));
        say!(
            "it was written between {since} and {}, and was right when the heads were signed then",
            when(after.at)
        );
    } else if !lines.is_empty() {
        say!("it is newer than the last signed heads");
    }
    if how == Break::Rewritten {
        let to = after.and_then(|line| line.heads.iter().find(|head| head.chain == chain));
        say!(
            "rows {row} to {} of this chain are not what was signed; those before are. Compare with a backup",
            to.map_or(row, |head| head.seq)
        );
        return;
    }
    say!(
        "what comes before this row in its chain is as it was written. Compare with a backup: SELECT * \
         FROM audit \
         WHERE chain = {chain} AND seq BETWEEN {} AND {}",
        (row - 1).max(1),
        row + 1
    );
}

fn tell_action(broken: &Broken) {
    let of = match broken.kind {
        Some(Kind::Application) => "recorded actions of applications",
        Some(Kind::Card) => "recorded actions of cards",
        None => "recorded actions",
    };
    say!("BROKEN: {of}: {}", told_action(broken.how));
    if let Some((thing, number)) = broken.near {
        let kind = if broken.kind == Some(Kind::Card) { "card" } else { "application" };
        let place = match broken.how {
            recordings::Break::Missing => "before",
            recordings::Break::Altered
            | recordings::Break::Inserted
            | recordings::Break::Recording
            | recordings::Break::Seal => "at",
        };
        say!("{place} {kind} {thing}, action {number}");
    }
    if let Some(at) = broken.recorded_at {
        say!("recorded at {}", when(at));
    }
    match broken.seal {
        Some(seal) => {
            say!("it is sealed by row {seal} of SELECT * FROM audit WHERE subject = 'actions' ORDER BY seq")
        }
        None => say!("no seal covers it yet"),
    }
}

fn as_json(found: &Findings, lines: Option<&[SignedHeads]>) -> Value {
    let heads =
        lines.map(|lines| json!({"lines": lines.len(), "until": lines.last().map(|line| when(line.at))}));
    match (&found.trail, &found.actions) {
        (Verdict::Broken { chain, seq, how }, _) => {
            let (before, after) = audit_heads::around(lines.unwrap_or_default(), *chain, *seq);
            json!({
                "outcome": "broken", "chain": chain, "row": seq, "code": code(*how), "why": told(*how),
                "after": before.map(|line| when(line.at)), "before": after.map(|line| when(line.at)),
                "heads": heads,
            })
        }
        (Verdict::Intact { .. }, Some(recordings::Verdict::Broken(broken))) => json!({
            "outcome": "broken", "actions_of": broken.kind.map(Kind::code), "seal": broken.seal,
            "code": code_of_action(broken.how), "why": told_action(broken.how),
            "id": broken.near.map(|(id, _)| id.to_string()), "action": broken.near.map(|(_, number)| number),
            "recorded_at": broken.recorded_at.map(when), "heads": heads,
        }),
        (Verdict::Intact { rows }, actions) => {
            let (actions, unsealed) = match actions {
                Some(recordings::Verdict::Intact { actions, unsealed }) => (*actions, *unsealed),
                Some(recordings::Verdict::Broken(_)) | None => (0, 0),
            };
            json!({
                "outcome": "intact", "rows": rows, "actions": actions, "unsealed": unsealed, "heads": heads,
            })
        }
    }
}

/// A moment as a line of the trail has it.
fn when(at: OffsetDateTime) -> String {
    let second = at.replace_nanosecond(0).unwrap_or(at);
    second.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

fn code(how: Break) -> &'static str {
    match how {
        Break::Missing => "missing",
        Break::Altered => "altered",
        Break::Unlinked => "unlinked",
        Break::Head => "head",
        Break::Rewritten => "rewritten",
    }
}

fn told(how: Break) -> &'static str {
    match how {
        Break::Missing => "the row is missing; somebody removed it",
        Break::Altered => "the row was altered: its contents do not give its hash",
        Break::Unlinked => "the row does not follow from the one before it; rows were exchanged or inserted",
        Break::Head => {
            "the end of the chain is not what its head says; rows were added or the head was changed"
        }
        Break::Rewritten => {
            "the chain was rewritten: it holds together, and it is not the one whose heads were signed"
        }
    }
}

fn code_of_action(how: recordings::Break) -> &'static str {
    match how {
        recordings::Break::Altered => "action_altered",
        recordings::Break::Missing => "action_missing",
        recordings::Break::Inserted => "action_inserted",
        recordings::Break::Recording => "recording_altered",
        recordings::Break::Seal => "seal",
    }
}

fn told_action(how: recordings::Break) -> &'static str {
    match how {
        recordings::Break::Altered => "an action was altered",
        recordings::Break::Missing => "an action is missing; somebody removed it",
        recordings::Break::Inserted => "an action was inserted that the program did not record",
        recordings::Break::Recording => "what is kept of a recording was altered",
        recordings::Break::Seal => {
            "what a seal covers was removed, added to or rewritten; the seal itself is as it was written"
        }
    }
}
