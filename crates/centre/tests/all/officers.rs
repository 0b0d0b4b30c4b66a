//! Officers' own fingers in packets of theirs, from the kit to the case.

use std::sync::Arc;

use rand::rngs::StdRng;
use time::Duration;

use crate::support::*;
use centre::{Centre, Installation, Place, work};
use domain::Actor;
use domain::application::Kind;
use domain::clock::VirtualClock;
use domain::id::AccountId;
use enrol::intake::receive;
use enrol::officers::fingers;
use fingerprint::FingerPosition;
use fingerprint::synthetic::{Condition, person_masters};
use packet::message::Outcome;
use packet::{Biometric, Carries, Changes, Content, Envelope, Finger, FingerCapture, Payload, Recapture};
use resolve::Identities;
use store::UnitScope;
use store::applications::kits::{Kit, Standing, register_kit};
use store::applications::officers::{Credential, insert};
use testkit::FreshDatabase;

struct Office {
    centre: Centre,
    db: FreshDatabase,
    kit: TestKit,
    ids: Option<Identities>,
    seq: u64,
    _data: tempfile::TempDir,
}

fn account(number: u64) -> AccountId {
    AccountId::derive(DAY, &[b"officer", &number.to_be_bytes()])
}

fn file(body: u64, which: FingerPosition, at: FingerPosition, occasion: u64) -> Finger {
    let master = &person_masters(body)[usize::from(which.code()) - 1];
    let template = master.impression(occasion, Condition::Station).with_position(at);
    let bytes = fingerprint::encode(&[template]).unwrap();
    Finger { position: at, capture: FingerCapture::Template(Biometric::new(bytes)) }
}

fn ten(body: u64, occasion: u64) -> Vec<Finger> {
    FingerPosition::ALL.map(|which| file(body, which, which, occasion)).to_vec()
}

fn body_of(officer: u64) -> u64 {
    9_000 + officer
}

/// A citizen with fingers of their own.
fn citizen(number: u64) -> Content {
    Content { fingers: ten(100 + number, 1), ..content(number) }
}

impl Office {
    async fn new() -> Office {
        let data = tempfile::tempdir().unwrap();
        let db = testkit::fresh_database().await;
        let place = Place { data: data.path().to_owned(), database_url: None };
        centre::make_keys(&data.path().join("keys")).unwrap();
        let clock = Arc::new(VirtualClock::at(DAY + Duration::DAY));
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
        store::commit(tx).await.unwrap();
        let office = Office { centre, db, kit, ids: None, seq: 0, _data: data };
        office.employs(1, &office.kit).await;
        office
    }

    /// An officer with a credential for the kit, who signs with the second key of `with`.
    async fn employs(&self, number: u64, with: &TestKit) {
        let credential = Credential {
            credential_id: with.credential(),
            account_id: account(number),
            login: format!("canbo{number}"),
            kit_id: self.kit.id,
            public_key: with.officer_public().to_point().to_vec(),
            not_before: DAY,
            not_after: DAY + Duration::weeks(18),
            issued_by: "centre".to_owned(),
            revoked_at: None,
            revoked_reason: None,
            proposed: None,
        };
        let mut tx = self.db.begin().await.unwrap();
        insert(&mut tx, &credential).await.unwrap();
        store::commit(tx).await.unwrap();
        let mut rng: StdRng = rand::make_rng();
        let taken = ten(body_of(number), 1);
        let wrapping = &*self.centre.keys.wrapping;
        let sealed = fingers::seal(wrapping, account(number), &taken, None, &mut rng).unwrap();
        fingers::take(&self.db, &sealed, "42/445/", &Actor::Centre, DAY).await.unwrap();
    }

    /// Sends a packet as the kit's next.
    async fn send(&mut self, number: u64, carries: Carries, payload: Payload) {
        self.seq += 1;
        let mut envelope = Envelope { kit_seq: self.seq, carries, ..envelope(self.kit.id, number, 1) };
        envelope.prev_sha256 = (self.seq > 1).then_some(FILLED_IN);
        let envelope = self.kit.placed(&envelope);
        let intake = &self.centre.intake_public;
        let sealed = packet::seal(&envelope, &payload, self.kit.signers(), intake, &mut rng(number));
        let sealed = sealed.unwrap();
        self.kit.note(&envelope, &sealed);
        let now = self.centre.clock.now();
        let received = receive(&self.db, vec![sealed], now, &*self.centre.receipts).await.unwrap();
        assert_eq!(received.receipt.items[0].outcome, Outcome::Accepted);
    }

    async fn captures(&mut self, number: u64, content: Content) {
        self.send(number, Carries::Application { kind: Kind::New }, content.into()).await;
    }

    /// What `dancu work` does in a round. Gives the kind of the case of each, by number.
    async fn works(&mut self, numbers: &[u64]) -> Vec<String> {
        work::open_packets(&self.centre).await.unwrap();
        let mut ids = match self.ids.take() {
            Some(ids) => ids,
            None => work::load_identities(&self.centre, &UnitScope::everything()).await.unwrap(),
        };
        work::resolve_waiting(&self.centre, &mut ids).await.unwrap();
        self.ids = Some(ids);
        let mut kinds = Vec::new();
        for number in numbers {
            let kind = sqlx::query_scalar("SELECT kind FROM case_file WHERE application_id = $1")
                .bind(application_id(*number).uuid())
                .fetch_one(self.db.admin())
                .await
                .unwrap();
            kinds.push(kind);
        }
        kinds
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officers_finger_is_found_in_a_packet_and_in_a_recapture() {
    use FingerPosition::{LeftIndex, RightIndex, RightThumb};
    let mut office = Office::new().await;
    let mut with_thumb = citizen(2);
    with_thumb.fingers[0] = file(body_of(1), RightThumb, RightThumb, 7);
    office.captures(1, citizen(1)).await;
    office.captures(2, with_thumb).await;
    // Nobody of these is in the register, which is what an honest application here is asked about.
    assert_eq!(office.works(&[1, 2]).await, ["not_in_register", "officer_fingers"]);

    // The citizen's right index is captured anew, and the officer lays down the left one of their own.
    let base = citizen(1);
    let anew = |number: u64, finger: Finger| Recapture {
        changes: Changes::between(&base.record, &base.record).unwrap(),
        differs: Vec::new(),
        receipt_hash: content(number).receipt_hash,
        fingers: vec![finger],
        photo: None,
        capture: base.capture.clone(),
        finger_images: Vec::new(),
    };
    let carries = || Carries::Recapture { kind: Kind::Reissue, base: application_id(1) };
    let own = anew(3, file(101, RightIndex, RightIndex, 8));
    let officers = anew(4, file(body_of(1), LeftIndex, RightIndex, 8));
    office.send(3, carries(), Payload::Recapture(Box::new(own))).await;
    assert_ne!(office.works(&[3]).await, ["officer_fingers"], "an honest one");
    office.send(4, carries(), Payload::Recapture(Box::new(officers))).await;
    office.works(&[]).await;
    // What it stands on has the same fingers, which is graver: the officer is in the evidence.
    let evidence: serde_json::Value =
        sqlx::query_scalar("SELECT evidence FROM case_file WHERE application_id = $1")
            .bind(application_id(4).uuid())
            .fetch_one(office.db.admin())
            .await
            .unwrap();
    let found = &evidence["fingerprint"];
    assert_eq!(found["fault"], "officer_fingers", "{found}");
    assert_eq!(found["officers"][0]["account"], account(1).to_string());
    assert_eq!(found["officers"][0]["fingers"][0]["position"], RightIndex.code());
    assert_eq!(found["officers"][0]["fingers"][0]["of"], LeftIndex.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn fingers_that_are_taken_while_the_work_runs_count_and_altered_ones_stop_nothing() {
    let mut office = Office::new().await;
    office.captures(1, citizen(1)).await;
    assert_eq!(office.works(&[1]).await, ["not_in_register"]);
    // A second officer comes to the kit.
    office.employs(2, &TestKit::new(2)).await;
    let thumb = FingerPosition::RightThumb;
    let with_thumb = |number: u64| {
        let mut content = citizen(number);
        content.fingers[0] = file(body_of(2), thumb, thumb, 7);
        content
    };
    office.captures(2, with_thumb(2)).await;
    assert_eq!(office.works(&[2]).await, ["officer_fingers"]);
    // An administrator damages that officer's row: the first officer is still looked for.
    sqlx::query("UPDATE officer_fingers SET sealed = substring(sealed FOR 99) WHERE account_id = $1")
        .bind(account(2).uuid())
        .execute(office.db.admin())
        .await
        .unwrap();
    let mut both = with_thumb(3);
    both.fingers[1] = file(body_of(1), FingerPosition::RightIndex, FingerPosition::RightIndex, 7);
    office.captures(3, both).await;
    assert_eq!(office.works(&[3]).await, ["officer_fingers"]);
}
