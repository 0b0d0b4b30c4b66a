//! When a capture was. A kit's clock may be wrong, by itself or by somebody's hand, and decides nothing: the
//! centre knows when it last heard of the kit and when the packet came, and the capture lies between them.
//! Pure.

use time::OffsetDateTime;

use packet::Envelope;
use store::applications::kits::Kit;

/// What the centre's own clock says of a kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub registered_at: OffsetDateTime,
    /// The last time that something of it was taken over; its registration before that.
    pub last_at: OffsetDateTime,
}

impl Heard {
    /// Of a kit as its row has it.
    pub fn of(kit: &Kit) -> Heard {
        let last_at = kit.heard_at.unwrap_or(kit.registered_at).max(kit.registered_at);
        Heard { registered_at: kit.registered_at, last_at }
    }
}

/// The time by which an application is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Captured {
    pub at: OffsetDateTime,
    /// What the kit's clock said, where that cannot be.
    pub kit_clock_at: Option<OffsetDateTime>,
}

/// A claim between the kit's registration and now is believed, also where it lies before the last contact: a
/// packet may have been left over. A later one was made before it came, one from before there was the kit was
/// made after the kit was last heard of, and one from before the centre's time that the kit knew was made
/// after that: a clock that was set back does not help.
pub(super) fn bound(envelope: &Envelope, kit: Option<&Heard>, now: OffsetDateTime) -> Captured {
    bound_claim(envelope.captured_at, envelope.centre_at, kit, now)
}

/// As [`bound`], of a capture that a day report names.
pub(super) fn bound_claim(
    claimed: OffsetDateTime,
    centre_at: Option<OffsetDateTime>,
    kit: Option<&Heard>,
    now: OffsetDateTime,
) -> Captured {
    let at = match kit {
        _ if claimed > now => now,
        Some(kit) if claimed < kit.registered_at => kit.last_at.min(now),
        _ => claimed,
    };
    // The kit says it by itself, so that what cannot be is not believed.
    let at = centre_at.filter(|known| *known <= now).map_or(at, |known| at.max(known));
    Captured { at, kit_clock_at: (at != claimed).then_some(claimed) }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2021-04-06 10:00 UTC);
    const KIT: Heard =
        Heard { registered_at: datetime!(2021-03-01 01:00 UTC), last_at: datetime!(2021-04-05 10:00 UTC) };

    fn check(claimed: OffsetDateTime, expect: OffsetDateTime) {
        let bound = bound_claim(claimed, None, Some(&KIT), NOW);
        assert_eq!(bound.at, expect);
        assert_eq!(bound.kit_clock_at, (claimed != expect).then_some(claimed));
    }

    #[test]
    fn a_capture_is_never_later_than_its_receipt_nor_older_than_its_kit() {
        check(datetime!(2021-04-06 09:00 UTC), datetime!(2021-04-06 09:00 UTC));
        check(datetime!(2021-04-01 09:00 UTC), datetime!(2021-04-01 09:00 UTC));
        check(NOW, NOW);
        check(datetime!(2028-05-01 02:00 UTC), NOW);
        check(datetime!(2018-05-01 02:00 UTC), KIT.last_at);
    }

    #[test]
    fn a_kit_that_was_never_heard_of_is_bound_by_its_registration() {
        let new = Heard { last_at: KIT.registered_at, ..KIT };
        let bound = bound_claim(datetime!(1970-01-01 00:00 UTC), None, Some(&new), NOW);
        assert_eq!(bound.at, KIT.registered_at);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_go_behind_what_the_centre_said() {
        let bound = |claimed, known| bound_claim(claimed, Some(known), Some(&KIT), NOW).at;
        let (early, known) = (datetime!(2021-03-02 01:00 UTC), datetime!(2021-04-05 10:00 UTC));
        assert_eq!(bound(early, known), known);
        assert_eq!(bound(NOW, known), NOW, "time goes on without the centre");
        assert_eq!(bound(early, datetime!(2030-01-01 00:00 UTC)), early, "the centre has not said that");
    }
}
