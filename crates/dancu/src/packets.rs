//! `dancu packet`: packets that wait to be opened, and those that were set aside.

use anyhow::Result;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::Operator;
use crate::output::{self, Form, Table};
use centre::{Installation, Place};
use domain::id::PacketId;
use enrol::intake::quarantine;
use store::UnitScope;
use store::applications::quarantine::{self as rows, Asked};
use ui::say;

/// Packets that one list shows.
const MOST_LISTED: u32 = 10_000;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Packets that were set aside, oldest first, each with its reason.
    List {
        /// Those that wait to be opened, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Have packets opened again that could not be opened (not_opened), or whose row was brought back from a
    /// backup (altered).
    Retry {
        /// Their ids.
        #[arg(required_unless_present = "all")]
        packets: Vec<PacketId>,
        /// Every one of these two reasons.
        #[arg(long, conflicts_with = "packets")]
        all: bool,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Have packets opened that came after their kit was revoked (kit_revoked), on your word.
    Release {
        /// Their ids.
        #[arg(required = true)]
        packets: Vec<PacketId>,
        /// Why, for the audit trail.
        #[arg(long)]
        reason: String,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    let centre = Installation::open(place).await?;
    let now = centre.clock.now();
    match command {
        Command::List { all, form } => list(&centre, *all, *form).await,
        Command::Retry { packets, all, json, operator } => {
            let by = operator.actor(&centre).await?;
            let ids = (!all).then_some(packets.as_slice());
            let again = quarantine::retry(&centre.db, &UnitScope::everything(), ids, &by, now).await?;
            told("retried", again, *json)
        }
        Command::Release { packets, reason, json, operator } => {
            let by = operator.actor(&centre).await?;
            let everything = UnitScope::everything();
            let released = quarantine::release(&centre.db, &everything, packets, reason, &by, now).await?;
            told("released", released, *json)
        }
    }
}

fn told(what: &str, packets: usize, json: bool) -> Result<()> {
    if json {
        return output::print_json(&json!({ what: packets }));
    }
    match packets {
        0 => say!("unchanged  none of them was set aside for a reason that ends with another attempt"),
        1 => say!("{what:<10} 1 packet; `dancu work` opens it"),
        _ => say!("{what:<10} {packets} packets; `dancu work` opens them"),
    }
    Ok(())
}

async fn list(centre: &Installation, all: bool, form: Form) -> Result<()> {
    let columns =
        &["packet", "application", "kit", "number", "unit", "received", "attempts", "reason", "since"];
    let mut table = Table::new("packets", columns);
    let rows = if all { waiting(centre).await? } else { set_aside(centre).await? };
    if rows.is_empty() && !form.json {
        say!("none       no packet {}", if all { "waits" } else { "is set aside" });
        return Ok(());
    }
    for row in rows {
        table.push(row);
    }
    table.print(form)
}

/// The packets that are set aside, as the page of commanders lists them.
async fn set_aside(centre: &Installation) -> Result<Vec<[Value; 9]>> {
    let asked = Asked { limit: i64::from(MOST_LISTED), ..Asked::default() };
    let found = quarantine::list(&centre.db, &UnitScope::everything(), &asked).await?;
    let row = |held: quarantine::Held| -> Result<[Value; 9]> {
        let packet = held.packet;
        Ok([
            packet.packet_id.to_string().into(),
            packet.application_id.to_string().into(),
            held.kit.into(),
            packet.kit_seq.into(),
            packet.unit_path.trim_end_matches('/').into(),
            text(packet.received_at)?.into(),
            packet.attempts.into(),
            packet.reason.into(),
            text(packet.since)?.into(),
        ])
    };
    found.into_iter().map(row).collect()
}

/// Those that wait to be opened, too.
async fn waiting(centre: &Installation) -> Result<Vec<[Value; 9]>> {
    let found = rows::waiting(&mut *centre.db.read().await?, true, MOST_LISTED).await?;
    let row = |packet: rows::Waiting| -> Result<[Value; 9]> {
        Ok([
            packet.packet_id.to_string().into(),
            packet.application_id.to_string().into(),
            packet.kit.into(),
            packet.kit_seq.into(),
            packet.unit_path.trim_end_matches('/').into(),
            text(packet.received_at)?.into(),
            packet.attempts.into(),
            packet.quarantined.unwrap_or_else(|| "waits".to_owned()).into(),
            packet.quarantined_at.map(text).transpose()?.into(),
        ])
    };
    found.into_iter().map(row).collect()
}

fn text(at: OffsetDateTime) -> Result<String> {
    Ok(at.format(&Rfc3339)?)
}
