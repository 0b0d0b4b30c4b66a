//! Every packet from "saved" until the centre calls it safe, and a lasting log of every exchange.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

use crate::KitError;
use crate::clocks::{KitTime, Steady, centre_at, note_centre};
use crate::columns::{FORMAT, SCHEMA, blob, count, instant, log, ms, packet_id, uuid};
use crate::identity::{file, sync_directory};
use crate::standing::{self, AppliedStanding};
use domain::UnitCode;
use domain::application::Kind;
use domain::clock::VIETNAM;
use domain::id::{ApplicationId, KitId, PacketId};
use packet::ReceiptCode;
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt, Refusal, ReportedCapture};

/// Where a packet stands on the kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketState {
    Unsent,
    /// Sent at least once; no receipt has come back.
    Sent,
    /// The centre has it. It is kept until the centre says that no lost disk takes it away.
    Accepted,
    /// Safe at the centre, and forgotten here.
    Durable,
    Refused,
}

/// A packet to be saved, before its counter is known.
#[derive(Debug, Clone)]
pub struct Draft {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub captured_at: OffsetDateTime,
    pub unit: UnitCode,
    /// `None` of a hand-over.
    pub kind: Option<Kind>,
    /// For the citizen; `None` of a hand-over.
    pub receipt_code: Option<ReceiptCode>,
}

/// Where a packet stands in the kit's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub kit_seq: u64,
    /// SHA-256 of the packet before it; `None` of the first.
    pub prev_sha256: Option<[u8; 32]>,
    /// The centre's time, as far as the kit knows it.
    pub centre_at: Option<OffsetDateTime>,
}

/// A packet that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPacket {
    pub kit_seq: u64,
    pub state: PacketState,
    /// `None` once the centre has taken the packet over.
    pub receipt_code: Option<ReceiptCode>,
    /// Whether it had been saved before.
    pub repeated: bool,
}

/// A packet that waits to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingPacket {
    pub packet_id: PacketId,
    pub sealed: Vec<u8>,
}

/// A packet that the centre refused; it is kept for whoever sorts it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPacket {
    pub packet_id: PacketId,
    pub kit_seq: u64,
    pub refusal: Refusal,
}

/// What a receipt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppliedReceipt {
    pub accepted: usize,
    pub refused: usize,
    /// Lines about other bytes than this kit's packets have: they were damaged on the way and are sent again.
    pub unmatched: usize,
    /// What the centre said of the packets before.
    pub standing: AppliedStanding,
}

/// How many packets stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub captured_total: u64,
    /// That wait to be sent, for the first time or again.
    pub pending: u64,
    /// That the centre has.
    pub accepted: u64,
    /// Those among them that are kept here until the centre calls them safe.
    pub kept: u64,
    pub refused: u64,
}

/// One line of the log of exchanges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: OffsetDateTime,
    /// `sent`, `receipt`, `failed`, `day_report`, `status`, `retry_refused`.
    pub event: String,
    pub packets: u64,
    pub note: String,
}

/// The SQLite file of one kit.
pub struct Outbox {
    pub(crate) db: Connection,
    pub(crate) kit_id: KitId,
}

impl Outbox {
    /// Opens `outbox.sqlite` in `dir`, or makes it.
    ///
    /// # Errors
    /// [`KitError::OtherKit`], [`KitError::OutboxFormat`], those of the file system and of SQLite.
    pub fn open(dir: &Path, kit_id: KitId) -> Result<Self, KitError> {
        std::fs::create_dir_all(dir).map_err(file("creating", dir))?;
        let path = dir.join("outbox.sqlite");
        let mut db = Connection::open(&path)?;
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // FULL syncs the log at every commit: what was said to be saved survives the battery's end.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "secure_delete", true)?;
        db.pragma_update(None, "foreign_keys", true)?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(SCHEMA)?;
        tx.execute(
            "INSERT INTO kit (only, format, kit_id, last_seq) VALUES (1, ?1, ?2, 0) ON CONFLICT DO NOTHING",
            params![FORMAT, blob(kit_id.uuid())],
        )?;
        let (format, owner): (i64, Vec<u8>) =
            tx.query_row("SELECT format, kit_id FROM kit", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        tx.commit()?;
        sync_directory(&path)?;
        if format < FORMAT {
            return Err(KitError::OldOutbox { found: format, known: FORMAT });
        }
        if format > FORMAT {
            return Err(KitError::OutboxFormat { found: format, known: FORMAT });
        }
        let owner = KitId::from_uuid(uuid(&owner)?);
        if owner != kit_id {
            return Err(KitError::OtherKit { found: owner.to_string(), expected: kit_id.to_string() });
        }
        Ok(Self { db, kit_id })
    }

    /// The kit that the file was made for; it is opened for no other.
    pub fn kit_id(&self) -> KitId {
        self.kit_id
    }

    /// Gives the packet its counter and the hash of the one before it, lets `seal` make it, and returns when
    /// it is on the disk. A packet id that was saved before is not sealed again: the same packet stays the
    /// same bytes.
    ///
    /// # Errors
    /// Those of `seal` and of SQLite; nothing is saved then, and the counter is not used up.
    pub fn save(
        &mut self,
        draft: &Draft,
        steady: Option<Steady>,
        seal: impl FnOnce(Place) -> Result<Vec<u8>, KitError>,
    ) -> Result<SavedPacket, KitError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(saved) = find(&tx, draft.packet_id)? {
            return Ok(saved);
        }
        tx.execute("UPDATE kit SET last_seq = last_seq + 1", [])?;
        let kit_seq: i64 = tx.query_row("SELECT last_seq FROM kit", [], |row| row.get(0))?;
        let prev: Option<Vec<u8>> = tx
            .query_row("SELECT sha256 FROM packet WHERE kit_seq = ?1", [kit_seq - 1], |row| row.get(0))
            .optional()?;
        let kit_seq = count(kit_seq)?;
        let hash = |bytes: Vec<u8>| bytes.try_into().map_err(|_| KitError::Row("a hash of another length"));
        let prev_sha256 = prev.map(hash).transpose()?;
        if (kit_seq == 1) != prev_sha256.is_none() {
            return Err(KitError::Row("no packet before this one"));
        }
        let sealed = seal(Place { kit_seq, prev_sha256, centre_at: centre_at(&tx, steady)? })?;
        tx.execute(
            "INSERT INTO packet (packet_id, application_id, kit_seq, captured_at, unit, kind, sha256, \
             sealed, receipt_code, state) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'unsent')",
            params![
                blob(draft.packet_id.uuid()),
                blob(draft.application_id.uuid()),
                kit_seq.cast_signed(),
                ms(draft.captured_at),
                draft.unit.to_string(),
                draft.kind.map(Kind::code),
                Sha256::digest(&sealed).to_vec(),
                sealed,
                draft.receipt_code.as_ref().map(ReceiptCode::grouped),
            ],
        )?;
        tx.commit()?;
        let receipt_code = draft.receipt_code.clone();
        Ok(SavedPacket { kit_seq, state: PacketState::Unsent, receipt_code, repeated: false })
    }

    /// The centre's time, as far as the kit knows it: of its last signed receipt, and what has passed since
    /// by the machine's own clock, if it has not been started anew. It is never later than the centre's.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn centre_at(&self, steady: Option<Steady>) -> Result<Option<OffsetDateTime>, KitError> {
        centre_at(&self.db, steady)
    }

    /// A saved packet, for printing its receipt again.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn find(&self, packet_id: PacketId) -> Result<Option<SavedPacket>, KitError> {
        find(&self.db, packet_id)
    }

    /// The oldest packets without a receipt: up to `limit`, up to `max_bytes` together, at least one.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn pending(&self, limit: usize, max_bytes: usize) -> Result<Vec<PendingPacket>, KitError> {
        let mut statement = self.db.prepare_cached(
            "SELECT packet_id, sealed FROM packet WHERE state IN ('unsent', 'sent') ORDER BY kit_seq \
             LIMIT ?1",
        )?;
        let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut packets: Vec<PendingPacket> = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let packet = PendingPacket { packet_id: packet_id(row, 0)?, sealed: row.get(1)? };
            bytes += packet::wire::encoded_len(packet.sealed.len());
            if bytes > max_bytes && !packets.is_empty() {
                break;
            }
            packets.push(packet);
        }
        Ok(packets)
    }

    /// Notes that packets are about to be sent.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn mark_sent(&mut self, packets: &[PendingPacket], now: OffsetDateTime) -> Result<(), KitError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for packet in packets {
            tx.execute(
                "UPDATE packet SET state = 'sent' WHERE packet_id = ?1 AND state = 'unsent'",
                [blob(packet.packet_id.uuid())],
            )?;
        }
        log(&tx, now, "sent", packets.len(), "")?;
        Ok(tx.commit()?)
    }

    /// Books a receipt after checking that the centre signed it. A line counts for a packet only when it
    /// names the packet's very bytes. An accepted packet stays accepted until the centre says in a receipt
    /// that it does not have it any more.
    ///
    /// # Errors
    /// [`KitError::Message`] for a receipt that is not the centre's; those of SQLite. Nothing is booked then.
    pub fn apply_receipt(
        &mut self,
        message: &[u8],
        centre: &PublicKey,
        now: impl Into<KitTime>,
    ) -> Result<AppliedReceipt, KitError> {
        let now = now.into();
        let receipt = Receipt::verify(message, centre)?;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        note_centre(&tx, receipt.at, now.steady)?;
        tx.execute("INSERT INTO receipt (at, message) VALUES (?1, ?2)", params![ms(receipt.at), message])?;
        let receipt_id = tx.last_insert_rowid();
        let mut applied = AppliedReceipt::default();
        for item in &receipt.items {
            let Some(id) = item.packet_id.map(|id| blob(id.uuid())) else {
                applied.unmatched += 1;
                continue;
            };
            let known: Option<String> = tx
                .query_row(
                    "SELECT state FROM packet WHERE packet_id = ?1 AND sha256 = ?2",
                    params![id, item.sha256.as_slice()],
                    |row| row.get(0),
                )
                .optional()?;
            match (known.as_deref(), item.outcome) {
                (None, _) => applied.unmatched += 1,
                (Some("accepted" | "durable"), _) => {}
                (Some(_), Outcome::Accepted) => {
                    applied.accepted += tx.execute(
                        "UPDATE packet \
                         SET state = 'accepted', receipt_code = NULL, refusal = NULL, \
                         receipt_id = ?2 WHERE packet_id = ?1",
                        params![id, receipt_id],
                    )?;
                }
                (Some(_), Outcome::Refused(refusal)) => {
                    applied.refused += tx.execute(
                        "UPDATE packet SET state = 'refused', refusal = ?3, receipt_id = ?2 \
                         WHERE packet_id = ?1",
                        params![id, receipt_id, refusal.code()],
                    )?;
                }
            }
        }
        applied.standing = standing::apply(&tx, self.kit_id, &receipt.standings)?;
        let standing = standing::note(&applied.standing);
        let note = format!("refused {}, unmatched {}, {standing}", applied.refused, applied.unmatched);
        log(&tx, now.wall, "receipt", applied.accepted, &note)?;
        tx.commit()?;
        Ok(applied)
    }

    /// The packets that the centre refused, by counter.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn refused(&self) -> Result<Vec<RefusedPacket>, KitError> {
        let mut statement = self.db.prepare(
            "SELECT packet_id, kit_seq, refusal FROM packet WHERE state = 'refused' ORDER BY kit_seq",
        )?;
        let mut rows = statement.query([])?;
        let mut refused = Vec::new();
        while let Some(row) = rows.next()? {
            let code: String = row.get(2)?;
            refused.push(RefusedPacket {
                packet_id: packet_id(row, 0)?,
                kit_seq: count(row.get(1)?)?,
                refusal: Refusal::from_code(&code).ok_or(KitError::Row("an unknown refusal"))?,
            });
        }
        Ok(refused)
    }

    /// Puts refused packets back in the queue, once the centre has said that the reason is gone (the kit was
    /// registered, say).
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn retry_refused(&mut self, now: OffsetDateTime) -> Result<usize, KitError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let packets =
            tx.execute("UPDATE packet SET state = 'sent', refusal = NULL WHERE state = 'refused'", [])?;
        log(&tx, now, "retry_refused", packets, "")?;
        tx.commit()?;
        Ok(packets)
    }

    /// # Errors
    /// Those of SQLite.
    pub fn counters(&self) -> Result<Counters, KitError> {
        let counters = self.db.query_row(
            "SELECT (SELECT last_seq FROM kit), count(*) FILTER (WHERE state IN ('unsent', 'sent')), \
                    count(*) FILTER (WHERE state IN ('accepted', 'durable')), \
                    count(*) FILTER (WHERE state = 'accepted'), count(*) FILTER (WHERE state = 'refused') \
                    FROM packet",
            [],
            |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]),
        )?;
        let [captured_total, pending, accepted, kept, refused] = counters;
        Ok(Counters {
            captured_total: count(captured_total)?,
            pending: count(pending)?,
            accepted: count(accepted)?,
            kept: count(kept)?,
            refused: count(refused)?,
        })
    }

    /// The applications that were captured on `day` (in Vietnam), sent or not, by counter.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn captures_on(&self, day: Date) -> Result<Vec<ReportedCapture>, KitError> {
        let from = day.midnight().assume_offset(VIETNAM);
        let mut statement = self.db.prepare(
            "SELECT application_id, kit_seq, captured_at, unit, kind FROM packet \
             WHERE captured_at >= ?1 AND captured_at < ?2 AND kind IS NOT NULL ORDER BY kit_seq",
        )?;
        let mut rows = statement.query([ms(from), ms(from + time::Duration::DAY)])?;
        let mut captures = Vec::new();
        while let Some(row) = rows.next()? {
            let (application, unit, kind): (Vec<u8>, String, String) =
                (row.get(0)?, row.get(3)?, row.get(4)?);
            captures.push(ReportedCapture {
                application_id: ApplicationId::from_uuid(uuid(&application)?),
                kit_seq: count(row.get(1)?)?,
                captured_at: instant(row.get(2)?)?,
                unit: unit.parse().map_err(|_| KitError::Row("not a unit code"))?,
                kind: Kind::from_code(&kind).ok_or(KitError::Row("an unknown kind"))?,
            });
        }
        Ok(captures)
    }

    /// Adds a line to the log of exchanges.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn log(
        &mut self,
        now: OffsetDateTime,
        event: &str,
        packets: usize,
        note: &str,
    ) -> Result<(), KitError> {
        log(&self.db, now, event, packets, note)
    }

    /// The newest lines of the log of exchanges, newest first.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn log_lines(&self, limit: u32) -> Result<Vec<LogLine>, KitError> {
        let mut statement =
            self.db.prepare("SELECT at, event, packets, note FROM sync_log ORDER BY line DESC LIMIT ?1")?;
        let mut rows = statement.query([limit])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(LogLine {
                at: instant(row.get(0)?)?,
                event: row.get(1)?,
                packets: count(row.get(2)?)?,
                note: row.get(3)?,
            });
        }
        Ok(lines)
    }
}

fn find(db: &Connection, id: PacketId) -> Result<Option<SavedPacket>, KitError> {
    let row: Option<(i64, String, Option<String>)> = db
        .query_row(
            "SELECT kit_seq, state, receipt_code FROM packet WHERE packet_id = ?1",
            [blob(id.uuid())],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((kit_seq, state, code)) = row else { return Ok(None) };
    let state = match state.as_str() {
        "unsent" => PacketState::Unsent,
        "sent" => PacketState::Sent,
        "accepted" => PacketState::Accepted,
        "durable" => PacketState::Durable,
        "refused" => PacketState::Refused,
        _ => return Err(KitError::Row("an unknown state")),
    };
    let code = code.map(|code| ReceiptCode::parse(&code).map_err(|_| KitError::Row("not a receipt code")));
    Ok(Some(SavedPacket { kit_seq: count(kit_seq)?, state, receipt_code: code.transpose()?, repeated: true }))
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("kit_id", &self.kit_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PendingPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingPacket({}, {} bytes)", self.packet_id, self.sealed.len())
    }
}
