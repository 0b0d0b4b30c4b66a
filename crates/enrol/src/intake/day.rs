use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::clock::{self, Heard};
use super::{sha256, standing};
use crate::EnrolError;
use domain::Actor;
use domain::id::KitId;
use packet::PacketError;
use packet::keys::PublicKey;
use packet::message::{DayReport, Outcome, Receipt, ReceiptItem};
use packet::standing::Standing;
use store::applications::intake::{self, NewRefusal};
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
    let item = ReceiptItem { packet_id: None, sha256: sha256(body), outcome: Outcome::Accepted };
    Ok(Receipt { at: now, items: vec![item], standings }.sign(signer)?)
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
    let refused = match verify(&mut tx, message).await? {
        Ok((report, kit)) => {
            let summary = book(&mut tx, &report, &kit, message, now).await?;
            tx.commit().await.map_err(store::Error::from)?;
            return Ok(summary);
        }
        Err(refused) => refused,
    };
    let (sha256, size, code) = (sha256(message), message.len(), refused.code);
    let refusal = NewRefusal { sha256, code, kit_id: refused.kit_id, packet_id: None, size };
    intake::note_refusals(&mut tx, now, &[refusal]).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Err(EnrolError::ReportRefused { code, reason: refused.reason })
}

struct Refused {
    code: &'static str,
    reason: String,
    /// As claimed.
    kit_id: Option<KitId>,
}

/// The report, and its kit, whose row is held.
async fn verify(
    tx: &mut PgConnection,
    message: &[u8],
) -> Result<Result<(DayReport, Kit), Refused>, EnrolError> {
    let refused = |code, reason: String, kit_id| Ok(Err(Refused { code, reason, kit_id }));
    let kit_id = match DayReport::claimed_kit(message) {
        Ok(kit_id) => kit_id,
        Err(error) => return refused(error.code(), error.to_string(), None),
    };
    let Some(kit) = kits::lock_kits(tx, &[kit_id]).await?.pop() else {
        return refused("unknown_kit", "the kit is not registered".to_owned(), Some(kit_id));
    };
    if kit.revoked_at.is_some() {
        return refused("revoked_kit", "the kit was revoked".to_owned(), Some(kit_id));
    }
    let report = PublicKey::from_point(&kit.public_key)
        .map_err(PacketError::from)
        .and_then(|key| DayReport::verify(message, &key));
    match report {
        Ok(report) => Ok(Ok((report, kit))),
        Err(error) => refused(error.code(), error.to_string(), Some(kit_id)),
    }
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
