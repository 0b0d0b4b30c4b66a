//! Was the kit where and when it was to work, and did the applicant have a seat there? Pure. The reasons and
//! the figures are in `docs/decisions/0033-kits-at-their-post.md`.

use sha2::{Digest, Sha256};
use time::Duration;

use crate::CaseKind;
use store::plan::shifts::{Duty, Held, Shift, ShiftId};

/// Teams begin a little before a shift, while those who came early wait.
pub const EARLY: Duration = Duration::minutes(30);
/// Whoever stands in the queue when a shift ends is served.
pub const LATE: Duration = Duration::hours(2);
/// Of this many who came without an invitation, one is looked at.
pub const ONE_IN: u64 = 50;

/// How the applicant came to stand before this kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// With a seat at this kit on this day.
    Invited,
    /// Without one.
    WalkIn,
    /// Nobody has one: the kit has no plan.
    Unplanned,
}

impl Seat {
    /// Stable code, as stored.
    pub const fn code(self) -> &'static str {
        match self {
            Seat::Invited => "invited",
            Seat::WalkIn => "walk_in",
            Seat::Unplanned => "unplanned",
        }
    }
}

/// Why somebody looks at a capture whose person and fingers are in no doubt. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Astray {
    /// The applicant belongs to a unit that is not the kit's.
    Elsewhere,
    /// No shift of the kit was near.
    OffShift,
    /// More were captured than the shift can hold.
    Overfull,
    /// Nothing is wrong: of those who come without an invitation some are looked at.
    Sampled,
}

impl Astray {
    /// Every reason, the gravest first.
    pub const ALL: [Astray; 4] = [Astray::Elsewhere, Astray::OffShift, Astray::Overfull, Astray::Sampled];

    /// The case that asks about it.
    pub const fn kind(self) -> CaseKind {
        match self {
            Astray::Elsewhere => CaseKind::KitElsewhere,
            Astray::OffShift => CaseKind::KitOffShift,
            Astray::Overfull => CaseKind::ShiftOverfull,
            Astray::Sampled => CaseKind::WalkInSampled,
        }
    }
}

/// What the plan says of one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    pub seat: Seat,
    pub astray: Option<Astray>,
    /// The shift that it counts in.
    pub shift: Option<Shift>,
    /// How many were captured in it before.
    pub held: u32,
}

/// The most that a shift holds: half as many again as it has seats. Our choice: seats are planned for one
/// person every six minutes, and a team that works without a pause may need four.
pub const fn most_in(seats: u32) -> u32 {
    seats.saturating_add(seats.div_ceil(2))
}

/// Judges one capture; `held` says how many were captured in a shift before.
pub fn judge(duty: &Duty, held: impl Fn(ShiftId) -> Held) -> Post {
    let seat = match () {
        () if !duty.is_planned => Seat::Unplanned,
        () if duty.is_invited => Seat::Invited,
        () => Seat::WalkIn,
    };
    // Whoever has a seat on this day may come at another hour.
    let shift = at_work(duty).or_else(|| duty.before.or(duty.after).filter(|_| seat == Seat::Invited));
    let before = shift.map_or(0, |shift| held(shift.id).all());
    let is_full = shift.is_some_and(|shift| before >= most_in(shift.seats));
    let astray = match () {
        () if !duty.in_unit => Some(Astray::Elsewhere),
        () if seat != Seat::WalkIn => None,
        () if shift.is_none() => Some(Astray::OffShift),
        () if is_full => Some(Astray::Overfull),
        () if is_sampled(duty) => Some(Astray::Sampled),
        () => None,
    };
    Post { seat, astray, shift, held: before }
}

/// The shift that the kit was in, nearly begun or had just ended.
fn at_work(duty: &Duty) -> Option<Shift> {
    let at = duty.captured_at;
    let running = duty.before.filter(|shift| at < shift.to);
    let beginning = duty.after.filter(|shift| at >= shift.from - EARLY);
    running.or(beginning).or(duty.before.filter(|shift| at < shift.to + LATE))
}

/// Drawn by what the centre knows and no kit can choose: the instant at which the packet came.
fn is_sampled(duty: &Duty) -> bool {
    let Some(received_at) = duty.received_at else { return false };
    let mut hash = Sha256::new();
    hash.update(b"dancu walk-in 1");
    hash.update(duty.application_id.uuid().as_bytes());
    hash.update(received_at.unix_timestamp_nanos().to_be_bytes());
    let drawn = hash.finalize();
    let number = drawn.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    number.is_multiple_of(ONE_IN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::{ApplicationId, KitId};
    use time::OffsetDateTime;
    use time::macros::{date, datetime};

    const MORNING: OffsetDateTime = datetime!(2021-04-06 06:00 +7);

    fn shift(number: i16) -> Shift {
        let from = MORNING + Duration::hours(4 * i64::from(number - 1));
        let kit_id = KitId::derive(MORNING, &[b"kit"]);
        let id = ShiftId { kit_id, day: date!(2021 - 04 - 06), number };
        Shift { id, from, to: from + Duration::hours(4), seats: 42 }
    }

    /// Two shifts in the morning; `at` is in hours after the first began.
    fn duty(at: f64) -> Duty {
        let captured_at = MORNING + Duration::seconds_f64(at * 3_600.0);
        let all = [shift(1), shift(2)];
        Duty {
            application_id: ApplicationId::derive(captured_at, &[b"one"]),
            kit_id: all[0].id.kit_id,
            captured_at,
            received_at: None,
            in_unit: true,
            is_planned: true,
            is_invited: false,
            before: all.into_iter().rfind(|shift| shift.from <= captured_at),
            after: all.into_iter().find(|shift| shift.from > captured_at),
        }
    }

    fn check(duty: &Duty, held: u32, expected: (Seat, Option<Astray>, Option<i16>)) {
        let post = judge(duty, |_| Held { invited: held, walk_ins: 0 });
        assert_eq!((post.seat, post.astray, post.shift.map(|shift| shift.id.number)), expected, "{duty:?}");
    }

    #[test]
    fn whoever_comes_without_an_invitation_is_served_in_a_shift_and_at_its_edges() {
        for (at, number) in [(-0.5, 1), (0.0, 1), (3.9, 1), (4.0, 2), (8.0, 2), (9.99, 2)] {
            check(&duty(at), 0, (Seat::WalkIn, None, Some(number)));
        }
        for at in [-0.51, 10.0, 24.0, 24.0 * 365.0] {
            check(&duty(at), 0, (Seat::WalkIn, Some(Astray::OffShift), None));
        }
    }

    #[test]
    fn a_shift_holds_half_as_many_again_as_it_has_seats() {
        check(&duty(1.0), 62, (Seat::WalkIn, None, Some(1)));
        check(&duty(1.0), 63, (Seat::WalkIn, Some(Astray::Overfull), Some(1)));
        assert_eq!([most_in(0), most_in(1), most_in(42), most_in(u32::MAX)], [0, 2, 63, u32::MAX]);
    }

    #[test]
    fn a_seat_on_this_day_is_good_at_any_hour_and_in_a_full_shift() {
        for at in [-4.0, 1.0, 20.0] {
            check(&Duty { is_invited: true, ..duty(at) }, 900, (Seat::Invited, None, judge_shift(at)));
        }
    }

    fn judge_shift(at: f64) -> Option<i16> {
        let duty = Duty { is_invited: true, ..duty(at) };
        judge(&duty, |_| Held::default()).shift.map(|shift| shift.id.number)
    }

    #[test]
    fn another_unit_is_asked_about_also_with_a_seat_and_without_a_plan() {
        let abroad = Duty { in_unit: false, ..duty(1.0) };
        check(&abroad, 0, (Seat::WalkIn, Some(Astray::Elsewhere), Some(1)));
        check(&Duty { is_invited: true, ..abroad }, 0, (Seat::Invited, Some(Astray::Elsewhere), Some(1)));
        let unplanned = Duty { is_planned: false, before: None, after: None, ..abroad };
        check(&unplanned, 0, (Seat::Unplanned, Some(Astray::Elsewhere), None));
        check(&Duty { in_unit: true, ..unplanned }, 0, (Seat::Unplanned, None, None));
    }

    #[test]
    fn one_in_fifty_is_looked_at_and_no_kit_can_tell_which() {
        let came = |ms: i64| Duty { received_at: Some(MORNING + Duration::milliseconds(ms)), ..duty(1.0) };
        let sampled = (0..20_000).filter(|ms| is_sampled(&came(*ms))).count();
        assert!((300..500).contains(&sampled), "{sampled} of 20,000");
        let drawn = (0..).map(came).find(is_sampled).unwrap();
        check(&drawn, 0, (Seat::WalkIn, Some(Astray::Sampled), Some(1)));
        check(&Duty { is_invited: true, ..drawn }, 0, (Seat::Invited, None, Some(1)));
    }
}
