//! `dancu register quality`: how right, whole, clean and alive the register is, and whom somebody must ask.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::{self, Operator};
use crate::output::{Form, Table};
use centre::Installation;
use domain::UnitCode;
use domain::unit::Units;
use register::quality::{Rule, look_over};
use store::UnitScope;
use store::audit::{self, Entry};
use store::register::quality as rows;
use ui::{say, tell};

/// Findings of one rule that are told at most.
const MOST_LISTED: i64 = 10_000;
/// Whom of these a row of the trail names.
const NAMED: usize = 50;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Only the people of this unit, by its code or name.
    #[arg(long, value_parser = crate::cli::unit)]
    unit: Option<UnitCode>,
    /// Look again at units that were looked at today.
    #[arg(long, conflicts_with_all = ["findings", "rules"])]
    again: bool,
    /// Do not look: list who does not keep this rule, those that are known longest first. It is a row of the
    /// audit trail.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    findings: Option<Rule>,
    /// Do not look: list the rules, with what each stands on.
    #[arg(long, conflicts_with = "findings")]
    rules: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    operator: Operator,
}

fn rule(code: &str) -> Result<Rule> {
    Rule::from_code(code)
        .with_context(|| format!("`{code}` is no rule; `dancu register quality --rules` names them"))
}

pub(super) async fn run(centre: &Installation, options: &Options) -> Result<()> {
    if options.rules {
        return rules(options.form);
    }
    let scope = cli::scope(options.unit)?;
    match options.findings {
        Some(rule) => findings(centre, &scope, rule, options).await,
        None => look(centre, &scope, options).await,
    }
}

fn rules(form: Form) -> Result<()> {
    let mut table = Table::new("rules", &["rule", "dimension", "says", "source", "mark"]);
    for &rule in Rule::ALL {
        let text = rule.text();
        let (dimension, mark) = (text.dimension.code(), text.mark.code());
        let says = text.says.0.as_str();
        table.push([
            rule.code().into(),
            dimension.into(),
            says.into(),
            text.source.as_str().into(),
            mark.into(),
        ]);
    }
    table.print(form)
}

async fn look(centre: &Installation, scope: &UnitScope, options: &Options) -> Result<()> {
    let today = centre.clock.today();
    let told = |at: usize, of: usize| {
        if !options.form.json && (at == of || at.is_multiple_of(20)) {
            tell!("{at} of {of} units");
        }
    };
    let looked = look_over(&centre.db, scope, today, options.again, told).await?;
    let mut scoped = centre.db.scoped(scope).await?;
    let counts: HashMap<String, rows::Count> =
        rows::counts(&mut scoped).await?.0.into_iter().map(|count| (count.rule.clone(), count)).collect();
    drop(scoped);
    let mut table = Table::new("rules", &["rule", "dimension", "keep", "of", "percent", "says"]);
    let mut all: Vec<Rule> = Rule::ALL.to_vec();
    all.sort_by_key(|rule| rule.text().dimension);
    for rule in all {
        let (ok, of) = counts.get(rule.code()).map_or((0, 0), |count| (count.ok, count.of));
        let text = rule.text();
        let says = text.says.0.as_str();
        table.push([
            rule.code().into(),
            text.dimension.code().into(),
            ok.into(),
            of.into(),
            percent(ok, of),
            says.into(),
        ]);
    }
    table.print(options.form)?;
    if !options.form.json {
        say!(
            "looked at  {} people in {} units: {} things are to be asked; {} more units are of today \
             already",
            looked.people,
            looked.units,
            looked.findings,
            looked.before
        );
    }
    Ok(())
}

/// A share with its base beside it; never rounded up to a hundred.
fn percent(ok: i64, of: i64) -> Value {
    if of == 0 {
        return Value::Null;
    }
    let hundredths = i128::from(ok) * 10_000 / i128::from(of);
    format!("{}.{:02}", hundredths / 100, hundredths % 100).into()
}

async fn findings(centre: &Installation, scope: &UnitScope, rule: Rule, options: &Options) -> Result<()> {
    let by = options.operator.actor(centre).await?;
    let mut scoped = centre.db.scoped(scope).await?;
    let found = rows::open(&mut scoped, rule.code(), scope.as_str(), None, MOST_LISTED + 1).await?;
    drop(scoped);
    let (shown, more) = match usize::try_from(MOST_LISTED) {
        Ok(most) if found.len() > most => (&found[..most], true),
        _ => (&found[..], false),
    };
    // As the page writes it: all of whom there are, and the first by name.
    let ids: Vec<String> = shown.iter().take(NAMED).map(|finding| finding.person_id.to_string()).collect();
    let question = json!({ "rule": rule.code(), "under": options.unit.map(|unit| unit.to_string()) });
    let entry = Entry {
        at: centre.clock.now(),
        subject: by.to_string(),
        actor: by,
        action: "quality.listed".to_owned(),
        unit_path: scope.as_str().to_owned(),
        detail: json!({ "question": question, "count": shown.len(), "ids": ids }),
    };
    let mut tx = centre.db.begin().await?;
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    let units = Units::latest();
    let mut table = Table::new("findings", &["person", "since", "unit"]);
    for finding in shown {
        let unit = finding.unit_path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let name =
            unit.parse().ok().and_then(|code| units.full_name(code)).unwrap_or_else(|| unit.to_owned());
        table.push([
            finding.person_id.to_string().into(),
            finding.first_seen.to_string().into(),
            name.into(),
        ]);
    }
    table.print(options.form)?;
    if more && !options.form.json {
        say!("…          and more: name a unit with --unit");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(percent(99_999, 100_000), Value::from("99.99"));
        assert_eq!(percent(0, 0), Value::Null);
        assert_eq!(percent(7, 7), Value::from("100.00"));
    }
}
