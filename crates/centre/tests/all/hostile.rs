//! Who has one kit and a copy of the database.

use std::convert::Infallible;
use std::sync::Arc;

use rand::rand_core::{TryCryptoRng, TryRng};
use rand_chacha::ChaCha20Rng;

use crate::support::*;
use centre::{Centre, Installation, Place};
use domain::clock::VirtualClock;
use domain::id::{AccountId, CardId};
use enrol::intake::{open_received, receive};
use issue::ChipKeySource;
use store::applications::kits::{Kit, Standing, register_kit};
use store::applications::officers::{Credential, insert};

/// What the key-encryption key once made the secret of all chips of.
const CONSTANT: &[u8; 32] = b"dancu: secret of all chip keys 1";

/// A kit's generator whose first 32 bytes, which become the content key, somebody chose.
struct Chosen(Option<[u8; 32]>, ChaCha20Rng);

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.1.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.1.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self.0.take() {
            Some(chosen) => bytes.copy_from_slice(&chosen),
            None => self.1.try_fill_bytes(bytes)?,
        }
        Ok(())
    }
}

impl TryCryptoRng for Chosen {}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_and_a_copy_of_the_database_do_not_copy_a_chip() {
    let data = tempfile::tempdir().unwrap();
    let db = testkit::fresh_database().await;
    let place = Place { data: data.path().to_owned(), database_url: None };
    centre::make_keys(&data.path().join("keys")).unwrap();
    let clock = Arc::new(VirtualClock::at(DAY));
    let centre = Centre::of(Installation { place, db: db.clone(), clock }).await.unwrap();

    let kit = TestKit::new(1);
    let mut tx = db.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
         VALUES ('18562', '2004-01-01', 3, 'thị trấn', 'Thạch Hà', '445', '42/445/18562/')",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    let row = Kit {
        kit_id: kit.id,
        name: "kit".to_owned(),
        unit: "18562".parse().unwrap(),
        public_key: kit.public().to_point().to_vec(),
        registered_at: DAY,
        revoked_at: None,
        heard_at: None,
        standing: Standing::default(),
    };
    register_kit(&mut tx, &row).await.unwrap();
    let credential = Credential {
        credential_id: kit.credential(),
        account_id: AccountId::derive(DAY, &[b"officer"]),
        login: "canbo".to_owned(),
        kit_id: kit.id,
        public_key: kit.officer_public().to_point().to_vec(),
        not_before: DAY,
        not_after: DAY + time::Duration::DAY,
        issued_by: "centre".to_owned(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    };
    insert(&mut tx, &credential).await.unwrap();
    store::commit(tx).await.unwrap();

    let mut rng = Chosen(Some(*CONSTANT), rng(1));
    let envelope = envelope(kit.id, 1, 1);
    let payload = content(1).into();
    let packet = packet::seal(&envelope, &payload, kit.signers(), &centre.intake_public, &mut rng).unwrap();
    receive(&db, vec![packet], DAY, &*centre.receipts).await.unwrap();
    let opened = open_received(&db, Arc::clone(&centre.keys), DAY, 10).await.unwrap();
    assert_eq!(opened.opened, 1, "the chosen key is a key like any other");

    let in_the_row: Vec<u8> =
        sqlx::query_scalar("SELECT wrapped_key FROM packet").fetch_one(db.admin()).await.unwrap();
    let of_the_box = centre.seal_transport_key(1, CONSTANT).unwrap();
    let card = CardId::derive(DAY, &[b"anybody's"]);
    let keys = centre.chip_keys().keys(card).to_bytes();
    for seen in [in_the_row, of_the_box] {
        for length in [32, 40] {
            for part in seen.windows(length) {
                let guessed = ChipKeySource::new(part.to_vec().into()).keys(card).to_bytes();
                assert!(guessed != keys, "the secret of all chips stands in the database");
            }
        }
    }
}

#[test]
fn a_key_of_one_box_does_not_open_another() {
    let data = tempfile::tempdir().unwrap();
    centre::make_keys(&data.path().join("keys")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = testkit::fresh_database().await;
        let place = Place { data: data.path().to_owned(), database_url: None };
        let clock = Arc::new(VirtualClock::at(DAY));
        let centre = Centre::of(Installation { place, db: db.clone(), clock }).await.unwrap();
        let sealed = centre.seal_transport_key(1, &[7; 32]).unwrap();
        assert_eq!(*centre.open_transport_key(1, &sealed).unwrap(), [7; 32]);
        assert!(centre.open_transport_key(2, &sealed).is_err());
    });
}
