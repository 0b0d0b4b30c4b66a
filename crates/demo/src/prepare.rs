//! Before the first day: is it the same run, forms into the register, people with two records, the dates of
//! the campaign.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::world::World;
use crate::{BEGIN, Options};
use centre::signers::{Ahead, LIST_DAYS};
use centre::{Centre, Installation, KeySet, Keys, Place, installation, work};
use domain::unit::Units;
use domain::{Clock, Deadline, UnitCode};
use kit::CentrePublicKeys;
use plan::target::{Target, TargetKind};
use resolve::Identities;
use simulate::TruthId;
use store::UnitScope;
use ui::say;

/// Share of the rejected forms that nobody corrects before the campaign ends.
const NEVER_CORRECTED: f64 = 0.1;

/// Opens the installation of a demonstration, made where there is none: what an operator does with `dancu
/// migrate` and `dancu keys init`.
pub async fn open(place: &Place, clock: Arc<dyn Clock>) -> Result<Centre> {
    if !installation::is_there(place)? {
        say!("new        there is no installation in {}; one is made", place.data.display());
    }
    let installation = Installation::make(place).await?.at(clock);
    let folder = centre::key_folder(place);
    tokio::task::spawn_blocking(move || match centre::key_set(&folder)? {
        KeySet::None | KeySet::Unfinished | KeySet::WithoutAudit => centre::make_keys(&folder).map(drop),
        // What is missing is named when the keys are opened.
        KeySet::Made | KeySet::Missing(_) => Ok(()),
    })
    .await??;
    Ok(Centre::of(installation).await?)
}

/// What an operator does with `dancu pki` before the first day: a CSCA, and document signers for the whole
/// campaign.
pub async fn make_signers(centre: &Centre, until: OffsetDateTime) -> Result<()> {
    let keys = Keys::of(centre).await?;
    let mut conn = centre.db.read().await?;
    let has_csca = !store::cards::certificates::certificates(&mut conn, "csca").await?.is_empty();
    drop(conn);
    if !has_csca {
        centre::signers::make_csca(centre, &keys).await?;
    }
    centre::signers::issue(centre, &keys, Ahead::Until(until)).await?;
    keep_lists(centre).await
}

/// What an operator does with `dancu pki crl` before the lists are over.
pub async fn keep_lists(centre: &Centre) -> Result<()> {
    let due = centre::signers::lists_due(centre).await?;
    if due.is_none_or(|due| due < centre.clock.now() + Duration::days(2)) {
        centre::signers::issue_lists(centre, &Keys::of(centre).await?, LIST_DAYS).await?;
    }
    Ok(())
}

/// What every kit of this centre is set up with.
pub fn kit_keys(centre: &Centre) -> CentrePublicKeys {
    CentrePublicKeys { intake: centre.intake_public.clone(), receipt: centre.receipt_public.clone() }
}

/// What the import made of the forms, corrections included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormCounts {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub corrected: u64,
}

/// A data directory holds one demonstration: another seed or size would mix two worlds.
pub async fn check_same_run(centre: &Centre, options: &Options) -> Result<()> {
    let this =
        json!({ "district": options.district.to_string(), "people": options.people, "seed": options.seed });
    let is_marked = installation::has_invented_people(&centre.db).await?;
    let mut tx = centre.db.begin().await?;
    match store::progress::load(&mut tx, "demo.run").await? {
        // To mark real people as invented would take the sense from every card that is drawn afterwards.
        None if store::register::people::is_anybody_there(&mut tx).await? => bail!(
            "the register in {} holds people whom no demonstration made: name another directory with --data",
            centre.place.data.display()
        ),
        None => store::progress::save(&mut tx, "demo.run", &this).await?,
        Some(_) if !is_marked => bail!(
            "{} holds a demonstration of an earlier version of this program, which cannot go on: name \
             another directory with --data, or remove this one",
            centre.place.data.display()
        ),
        Some(found) => ensure!(
            found == this,
            "{} holds the demonstration {found}, and {this} was asked for: name another directory with \
             --data, or remove this one",
            centre.place.data.display()
        ),
    }
    installation::mark_invented(&mut tx).await?;
    store::commit(tx).await?;
    Ok(())
}

/// The district of the demonstration that this data directory holds.
pub async fn district_of(centre: &Installation) -> Result<UnitCode> {
    let mut conn = centre.db.read().await?;
    let run = store::progress::load(&mut conn, "demo.run").await?;
    let run = run.with_context(|| format!("{} holds no demonstration", centre.place.data.display()))?;
    Ok(run["district"].as_str().context("the demonstration's district")?.parse()?)
}

/// Imports every file, lets a clerk correct the rejects, and imports the corrections. Returns who stays
/// without a form.
pub async fn import_forms(centre: &Centre, world: &World) -> Result<(FormCounts, Vec<TruthId>)> {
    let folder = centre.place.data.join("forms");
    let mut options = collect::ImportOptions::new(folder.join("rejects"));
    options.collected_on = Some(world.population.as_of);
    std::fs::create_dir_all(&options.rejects_dir)?;
    let mut counts = FormCounts::default();
    let mut rejects = Vec::new();
    let import = async |file: &PathBuf| {
        let mut go_on = |_: &collect::Progress| ControlFlow::Continue(());
        collect::import(&centre.db, file, &options, centre.clock.as_ref(), &mut go_on)
            .await
            .with_context(|| format!("{}", file.display()))
    };
    for file in &world.forms.files {
        let summary = import(file).await?;
        counts.read += summary.counts.rows_read;
        counts.accepted += summary.counts.rows_accepted;
        counts.rejected += summary.counts.rows_rejected;
        rejects.extend(summary.rejects_file);
    }
    let corrected = folder.join("corrected.csv");
    let (_, left) = simulate::forms::correct(
        &world.population,
        &world.forms,
        &rejects,
        NEVER_CORRECTED,
        world.seed,
        &corrected,
    )?;
    counts.corrected = import(&corrected).await?.counts.rows_accepted;
    Ok((counts, left))
}

/// Loads the living register into memory, and finds people with two records before anyone is invited twice.
/// What changes in the campaign itself is looked at every night.
pub async fn dedupe(centre: &Centre, scope: &UnitScope) -> Result<(Identities, u64)> {
    let mut identities = work::load_identities(centre, scope).await?;
    if !resolve::was_deduped(&centre.db, scope).await? {
        resolve::dedupe_new(&centre.db, &mut identities, BEGIN).await?;
    }
    let records = identities.memory().people as u64;
    Ok((identities, records))
}

/// The dates of the district's province; of a province without a target of its own, the national programme's
/// (fifty million cards before 1 July 2021).
pub fn province_target(units: Units<'_>, district: UnitCode) -> Target {
    let province = units.chain(district).last().map(|unit| unit.code);
    plan::target::of_2021().into_iter().find(|target| Some(target.unit) == province).unwrap_or(Target {
        unit: district,
        name: String::new(),
        amount: None,
        kind: TargetKind::Floor,
        starts_on: date!(2021 - 03 - 01),
        deadline: Deadline::before(date!(2021 - 07 - 01)),
    })
}
