//! No card outlives the certificate that proves it (Doc 9303-12, key periods).

use time::macros::{datetime, offset};
use time::{Date, Duration, OffsetDateTime, Time};

use domain::PartialDate;
use domain::profile::Profile;
use pki::DOCUMENT_SIGNER_P256;

/// The end of the day in Vietnam.
fn end_of(day: Date) -> OffsetDateTime {
    day.next_day().unwrap().with_time(Time::MIDNIGHT).assume_offset(offset!(+7))
}

#[test]
fn the_last_card_that_a_document_signer_signs_expires_before_its_certificate() {
    for start in [datetime!(2021-01-01 00:00 UTC), datetime!(2023-11-30 18:00 UTC)] {
        let last = DOCUMENT_SIGNER_P256.private_key_usage.end_from(start);
        let certificate_ends = DOCUMENT_SIGNER_P256.validity.end_from(start);
        let issued = domain::clock::day_in_vietnam(last);
        let mut longest = Duration::ZERO;
        // Everyone from the 14th birthday to the 58th, by days.
        for age_days in 14 * 365 + 3..58 * 366 {
            let born = issued - Duration::days(age_days);
            let written = format!("{:02}/{:02}/{:04}", born.day(), u8::from(born.month()), born.year());
            let born_on = PartialDate::parse(&written).unwrap();
            match Profile::official().expiry(born_on, issued).unwrap().until {
                Some(expires) => {
                    assert!(end_of(expires) <= certificate_ends, "born {written}, issued {issued}");
                    longest = longest.max(expires - issued);
                }
                // Without a date of expiry: to the hundredth birthday at least.
                None => assert!(end_of(born + Duration::days(100 * 365)) <= certificate_ends),
            }
        }
        assert!(longest > Duration::days(21 * 365), "the longest dated card runs {longest}");
    }
}
