//! What a kit is told about its packets besides the receipt's lines: which the centre has, and up to which
//! they are safe from the loss of the centre's disk.
//!
//! Where a packet's commit stands in the write-ahead log is not known before it is there, so that each
//! contact leaves a mark for the packets of those before it: they stand before the log's end of now. Once the
//! archive or the standby has come as far as the mark, they are safe, and the next contact says so.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::word;
use crate::EnrolError;
use domain::id::KitId;
use packet::keys::PublicKey;
use packet::standing::{Durability, KitStatus, MAX_MISSING, MAX_STANDINGS, Standing, Watermark};
use store::applications::kits::{self, Kit};
use store::applications::standing::{self, Kept, Mark, Told};
use store::wal::{self, WalFacts};
use store::{Database, PgConnection};

/// Takes a kit's question and gives the body of the answer: a receipt with one line, and the kit's standing.
/// The kit's own counts are kept.
///
/// # Errors
/// [`EnrolError::ReportRefused`] when it is not a registered kit's own; it is counted among the refusals.
/// Those of the database and of the signer.
pub async fn receive_status(
    db: &Database,
    body: &[u8],
    now: OffsetDateTime,
    signer: &dyn pki::Signer,
) -> Result<Vec<u8>, EnrolError> {
    let mut tx = db.begin().await?;
    let verify = |key: &PublicKey| KitStatus::verify(body, key);
    // A revoked kit is answered: what it holds may be honest people's.
    let (status, kit) = match word::believe(&mut tx, KitStatus::claimed_kit(body), verify).await? {
        Ok(believed) => believed,
        Err(refused) => {
            refused.note(&mut tx, body, now).await?;
            store::commit(tx).await?;
            return Err(refused.into());
        }
    };
    let KitStatus { total, unsent, durable, forgotten, .. } = status;
    let (id, told) = (kit.kit_id, Told { at: now, total, unsent, durable, forgotten });
    standing::note_told(&mut tx, id, &told).await?;
    let standings = advance(&mut tx, &[kit], &BTreeMap::new()).await?;
    let lost = kits::heard(&mut tx, &[id]).await?.get(&id).map_or(0, |heard| heard.lost);
    store::commit(tx).await?;
    // What no kit has any more has to be captured again: an operator must hear of it.
    if lost > 0 {
        tracing::error!(kit.id = %id, packets = lost, "this kit was told that packets are safe which are not \
            here any more; see `dancu kit list`");
    }
    word::answer(body, standings, now, signer)
}

/// What a transaction has stored of a kit, and whether it shows that there are two of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// The lowest counter among the new packets; the highest number there is when there are none.
    pub lowest: u64,
    pub contradicts: bool,
}

impl Default for Stored {
    fn default() -> Self {
        Stored { lowest: u64::MAX, contradicts: false }
    }
}

/// Carries on what is known of these kits, whose rows the transaction holds and whose new packets it has
/// stored, and tells it of as many as a receipt holds.
///
/// # Errors
/// Those of the database.
pub(super) async fn advance(
    tx: &mut PgConnection,
    kits: &[Kit],
    stored: &BTreeMap<KitId, Stored>,
) -> Result<Vec<Standing>, EnrolError> {
    if kits.is_empty() {
        return Ok(Vec::new());
    }
    let safety = Safety::of(&wal::facts(tx).await?);
    let ids: Vec<KitId> = kits.iter().map(|kit| kit.kit_id).collect();
    let mut standings = Vec::with_capacity(kits.len());
    for was in standing::kept(tx, &ids).await? {
        let kit = kits.iter().find(|kit| kit.kit_id == was.kit_id);
        let frozen = kit.is_none_or(|kit| kit.revoked_at.is_some() || kit.standing.stopped.is_some());
        let mut missing = standing::missing(tx, was.kit_id, was.whole, MAX_MISSING + 1).await?;
        let now = step(&was, stored.get(&was.kit_id), &missing, &safety, frozen);
        if now != was {
            standing::put(tx, &now).await?;
        }
        if standings.len() == MAX_STANDINGS {
            continue;
        }
        missing.truncate(MAX_MISSING);
        let durable = match now.durable {
            0 => None,
            kit_seq => standing::last_up_to(tx, was.kit_id, kit_seq).await?,
        };
        standings.push(Standing {
            kit_id: was.kit_id,
            highest: now.highest,
            missing,
            durable: durable.map(|(kit_seq, sha256)| Watermark { kit_seq, sha256 }),
            durability: safety.durability,
        });
    }
    Ok(standings)
}

/// How far what was committed is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Safety {
    /// Whose log it is.
    system: i64,
    durability: Durability,
    /// Whether a transaction is safe when its commit returns.
    at_commit: bool,
    /// Up to which byte of the log everything is safe; needed where it is not safe at the commit.
    safe: u64,
    /// The log's end.
    written: u64,
}

impl Safety {
    /// Where there is an archive and a standby, nobody knows from which of the two the database will be
    /// brought back: both must have it.
    fn of(facts: &WalFacts) -> Safety {
        let has_standby = facts.standbys.is_some() || facts.standbys_waited_for;
        let (durability, safe) = match (facts.archived, has_standby) {
            (None, false) => (Durability::Commit, facts.flushed),
            (Some(archived), false) => (Durability::Archive, archived),
            (None, true) => (Durability::Standby, facts.standbys.unwrap_or(facts.flushed)),
            (Some(archived), true) => {
                (Durability::ArchiveAndStandby, archived.min(facts.standbys.unwrap_or(archived)))
            }
        };
        let at_commit = match durability {
            Durability::Commit => facts.commit_waits,
            Durability::Standby => facts.standbys_waited_for && facts.standbys.is_none(),
            Durability::Archive | Durability::ArchiveAndStandby => false,
        };
        let (system, safe, written) = (facts.system, safe.min(facts.flushed), facts.written);
        Safety { system, durability, at_commit, safe, written }
    }

    /// Of which log it speaks, and where packets must be.
    fn source(&self) -> String {
        format!("{} {}", self.system, self.durability.code())
    }
}

/// What is kept of a kit after a contact. `was` has the highest counter as it is now; `missing` begins with
/// the first counter above `was.whole` that is not there, if one is missing below the highest.
fn step(was: &Kept, stored: Option<&Stored>, missing: &[(u64, u64)], safety: &Safety, frozen: bool) -> Kept {
    let mut now = was.clone();
    now.contradicted |= stored.is_some_and(|stored| stored.contradicts);
    now.whole = missing.first().map_or(was.highest, |(from, _)| from - 1).max(was.whole);
    let source = Some(safety.source());
    if was.source != source {
        // The rows were loaded into another cluster, or an archive or a standby was set up since: it has had
        // nothing of them yet.
        now = Kept { source, durable: 0, mark: None, ..now };
    }
    if let Some(mark) = now.mark
        && mark.lsn <= safety.safe
    {
        now.durable = now.durable.max(mark.kit_seq);
        now.mark = None;
    }
    // What came now fills a gap, perhaps, below what is safe or marked; it is neither itself.
    if let Some(stored) = stored {
        now.durable = now.durable.min(stored.lowest - 1);
        now.mark = now.mark.filter(|mark| mark.kit_seq < stored.lowest);
    }
    if frozen || now.contradicted {
        return now;
    }
    // A kit that misses more than it can be told at once must not take the rest for safe.
    let told = missing.get(MAX_MISSING).map_or(u64::MAX, |(from, _)| from - 1);
    if safety.at_commit {
        now.durable = was.highest.min(told);
        now.mark = None;
    } else if now.mark.is_none() {
        let there = stored.map_or(was.highest, |stored| was.highest.min(stored.lowest - 1)).min(told);
        now.mark = (there > now.durable).then_some(Mark { kit_seq: there, lsn: safety.written });
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn kept() -> Kept {
        let kit_id = KitId::derive(OffsetDateTime::UNIX_EPOCH, &[b"standing"]);
        Kept { kit_id, highest: 0, whole: 0, durable: 0, mark: None, source: None, contradicted: false }
    }

    fn facts() -> WalFacts {
        WalFacts {
            system: 7,
            written: 1_000,
            flushed: 900,
            commit_waits: true,
            standbys_waited_for: false,
            standbys: None,
            archived: None,
        }
    }

    #[test]
    fn packets_are_safe_where_the_database_would_be_brought_back_from() {
        let of = |facts: WalFacts| {
            let Safety { durability, at_commit, safe, .. } = Safety::of(&facts);
            (durability, at_commit, safe)
        };
        assert_eq!(of(facts()), (Durability::Commit, true, 900));
        assert_eq!(of(WalFacts { commit_waits: false, ..facts() }), (Durability::Commit, false, 900));
        let archive = WalFacts { archived: Some(300), ..facts() };
        assert_eq!(of(archive.clone()), (Durability::Archive, false, 300));
        let standby = WalFacts { standbys: Some(200), ..facts() };
        assert_eq!(of(standby.clone()), (Durability::Standby, false, 200));
        assert_eq!(
            of(WalFacts { standbys: Some(200), ..archive.clone() }),
            (Durability::ArchiveAndStandby, false, 200)
        );
        let waited = WalFacts { standbys_waited_for: true, ..facts() };
        assert_eq!(of(waited.clone()), (Durability::Standby, true, 900));
        // A slot says more than the server's word that it waits for somebody: it waits for one of several.
        assert_eq!(of(WalFacts { standbys: Some(200), ..waited.clone() }), (Durability::Standby, false, 200));
        assert_eq!(
            of(WalFacts { archived: Some(300), ..waited }),
            (Durability::ArchiveAndStandby, false, 300)
        );
        assert_eq!(of(WalFacts { archived: Some(5_000), ..facts() }).2, 900, "no more than there is");
    }

    /// One contact of a kit: packets that came, and how far the archive follows.
    #[derive(Debug, Clone)]
    struct Contact {
        seqs: BTreeSet<u64>,
        archived: u64,
    }

    fn contacts() -> impl Strategy<Value = Vec<Contact>> {
        let contact = (prop::collection::btree_set(1..40u64, 0..6), 0..6u64)
            .prop_map(|(seqs, archived)| Contact { seqs, archived });
        prop::collection::vec(contact, 1..40)
    }

    proptest! {
        #[test]
        fn nothing_is_called_safe_before_it_is(contacts in contacts(), at_commit: bool) {
            // Where each packet's commit ended in the log.
            let mut there: BTreeMap<u64, u64> = BTreeMap::new();
            let (mut kept, mut written, mut archived) = (kept(), 0, 0);
            for Contact { seqs, archived: by } in contacts {
                archived = (archived + by).min(written);
                let new: Vec<u64> = seqs.into_iter().filter(|seq| !there.contains_key(seq)).collect();
                let stored = new.first().map(|lowest| Stored { lowest: *lowest, contradicts: false });
                let begin = written;
                written += 1 + new.len() as u64;
                there.extend(new.iter().map(|seq| (*seq, written)));
                kept.highest = there.last_key_value().map_or(0, |(seq, _)| *seq);
                let missing: Vec<_> = (kept.whole + 1..kept.highest)
                    .filter(|seq| !there.contains_key(seq))
                    .map(|seq| (seq, seq))
                    .collect();
                let durability = if at_commit { Durability::Commit } else { Durability::Archive };
                // The log is looked at before the commit that ends at `written`.
                let safety = Safety { system: 7, durability, at_commit, safe: archived, written: begin };
                kept = step(&kept, stored.as_ref(), &missing, &safety, false);
                let safe = if at_commit { written } else { archived };
                for (seq, end) in there.range(..=kept.durable) {
                    prop_assert!(*end <= safe, "{seq} stands at {end}, and {safe} is safe: {kept:?}");
                }
                prop_assert!((1..=kept.whole).all(|seq| there.contains_key(&seq)), "{kept:?}");
            }
            // Two quiet contacts with an archive that keeps up are enough, also on its first day.
            for _ in 0..2 {
                let durability = Durability::Archive;
                let safety = Safety { system: 7, durability, at_commit: false, safe: written, written };
                kept = step(&kept, None, &[], &safety, false);
            }
            prop_assert_eq!(kept.durable, kept.highest);
        }
    }

    #[test]
    fn a_kit_of_which_there_were_two_keeps_its_packets() {
        let safety = Safety::of(&facts());
        let was = Kept { highest: 9, durable: 5, source: Some(safety.source()), ..kept() };
        let twice = Stored { lowest: u64::MAX, contradicts: true };
        let now = step(&was, Some(&twice), &[], &safety, false);
        assert_eq!((now.durable, now.contradicted), (5, true));
        assert_eq!(step(&now, None, &[], &safety, false).durable, 5, "for good");
        assert_eq!(step(&was, None, &[], &safety, true).durable, 5, "and as long as it is stopped");
        assert_eq!(step(&was, None, &[], &safety, false).durable, 9);
    }

    #[test]
    fn what_was_safe_elsewhere_or_otherwise_has_to_become_safe_here() {
        let archive = Safety::of(&WalFacts { archived: Some(0), ..facts() });
        let mark = Some(Mark { kit_seq: 9, lsn: 0 });
        let was = |source: String| Kept { highest: 9, durable: 5, mark, source: Some(source), ..kept() };
        // Another cluster's log, and the day on which an archive was set up.
        for other in [Safety { system: 6, ..archive }, Safety { durability: Durability::Commit, ..archive }] {
            let now = step(&was(other.source()), None, &[], &archive, false);
            assert_eq!((now.durable, now.mark), (0, Some(Mark { kit_seq: 9, lsn: 1_000 })));
        }
        assert_eq!(step(&was(archive.source()), None, &[], &archive, false).durable, 9);
    }

    #[test]
    fn what_a_kit_cannot_be_told_to_miss_is_not_called_safe() {
        let safety = Safety::of(&facts());
        let gaps: Vec<_> = (1..=MAX_MISSING as u64 + 1).map(|gap| (2 * gap, 2 * gap)).collect();
        let was = Kept { highest: 1_000, ..kept() };
        let now = step(&was, None, &gaps, &safety, false);
        assert_eq!(now.durable, gaps[MAX_MISSING].0 - 1);
        assert_eq!(step(&was, None, &gaps[..MAX_MISSING], &safety, false).durable, 1_000);
    }
}
