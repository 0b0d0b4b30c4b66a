//! Document signers are made ahead with the CSCA's key, and found by the day without it.

use std::path::Path;
use std::sync::Arc;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use centre::signers::{self, Ahead};
use centre::work::{self, WhenIdle};
use centre::{Centre, Error, Installation, Keys, Place};
use domain::clock::VirtualClock;
use issue::certificates::hex;
use store::Database;

const NOW: OffsetDateTime = datetime!(2021-02-15 01:00 UTC);

/// An installation with its keys and a CSCA, in a directory of its own.
fn installation_of(db: &Database, data: &Path, clock: &Arc<VirtualClock>) -> Installation {
    let db = db.clone();
    let place = Place { data: data.to_owned(), database_url: None };
    centre::make_keys(&data.join("keys")).unwrap();
    Installation { place, db, clock: Arc::clone(clock) as Arc<dyn domain::Clock> }
}

async fn serial_of_the_day(centre: &Centre) -> Result<String, Error> {
    Ok(hex(centre.authority().await?.document_signer.serial()))
}

#[tokio::test(flavor = "multi_thread")]
async fn work_takes_the_signer_of_the_day_and_leaves_the_root_key_alone() {
    let (data, clock) = (tempfile::tempdir().unwrap(), Arc::new(VirtualClock::at(NOW)));
    let db = testkit::fresh_database().await;
    let installation = installation_of(&db, data.path(), &clock);
    let keys = Keys::of(&installation).await.unwrap();
    assert!(matches!(signers::issue(&installation, &keys, Ahead::Now).await, Err(Error::NoKey { .. })));
    signers::make_csca(&installation, &keys).await.unwrap();
    let until = NOW + Duration::days(200);
    let made = signers::issue(&installation, &keys, Ahead::Until(until)).await.unwrap();
    assert_eq!(made.len(), 3, "three months each");
    assert!(signers::issue(&installation, &keys, Ahead::Until(until)).await.unwrap().is_empty());
    assert_eq!(signers::lists_due(&installation).await.unwrap(), None);
    signers::issue_lists(&installation, &keys, 90).await.unwrap();
    let due = signers::lists_due(&installation).await.unwrap();
    assert_eq!(due, Some(NOW + Duration::days(90)));

    std::fs::rename(data.path().join("keys/csca.key"), data.path().join("in-the-safe")).unwrap();
    let centre = Centre::of(installation.clone()).await.unwrap();
    let serials: Vec<String> = made.iter().map(|(_, certificate)| hex(certificate.serial())).collect();
    for (days, expect) in [(0, 0), (88, 0), (89, 1), (100, 1), (180, 1), (181, 2), (200, 2)] {
        clock.set(NOW + Duration::days(days));
        assert_eq!(serial_of_the_day(&centre).await.unwrap(), serials[expect], "day {days}");
    }
    assert!(!data.path().join("keys/csca.key").exists());

    // After the last, and before any: nobody signs, and that is said with what to do.
    clock.set(NOW + Duration::days(300));
    let error = serial_of_the_day(&centre).await.unwrap_err();
    assert!(error.is_no_signer() && error.to_string().contains("pki issue-ds"), "{error}");
    let district = ["445".parse().unwrap()];
    let ended = work::run(&centre, &district, WhenIdle::End).await.unwrap_err();
    assert!(ended.is_no_signer(), "{ended}");
    work::run(&centre, &[], WhenIdle::End).await.unwrap();
    clock.set(NOW - Duration::days(1));
    assert!(serial_of_the_day(&centre).await.unwrap_err().to_string().contains("2021-02-15 on"));

    // The key of the day's signer is not here: that is another sentence.
    clock.set(NOW + Duration::days(100));
    std::fs::remove_file(data.path().join("keys/document-signer-2.key")).unwrap();
    let centre = Centre::of(installation.clone()).await.unwrap();
    let error = serial_of_the_day(&centre).await.unwrap_err();
    assert!(matches!(&error, Error::SignersKey { serial } if *serial == serials[1]), "{error}");

    // A revoked one signs no more.
    clock.set(NOW);
    keys.certifier(&installation).revoke(&serials[0], 1).await.unwrap();
    assert!(matches!(serial_of_the_day(&centre).await.unwrap_err(), Error::NoSigner { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_is_doubted_is_replaced_at_once_and_nobody_signs_beyond_the_root_key() {
    let (data, clock) = (tempfile::tempdir().unwrap(), Arc::new(VirtualClock::at(NOW)));
    let db = testkit::fresh_database().await;
    let installation = installation_of(&db, data.path(), &clock);
    let keys = Keys::of(&installation).await.unwrap();
    signers::make_csca(&installation, &keys).await.unwrap();
    signers::issue(&installation, &keys, Ahead::Periods(2)).await.unwrap();
    clock.set(NOW + Duration::days(10));
    let new = signers::issue(&installation, &keys, Ahead::Now).await.unwrap();
    let centre = Centre::of(installation.clone()).await.unwrap();
    assert_eq!(serial_of_the_day(&centre).await.unwrap(), hex(new[0].1.serial()));

    // The CSCA's key signs for five years.
    let error = signers::issue(&installation, &keys, Ahead::Until(NOW + Duration::days(6 * 365))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::BeyondCsca { .. }) && error.to_string().contains("pki roll"), "{error}");
    // What was made until then is kept, and asking again for less makes none.
    let four_years = Ahead::Until(NOW + Duration::days(4 * 365));
    assert!(signers::issue(&installation, &keys, four_years).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_the_last_day_of_november_is_not_outlived_by_its_last_signer() {
    let (data, clock) = (tempfile::tempdir().unwrap(), Arc::new(VirtualClock::at(NOW)));
    let db = testkit::fresh_database().await;
    let installation = installation_of(&db, data.path(), &clock);
    let keys = Keys::of(&installation).await.unwrap();
    clock.set(datetime!(2026-11-30 09:00 UTC));
    let csca = signers::make_csca(&installation, &keys).await.unwrap();
    clock.set(datetime!(2026-11-30 09:00:02 UTC));
    let far = Ahead::Until(datetime!(2033-01-01 00:00 UTC));
    let error = signers::issue(&installation, &keys, far).await.unwrap_err();
    assert!(matches!(error, Error::BeyondCsca { made: 20, .. }), "{error}");
    for period in signers::periods(&installation).await.unwrap() {
        assert!(period.until < csca.not_after(), "{period:?}");
    }
}
