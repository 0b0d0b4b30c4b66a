//! `dancu audit`: whether the audit trail is as it was written.

use std::process::ExitCode;

use anyhow::Result;

use centre::Place;
use store::audit::{self, Break, Verdict};
use store::{Database, OpenOptions};

#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Read every row and check its hash, its place in its chain, and that none is missing.
    Verify,
    /// Print the last hash of each chain. Keep them outside this machine: they show a trail that was rewritten whole.
    Heads,
}

/// Exit code 0 when the trail is intact, 1 when it is not.
pub async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&options).await?;
    db.check_schema().await?;
    match command {
        Command::Verify => verify(&db).await,
        Command::Heads => {
            let mut tx = db.begin().await?;
            for head in audit::heads(&mut tx).await? {
                let hash: String = head.hash.iter().map(|byte| format!("{byte:02x}")).collect();
                println!("chain {:>2}  rows {:>9}  {hash}", head.chain, head.seq);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn verify(db: &Database) -> Result<ExitCode> {
    match audit::verify_snapshot(db).await? {
        Verdict::Intact { rows } => {
            println!("intact: {rows} rows in 16 chains, each as it was written, none missing");
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Broken { chain, seq, how } => {
            println!("BROKEN: chain {chain}, row {seq}: {}", told(how));
            println!(
                "what comes before this row in its chain is as it was written. Compare with a backup: \
                 SELECT * FROM audit WHERE chain = {chain} AND seq BETWEEN {} AND {}",
                (seq - 1).max(1),
                seq + 1
            );
            Ok(ExitCode::from(1))
        }
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
