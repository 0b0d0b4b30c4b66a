//! Certificates: made once, loaded afterwards, and no serial number twice.

use std::sync::Arc;

use rand::SeedableRng;
use time::{Duration, OffsetDateTime};

use crate::common::*;
use domain::Sex;
use hsm::SoftwareSigner;
use issue::certificates::{Certifier, hex};
use issue::{Authority, Error, open_batch, sign_batch};
use pki::{Crl, MasterList, SignError, SignatureAlgorithm, Signer, Suite, build_path};
use store::Database;

async fn establish(db: &Database, now: OffsetDateTime, first_serial: u8) -> Result<Authority, Error> {
    let (csca, signer) = keys();
    let mut serial = first_serial;
    let draw = || {
        serial += 1;
        [serial; 16]
    };
    Authority::establish(db, Suite::ALL[0], &csca, signer, draw, now).await
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
            .fetch_all(db.admin())
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
    let lost = Authority::establish(
        &db,
        Suite::ALL[0],
        &away,
        Arc::clone(&signer) as Arc<dyn Signer>,
        || [1; 16],
        NOW,
    )
    .await;
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
    let new =
        Authority::establish(&db, Suite::ALL[0], &csca, Arc::new(next), || [9; 16], late).await.unwrap();
    assert_eq!(new.csca.der(), old.csca.der());
    assert_eq!(sign_batch(&db, &Arc::new(new), batch, photos(&applicants), late).await.unwrap(), 1);
    let signer: String =
        sqlx::query_scalar("SELECT ds_serial FROM card").fetch_one(db.admin()).await.unwrap();
    assert_eq!(signer, "09".repeat(16));
}

fn key(suite: Suite, seed: u64) -> SoftwareSigner {
    SoftwareSigner::generate_for(suite.algorithm, &mut rand_chacha::ChaCha20Rng::seed_from_u64(seed))
}

#[tokio::test]
async fn a_new_csca_key_is_linked_to_the_old_and_lists_name_what_is_revoked() {
    let db = testkit::fresh_database().await;
    let suite = Suite::named("brainpool-p256r1-explicit").unwrap();
    let mut drawn = 0;
    let draw_serial = || {
        drawn += 1;
        [drawn; 16]
    };
    let mut certifier = Certifier { db: &db, suite, draw_serial, now: NOW };
    let (old_key, new_key, ds_key, list_key) = (key(suite, 1), key(suite, 2), key(suite, 3), key(suite, 4));
    let old = certifier.csca(&old_key).await.unwrap();
    let new = certifier.csca(&new_key).await.unwrap();
    let link = certifier.link(&old, &old_key, &new).await.unwrap();
    let ds = certifier.document_signer(&new, &new_key, &ds_key).await.unwrap();
    assert_eq!(certifier.document_signer(&new, &new_key, &ds_key).await.unwrap().der(), ds.der());
    let links = [link];
    assert_eq!(build_path(&ds, std::slice::from_ref(&old), &links).unwrap().len(), 2);

    let first = certifier.crl(&new, &new_key, 30).await.unwrap();
    assert_eq!(Crl::from_der(&first, &new).unwrap().revoked_at(&ds), None);
    let serial = hex(ds.serial());
    certifier.revoke(&serial, 1).await.unwrap();
    assert!(matches!(certifier.revoke(&serial, 4).await, Err(Error::NotRevoked(_))), "a second time");
    assert!(matches!(certifier.revoke("00", 1).await, Err(Error::NotRevoked(_))), "no such certificate");
    let second = Crl::from_der(&certifier.crl(&new, &new_key, 90).await.unwrap(), &new).unwrap();
    assert_eq!((second.revoked_at(&ds), second.reason(&ds)), (Some(NOW), Some(1)));
    assert_eq!(second.number(), Some(vec![2]));
    let other = Crl::from_der(&certifier.crl(&old, &old_key, 90).await.unwrap(), &old).unwrap();
    assert_eq!(other.revoked_at(&ds), None, "it is under the other key");
    assert!(certifier.crl(&new, &new_key, 91).await.is_err(), "more than 90 days");
    let mut conn = db.begin().await.unwrap();
    let newest =
        store::cards::certificates::newest_crl(&mut conn, &hex(new.serial())).await.unwrap().unwrap();
    assert_ne!(newest, first);

    let certificates = [old.clone(), new.clone()];
    let list = certifier.master_list(&certificates, &new, &new_key, &list_key).await.unwrap();
    let list = MasterList::from_der(&list, &[new]).unwrap();
    assert_eq!(list.certificates().len(), 2);
}

#[tokio::test]
async fn a_csca_key_signs_for_its_period_only() {
    let db = testkit::fresh_database().await;
    let established = establish(&db, NOW, 0).await.unwrap();
    let until = established.csca.key_usage_period().unwrap().not_after.unwrap();
    let over = establish(&db, until + Duration::SECOND, 50).await.unwrap_err();
    assert!(matches!(over, Error::CscaPeriodOver { .. }) && over.to_string().contains("pki roll"), "{over}");
}
