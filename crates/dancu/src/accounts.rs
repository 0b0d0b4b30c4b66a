//! `dancu account`: who may sign in.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::live;
use crate::output::{Form, Table};
use centre::{Installation, Place, installation};
use domain::clock::SystemClock;
use domain::unit::Units;
use domain::{Actor, Clock, UnitCode};
use ui::{say, tell};
use web::Role;
use web::accounts::{self, NewAccount};

/// Whoever has a shell on this machine acts for the centre.
const CONSOLE: Actor = Actor::Centre;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an account. The password is asked for, or read from a file or standard input; it is never an
    /// argument.
    Add {
        login: String,
        /// commander, officer, adjudicator, clerk or justice.
        #[arg(long, value_parser = role)]
        role: Role,
        /// The unit whose people the account sees, a province, district or commune, by its code or name.
        #[arg(long, required_unless_present = "whole_country", value_parser = crate::cli::unit)]
        unit: Option<UnitCode>,
        /// Instead of --unit: everyone.
        #[arg(long, conflicts_with = "unit")]
        whole_country: bool,
        /// As it is shown on the pages; the login when it is not given.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the accounts.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Set another password; ends the account's sessions.
    Password {
        login: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Disable an account and end its sessions. What it did stays under its name.
    Disable { login: String },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PasswordSource {
    /// A file whose first line is the password.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

fn role(text: &str) -> Result<Role> {
    let known = Role::ALL.map(Role::code).join(", ");
    Role::from_code(text).with_context(|| format!("`{text}` is not a role; the roles are {known}"))
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    match command {
        Command::Add { login, role, unit, name, password, .. } => {
            let password = password.read()?;
            let centre = open_or_make(place).await?;
            let display_name = name.as_deref().unwrap_or(login);
            let new = NewAccount { login, display_name, role: *role, unit: *unit };
            let mut rng: StdRng = rand::make_rng();
            let (units, now) = (Units::latest(), SystemClock.now());
            accounts::add(&centre.db, units, &new, &password, &CONSOLE, now, &mut rng).await?;
            say!("made       {login} ({}, {})", role.code(), seen(unit.as_ref()));
        }
        Command::List { form } => list(place, *form).await?,
        Command::Password { login, password } => {
            let password = password.read()?;
            let centre = Installation::open(place).await?;
            let mut rng: StdRng = rand::make_rng();
            let now = SystemClock.now();
            accounts::change_password(&centre.db, login, &password, &CONSOLE, now, &mut rng).await?;
            say!("changed    the password of {login}; its sessions ended");
        }
        Command::Disable { login } => {
            let centre = Installation::open(place).await?;
            accounts::disable(&centre.db, login, &CONSOLE, SystemClock.now()).await?;
            say!("disabled   {login}; its sessions ended");
        }
    }
    Ok(())
}

/// The first account may be the first thing that an installation gets.
async fn open_or_make(place: &Place) -> Result<Installation> {
    if installation::is_there(place)? {
        return Ok(Installation::open(place).await?);
    }
    live::making(place)?;
    Ok(Installation::make(place).await?)
}

async fn list(place: &Place, form: Form) -> Result<()> {
    let centre = Installation::open(place).await?;
    let mut conn = centre.db.read().await?;
    let accounts = store::accounts::all(&mut conn).await?;
    if accounts.is_empty() && !form.json {
        say!("none       make one with `dancu account add`");
        return Ok(());
    }
    let mut table = Table::new("accounts", &["login", "role", "unit", "name", "state"]);
    for account in accounts {
        let unit = account.scope.as_str();
        table.push([
            account.login.into(),
            account.role.into(),
            if unit.is_empty() { "everyone" } else { unit }.into(),
            account.display_name.into(),
            if account.disabled_at.is_some() { "disabled" } else { "enabled" }.into(),
        ]);
    }
    table.print(form)
}

fn seen(unit: Option<&UnitCode>) -> String {
    let units = Units::latest();
    unit.map_or_else(|| "everyone".to_owned(), |unit| units.full_name(*unit).unwrap_or_default())
}

impl PasswordSource {
    /// The password: from the file, from standard input, or asked for twice without showing it.
    fn read(&self) -> Result<Zeroizing<String>> {
        if let Some(path) = &self.password_file {
            let file = File::open(path).with_context(|| format!("the password file {}", path.display()))?;
            return first_line(BufReader::new(file)).with_context(|| format!("{}", path.display()));
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return first_line(stdin.lock()).context("standard input, where the password was expected");
        }
        let quiet = Quiet::begin();
        let first = ask("password: ")?;
        let second = ask("again:    ")?;
        drop(quiet);
        ensure!(*first == *second, "the two passwords differ; nothing was changed");
        Ok(first)
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    let mut terminal = std::io::stderr();
    write!(terminal, "{prompt}")?;
    terminal.flush()?;
    let line = first_line(std::io::stdin().lock());
    tell!("");
    line
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    input.take(1_024).read_line(&mut line).context("the password cannot be read; it must be UTF-8 text")?;
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    if line.is_empty() {
        bail!("the first line is empty");
    }
    Ok(line)
}

/// A terminal that does not show what is typed, until it is dropped.
struct Quiet;

impl Quiet {
    fn begin() -> Quiet {
        stty("-echo");
        Quiet
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// Where there is no such program, the password is seen while it is typed, and nothing else is lost.
fn stty(setting: &str) {
    let _ = Program::new("stty").arg(setting).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}
