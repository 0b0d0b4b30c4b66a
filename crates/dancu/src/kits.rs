//! `dancu kit`: which laptops the centre takes packets from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::cli::{self, Operator};
use crate::output::{self, Form, Table};
use centre::{Centre, Installation, Place};
use domain::UnitCode;
use domain::unit::Units;
use enrol::kits::{self, Came, Confirmed, NewKit};
use enrol::roster::{self, KitState};
use packet::keys::PublicKey;
use store::UnitScope;
use ui::say;

/// A public key in PEM has some 180 bytes.
const MOST_KEY_BYTES: u64 = 4 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Register a kit by its public key. Run again it changes nothing.
    Add {
        /// The unit in which it works, by its code or name.
        #[arg(long, value_parser = cli::unit)]
        unit: UnitCode,
        /// What people call it.
        #[arg(long)]
        name: String,
        /// The kit's public key: PEM, as `openssl pkey -in identity.pem -pubout` writes it; `-` is standard
        /// input.
        #[arg(long)]
        public_key: PathBuf,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// The kits, with what was last heard of each.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Propose that a kit be revoked, which was lost or is used no more. Packets of it that come from now on
    /// are set aside, see `dancu packet`; another account makes it final by `dancu kit confirm`, and its day
    /// reports are refused then.
    Revoke(Proposing),
    /// Propose that a kit goes on that was stopped because there seemed to be two of it.
    Resume(Proposing),
    /// Do what another account proposed of a kit: it is revoked, or goes on.
    Confirm(Answering),
    /// Withdraw what another account proposed of a kit. What was set aside because of it is opened.
    Keep(Answering),
    /// What every kit must know of this centre: the key that packets are sealed for, and the key that
    /// receipts are signed with. Both are public.
    CentreKeys {
        /// Write them to intake.pem and receipt.pem in this directory instead of printing them.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
    },
}

/// What one account proposes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Proposing {
    /// The kit's name.
    name: String,
    /// Why, for the audit trail.
    #[arg(long)]
    reason: String,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

/// What another account says to it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Answering {
    /// The kit's name.
    name: String,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    if let Command::CentreKeys { out, json } = command {
        return centre_keys(&Centre::open(place).await?, out.as_deref(), *json);
    }
    let centre = Installation::open(place).await?;
    match command {
        Command::Add { unit, name, public_key, json, operator } => {
            add(&centre, *unit, name, public_key, *json, operator).await
        }
        Command::List { form } => list(&centre, *form).await,
        Command::Revoke(proposing) => revoke(&centre, proposing).await,
        Command::Resume(proposing) => resume(&centre, proposing).await,
        Command::Confirm(answering) => confirm(&centre, answering).await,
        Command::Keep(answering) => keep(&centre, answering).await,
        Command::CentreKeys { .. } => Ok(()),
    }
}

async fn add(
    centre: &Installation,
    unit: UnitCode,
    name: &str,
    public_key: &Path,
    json: bool,
    operator: &Operator,
) -> Result<()> {
    let pem = cli::text_of(public_key, MOST_KEY_BYTES)?;
    ensure!(
        !pem.contains("PRIVATE KEY"),
        "{} holds a private key, which stays on the kit; its public half comes from `openssl pkey -pubout`",
        public_key.display()
    );
    let key = PublicKey::from_pem(&pem).with_context(|| {
        format!("{}: no public key in PEM, as `openssl pkey -pubout` writes it", public_key.display())
    })?;
    let kit = NewKit { kit_id: kits::id_of(&key), name: name.to_owned(), unit, public_key: key };
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let came = kits::register(&centre.db, Units::latest(), &kit, &by, now).await?;
    if json {
        let (id, repeated) = (kit.kit_id, came == Came::Before);
        return output::print_json(&json!({ "kit": name, "id": id, "unit": unit, "repeated": repeated }));
    }
    let word = if came == Came::Now { "registered" } else { "unchanged" };
    say!("{word:<10} {name} as kit {} of {}", kit.kit_id, Units::latest().told(unit));
    Ok(())
}

async fn revoke(centre: &Installation, Proposing { name, reason, json, operator }: &Proposing) -> Result<()> {
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let came = kits::revoke(&centre.db, Units::latest(), name, reason, &by, now).await?;
    if *json {
        return output::print_json(&json!({ "kit": name, "repeated": came == Came::Before }));
    }
    match came {
        Came::Now => {
            say!("proposed   {name}; packets that it sends from now on are set aside");
            say!("next       another account confirms it: dancu kit confirm {name} --operator LOGIN");
        }
        Came::Before => say!("unchanged  {name} was revoked before, or that is proposed already"),
    }
    Ok(())
}

async fn resume(centre: &Installation, Proposing { name, reason, json, operator }: &Proposing) -> Result<()> {
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let came = kits::resume(&centre.db, Units::latest(), name, reason, &by, now).await?;
    if *json {
        return output::print_json(&json!({ "kit": name, "repeated": came == Came::Before }));
    }
    match came {
        Came::Now => {
            say!("proposed   {name} goes on when another account confirms it: dancu kit confirm {name}")
        }
        Came::Before => say!("unchanged  that is proposed already"),
    }
    Ok(())
}

async fn confirm(centre: &Installation, Answering { name, json, operator }: &Answering) -> Result<()> {
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let (confirmed, came) = kits::confirm(&centre.db, Units::latest(), name, None, &by, now).await?;
    let what = match confirmed {
        Confirmed::Revoked => "revoked",
        Confirmed::Resumed => "resumed",
    };
    if *json {
        let repeated = came == Came::Before;
        return output::print_json(&json!({ "kit": name, "confirmed": what, "repeated": repeated }));
    }
    match came {
        Came::Now => say!("{what:<10} {name}"),
        Came::Before => say!("unchanged  {name} was revoked before"),
    }
    Ok(())
}

async fn keep(centre: &Installation, Answering { name, json, operator }: &Answering) -> Result<()> {
    let (by, now) = (operator.actor(centre).await?, centre.clock.now());
    let released = kits::keep(&centre.db, Units::latest(), name, None, &by, now).await?;
    if *json {
        return output::print_json(&json!({ "kit": name, "released": released }));
    }
    say!("kept       {name}; {released} packets that were set aside meanwhile are opened by `dancu work`");
    Ok(())
}

/// One word or three for where a kit stands.
fn state(state: KitState) -> &'static str {
    match state {
        KitState::Works => "registered",
        KitState::Stopped => "stopped",
        KitState::ToBeResumed => "to be resumed",
        KitState::ToBeRevoked => "to be revoked",
        KitState::Revoked => "revoked",
    }
}

async fn list(centre: &Installation, form: Form) -> Result<()> {
    let all = roster::kits_in(&centre.db, Units::latest(), &UnitScope::everything()).await?;
    if all.is_empty() && !form.json {
        say!("none       register one with `dancu kit add`");
        return Ok(());
    }
    let columns = &[
        "kit",
        "id",
        "unit",
        "state",
        "packets",
        "missing",
        "lost",
        "safe_to",
        "unsent",
        "reported_at",
        "reason",
    ];
    let mut table = Table::new("kits", columns);
    for line in all {
        let (reported_at, unsent) = line.last_word().unzip();
        let reason = line.reason().map(str::to_owned);
        table.push([
            line.kit.name.into(),
            line.kit.kit_id.to_string().into(),
            line.kit.unit.to_string().into(),
            state(line.state).into(),
            line.heard.packets.into(),
            line.heard.missing.into(),
            line.heard.lost.into(),
            line.heard.durable.into(),
            unsent.map_or(Value::Null, Value::from),
            reported_at.map(|at| at.format(&Rfc3339)).transpose()?.into(),
            reason.into(),
        ]);
    }
    table.print(form)
}

fn centre_keys(centre: &Centre, out: Option<&Path>, json: bool) -> Result<()> {
    let keys = [("intake", centre.intake_public.to_pem()), ("receipt", centre.receipt_public.to_pem())];
    if let Some(folder) = out {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        for (name, pem) in &keys {
            let path = folder.join(format!("{name}.pem"));
            fs::write(&path, pem).with_context(|| format!("{}", path.display()))?;
            if !json {
                say!("{:<10} {}", "written", path.display());
            }
        }
    }
    let [(_, intake), (_, receipt)] = &keys;
    match (json, out) {
        (true, _) => output::print_json(&json!({ "intake": intake, "receipt": receipt })),
        (false, Some(_)) => Ok(()),
        (false, None) => {
            say!("# intake: packets are sealed for this key\n{}", intake.trim_end());
            say!("# receipt: receipts are signed with this key\n{}", receipt.trim_end());
            Ok(())
        }
    }
}
