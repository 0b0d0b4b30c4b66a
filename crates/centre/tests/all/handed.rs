//! Hand-overs that kits recorded: the centre believes no kit about whose fingers they were.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::support::*;
use centre::counter::{self, AtCounter};
use centre::handed::{self, Handed};
use centre::{Centre, Installation, Place};
use domain::Actor;
use domain::application::{Action, State};
use domain::card::CardAction;
use domain::clock::VirtualClock;
use domain::id::{AccountId, CardId, ImportId, PersonId};
use enrol::intake::quarantine::{Reason, retry};
use enrol::intake::{open_received, receive};
use packet::message::Outcome;
use packet::{Came, Carries, Content, Envelope, Finger, HandOver, Payload, seal};
use store::UnitScope;
use store::applications::kits::{Kit, Standing, register_kit};
use store::applications::officers::{Credential, insert};
use store::applications::{Transition, check_folds, find, record};
use store::boxes::handovers;
use store::cards::{IntendedCard, SignedCard, record as cards};
use store::register::record::NewPerson;
use testkit::FreshDatabase;

/// A centre whose kit has sent three citizens; the cards of the first two lie at their commune.
struct Commune {
    centre: Centre,
    db: FreshDatabase,
    kit: TestKit,
    seq: std::cell::Cell<u64>,
    _data: tempfile::TempDir,
}

fn account() -> AccountId {
    AccountId::derive(DAY, &[b"officer"])
}

fn number_of(citizen: u64) -> String {
    format!("{citizen:010}")
}

impl Commune {
    async fn new() -> Commune {
        let data = tempfile::tempdir().unwrap();
        let db = testkit::fresh_database().await;
        let place = Place { data: data.path().to_owned(), database_url: None };
        centre::make_keys(&data.path().join("keys")).unwrap();
        let clock = Arc::new(VirtualClock::at(DAY + Duration::days(30)));
        let centre = Centre::of(Installation { place, db: db.clone(), clock }).await.unwrap();
        let kit = TestKit::new(1);
        let mut tx = db.begin().await.unwrap();
        for (code, name) in [("18562", "Thạch Hà"), ("18565", "Ngọc Sơn")] {
            sqlx::query(
                "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
                 VALUES ($1, '2004-01-01', 3, 'xã', $2, '445', '42/445/' || $1 || '/')",
            )
            .bind(code)
            .bind(name)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
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
            account_id: account(),
            login: "canbo".to_owned(),
            kit_id: kit.id,
            public_key: kit.officer_public().to_point().to_vec(),
            not_before: DAY,
            not_after: DAY + Duration::weeks(18),
            issued_by: "centre".to_owned(),
            revoked_at: None,
            revoked_reason: None,
            proposed: None,
        };
        insert(&mut tx, &credential).await.unwrap();
        store::commit(tx).await.unwrap();
        let commune = Commune { centre, db, kit, seq: 0.into(), _data: data };
        for citizen in 1..=3 {
            let envelope = envelope(commune.kit.id, citizen, 1);
            commune.send(envelope, content(citizen).into()).await;
        }
        for citizen in 1..=2 {
            commune.carry(citizen).await;
        }
        commune
    }

    /// Sends a packet as the kit's next, and has it opened.
    async fn send(&self, envelope: Envelope, payload: Payload) {
        self.seq.set(self.seq.get() + 1);
        let mut envelope = Envelope { kit_seq: self.seq.get(), ..envelope };
        envelope.prev_sha256 = (envelope.kit_seq > 1).then_some(FILLED_IN);
        let envelope = self.kit.placed(&envelope);
        let mut rng = rng(envelope.kit_seq);
        let sealed = seal(&envelope, &payload, self.kit.signers(), &self.centre.intake_public, &mut rng);
        let sealed = sealed.unwrap();
        self.kit.note(&envelope, &sealed);
        let now = DAY + Duration::days(30);
        let received = receive(&self.db, vec![sealed], now, &*self.centre.receipts).await.unwrap();
        assert_eq!(received.receipt.items[0].outcome, Outcome::Accepted);
        open_received(&self.db, Arc::clone(&self.centre.keys), now, 10).await.unwrap();
    }

    /// Makes a citizen's card and carries it to the commune.
    async fn carry(&self, citizen: u64) {
        let application = application_id(citizen);
        let step = |action| Transition {
            application_id: application,
            action,
            at: DAY + Duration::days(20),
            actor: Actor::Centre,
            reference: None,
            detail: None,
        };
        let way = [
            Action::Accept,
            Action::Batch,
            Action::Print,
            Action::Dispatch,
            Action::DistrictReceive,
            Action::Forward,
            Action::UnitReceive,
        ];
        let now = DAY + Duration::days(20);
        let mut tx = self.db.begin().await.unwrap();
        assert_eq!(record(&mut tx, now, &way.map(step)).await.unwrap().refused, []);
        let card_id = CardId::derive(DAY, &[&citizen.to_be_bytes()]);
        let card = IntendedCard {
            card_id,
            number: number_of(citizen),
            application_id: application,
            person_id: PersonId::derive(DAY, &[&citizen.to_be_bytes()]),
            pin: String::new(),
            issued_on: now.date(),
            expires_on: None,
            ds_serial: "01".to_owned(),
            token_sha256: card_id.uuid().as_bytes().to_vec(),
            face: serde_json::Value::Null,
            unit_code: "18562".to_owned(),
            unit_path: "42/445/18562/".to_owned(),
        };
        let signed = SignedCard {
            card_id,
            token_sha256: card.token_sha256.clone(),
            dg1: Vec::new(),
            dg13: Vec::new(),
            sod: Vec::new(),
            qr: String::new(),
        };
        cards::intend(&mut tx, &[card], &Actor::Centre, now).await.unwrap();
        cards::sign(&mut tx, "01", &[signed], &Actor::Centre, now).await.unwrap();
        let printed =
            cards::Transition { card_id, action: CardAction::Personalise, at: now, actor: Actor::Printer };
        assert!(cards::record(&mut tx, now, &[printed]).await.unwrap().refused.is_empty());
        store::commit(tx).await.unwrap();
    }

    /// A record of the kit about a citizen's card, so many days after the campaign's first.
    async fn record(&self, citizen: u64, days: i64, change: impl FnOnce(&mut Envelope, &mut HandOver)) {
        let mut envelope = Envelope {
            packet_id: domain::id::PacketId::derive(DAY, &[&self.seq.get().to_be_bytes(), b"hand-over"]),
            captured_at: DAY + Duration::days(days),
            carries: Carries::HandOver,
            ..envelope(self.kit.id, citizen, 1)
        };
        let mut record = HandOver {
            card_sha256: Sha256::digest(number_of(citizen)).into(),
            receipt_hash: None,
            attempt: 1,
            came: Came::Holder(fingers(content(citizen))),
            capture: content(citizen).capture,
        };
        change(&mut envelope, &mut record);
        self.send(envelope, Payload::HandOver(record)).await;
    }

    async fn booked(&self) -> (usize, usize) {
        let Handed { booked, set_aside } = handed::book(&self.centre).await.unwrap();
        (booked, set_aside)
    }

    async fn state(&self, citizen: u64) -> State {
        let mut conn = self.db.begin().await.unwrap();
        find(&mut conn, application_id(citizen)).await.unwrap().unwrap().state
    }

    /// Attempts to hand a citizen's card over: number, when, and by whom.
    async fn attempts(&self, citizen: u64) -> Vec<(i16, OffsetDateTime, String)> {
        let mut conn = self.db.begin().await.unwrap();
        handovers::times(&mut conn, application_id(citizen)).await.unwrap()
    }

    async fn reasons(&self) -> Vec<Reason> {
        let codes: Vec<String> = sqlx::query_scalar(
            "SELECT quarantined FROM packet WHERE quarantined IS NOT NULL ORDER BY kit_seq",
        )
        .fetch_all(self.db.work())
        .await
        .unwrap();
        codes.iter().map(|code| Reason::from_code(code).unwrap()).collect()
    }

    async fn sound(&self) {
        let mut conn = self.db.begin().await.unwrap();
        assert_eq!(check_folds(&mut conn).await.unwrap(), []);
    }
}

fn fingers(content: Content) -> Vec<Finger> {
    content.fingers[..4].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_that_lies_about_a_match_hands_nothing_over() {
    let commune = Commune::new().await;
    let stranger = |_: &mut Envelope, record: &mut HandOver| record.came = Came::Holder(fingers(content(9)));
    commune.record(1, 21, stranger).await;
    assert_eq!(commune.booked().await, (1, 0));
    assert_eq!(commune.state(1).await, State::AtUnit, "the fingers are compared again");
    let score: Option<f32> =
        sqlx::query_scalar("SELECT score FROM handover").fetch_one(commune.db.work()).await.unwrap();
    assert!(score.is_some());
    // A record whose fingers are none at all is set aside: it proves nothing.
    let noise = |_: &mut Envelope, record: &mut HandOver| {
        let bytes = packet::Biometric::new(b"noise".to_vec());
        let capture = packet::FingerCapture::Template(bytes);
        record.came =
            Came::Holder(vec![Finger { position: fingerprint::FingerPosition::RightThumb, capture }]);
    };
    commune.record(1, 22, noise).await;
    assert_eq!(commune.booked().await, (0, 1));
    assert_eq!(commune.state(1).await, State::AtUnit);
    commune.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_of_a_kit_is_booked_once_and_as_the_counter_would() {
    let commune = Commune::new().await;
    let at = DAY + Duration::days(21);
    // The counter has counted an attempt of its own under the same number.
    let absent = AtCounter {
        application: application_id(1),
        number: 1,
        came: counter::Came::Nobody,
        officer: Actor::Centre,
        at,
    };
    counter::hand_over(&commune.centre, vec![absent], at).await.unwrap();
    commune.record(1, 22, |_, _| {}).await;
    assert_eq!(commune.booked().await, (1, 0));
    assert_eq!(commune.state(1).await, State::HandedOver);
    let attempts = commune.attempts(1).await;
    let by = Actor::Account(account()).to_string();
    assert_eq!(attempts[1..], [(2, DAY + Duration::days(22), by)], "nothing of the counter's is lost");
    assert_eq!(commune.booked().await, (0, 0));
    // As if the centre had been killed between the two.
    sqlx::raw_sql("UPDATE packet SET applied_at = NULL").execute(commune.db.work()).await.unwrap();
    assert_eq!(commune.booked().await, (1, 0));
    assert_eq!(commune.attempts(1).await.len(), 2, "and once");
    commune.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_the_database_does_not_take_holds_up_no_other() {
    let commune = Commune::new().await;
    // A fault of ours that nobody foresaw: the server refuses one record, whatever it is.
    let refuse = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON handover FOR EACH ROW \
         WHEN (NEW.application_id = '{}') EXECUTE FUNCTION refuse()",
        application_id(1)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(refuse)).execute(commune.db.admin()).await.unwrap();
    commune.record(1, 21, |_, _| {}).await;
    commune.record(2, 22, |_, _| {}).await;
    assert_eq!(commune.booked().await, (1, 1));
    assert_eq!((commune.state(1).await, commune.state(2).await), (State::AtUnit, State::HandedOver));
    assert_eq!(commune.reasons().await, [Reason::NotBooked]);
    sqlx::raw_sql("DROP TRIGGER refuse ON handover").execute(commune.db.admin()).await.unwrap();
    assert_eq!(
        retry(&commune.db, &UnitScope::everything(), None, &Actor::Centre, DAY + Duration::days(30))
            .await
            .unwrap(),
        1
    );
    assert_eq!(commune.booked().await, (1, 0));
    commune.sound().await;
}

/// A kit handed a card over in a village without a network, and the register had its holder as dead: somebody
/// has to look at it, and everybody else is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_to_somebody_who_is_dead_holds_up_no_other() {
    let commune = Commune::new().await;
    let holder = PersonId::derive(DAY, &[b"holder"]);
    let record = testkit::resident();
    let new = NewPerson {
        person_id: holder,
        record: &record,
        name_fold: "NGUYEN THI HOA",
        unit_path: "42/445/18562/",
        form_no: "1",
        form_hash: &[7; 32],
    };
    let mut tx = commune.db.begin().await.unwrap();
    let file = ImportId::derive(DAY, &[b"file"]);
    store::register::register(&mut tx, file, &Actor::Centre, DAY, &[new]).await.unwrap();
    store::commit(tx).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "UPDATE person SET status = 2; \
         UPDATE application SET person_id = '{holder}' WHERE application_id = '{}'",
        application_id(1)
    )))
    .execute(commune.db.admin())
    .await
    .unwrap();
    commune.record(1, 21, |_, _| {}).await;
    commune.record(2, 22, |_, _| {}).await;
    assert_eq!(commune.booked().await, (1, 1));
    assert_eq!((commune.state(1).await, commune.state(2).await), (State::AtUnit, State::HandedOver));
    assert_eq!(commune.reasons().await, [Reason::NotBooked]);
    commune.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_cannot_be_booked_is_kept_with_its_reason() {
    let commune = Commune::new().await;
    commune.record(1, 21, |_, record| record.card_sha256 = Sha256::digest(number_of(2)).into()).await;
    commune.record(1, 21, |envelope, _| envelope.unit = "18565".parse().unwrap()).await;
    commune.record(3, 21, |_, _| {}).await;
    commune.record(2, 21, |_, record| record.came = Came::Nobody).await;
    assert_eq!(commune.booked().await, (1, 3), "another card, another commune, no card yet; and one that is");
    assert_eq!(commune.reasons().await, [Reason::NotBooked; 3]);
    assert_eq!((commune.state(1).await, commune.state(2).await), (State::AtUnit, State::AtUnit));
    // Its card comes, and somebody has it tried again.
    commune.carry(3).await;
    assert_eq!(
        retry(&commune.db, &UnitScope::everything(), None, &Actor::Centre, DAY + Duration::days(30))
            .await
            .unwrap(),
        3
    );
    assert_eq!(commune.booked().await, (1, 2));
    assert_eq!(commune.state(3).await, State::HandedOver);
    commune.sound().await;
}
