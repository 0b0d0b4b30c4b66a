//! Certificates: made once, loaded afterwards, and no serial number twice.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::*;
use domain::Sex;
use hsm::SoftwareSigner;
use issue::{Authority, Error, open_batch, sign_batch};
use pki::{SignError, SignatureAlgorithm, Signer};
use rand::SeedableRng;
use std::sync::Arc;
use store::Database;
use time::{Duration, OffsetDateTime};

async fn establish(db: &Database, now: OffsetDateTime, first_serial: u8) -> Result<Authority, Error> {
    let (csca, signer) = keys();
    let mut serial = first_serial;
    let draw = || {
        serial += 1;
        [serial; 16]
    };
    Authority::establish(db, &csca, signer, draw, now).await
}

#[tokio::test]
async fn the_second_start_loads_the_certificates_of_the_first() {
    let db = testkit::fresh_database().await;
    let first = establish(&db, NOW, 0).await.unwrap();
    let second = establish(&db, NOW + Duration::DAY, 100).await.unwrap();
    assert_eq!(first.csca.der(), second.csca.der());
    assert_eq!(first.document_signer.der(), second.document_signer.der());
    first.document_signer.verify_signed_by(&second.csca).unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM certificate WHERE der IS NOT NULL").await, 2);
    let issuers: Vec<Option<String>> =
        sqlx::query_scalar("SELECT issuer_serial FROM certificate ORDER BY role")
            .fetch_all(db.work())
            .await
            .unwrap();
    assert_eq!(issuers[0], None);
    assert!(issuers[1].is_some());
}

/// A key whose store is away.
#[derive(Debug)]
struct Away(SoftwareSigner);

impl Signer for Away {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Unavailable("test".to_owned()))
    }
}

#[tokio::test]
async fn a_serial_number_whose_certificate_never_came_stays_and_is_not_used_again() {
    let db = testkit::fresh_database().await;
    let (csca, signer) = keys();
    let away = Away(csca);
    let lost =
        Authority::establish(&db, &away, Arc::clone(&signer) as Arc<dyn Signer>, || [1; 16], NOW).await;
    assert!(lost.is_err());
    assert_eq!(count(&db, "SELECT count(*) FROM certificate WHERE der IS NULL").await, 1);

    let repeated = establish(&db, NOW, 0).await;
    assert!(matches!(repeated, Err(Error::Store(_))), "the drawn number is taken");
    let established = establish(&db, NOW, 1).await.unwrap();
    assert_eq!(established.csca.serial(), [2; 16]);
    assert_eq!(count(&db, "SELECT count(*) FROM certificate").await, 3);
    assert_eq!(count(&db, "SELECT count(*) FROM certificate WHERE der IS NULL").await, 1);
}

#[tokio::test]
async fn a_document_signer_signs_for_its_period_and_cards_name_the_one_that_signed_them() {
    let db = testkit::fresh_database().await;
    let applicants = register(&db, 0, &[(record(Sex::Male, "1990"), None)]).await;
    let old = Arc::new(establish(&db, NOW, 0).await.unwrap());
    let until = old.signs_until().unwrap();
    assert_eq!((until - NOW).whole_days(), 91);
    let serial = |_, attempt: u32| attempt;
    let batch = open_batch(&db, &old, &scope(), DISTRICT, 9, &serial, NOW).await.unwrap().batch.unwrap();
    let late = until + Duration::SECOND;
    let over = sign_batch(&db, &old, batch, photos(&applicants), late).await.unwrap_err();
    assert!(matches!(over, Error::SigningPeriodOver { .. }), "{over}");
    assert_eq!(count(&db, "SELECT count(*) FROM card WHERE state = 'intended'").await, 1);

    let (csca, _) = keys();
    let next = SoftwareSigner::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(8));
    let new = Authority::establish(&db, &csca, Arc::new(next), || [9; 16], late).await.unwrap();
    assert_eq!(new.csca.der(), old.csca.der());
    assert_eq!(sign_batch(&db, &Arc::new(new), batch, photos(&applicants), late).await.unwrap(), 1);
    let signer: String = sqlx::query_scalar("SELECT ds_serial FROM card").fetch_one(db.work()).await.unwrap();
    assert_eq!(signer, "09".repeat(16));
}
