//! `dancu audit`: whether the audit trail is as it was written.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::output::{self, Ending, Form, Table};
use centre::{Installation, Place};
use store::Database;
use store::audit::{self, Break, Verdict};
use ui::say;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Read every row and check its hash, its place in its chain, and that none is missing.
    Verify {
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the last hash of each chain. Keep them outside this machine: they show a trail that was
    /// rewritten whole.
    Heads {
        #[command(flatten)]
        form: Form,
    },
}

/// [`Ending::Good`] when the trail is intact, [`Ending::Bad`] when it is not.
pub async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let Installation { db, .. } = Installation::open(place).await?;
    match command {
        Command::Verify { json } => verify(&db, *json).await,
        Command::Heads { form } => {
            let mut conn = db.read().await?;
            let mut table = Table::new("chains", &["chain", "rows", "hash"]);
            for head in audit::heads(&mut conn).await? {
                let hash: String = head.hash.iter().map(|byte| format!("{byte:02x}")).collect();
                table.push([head.chain.into(), head.seq.into(), hash.into()]);
            }
            table.print(*form)?;
            Ok(Ending::Good.into())
        }
    }
}

async fn verify(db: &Database, json: bool) -> Result<ExitCode> {
    match audit::verify_snapshot(db).await? {
        Verdict::Intact { rows } => {
            if json {
                output::print_json(&json!({"outcome": "intact", "rows": rows}))?;
            } else {
                say!("intact: {rows} rows in 16 chains, each as it was written, none missing");
            }
            Ok(Ending::Good.into())
        }
        Verdict::Broken { chain, seq, how } if json => {
            let document =
                json!({"outcome": "broken", "chain": chain, "row": seq, "code": code(how), "why": told(how)});
            output::print_json(&document)?;
            Ok(Ending::Bad.into())
        }
        Verdict::Broken { chain, seq, how } => {
            say!("BROKEN: chain {chain}, row {seq}: {}", told(how));
            say!(
                "what comes before this row in its chain is as it was written. Compare with a backup: \
                 SELECT * FROM audit WHERE chain = {chain} AND seq BETWEEN {} AND {}",
                (seq - 1).max(1),
                seq + 1
            );
            Ok(Ending::Bad.into())
        }
    }
}

fn code(how: Break) -> &'static str {
    match how {
        Break::Missing => "missing",
        Break::Altered => "altered",
        Break::Unlinked => "unlinked",
        Break::Head => "head",
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
    }
}
