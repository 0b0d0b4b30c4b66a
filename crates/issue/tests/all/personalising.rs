//! Blanks become cards on a station, with the power cut and the program killed at every point.

use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::common::*;
use chip::{
    AccessNumber, ChipFiles, ChipImage, ChipSerial, IsoEncoder, Lengths, Life, MasterKey, Memory, Password,
    Reading, Session, Transport, TrustAnchor, VirtualChip,
};
use domain::blank::SpoilReason;
use domain::clock::VirtualClock;
use domain::id::{AccountId, CardId, PersonId};
use domain::{Actor, Sex};
use issue::{ChipKeySource, Done, Error, Later, Refusal, Spoiling, Station, Told, Wanted, Workshop};
use store::Database;
use store::cards::stock::Totals;
use verify::Overall;

type Chip = Arc<Mutex<VirtualChip<ChaCha20Rng>>>;

const BOX: i64 = 7;

fn master() -> MasterKey {
    MasterKey::parse(&"5A".repeat(32)).unwrap()
}

/// Stands for a wrapped key: what is in it is the workshop's business.
const WRAPPED: [u8; 88] = [3; 88];

fn blank(position: u32) -> Chip {
    let serial = serial(BOX, position);
    let memory = Memory::blank(serial, master().transport_key(serial));
    Arc::new(Mutex::new(VirtualChip::of(memory, ChaCha20Rng::seed_from_u64(position.into()))))
}

/// The chip on a reader, whose power is cut at one command: before the chip hears it, or before its answer is
/// heard.
struct Wire {
    chip: Chip,
    left: usize,
    answers: bool,
}

impl Wire {
    fn whole(chip: &Chip) -> Wire {
        Wire { chip: Arc::clone(chip), left: usize::MAX, answers: false }
    }
}

impl Transport for Wire {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, chip::Error> {
        let mut chip = self.chip.lock().unwrap();
        if self.left == 0 {
            if self.answers {
                chip.process(command);
            }
            return Err(chip::Error::Transport("no power".to_owned()));
        }
        self.left -= 1;
        Ok(chip.process(command))
    }
}

#[derive(Clone)]
struct Bench {
    db: Arc<testkit::FreshDatabase>,
    csca: Vec<u8>,
    source: ChipKeySource,
    master: MasterKey,
    /// Whom new cards trust to authorise inspection systems.
    anchor: Option<TrustAnchor>,
    /// What verification says; `Err` of an empty text kills the program in its midst.
    verdict: Result<(), String>,
}

impl Workshop for Bench {
    fn image(&self, card: CardId) -> Later<'_, Result<ChipImage, Error>> {
        Box::pin(async move {
            let mut conn = self.db.begin().await?;
            let stored = store::cards::signed_card(&mut conn, card).await?.unwrap();
            let keys = self.source.keys(card);
            let files = issue::rebuild(stored.dg1, stored.dg13, stored.sod, &images(100), Some(&keys))?;
            let named = files.named().into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
            let image = ChipImage::new(ChipFiles::from_named(named), keys)?;
            Ok(image.trusting(self.anchor.clone()))
        })
    }

    fn master_key(&self, _: i64, wrapped: &[u8]) -> Result<MasterKey, Error> {
        assert_eq!(wrapped, WRAPPED);
        Ok(self.master.clone())
    }

    fn judge(&self, reading: &Reading) -> Result<(), String> {
        let files = reading.files.iter().map(|(id, bytes)| (id.name(), bytes.to_vec())).collect();
        let verdict = verify::check_files(&files, std::slice::from_ref(&self.csca), NOW);
        assert_eq!(verdict.overall, Overall::Genuine, "{:?}", verdict.checks);
        assert!(self.verdict != Err(String::new()), "killed");
        self.verdict.clone()
    }

    fn tell(&self, _told: Told<'_>) {}
}

/// A district with this many signed cards and as many blanks and a few more in stock.
async fn bench(cards: u32) -> (Bench, Vec<Applicant>) {
    let db = Arc::new(testkit::fresh_database().await);
    let people: Vec<_> = (0..cards).map(|_| (record(Sex::Male, "1980"), None)).collect();
    let applicants = register(&db, 0, &people).await;
    let bench = sign(&db, &applicants).await;
    receive_with(&db, BOX, cards + 3, Some(WRAPPED.to_vec())).await;
    (bench, applicants)
}

async fn sign(db: &Arc<testkit::FreshDatabase>, applicants: &[Applicant]) -> Bench {
    let source = ChipKeySource::new(vec![7; 40].into());
    let authority = Arc::into_inner(authority(db).await).unwrap().with_chip_keys(source.clone());
    let authority = Arc::new(authority);
    let pins = |person: PersonId, attempt: u32| {
        let id = person.uuid().into_bytes();
        u32::from_be_bytes([0, id[13], id[14], id[15]]).wrapping_add(attempt)
    };
    let opened = issue::open_batch(db, &authority, &scope(), DISTRICT, 9_999, &pins, NOW).await.unwrap();
    issue::sign_batch(db, &authority, opened.batch.unwrap(), photos(applicants), NOW).await.unwrap();
    let csca = authority.csca.der().to_vec();
    Bench { db: Arc::clone(db), csca, source, master: master(), anchor: None, verdict: Ok(()) }
}

async fn serve(bench: &Bench, wire: Wire) -> Result<Done, Error> {
    serve_wanted(bench, wire, Wanted::Any).await
}

async fn serve_wanted(bench: &Bench, wire: Wire, wanted: Wanted) -> Result<Done, Error> {
    let lengths = Lengths::Extended(4_000);
    let (clock, actor) = (VirtualClock::at(NOW), &operator());
    let station = Station { db: &bench.db, clock: &clock, workshop: bench, wanted, actor, lengths };
    wire.chip.lock().unwrap().reset();
    station.serve(IsoEncoder::new(wire, lengths), &mut ChaCha20Rng::seed_from_u64(9)).await
}

async fn totals(db: &Database) -> Totals {
    let mut conn = db.begin().await.unwrap();
    store::cards::stock::totals(&mut conn).await.unwrap()
}

fn personalised(done: &Done) -> (ChipSerial, CardId) {
    match done {
        Done::Personalised { serial, card, .. } => (*serial, *card),
        other => panic!("{other:?}"),
    }
}

fn operator() -> Actor {
    Actor::Account(AccountId::from_uuid(uuid::Uuid::from_u128(7)))
}

async fn card_state(db: &Database, card: CardId) -> String {
    sqlx::query_scalar("SELECT state FROM card WHERE card_id = $1")
        .bind(card.uuid())
        .fetch_one(db.work())
        .await
        .unwrap()
}

async fn sound(db: &Database) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(store::applications::check_folds(&mut conn).await.unwrap(), []);
    assert_eq!(store::cards::history::check_folds(&mut conn).await.unwrap(), []);
    let verdict = store::audit::verify_snapshot(db).await.unwrap();
    assert!(matches!(verdict, store::audit::Verdict::Intact { .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_written_card_by_card_and_closes_with_the_last() {
    let (bench, applicants) = bench(2).await;
    let db = &bench.db;
    let (one, two) = (blank(0), blank(1));
    let (serial_of_one, card) = personalised(&serve(&bench, Wire::whole(&one)).await.unwrap());
    assert_eq!(serial_of_one, serial(BOX, 0));
    assert_eq!(
        (card_state(db, card).await.as_str(), one.lock().unwrap().life()),
        ("personalised", Life::Operational)
    );
    assert_eq!(totals(db).await, Totals { in_stock: 4, writing: 0, used: 1, spoiled: 0 });
    assert_eq!(count(db, "SELECT count(*) FROM batch WHERE printed IS NULL").await, 1);
    let again = serve(&bench, Wire::whole(&one)).await.unwrap();
    assert_eq!(again, Done::Refused(Refusal::Finished));
    personalised(&serve_wanted(&bench, Wire::whole(&two), Wanted::Batch(1)).await.unwrap());
    assert_eq!(count(db, "SELECT printed::bigint FROM batch WHERE closed_at IS NOT NULL").await, 2);
    for applicant in &applicants {
        assert_eq!(state(db, applicant.application).await, "printed");
    }
    let none = serve(&bench, Wire::whole(&blank(2))).await.unwrap();
    assert_eq!(none, Done::Refused(Refusal::NoCard { under_way: 0 }));
    let audited = "SELECT count(*) FROM audit WHERE actor LIKE 'account:%' \
                   AND action IN ('card.blank_taken', 'card.personalised')";
    assert_eq!(count(db, audited).await, 4);
    sound(db).await;
}

/// The heart of it: whatever the command at which contact is lost, the same blank becomes the same card,
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn power_cut_at_any_command_the_same_blank_becomes_the_same_card() {
    let cards = 240;
    let (bench, _) = bench(cards).await;
    let mut cuts = 0;
    'all: for left in 0.. {
        for answers in [false, true] {
            let chip = blank(cuts);
            assert!(cuts < cards, "more commands than cards");
            let wire = Wire { left, answers, ..Wire::whole(&chip) };
            let first = serve(&bench, wire).await;
            if let Ok(done) = first {
                personalised(&done);
                break 'all;
            }
            let under_way = totals(&bench.db).await.writing;
            let (serial_now, card) = personalised(&serve(&bench, Wire::whole(&chip)).await.unwrap());
            assert!(under_way <= 1 && serial_now == serial(BOX, cuts), "cut {left} {answers}");
            assert_eq!(card_state(&bench.db, card).await, "personalised");
            cuts += 1;
        }
    }
    assert!(cuts > 100, "{cuts}");
    let now = totals(&bench.db).await;
    assert_eq!((now.used, now.writing, now.spoiled), (i64::from(cuts) + 1, 0, 0));
    let cards = "SELECT count(DISTINCT number) FROM card JOIN blank USING (card_id) \
                 WHERE card.state = 'personalised'";
    assert_eq!(count(&bench.db, cards).await, i64::from(cuts) + 1);
    sound(&bench.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_last_record_the_finished_card_is_recognised() {
    let (bench, _) = bench(3).await;
    // Another card is under way too, and is not confused with it.
    let other = blank(0);
    serve(&bench, Wire { left: 12, ..Wire::whole(&other) }).await.unwrap_err();
    let chip = blank(1);
    let killed = Bench { verdict: Err(String::new()), ..bench.clone() };
    let wire = Wire::whole(&chip);
    let end = tokio::spawn(async move { serve(&killed, wire).await }).await;
    assert!(end.unwrap_err().is_panic());
    assert_eq!((totals(&bench.db).await.writing, chip.lock().unwrap().life()), (2, Life::Operational));
    // An authority that came since then is none that this card was told of, and no reason to spoil it.
    let later = Bench { anchor: Some(cvca(3)), ..bench.clone() };
    let (recognised, _) = personalised(&serve(&later, Wire::whole(&chip)).await.unwrap());
    assert_eq!(recognised, serial(BOX, 1));
    let (resumed, _) = personalised(&serve(&bench, Wire::whole(&other)).await.unwrap());
    assert_eq!(resumed, serial(BOX, 0));
    sound(&bench.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_under_way_waits_for_its_blank_until_somebody_records_it_as_spoiled() {
    let (bench, applicants) = bench(1).await;
    let db = &bench.db;
    let (lost, next) = (blank(0), blank(1));
    serve(&bench, Wire { left: 14, ..Wire::whole(&lost) }).await.unwrap_err();
    let refused = serve(&bench, Wire::whole(&next)).await.unwrap();
    assert_eq!(refused, Done::Refused(Refusal::NoCard { under_way: 1 }), "no second blank for one number");
    assert_eq!(next.lock().unwrap().memory().life(), Life::Initialisation);
    for _ in 0..2 {
        let number =
            issue::spoil_blank(db, serial(BOX, 0), SpoilReason::Lost, &operator(), NOW).await.unwrap();
        assert_eq!(number.as_deref(), Some("0000010001"));
    }
    assert_eq!(state(db, applicants[0].application).await, "accepted");
    assert_eq!(totals(db).await, Totals { in_stock: 3, writing: 0, used: 0, spoiled: 1 });
    let bench = sign(db, &applicants).await;
    let (_, card) = personalised(&serve(&bench, Wire::whole(&next)).await.unwrap());
    let number: String = sqlx::query_scalar("SELECT number FROM card WHERE card_id = $1")
        .bind(card.uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(number, "0000020001", "a spoiled card's number is not used again");
    // The lost one turns up: what is on it is erased.
    let found = serve(&bench, Wire::whole(&lost)).await.unwrap();
    assert_eq!(found, Done::Refused(Refusal::Spoiled(serial(BOX, 0))));
    assert_eq!(lost.lock().unwrap().life(), Life::Terminated);
    let found = serve(&bench, Wire::whole(&lost)).await.unwrap();
    assert_eq!(found, Done::Refused(Refusal::Terminated(serial(BOX, 0))));
    let used =
        issue::spoil_blank(db, serial(BOX, 1), SpoilReason::Lost, &Actor::Centre, NOW).await.unwrap_err();
    assert!(matches!(used, Error::BlankFinished { .. }), "{used}");
    sound(db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_good_is_spoiled_and_recorded() {
    let (bench, applicants) = bench(3).await;
    let db = &bench.db;
    // It is finished, and no relying party would accept it.
    let doubtful = Bench { verdict: Err("a reason".to_owned()), ..bench.clone() };
    let done = serve(&doubtful, Wire::whole(&blank(0))).await.unwrap();
    let Done::Spoiled { why: Spoiling::Verification(reason), number, .. } = done else { panic!("{done:?}") };
    assert_eq!((reason.as_str(), number.as_str()), ("a reason", "0000010001"));
    // Its memory fails while it is written.
    let serial_of_two = serial(BOX, 1);
    let mut writes = 0;
    let memory = Memory::blank(serial_of_two, master().transport_key(serial_of_two));
    let failing = VirtualChip::of(memory, ChaCha20Rng::seed_from_u64(1)).kept_by(move |_| {
        writes += 1;
        writes != 9
    });
    let done = serve(&bench, Wire::whole(&Arc::new(Mutex::new(failing)))).await.unwrap();
    assert!(
        matches!(&done, Done::Spoiled { why: Spoiling::Chip(said), .. } if said.contains("6581")),
        "{done:?}"
    );
    // Contact is lost again and again.
    let loose = blank(2);
    for _ in 0..5 {
        serve(&bench, Wire { left: 10, ..Wire::whole(&loose) }).await.unwrap_err();
    }
    let done = serve(&bench, Wire::whole(&loose)).await.unwrap();
    assert!(matches!(done, Done::Spoiled { why: Spoiling::Attempts, .. }), "{done:?}");
    assert_eq!(loose.lock().unwrap().life(), Life::Terminated, "what was on it is erased");
    assert_eq!(totals(db).await, Totals { in_stock: 3, writing: 0, used: 0, spoiled: 3 });
    let reasons: Vec<String> =
        sqlx::query_scalar("SELECT reason FROM blank WHERE state = 'spoiled' ORDER BY serial")
            .fetch_all(db.admin())
            .await
            .unwrap();
    assert_eq!(reasons, ["verification", "chip", "attempts"]);
    for applicant in &applicants {
        assert_eq!(state(db, applicant.application).await, "accepted", "everybody waits for another card");
    }
    assert_eq!(count(db, "SELECT count(*) FROM batch WHERE printed = 0 AND spoiled = 3").await, 1);
    sound(db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_blank_of_the_stock_is_refused_and_nothing_recorded() {
    let (bench, _) = bench(1).await;
    let db = &bench.db;
    let stranger = serve(&bench, Wire::whole(&blank(9))).await.unwrap();
    assert_eq!(stranger, Done::Refused(Refusal::NotInStock(serial(BOX, 9))));
    let wrong = Bench { master: MasterKey::parse(&"5B".repeat(32)).unwrap(), ..bench.clone() };
    let refused = serve(&wrong, Wire::whole(&blank(0))).await.unwrap();
    assert_eq!(refused, Done::Refused(Refusal::WrongKey(serial(BOX, 0))));
    receive(db, 8, 1).await;
    let serial_of_8 = serial(8, 0);
    let memory = Memory::blank(serial_of_8, master().transport_key(serial_of_8));
    let keyless = Arc::new(Mutex::new(VirtualChip::of(memory, ChaCha20Rng::seed_from_u64(1))));
    let refused = serve(&bench, Wire::whole(&keyless)).await.unwrap();
    assert_eq!(refused, Done::Refused(Refusal::NoKey(serial_of_8)));
    let other = serve_wanted(&bench, Wire::whole(&blank(0)), Wanted::Batch(2)).await.unwrap();
    assert_eq!(other, Done::Refused(Refusal::NoCard { under_way: 0 }));
    assert_eq!(totals(db).await, Totals { in_stock: 5, writing: 0, used: 0, spoiled: 0 });
    assert_eq!(count(db, "SELECT count(*) FROM card WHERE state = 'signed'").await, 1);
    // Blank 0 is a finished card by now, and a blank chip tells the same number.
    personalised(&serve(&bench, Wire::whole(&blank(0))).await.unwrap());
    let twin = serve(&bench, Wire::whole(&blank(0))).await.unwrap();
    assert_eq!(twin, Done::Refused(Refusal::Twin(serial(BOX, 0))));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stations_share_a_batch() {
    let (bench, _) = bench(6).await;
    let station = |blanks: std::ops::Range<u32>| {
        let bench = bench.clone();
        async move {
            for position in blanks {
                personalised(&serve(&bench, Wire::whole(&blank(position))).await.unwrap());
            }
        }
    };
    let (one, two) = (tokio::spawn(station(0..3)), tokio::spawn(station(3..6)));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(count(&bench.db, "SELECT printed::bigint FROM batch WHERE closed_at IS NOT NULL").await, 6);
    sound(&bench.db).await;
}

/// As stations do before they write, many at once and with nothing between: a card that was taken in the
/// instant in which another looked for one is not taken twice.
#[tokio::test(flavor = "multi_thread")]
async fn stations_that_look_in_the_same_instant_never_take_one_card() {
    const CARDS: u32 = 120;
    let (bench, _) = bench(CARDS).await;
    let mut stations = tokio::task::JoinSet::new();
    for station in 0..6 {
        let db = bench.db.clone();
        stations.spawn(async move {
            for position in (station..CARDS).step_by(6) {
                let mut tx = db.begin().await.unwrap();
                let card = store::cards::stock::next_card(&mut tx, None, None).await.unwrap().unwrap();
                let serial = serial(BOX, position).to_string();
                assert!(store::cards::stock::begin_writing(&mut tx, &serial, card, NOW).await.unwrap());
                store::commit(tx).await.unwrap();
            }
        });
    }
    while let Some(station) = stations.join_next().await {
        station.unwrap();
    }
    assert_eq!(count(&bench.db, "SELECT count(DISTINCT card_id) FROM blank").await, i64::from(CARDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_blank_serves_two_cards_whoever_writes() {
    let (bench, _) = bench(1).await;
    let db = &bench.db;
    personalised(&serve(&bench, Wire::whole(&blank(0))).await.unwrap());
    let twice = sqlx::query(
        "UPDATE blank SET state = 'writing', card_id = (SELECT card_id FROM blank WHERE state = 'used') \
         WHERE serial = (SELECT min(serial) FROM blank WHERE state = 'in_stock')",
    );
    let error = twice.execute(db.admin()).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().constraint(), Some("blank_card_id_key"));
}

#[tokio::test]
async fn a_box_is_received_once_and_what_contradicts_it_is_refused() {
    let db = testkit::fresh_database().await;
    let delivery = |number, range: std::ops::Range<u32>| issue::Delivery {
        number,
        serials: range.map(|position| serial(1, position)).collect(),
        wrapped_key: None,
    };
    let receive = |number, range| {
        let (db, delivery) = (&db, delivery(number, range));
        async move { issue::receive_box(db, &delivery, &Actor::Centre, NOW).await }
    };
    assert_eq!(receive(1, 0..10).await.unwrap(), issue::Received::New);
    assert_eq!(receive(1, 0..10).await.unwrap(), issue::Received::Before);
    assert!(matches!(receive(1, 0..9).await, Err(Error::BoxDiffers { was: 10, common: 9, .. })));
    assert!(matches!(receive(2, 5..15).await, Err(Error::BlankElsewhere { elsewhere: 5 })));
    assert!(matches!(receive(2, 0..0).await, Err(Error::BoxSize { given: 0, .. })));
    assert_eq!(receive(2, 10..15).await.unwrap(), issue::Received::New);
    assert_eq!(
        issue::spoil_blank(&db, serial(1, 3), SpoilReason::Broken, &Actor::Centre, NOW).await.unwrap(),
        None
    );
    let unknown = issue::spoil_blank(&db, serial(1, 99), SpoilReason::Broken, &Actor::Centre, NOW).await;
    assert!(matches!(unknown, Err(Error::NoBlank(_))));
    let there = issue::count_stock(&db, 13, Some("two boxes"), &operator(), NOW).await.unwrap();
    assert_eq!((there.received(), there.spoiled, there.expected()), (15, 1, 14));
    assert_eq!(count(&db, "SELECT expected - counted FROM stock_count").await, 1);
    assert_eq!(count(&db, "SELECT count(*) FROM audit WHERE action LIKE 'stock.%'").await, 4);
}

/// A country verifying CA of this seed.
fn cvca(seed: u64) -> TrustAnchor {
    let key = hsm::SoftwareSigner::generate(&mut ChaCha20Rng::seed_from_u64(seed));
    let subject = pki::CvSubject {
        holder: pki::HolderReference::new("VN", "CVCA", 1).unwrap(),
        authorization: pki::Authorization { role: pki::CvRole::Cvca, rights: pki::Rights::ALL },
        public_key: pki::Signer::public_key(&key),
        effective: NOW.date(),
        expires: NOW.date() + time::Duration::days(1_000),
    };
    let prepared = pki::prepare_cvca(&subject).unwrap();
    let token = pki::SigningToken::after_recording(prepared.serial());
    TrustAnchor::new(prepared.sign(token, &key).unwrap(), NOW.date()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_trusts_the_authority_that_it_was_told_of_though_its_writing_was_cut() {
    let (mut bench, _) = bench(1).await;
    bench.anchor = Some(cvca(3));
    let chip = blank(0);
    for left in [15, 40] {
        let cut = Wire { chip: Arc::clone(&chip), left, answers: left == 15 };
        assert!(serve(&bench, cut).await.is_err());
    }
    let done = serve(&bench, Wire::whole(&chip)).await.unwrap();
    let Done::Personalised { card, .. } = done else { panic!("{done:?}") };

    let image = bench.image(card).await.unwrap();
    let mut session = Session::new(Wire::whole(&chip), Lengths::Short);
    let chip::ReadFile::Bytes(infos) = session.read_card_access().unwrap() else {
        panic!("no EF.CardAccess")
    };
    let infos = card::lds::card_access::parse(&infos).unwrap();
    let number: AccessNumber = image.number().clone();
    session.pace(&infos, &Password::AccessNumber(number), &mut ChaCha20Rng::seed_from_u64(4)).unwrap();
    session.select_application().unwrap();
    let trusted: Vec<String> = session.trust_points().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["VNCVCA00001"]);
}
