use std::path::Path;

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

use crate::standing::AppliedStanding;
use crate::{AppliedReceipt, Draft, IdentityKey, KitError, KitTime, Officer, Outbox, SavedPacket, Transport};
use domain::application::Kind;
use domain::id::{ApplicationId, KitId, PacketId, PersonId};
use domain::{ResidentRecord, UnitCode};
use packet::check::{Check, check};
use packet::keys::PublicKey;
use packet::message::DayReport;
use packet::standing::KitStatus;
use packet::{
    Biometric, CaptureMeta, Carries, Changes, Content, Envelope, Finger, FingerImage, HandOver, Payload,
    Recapture, ReceiptCode, Signers, seal, wire,
};

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

/// What the officer captured anew, for an application that the centre has.
#[derive(Debug, Clone)]
pub struct RecaptureInput {
    /// As in [`CaptureInput`].
    pub packet_id: PacketId,
    /// Of the new application.
    pub application_id: ApplicationId,
    /// The application that has the rest.
    pub base: ApplicationId,
    pub kind: Kind,
    /// As of the application before it.
    pub unit: UnitCode,
    /// Fields that are others now; the number, sex and day of birth stay.
    pub changes: Changes,
    /// Names of the fields in which the record differs from the register's.
    pub differs: Vec<String>,
    pub fingers: Vec<Finger>,
    pub photo: Option<Biometric>,
    pub finger_images: Vec<FingerImage>,
    pub meta: CaptureMeta,
}

/// One attempt to hand a card over.
#[derive(Debug, Clone)]
pub struct HandOverInput {
    /// As in [`CaptureInput`].
    pub packet_id: PacketId,
    /// Whose card it is.
    pub application_id: ApplicationId,
    /// The commune at which it waits.
    pub unit: UnitCode,
    pub record: HandOver,
}

/// What a packet is about, before it has its place in the chain.
struct Form {
    packet_id: PacketId,
    application_id: ApplicationId,
    unit: UnitCode,
    carries: Carries,
}

/// A packet that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub kit_seq: u64,
    /// For the printed receipt; `None` of a hand-over, and when the packet had been saved before and the
    /// centre has taken it over since.
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
    /// Packets of before that the centre called safe; they are forgotten here.
    pub safe: usize,
    /// Packets with a receipt that the centre did not have any more, and that were sent again.
    pub asked_again: usize,
    /// Packets that the centre called safe and did not have any more by its last answer: the people must be
    /// captured again.
    pub lost: usize,
}

impl SyncSummary {
    fn count(&mut self, standing: AppliedStanding) {
        self.safe += standing.safe;
        self.asked_again += standing.asked_again;
        self.lost = standing.lost;
    }
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
    /// With the same input, officer, instant and random bytes the packet has the same bytes, so that a
    /// capture repeated after a crash is a repeat and not a second application. The receipt code is drawn
    /// first.
    ///
    /// # Errors
    /// [`KitError::NotComplete`] with everything to put right; [`KitError::CredentialEnded`]; those of the
    /// outbox.
    pub fn capture(
        &mut self,
        input: CaptureInput,
        officer: &Officer,
        now: impl Into<KitTime>,
        rng: &mut impl CryptoRng,
    ) -> Result<Saved, KitError> {
        let now = now.into();
        let checked = self.check(&input, now.wall);
        if !checked.can_be_saved() {
            return Err(KitError::NotComplete(checked.problems));
        }
        let receipt_code = ReceiptCode::generate(rng);
        let form = Form {
            packet_id: input.packet_id,
            application_id: input.application_id,
            unit: input.unit,
            carries: Carries::Application { kind: input.kind },
        };
        let content = Content {
            claimed_person_id: input.register.as_ref().map(|(id, _)| *id),
            record: input.record,
            differs: checked.differs.into_iter().map(|field| field.code().to_owned()).collect(),
            receipt_hash: receipt_code.hash(),
            fingers: input.fingers,
            photo: input.photo,
            capture: input.meta,
            finger_images: input.finger_images,
        };
        self.save(form, &content.into(), Some(receipt_code), officer, now, rng)
    }

    /// Seals and saves what was captured anew; the rest of the application is at the centre, which judges
    /// both together.
    ///
    /// # Errors
    /// [`KitError::Message`] where neither a finger nor a photo was captured; [`KitError::CredentialEnded`];
    /// those of the outbox.
    pub fn recapture(
        &mut self,
        input: RecaptureInput,
        officer: &Officer,
        now: impl Into<KitTime>,
        rng: &mut impl CryptoRng,
    ) -> Result<Saved, KitError> {
        if input.fingers.is_empty() && input.photo.is_none() {
            return Err(KitError::Message(packet::PacketError::Structure {
                what: "the recapture",
                problem: "has neither a finger nor a photo",
            }));
        }
        let receipt_code = ReceiptCode::generate(rng);
        let form = Form {
            packet_id: input.packet_id,
            application_id: input.application_id,
            unit: input.unit,
            carries: Carries::Recapture { kind: input.kind, base: input.base },
        };
        let payload = Payload::Recapture(Box::new(Recapture {
            changes: input.changes,
            differs: input.differs,
            receipt_hash: receipt_code.hash(),
            fingers: input.fingers,
            photo: input.photo,
            capture: input.meta,
            finger_images: input.finger_images,
        }));
        self.save(form, &payload, Some(receipt_code), officer, now.into(), rng)
    }

    /// Seals and saves the record of one attempt to hand a card over.
    ///
    /// # Errors
    /// [`KitError::CredentialEnded`]; those of the outbox.
    pub fn hand_over(
        &mut self,
        input: HandOverInput,
        officer: &Officer,
        now: impl Into<KitTime>,
        rng: &mut impl CryptoRng,
    ) -> Result<Saved, KitError> {
        let form = Form {
            packet_id: input.packet_id,
            application_id: input.application_id,
            unit: input.unit,
            carries: Carries::HandOver,
        };
        self.save(form, &Payload::HandOver(input.record), None, officer, now.into(), rng)
    }

    fn save(
        &mut self,
        form: Form,
        payload: &Payload,
        receipt_code: Option<ReceiptCode>,
        officer: &Officer,
        now: KitTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Saved, KitError> {
        // The kit's own clock may be set to any day; what the centre said may not.
        if self.outbox.centre_at(now.steady)?.is_some_and(|centre_at| centre_at > officer.not_after) {
            return Err(KitError::CredentialEnded { until: officer.not_after.date() });
        }
        let draft = Draft {
            packet_id: form.packet_id,
            application_id: form.application_id,
            captured_at: now.wall,
            unit: form.unit,
            kind: form.carries.kind(),
            receipt_code,
        };
        let kit_id = self.outbox.kit_id();
        let saved = self.outbox.save(&draft, now.steady, |place| {
            let envelope = Envelope {
                packet_id: form.packet_id,
                application_id: form.application_id,
                kit_id,
                kit_seq: place.kit_seq,
                prev_sha256: place.prev_sha256,
                credential_id: officer.credential_id,
                captured_at: now.wall,
                centre_at: place.centre_at,
                unit: form.unit,
                carries: form.carries,
            };
            let signers = Signers { kit: &self.key, officer: &officer.key };
            Ok(seal(&envelope, payload, signers, &self.centre.intake, rng)?)
        })?;
        let SavedPacket { kit_seq, receipt_code, repeated, .. } = saved;
        let (packet_id, application_id) = (form.packet_id, form.application_id);
        Ok(Saved { packet_id, application_id, kit_seq, receipt_code, repeated })
    }

    /// Sends everything that has no receipt, oldest first, until nothing is left or the line fails. Each
    /// receipt is booked before the next batch is sent, so that a sync that breaks off has lost nothing. With
    /// nothing to send, it asks after the packets that are not called safe yet, and sends those again that
    /// the centre does not have any more. What is lost, it tells.
    ///
    /// # Errors
    /// [`KitError::Transport`]; [`KitError::Message`] for an answer that is not the centre's;
    /// [`KitError::NoProgress`].
    pub fn sync(&mut self, transport: &Transport, now: impl Into<KitTime>) -> Result<SyncSummary, KitError> {
        let now = now.into();
        let mut summary = SyncSummary::default();
        let (mut idle, mut asked) = (0, false);
        // Each packet is asked for once: a centre that asks for more has lost what it was sent a moment ago.
        let kept = usize::try_from(self.outbox.counters()?.kept).unwrap_or(usize::MAX);
        loop {
            let batch = self.outbox.pending(BATCH_PACKETS, wire::MAX_BATCH_BYTES)?;
            if batch.is_empty() {
                let asks = if summary.requests == 0 { kept > 0 } else { summary.lost > 0 };
                if asked || !asks {
                    return Ok(summary);
                }
                asked = true;
                summary.count(self.ask(transport, now)?);
                continue;
            }
            let body = wire::encode_batch(batch.iter().map(|packet| packet.sealed.as_slice()));
            self.outbox.mark_sent(&batch, now.wall)?;
            let applied = self.exchange(transport, &body, batch.len(), now)?;
            summary.requests += 1;
            summary.accepted += applied.accepted;
            summary.refused += applied.refused;
            summary.count(applied.standing);
            if summary.asked_again > kept {
                return Err(KitError::NoProgress { rounds: summary.requests });
            }
            summary.pending = self.outbox.counters()?.pending;
            idle = if applied.accepted + applied.refused == 0 { idle + 1 } else { 0 };
            if idle == IDLE_ROUNDS {
                return Err(KitError::NoProgress { rounds: idle });
            }
        }
    }

    /// Asks what the centre has of the packets, and goes by it.
    fn ask(&mut self, transport: &Transport, now: KitTime) -> Result<AppliedStanding, KitError> {
        let counters = self.outbox.counters()?;
        let status = KitStatus {
            kit_id: self.outbox.kit_id(),
            asked_at: now.wall,
            total: counters.captured_total,
            unsent: counters.captured_total - counters.accepted,
            durable: self.outbox.durable()?,
            forgotten: counters.accepted - counters.kept,
        };
        let message = status.sign(&self.key)?;
        let sent: [u8; 32] = Sha256::digest(&message).into();
        let applied = transport
            .send_status(&message)
            .map_err(KitError::from)
            .and_then(|answer| self.outbox.apply_answer(&answer, &self.centre.receipt, &sent, "status", now));
        if let Err(error) = &applied {
            self.outbox.log(now.wall, "failed", 0, &error.to_string())?;
        }
        applied
    }

    fn exchange(
        &mut self,
        transport: &Transport,
        body: &[u8],
        packets: usize,
        now: KitTime,
    ) -> Result<AppliedReceipt, KitError> {
        let applied = transport
            .send_packets(body)
            .map_err(KitError::from)
            .and_then(|receipt| self.outbox.apply_receipt(&receipt, &self.centre.receipt, now));
        if let Err(error) = &applied {
            // The log outlives this process: what failed on the road is looked at in the evening.
            self.outbox.log(now.wall, "failed", packets, &error.to_string())?;
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
        let sent: [u8; 32] = Sha256::digest(&message).into();
        self.outbox.apply_answer(&answer, &self.centre.receipt, &sent, "day_report", now)?;
        Ok(())
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
