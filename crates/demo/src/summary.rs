//! What a run came to, measured from the database and compared with the truth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::campaign::Campaign;
use crate::prepare::FormCounts;
use crate::progress::Stage;
use domain::application::State;
use domain::id::PersonId;
use simulate::TruthId;
use store::report::scoring::{self, CaseRow, OutcomeRow};
use ui::say;

/// The same for the same seed, but for the stages, which tell of this run only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub people: u32,
    pub seed: u64,
    pub district: String,
    /// The last simulated day, yyyy-mm-dd.
    pub day: String,
    pub forms: Forms,
    pub duplicates: Duplicates,
    pub funnel: report::Counts,
    pub cases: BTreeMap<String, u64>,
    pub ledger: Ledger,
    pub stages: Vec<Stage>,
}

/// What became of the population forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forms {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Rejected forms that were corrected and accepted on the second try.
    pub corrected: u64,
}

/// People with two records, and people who applied twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    pub planted: u64,
    /// Noticed at import, merged, brought before an adjudicator, or refused as a second application.
    pub caught: u64,
    pub missed: u64,
    /// Two different people made one: merged, or an application linked to somebody else.
    #[serde(rename = "false")]
    pub false_links: u64,
}

/// Whether the custody ledger reconciles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ledger {
    pub holds: bool,
    pub differences: Vec<LedgerDifference>,
}

/// An application on which two sides of the ledger disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerDifference {
    pub identity: &'static str,
    pub application: String,
    pub what: &'static str,
}

impl Summary {
    /// Written as JSON, whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("draft");
        fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&draft, path).with_context(|| format!("the summary {}", path.display()))
    }
}

/// Counts everything at the end of the run, and folds every history again.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn measure(campaign: &Campaign, stages: Vec<Stage>) -> Result<Summary> {
    let mut conn = campaign.centre.db.read().await?;
    let rows = report::funnel(&mut conn, &campaign.scope).await?;
    let identities = report::ledger(&mut conn, &campaign.scope).await?;
    let kits = report::kits(&mut conn, &campaign.scope).await?;
    let folds = store::applications::check_folds(&mut conn).await?;
    let people = store::register::check_folds(&mut conn).await?;
    let card_folds = store::cards::history::check_folds(&mut conn).await?;
    let cases = scoring::cases(&mut conn, &campaign.scope, campaign.centre.clock.now()).await?;
    let merged = scoring::merged(&mut conn, &campaign.scope).await?;
    let outcomes = scoring::outcomes(&mut conn, &campaign.scope).await?;
    let settled: HashSet<String> = scoring::settled_at_import(&mut conn).await?.into_iter().collect();
    let mut kinds = BTreeMap::new();
    for case in &cases {
        *kinds.entry(case.kind.clone()).or_insert(0) += 1;
    }
    let FormCounts { read, accepted, rejected, corrected } = campaign.forms;
    let mut differences: Vec<LedgerDifference> = identities
        .iter()
        .flat_map(|identity| {
            identity.differences.iter().map(|difference| LedgerDifference {
                identity: identity.code,
                application: difference.application.to_string(),
                what: difference.what,
            })
        })
        .collect();
    differences.extend(folds.iter().map(|application| LedgerDifference {
        identity: "state",
        application: application.to_string(),
        what: "the state is not the fold of the actions",
    }));
    differences.extend(people.iter().map(|person| LedgerDifference {
        identity: "state",
        application: format!("person:{person}"),
        what: "the record is not the fold of the events",
    }));
    differences.extend(card_folds.iter().map(|card| LedgerDifference {
        identity: "card_state",
        application: format!("of card {card}"),
        what: "the card's state is not the fold of its actions",
    }));
    differences.extend(kits.iter().filter(|kit| !kit.agrees()).map(|kit| LedgerDifference {
        identity: "kits",
        application: kit.name.clone(),
        what: if kit.own > kit.known {
            "the kit counts more captures than the centre knows"
        } else {
            "the centre knows more captures than the kit counts"
        },
    }));
    Ok(Summary {
        people: campaign.world.population.people.len() as u32,
        seed: campaign.world.seed,
        district: campaign.district.to_string(),
        day: campaign.day.previous_day().unwrap_or(campaign.day).to_string(),
        forms: Forms { read, accepted, rejected, corrected },
        duplicates: duplicates(campaign, &settled, &cases, &merged, &outcomes),
        funnel: report::total(&rows),
        cases: kinds,
        ledger: Ledger {
            holds: identities.iter().all(report::Identity::holds)
                && folds.is_empty()
                && people.is_empty()
                && card_folds.is_empty()
                && kits.iter().all(report::KitTotal::agrees),
            differences,
        },
        stages,
    })
}

/// Compares what was decided with who is who.
fn duplicates(
    campaign: &Campaign,
    settled: &HashSet<String>,
    cases: &[CaseRow],
    merged: &[(PersonId, PersonId)],
    outcomes: &[OutcomeRow],
) -> Duplicates {
    let world = &campaign.world;
    let truth = |person: &PersonId| world.by_person.get(person).copied();
    let mut score = Duplicates::default();
    let mut found: HashSet<TruthId> = HashSet::new();
    for (gone, kept) in merged {
        match (truth(gone), truth(kept)) {
            (Some(a), Some(b)) if a == b => {
                found.insert(a);
            }
            _ => score.false_links += 1,
        }
    }
    for case in cases {
        if let (Some(a), Some(b)) =
            (case.person_id.as_ref().and_then(truth), case.other_person_id.as_ref().and_then(truth))
            && a == b
        {
            found.insert(a);
        }
    }
    // Forms of people who have two in the register.
    for form in &world.forms.forms {
        let Some((first, _)) = form.duplicate_of else { continue };
        // Files are read in the order of the communes, so that the import may have met the second form first
        // and refused the other.
        let refused = [form.form_no, first].iter().any(|number| settled.contains(&number.to_string()));
        score.planted += 1;
        score.caught += u64::from(refused || found.contains(&form.truth));
    }
    // People who applied twice: the later application must not have been accepted unseen.
    let by_id: HashMap<_, &OutcomeRow> = outcomes.iter().map(|row| (row.application_id, row)).collect();
    for row in outcomes {
        let Some((who, number)) = world.by_application.get(&row.application_id) else { continue };
        let first = crate::world::application_id(world.seed, *who, 1);
        if *number == 2 {
            score.planted += 1;
            let seen =
                row.was_case || row.state == State::Rejected || by_id.get(&first).is_some_and(|f| f.was_case);
            score.caught += u64::from(seen);
        }
        if row.state >= State::Accepted
            && row.person_id.as_ref().and_then(truth).is_some_and(|linked| linked != *who)
        {
            score.false_links += 1;
        }
    }
    score.missed = score.planted - score.caught;
    score
}

/// Prints the summary for a person who has just watched the run.
pub fn print(summary: &Summary, campaign: &Campaign) {
    let Summary { forms, duplicates, funnel, .. } = summary;
    say!();
    say!(
        "forms      {} read, {} accepted, {} rejected, {} of them corrected and accepted",
        forms.read,
        forms.accepted,
        forms.rejected,
        forms.corrected
    );
    say!(
        "duplicates {} planted, {} caught, {} missed; {} false links",
        duplicates.planted,
        duplicates.caught,
        duplicates.missed,
        duplicates.false_links
    );
    let cases: Vec<String> = summary.cases.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    say!("cases      {}", if cases.is_empty() { "none".to_owned() } else { cases.join(", ") });
    say!(
        "funnel     {} eligible > {} invited > {} captured > {} transmitted > {} accepted > {} printed > {} \
         dispatched > {} at unit > {} handed over",
        funnel.eligible,
        funnel.invited,
        funnel.captured,
        funnel.transmitted,
        funnel.accepted,
        funnel.printed,
        funnel.dispatched,
        funnel.at_unit,
        funnel.handed_over
    );
    if summary.ledger.holds {
        say!("ledger     every identity holds");
    } else {
        say!("ledger     DOES NOT HOLD:");
        for difference in summary.ledger.differences.iter().take(20) {
            say!("             {}: {} ({})", difference.identity, difference.application, difference.what);
        }
    }
    for stage in &summary.stages {
        let rate = if stage.seconds > 0.0 { stage.count as f64 / stage.seconds } else { 0.0 };
        say!(
            "stage      {:<10} {:>9} in {:>8.1} s  {:>9.0}/s{}",
            stage.name,
            stage.count,
            stage.seconds,
            rate,
            processor_time(stage)
        );
    }
    say!("data       {}", campaign.centre.place.data.display());
}

/// How much of a stage's time the cores were at work, here and in the database.
fn processor_time(stage: &Stage) -> String {
    match (stage.program_cpu, stage.database_cpu) {
        (Some(program), Some(database)) => {
            format!("   processor {program:>7.1} s, database {database:>7.1} s")
        }
        (Some(program), None) => format!("   processor {program:>7.1} s"),
        (None, _) => String::new(),
    }
}
