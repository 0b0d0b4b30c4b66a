//! The one binary of dancu.

// A closed pipe ends a command quietly: `say!` and `tell!`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod artwork;
mod audit;
mod batches;
mod blank;
mod boxes;
mod campaign;
mod card_chip;
mod card_life;
mod card_name;
mod card_verify;
mod cards;
mod cases;
mod check;
mod cli;
mod demo;
mod fingerprints;
mod hand_over;
mod import;
mod inspection;
mod keys;
mod kits;
mod link;
mod live;
mod lost;
mod made_card;
mod manual;
mod officers;
mod output;
mod packets;
mod personalise;
mod pki;
mod profile;
mod register;
mod reports;
mod stock;
mod trust;
mod units;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::output::Ending;
use centre::Place;
use store::DatabaseUrl;
use ui::tell;

/// Civil identity: population register, chip citizen-ID cards, and the campaign around them.
#[derive(Debug, Parser)]
#[command(name = "dancu", version, after_help = output::ENDINGS)]
struct Cli {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
struct PlaceArgs {
    /// Where this installation keeps its files.
    #[arg(long, global = true, default_value = "data", env = "DANCU_DATA")]
    data: PathBuf,
    /// A PostgreSQL server to use instead of the private one in the data directory, as the login dancu_work.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The same server as the login dancu_scoped, by which pages and case work read one unit.
    #[arg(long, global = true, env = "DANCU_SCOPED_URL", hide_env_values = true)]
    scoped_url: Option<String>,
    /// The same server as the owner of the tables, for `migrate` alone.
    #[arg(long, global = true, env = "DANCU_OWNER_URL", hide_env_values = true)]
    owner_url: Option<String>,
}

impl PlaceArgs {
    fn place(self) -> Place {
        let others = (self.scoped_url, self.owner_url);
        let url = |own| DatabaseUrl { own, scoped: others.0, owner: others.1 };
        Place { data: self.data, database_url: self.database_url.map(url) }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a district's whole campaign on synthetic people, then serve its pages.
    Demo(demo::Options),
    /// Serve the pages and the kits.
    Serve(live::ServeOptions),
    /// Do the centre's work: open packets, resolve, make and sign cards.
    Work(live::WorkOptions),
    /// Hold the keys for `serve --pages-only`, and answer it over a socket; `dancu work` does the same beside
    /// its work.
    Keyholder(live::SocketOptions),
    /// Import files of population forms (CSV or QCVN 109:2017 XML).
    Import(import::Options),
    /// People with two records, and one person's record.
    #[command(subcommand)]
    Register(register::Command),
    /// The units of the country, by code, name and day, and what the law changes about them.
    #[command(subcommand, visible_alias = "units")]
    Unit(units::Command),
    /// Campaigns: open one, invite, close its days.
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// The laptops that packets are taken from: register, list, revoke.
    #[command(subcommand)]
    Kit(kits::Command),
    /// Officers' credentials: which key signs on which kit, until when.
    #[command(subcommand)]
    Officer(officers::Command),
    /// Packets that wait to be opened or were set aside: list, retry, release.
    #[command(subcommand)]
    Packet(packets::Command),
    /// Production batches, and the printer's results.
    #[command(subcommand)]
    Batch(batches::Command),
    /// Boxes of cards: pack, send on, count.
    #[command(subcommand)]
    Box(boxes::Command),
    /// Where everything is, and whether it reconciles.
    #[command(subcommand)]
    Report(reports::Command),
    /// Bring the database's schema up to this program's version.
    Migrate,
    /// Make, list and disable the accounts that sign in to the pages.
    #[command(subcommand)]
    Account(accounts::Command),
    /// The audit trail: check it, sign its heads, read it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check that each record of a person, an application or a card is what its history says.
    Check(output::Form),
    /// List, export and check cards.
    #[command(subcommand)]
    Card(cards::Command),
    /// Read and decide cases: each act is an adjudicator's.
    #[command(subcommand)]
    Case(cases::Command),
    /// Blank cards: receive, list, count.
    #[command(subcommand)]
    Stock(stock::Command),
    /// Make, list and check the keys that this installation cannot work without.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Certificates and lists of the country, and the keys that sign them.
    #[command(subcommand)]
    Pki(pki::Command),
    /// Rules that change by circular: fees, limits, validity, ages, forms, days off.
    #[command(subcommand)]
    Profile(profile::Command),
    /// Find which records of a file, or of two, are of one person.
    #[command(subcommand)]
    Link(link::Command),
    /// Compare and search fingerprint templates in files.
    #[command(subcommand)]
    Fingerprint(fingerprints::Command),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print what a shell needs to complete these commands.
    Completions(manual::Completions),
    /// Write the manual pages.
    Man(manual::Manual),
}

impl Command {
    /// Whether it works in an installation that is there, and so by the list of units that was taken over
    /// there.
    fn wants_units(&self) -> bool {
        !matches!(
            self,
            Command::Demo(_)
                | Command::Migrate
                | Command::Keys(_)
                | Command::Profile(_)
                // What a card says is judged without the register, and the server need not be started for it.
                | Command::Card(
                    cards::Command::Verify(_) | cards::Command::Emulate(_) | cards::Command::Read(_)
                )
                | Command::Link(_)
                | Command::Fingerprint(_)
                | Command::Bench(_)
                | Command::Completions(_)
                | Command::Man(_)
        )
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("DANCU_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let mut parsed = Cli::try_parse();
    let place = match &parsed {
        Ok(cli) => cli.command.wants_units().then(|| cli.place.clone().place()),
        // A unit of a list that was taken over here is not in the first one.
        Err(error) if error.kind() == ErrorKind::ValueValidation => Some(said_place()),
        Err(_) => None,
    };
    if let Some(place) = place
        && units::adopt(&place).await
    {
        parsed = Cli::try_parse();
    }
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error. Where nobody reads either, there is nothing to say.
            let _ = error.print();
            return if error.use_stderr() { Ending::Usage } else { Ending::Good }.into();
        }
    };
    let place = cli.place.place();
    match run(&place, cli.command).await {
        Ok(code) => code,
        Err(error) => {
            // The whole chain on one line: what was being done, then why it failed and what to do.
            tell!("dancu: {error:#}");
            if let Some(hint) = lost::hint(&place, &error) {
                tell!("dancu: {hint}");
            }
            Ending::Failed.into()
        }
    }
}

/// Where the installation is, of a command line that could not be read whole.
fn said_place() -> Place {
    let args: Vec<String> = std::env::args().collect();
    let said = |option: &str, variable: &str| {
        let at = args.iter().position(|arg| arg == option || arg.starts_with(&format!("{option}=")));
        let value = at.and_then(|at| match args[at].split_once('=') {
            Some((_, value)) => Some(value.to_owned()),
            None => args.get(at + 1).cloned(),
        });
        value.or_else(|| std::env::var(variable).ok())
    };
    let data = said("--data", "DANCU_DATA").unwrap_or_else(|| "data".to_owned()).into();
    let (scoped_url, owner_url) = (None, None);
    let database_url = said("--database-url", "DATABASE_URL");
    PlaceArgs { data, database_url, scoped_url, owner_url }.place()
}

async fn run(place: &Place, command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(options) => demo::run(place, &options).await?,
        Command::Serve(options) => live::serve(place, &options).await?,
        Command::Work(options) => live::work(place, &options).await?,
        Command::Keyholder(options) => live::hold_keys(place, &options).await?,
        Command::Import(options) => return import::run(place, &options).await,
        Command::Register(command) => return register::run(place, &command).await,
        Command::Unit(command) => return units::run(place, &command).await,
        Command::Campaign(command) => campaign::run(place, &command).await?,
        Command::Kit(command) => kits::run(place, &command).await?,
        Command::Officer(command) => officers::run(place, &command).await?,
        Command::Packet(command) => packets::run(place, &command).await?,
        Command::Batch(command) => return batches::run(place, &command).await,
        Command::Box(command) => return boxes::run(place, &command).await,
        Command::Report(command) => return reports::run(place, &command).await,
        Command::Migrate => live::migrate(place).await?,
        Command::Account(command) => accounts::run(place, &command).await?,
        Command::Audit(command) => return audit::run(place, &command).await,
        Command::Check(form) => return check::run(place, form).await,
        Command::Card(command) => return cards::run(place, &command).await,
        Command::Case(command) => cases::run(place, &command).await?,
        Command::Stock(command) => return stock::run(place, &command).await,
        Command::Keys(command) => return keys::run(place, &command).await,
        Command::Pki(command) => pki::run(place, &command).await?,
        Command::Profile(command) => return profile::run(&command),
        Command::Link(command) => link::run(&command)?,
        Command::Fingerprint(command) => fingerprints::run(&command)?,
        Command::Bench(command) => bench::run(place, &command).await?,
        Command::Completions(options) => manual::completions(&options),
        Command::Man(options) => manual::pages(&options)?,
    }
    Ok(Ending::Good.into())
}
