use std::path::Path;

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

use crate::{AppliedReceipt, Draft, IdentityKey, KitError, Outbox, SavedPacket, Transport};
use domain::application::Kind;
use domain::id::{ApplicationId, KitId, PacketId, PersonId};
use domain::{ResidentRecord, UnitCode};
use packet::check::{Check, check};
use packet::keys::PublicKey;
use packet::message::{DayReport, Outcome, Receipt};
use packet::{Biometric, CaptureMeta, Content, Envelope, Finger, FingerImage, seal};
use packet::{ReceiptCode, wire};

/// Packets in one request; a request that breaks off on a poor line costs this much at most.
const BATCH_PACKETS: usize = 200;
/// Rounds in which nothing could be booked before a sync gives up.
const IDLE_ROUNDS: usize = 3;

/// The centre's keys that a kit is set up with.
#[derive(Debug, Clone)]
pub struct CentrePublicKeys {
    /// Packets are encrypted to it.
    pub intake: PublicKey,
    /// Receipts are signed with it.
    pub receipt: PublicKey,
}

/// What the officer captured.
#[derive(Debug, Clone)]
pub struct CaptureInput {
    /// Made when the form is opened ([`new_ids`]), so that saving twice saves once.
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub kind: Kind,
    pub unit: UnitCode,
    pub record: ResidentRecord,
    /// Whom the officer found in the register, and the record as it stands there.
    pub register: Option<(PersonId, ResidentRecord)>,
    pub fingers: Vec<Finger>,
    /// Of the fingers that go on the chip ([`packet::rules::chip_fingers`]); none if the scanner gives no
    /// images.
    pub finger_images: Vec<FingerImage>,
    pub photo: Biometric,
    pub meta: CaptureMeta,
}

/// An application that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub kit_seq: u64,
    /// For the printed receipt; `None` when the packet had been saved before and the centre has taken it over
    /// since.
    pub receipt_code: Option<ReceiptCode>,
    /// Whether it had been saved before.
    pub repeated: bool,
}

/// What a sync moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncSummary {
    pub requests: usize,
    pub accepted: usize,
    pub refused: usize,
    /// Packets still without a receipt.
    pub pending: u64,
}

/// One kit: its key, its outbox and the keys of its centre.
#[derive(Debug)]
pub struct Laptop {
    key: IdentityKey,
    outbox: Outbox,
    centre: CentrePublicKeys,
}

impl Laptop {
    /// Opens the kit in `dir`; on the first day its identity key and its outbox are made there.
    ///
    /// # Errors
    /// See [`IdentityKey::open_or_create`] and [`Outbox::open`].
    pub fn open(
        dir: &Path,
        kit_id: KitId,
        centre: CentrePublicKeys,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KitError> {
        let outbox = Outbox::open(dir, kit_id)?;
        let key = IdentityKey::open_or_create(&dir.join("identity.pem"), rng)?;
        Ok(Self { key, outbox, centre })
    }

    /// What the centre registers this kit with.
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// What was captured and is not yet acknowledged.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// For captures: each is written durably before the call returns.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What the officer sees before saving: what must be put right, what to look at again, and what differs
    /// from the register. [`Laptop::capture`] asks the same, so that what was not found here is not refused
    /// there.
    pub fn check(&self, input: &CaptureInput, now: OffsetDateTime) -> Check {
        check(
            &input.record,
            input.register.as_ref().map(|(_, register)| register),
            &input.fingers,
            &input.finger_images,
            input.photo.as_bytes(),
            now,
            fingerprint::quality,
        )
    }

    /// Checks, seals and saves an application; when it returns, the packet is on the disk. Advice does not
    /// hinder it.
    ///
    /// With the same input, instant and random bytes the packet has the same bytes, so that a capture
    /// repeated after a crash is a repeat and not a second application. The receipt code is drawn first.
    ///
    /// # Errors
    /// [`KitError::NotComplete`] with everything to put right; those of the outbox.
    pub fn capture(
        &mut self,
        input: CaptureInput,
        now: OffsetDateTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Saved, KitError> {
        let checked = self.check(&input, now);
        if !checked.can_be_saved() {
            return Err(KitError::NotComplete(checked.problems));
        }
        let receipt_code = ReceiptCode::generate(rng);
        let draft = Draft {
            packet_id: input.packet_id,
            application_id: input.application_id,
            captured_at: now,
            unit: input.unit,
            kind: input.kind,
            receipt_code,
        };
        let content = Content {
            claimed_person_id: input.register.as_ref().map(|(id, _)| *id),
            record: input.record,
            differs: checked.differs.into_iter().map(|field| field.code().to_owned()).collect(),
            receipt_hash: draft.receipt_code.hash(),
            fingers: input.fingers,
            photo: input.photo,
            capture: input.meta,
            finger_images: input.finger_images,
        };
        let kit_id = self.outbox.kit_id();
        let SavedPacket { kit_seq, receipt_code, repeated, .. } = self.outbox.save(&draft, |kit_seq| {
            let envelope = Envelope {
                packet_id: draft.packet_id,
                application_id: draft.application_id,
                kit_id,
                kit_seq,
                captured_at: draft.captured_at,
                unit: draft.unit,
                kind: draft.kind,
            };
            Ok(seal(&envelope, &content, &self.key, &self.centre.intake, rng)?)
        })?;
        let (packet_id, application_id) = (draft.packet_id, draft.application_id);
        Ok(Saved { packet_id, application_id, kit_seq, receipt_code, repeated })
    }

    /// Sends everything that has no receipt, oldest first, until nothing is left or the line fails. Each
    /// receipt is booked before the next batch is sent, so that a sync that breaks off has lost nothing.
    ///
    /// # Errors
    /// [`KitError::Transport`]; [`KitError::Message`] for an answer that is not the centre's;
    /// [`KitError::NoProgress`].
    pub fn sync(&mut self, transport: &Transport, now: OffsetDateTime) -> Result<SyncSummary, KitError> {
        let mut summary = SyncSummary::default();
        let mut idle = 0;
        loop {
            let batch = self.outbox.pending(BATCH_PACKETS, wire::MAX_BATCH_BYTES)?;
            if batch.is_empty() {
                return Ok(summary);
            }
            let body = wire::encode_batch(batch.iter().map(|packet| packet.sealed.as_slice()));
            self.outbox.mark_sent(&batch, now)?;
            let applied = self.exchange(transport, &body, batch.len(), now)?;
            summary.requests += 1;
            summary.accepted += applied.accepted;
            summary.refused += applied.refused;
            summary.pending = self.outbox.counters()?.pending;
            idle = if applied.accepted + applied.refused == 0 { idle + 1 } else { 0 };
            if idle == IDLE_ROUNDS {
                return Err(KitError::NoProgress { rounds: idle });
            }
        }
    }

    fn exchange(
        &mut self,
        transport: &Transport,
        body: &[u8],
        packets: usize,
        now: OffsetDateTime,
    ) -> Result<AppliedReceipt, KitError> {
        let applied = transport
            .send_packets(body)
            .map_err(KitError::from)
            .and_then(|receipt| self.outbox.apply_receipt(&receipt, &self.centre.receipt, now));
        if let Err(error) = &applied {
            // The log outlives this process: what failed on the road is looked at in the evening.
            self.outbox.log(now, "failed", packets, &error.to_string())?;
        }
        applied
    }

    /// The kit's signed report of `day`: what it captured, and what it still holds.
    ///
    /// # Errors
    /// Those of the outbox.
    pub fn day_report(&self, day: Date, now: OffsetDateTime) -> Result<Vec<u8>, KitError> {
        let counters = self.outbox.counters()?;
        let report = DayReport {
            kit_id: self.outbox.kit_id(),
            day,
            reported_at: now,
            unsent: counters.captured_total - counters.accepted,
            captured_total: counters.captured_total,
            captures: self.outbox.captures_on(day)?,
        };
        Ok(report.sign(&self.key)?)
    }

    /// Sends the report of `day` and checks the centre's receipt for it.
    ///
    /// # Errors
    /// [`KitError::Transport`]; [`KitError::Message`] for an answer that is not the centre's receipt for this
    /// report.
    pub fn send_day_report(
        &mut self,
        transport: &Transport,
        day: Date,
        now: OffsetDateTime,
    ) -> Result<(), KitError> {
        let message = self.day_report(day, now)?;
        let answer = transport.send_day_report(&message)?;
        let receipt = Receipt::verify(&answer, &self.centre.receipt)?;
        let sha256: [u8; 32] = Sha256::digest(&message).into();
        let booked =
            receipt.items.iter().any(|item| item.sha256 == sha256 && item.outcome == Outcome::Accepted);
        if !booked {
            return Err(KitError::Message(packet::PacketError::Structure {
                what: "the receipt",
                problem: "is not for this day report",
            }));
        }
        self.outbox.log(now, "day_report", 0, &day.to_string())
    }
}

/// Ids for a new application: UUIDv7 (RFC 9562 §5.7) from the kit's clock and random bytes.
pub fn new_ids(now: OffsetDateTime, rng: &mut impl CryptoRng) -> (PacketId, ApplicationId) {
    let mut id = || {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        let ms = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    };
    (PacketId::from_uuid(id()), ApplicationId::from_uuid(id()))
}
