use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::clock::{self, Heard};
use super::standing;
use super::word::{self, Refused};
use crate::EnrolError;
use domain::Actor;
use packet::keys::PublicKey;
use packet::message::DayReport;
use packet::standing::Standing;
use store::applications::kits::{self, Kit, NewKitReport};
use store::applications::{NewApplication, create};
use store::register::units;
use store::{Database, PgConnection};

/// What a day report changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySummary {
    /// Applications that the centre learned of by this report.
    pub created: usize,
    /// Captures at a place that does not exist; they will be refused when their packets arrive.
    pub unplaced: usize,
    /// `false` when a later report of the same day was there already.
    pub stored: bool,
    /// What the centre has of the kit's packets.
    pub standings: Vec<Standing>,
}

/// Takes the body of a day report and gives the body of the answer: a receipt with one line.
///
/// # Errors
/// As [`report_day`].
pub async fn receive_day_report(
    db: &Database,
    body: &[u8],
    now: OffsetDateTime,
    signer: &dyn pki::Signer,
) -> Result<Vec<u8>, EnrolError> {
    let DaySummary { standings, .. } = report_day(db, body, now).await?;
    word::answer(body, standings, now, signer)
}

/// Books a kit's day report: its counters, and the applications whose packets have not arrived, as captured.
/// The same report again changes nothing.
///
/// # Errors
/// [`EnrolError::ReportRefused`] when it is not a registered kit's own; it is counted among the refusals.
/// Those of the database.
pub async fn report_day(
    db: &Database,
    message: &[u8],
    now: OffsetDateTime,
) -> Result<DaySummary, EnrolError> {
    let mut tx = db.begin().await?;
    let verify = |key: &PublicKey| DayReport::verify(message, key);
    let refused = match word::believe(&mut tx, DayReport::claimed_kit(message), verify).await? {
        Ok((_, kit)) if kit.revoked_at.is_some() => {
            let (code, reason) = ("revoked_kit", "the kit was revoked".to_owned());
            Refused { code, reason, kit_id: Some(kit.kit_id) }
        }
        Ok((report, kit)) => {
            let summary = book(&mut tx, &report, &kit, message, now).await?;
            store::commit(tx).await?;
            return Ok(summary);
        }
        Err(refused) => refused,
    };
    refused.note(&mut tx, message, now).await?;
    store::commit(tx).await?;
    Err(refused.into())
}

async fn book(
    tx: &mut PgConnection,
    report: &DayReport,
    kit: &Kit,
    message: &[u8],
    now: OffsetDateTime,
) -> Result<DaySummary, EnrolError> {
    let heard = Heard::of(kit);
    let units: Vec<_> = report.captures.iter().map(|capture| capture.unit).collect();
    let paths = units::unit_paths(tx, &units).await?;
    let placed = report.captures.iter().filter_map(|capture| {
        let captured = clock::bound_claim(capture.captured_at, None, Some(&heard), now);
        Some(NewApplication {
            application_id: capture.application_id,
            kit_id: report.kit_id,
            kind: capture.kind,
            unit: capture.unit,
            unit_path: paths.get(&capture.unit)?.clone(),
            captured_at: captured.at,
            kit_clock_at: captured.kit_clock_at,
            actor: Actor::Kit(report.kit_id),
        })
    });
    let placed: Vec<_> = placed.collect();
    let created = create(tx, now, &placed).await?;
    let stored = kits::put_kit_report(
        tx,
        &NewKitReport {
            kit_id: report.kit_id,
            day: report.day,
            captured: report.captures.len() as u64,
            unsent: report.unsent,
            captured_total: report.captured_total,
            reported_at: report.reported_at,
            message,
        },
    )
    .await?;
    kits::note_heard(tx, &[report.kit_id], now).await?;
    let standings = standing::advance(tx, std::slice::from_ref(kit), &BTreeMap::new()).await?;
    Ok(DaySummary { created, unplaced: report.captures.len() - placed.len(), stored, standings })
}
