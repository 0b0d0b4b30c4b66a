//! `dancu report`: where everything is, and whether it reconciles.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::output::{self, Ending, Form, Table};
use centre::{Installation, Place};
use domain::UnitCode;
use report::Identity;
use ui::say;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// The custody ledger: each count from two sources, and the applications on which they differ.
    Ledger {
        /// Only this unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        unit: Option<UnitCode>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// How many people of each commune have reached each stage.
    Funnel {
        /// Only this unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        unit: Option<UnitCode>,
        #[command(flatten)]
        form: Form,
    },
}

/// A ledger ends with [`Ending::Good`] when it holds, with [`Ending::Bad`] when it does not.
pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let centre = Installation::open(place).await?;
    match command {
        Command::Ledger { unit, json } => ledger(&centre, *unit, *json).await,
        Command::Funnel { unit, form } => {
            funnel(&centre, *unit, *form).await?;
            Ok(Ending::Good.into())
        }
    }
}

async fn ledger(centre: &Installation, unit: Option<UnitCode>, json: bool) -> Result<ExitCode> {
    let mut conn = centre.db.read().await?;
    let identities = report::ledger(&mut conn, &crate::cli::scope(unit)?).await?;
    let holds = identities.iter().all(Identity::holds);
    let ending = if holds { Ending::Good } else { Ending::Bad };
    if json {
        let told: Vec<Value> = identities.iter().map(identity_json).collect();
        output::print_json(&json!({ "holds": holds, "identities": told }))?;
        return Ok(ending.into());
    }
    for identity in &identities {
        let terms: Vec<String> =
            identity.terms.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let sign = if identity.holds() { "=" } else { "≠" };
        say!("{:<12} {:>9} {sign} {}", identity.code, identity.left, terms.join(" + "));
        for difference in &identity.differences {
            say!("  differs  application {} ({})", difference.application, difference.what);
        }
        let listed = identity.differences.len() as i64;
        if identity.difference_count > listed {
            say!("  and {} more", identity.difference_count - listed);
        }
    }
    say!("{}", if holds { "holds      every count agrees, application by application" } else { "DIFFERS" });
    Ok(ending.into())
}

fn identity_json(identity: &Identity) -> Value {
    let terms: Map<String, Value> =
        identity.terms.iter().map(|(code, count)| ((*code).to_owned(), json!(count))).collect();
    let differences = identity.differences.iter();
    let differences =
        differences.map(|found| json!({ "application": found.application, "what": found.what }));
    json!({
        "code": identity.code, "left": identity.left, "terms": terms, "holds": identity.holds(),
        "differences": identity.difference_count, "first_differences": differences.collect::<Vec<Value>>(),
    })
}

async fn funnel(centre: &Installation, unit: Option<UnitCode>, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let rows = report::funnel(&mut conn, &crate::cli::scope(unit)?).await?;
    let columns = &[
        "unit",
        "name",
        "eligible",
        "invited",
        "captured",
        "transmitted",
        "accepted",
        "in_production",
        "printed",
        "dispatched",
        "at_unit",
        "handed_over",
        "in_case",
        "rejected",
    ];
    let line = |code: Value, name: Value, counts: report::Counts| {
        let counts = [
            counts.eligible,
            counts.invited,
            counts.captured,
            counts.transmitted,
            counts.accepted,
            counts.in_production,
            counts.printed,
            counts.dispatched,
            counts.at_unit,
            counts.handed_over,
            counts.in_case,
            counts.rejected,
        ];
        let [a, b, c, d, e, f, g, h, i, j, k, l] = counts.map(Value::from);
        [code, name, a, b, c, d, e, f, g, h, i, j, k, l]
    };
    let mut table = Table::new("communes", columns);
    for row in &rows {
        table.push(line(row.unit.to_string().into(), row.name.clone().into(), row.counts));
    }
    table.total(line("all".into(), Value::Null, report::total(&rows)));
    table.print(form)
}
