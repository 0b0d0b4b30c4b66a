//! Officers' own fingers in citizens' packets: each way of putting them there is a case of a kind of its own,
//! and no citizen who is no officer is one.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{FingerPosition, Minutia, Template};

use crate::fingers::{Desk, adjudicator, desk};
use crate::support::{NOW, person_id};
use domain::application::State;
use domain::id::{AccountId, CaseId, KitId};
use resolve::cases::{self, Act, Command, Decision, Refusal};
use resolve::evidence::{OfficerFound, Stored};
use resolve::officers::Officers;
use resolve::{Error, Identities};
use store::UnitScope;
use store::applications::{kits, officers};

/// The kit's own district, another one of the province, and one of another province.
const HOME: &str = "445";
const NEXT: &str = "440";
const ABROAD: &str = "540";

fn officer(number: u64) -> AccountId {
    AccountId::derive(NOW, &[b"officer", &number.to_be_bytes()])
}

/// The kit with which the applications were captured, or another one.
fn kit(number: u64) -> KitId {
    if number == 0 { KitId::derive(NOW, &[b"kit"]) } else { KitId::derive(NOW, &[&number.to_be_bytes()]) }
}

/// An officer's finger on some occasion; the first is the one on which it was taken for the credential.
fn finger_of(number: u64, which: FingerPosition, occasion: u64) -> Template {
    let masters = person_masters(9_000 + number);
    masters[usize::from(which.code()) - 1].impression(occasion, Condition::Station)
}

fn ten_of(number: u64, occasion: u64) -> Vec<Template> {
    FingerPosition::ALL.into_iter().map(|which| finger_of(number, which, occasion)).collect()
}

fn citizen(number: u64) -> Vec<Template> {
    person_masters(100 + number).iter().map(|master| master.impression(1, Condition::Station)).collect()
}

/// A citizen's fingers with an officer's in the place of one.
fn with_finger(number: u64, at: FingerPosition, finger: Template) -> Vec<Template> {
    let mut fingers = citizen(number);
    fingers[usize::from(at.code()) - 1] = finger.with_position(at);
    fingers
}

/// Ten citizens' packets with the right thumb of one officer.
fn ten_thumbs(number: u64) -> Vec<Vec<Template>> {
    let thumb = FingerPosition::RightThumb;
    (0..10).map(|citizen| with_finger(citizen, thumb, finger_of(number, thumb, 50 + citizen))).collect()
}

/// A district with its kits and officers, and a desk at which the applications of one kit are resolved.
struct Office {
    desk: Desk,
    ids: Identities,
    taken: HashMap<AccountId, Vec<Template>>,
}

impl Office {
    async fn new(captured: Vec<Vec<Template>>) -> Office {
        let desk = desk(captured).await;
        let ids = Identities::load(&desk.db, &UnitScope::everything()).await.unwrap();
        let office = Office { desk, ids, taken: HashMap::new() };
        for (number, unit) in [(0, HOME), (1, HOME), (2, NEXT), (3, ABROAD)] {
            sqlx::query(
                "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
                 VALUES ($1, $1::text, $2, $3, $4)",
            )
            .bind(kit(number).uuid())
            .bind(unit)
            .bind(kit(number).uuid().as_bytes().repeat(4))
            .bind(NOW)
            .execute(office.desk.db.admin())
            .await
            .unwrap();
        }
        office
    }

    /// An officer with a credential for a kit until an end, whose fingers are taken. Returns the credential.
    async fn employs(&mut self, number: u64, on: u64, not_after: OffsetDateTime) -> Uuid {
        let credential = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO officer_credential (credential_id, account_id, login, kit_id, public_key, \
             not_before, not_after, issued_by) VALUES ($1, $2, 'canbo', $3, $4, $5, $6, 'centre')",
        )
        .bind(credential)
        .bind(officer(number).uuid())
        .bind(kit(on).uuid())
        .bind([&[4u8; 1][..], &credential.as_bytes().repeat(4)].concat())
        .bind(NOW - Duration::weeks(20))
        .bind(not_after)
        .execute(self.desk.db.admin())
        .await
        .unwrap();
        self.taken.insert(officer(number), ten_of(number, 1));
        credential
    }

    /// Every application's packet was signed with this credential.
    async fn signed_with(&self, credential: Uuid) {
        for (seq, sent) in (1i64..).zip(&self.desk.sent) {
            sqlx::query(
                "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, \
                 received_at, credential_id) VALUES ($1, $2, $3, $4, '', '', $5, $6)",
            )
            .bind(Uuid::now_v7())
            .bind(kit(0).uuid())
            .bind(sent.application.uuid())
            .bind(seq)
            .bind(NOW)
            .bind(credential)
            .execute(self.desk.db.admin())
            .await
            .unwrap();
        }
    }

    async fn came_out(&mut self) -> Vec<String> {
        let mut conn = self.desk.db.read().await.unwrap();
        let kits = kits::all(&mut conn).await.unwrap();
        let credentials = officers::all(&mut conn).await.unwrap();
        let taken = self.taken.clone().into_iter().collect();
        self.ids.watch(Officers::new("all".to_owned(), taken, &kits, &credentials));
        self.desk.resolve_with(&mut self.ids).await;
        self.desk.found().await
    }

    /// The officers that the evidence of a case names.
    async fn named(&self, number: usize) -> Vec<OfficerFound> {
        let case = self.desk.case_of(number).await;
        let sheet = cases::read(&self.desk.db, &UnitScope::everything(), case).await.unwrap().unwrap();
        assert!(sheet.needs_paper(), "whoever accepts it says why");
        evidence(&sheet.evidence)
    }
}

fn evidence(stored: &Stored) -> Vec<OfficerFound> {
    stored.fingerprint.as_ref().map(|found| found.officers.clone()).unwrap_or_default()
}

/// How many are cases of the kind; every other one is linked.
fn cases_of(came_out: &[String]) -> usize {
    let cases = came_out.iter().filter(|kind| *kind == "officer_fingers").count();
    let linked = came_out.iter().filter(|kind| *kind == "linked").count();
    assert_eq!(cases + linked, came_out.len(), "{came_out:?}");
    cases
}

fn campaign() -> OffsetDateTime {
    NOW + Duration::weeks(10)
}

#[tokio::test]
async fn an_officers_thumb_among_nine_fingers_of_each_citizen_is_a_case() {
    let mut office = Office::new(ten_thumbs(1)).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.signed_with(credential).await;
    let came_out = office.came_out().await;
    assert!(cases_of(&came_out) >= 9, "one capture in twenty is too bad: {came_out:?}");
    let first = came_out.iter().position(|kind| kind == "officer_fingers").unwrap();
    let named = office.named(first).await;
    assert_eq!((named.len(), named[0].account, named[0].signed), (1, officer(1), true));
    assert!(!named[0].may_be_own);
    assert_eq!((named[0].fingers[0].position, named[0].fingers[0].of), (1, 1));
}

#[tokio::test]
async fn an_officers_ten_fingers_under_a_citizens_name_are_a_case() {
    let mut office = Office::new(vec![ten_of(1, 7), citizen(1)]).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.signed_with(credential).await;
    assert_eq!(office.came_out().await, ["officer_fingers", "linked"]);
    let named = office.named(0).await;
    // It may be the officer's own application: whoever decides looks at the name and at the face.
    assert!(named[0].may_be_own && named[0].fingers.len() >= 8, "{named:?}");
}

#[tokio::test]
async fn the_thumb_of_a_colleague_with_a_credential_of_another_kit_is_a_case() {
    // Two collude: one signs, the other one's thumb is given. They work in one district.
    let mut office = Office::new(ten_thumbs(2)).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.employs(2, 1, campaign()).await;
    for honest in 3..8 {
        office.employs(honest, honest % 2, campaign()).await;
    }
    office.signed_with(credential).await;
    let came_out = office.came_out().await;
    assert!(cases_of(&came_out) >= 7, "{came_out:?}");
    let first = came_out.iter().position(|kind| kind == "officer_fingers").unwrap();
    let named = office.named(first).await;
    assert_eq!((named.len(), named[0].account, named[0].signed), (1, officer(2), false));
}

#[tokio::test]
async fn the_thumb_of_an_officer_of_another_district_or_province_is_a_case() {
    for abroad in [2, 3] {
        let mut office = Office::new(ten_thumbs(2)).await;
        let credential = office.employs(1, 0, campaign()).await;
        office.employs(2, abroad, campaign()).await;
        for honest in 3..30 {
            office.employs(honest, honest % 4, campaign()).await;
        }
        office.signed_with(credential).await;
        let came_out = office.came_out().await;
        assert!(cases_of(&came_out) >= 5, "whoever does it ten times is found: {came_out:?}");
    }
}

#[tokio::test]
async fn the_thumb_of_an_officer_whose_credential_has_ended_is_a_case() {
    let mut office = Office::new(ten_thumbs(2)).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.employs(2, 0, NOW - Duration::weeks(10)).await;
    office.signed_with(credential).await;
    let came_out = office.came_out().await;
    assert!(cases_of(&came_out) >= 8, "{came_out:?}");
}

#[tokio::test]
async fn a_finger_of_an_officer_at_another_position_or_turned_is_a_case() {
    use FingerPosition::{LeftIndex, LeftLittle, RightThumb};
    let turned = |template: Template, by: u8| {
        let (width, height) = (f32::from(template.width()), f32::from(template.height()));
        let angle = f32::from(by) * std::f32::consts::TAU / 256.0;
        let turn = |minutia: &Minutia| {
            let (x, y) = (f32::from(minutia.x) - width / 2.0, height / 2.0 - f32::from(minutia.y));
            let (x, y) = (x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos());
            let (x, y) = (x + width / 2.0, height / 2.0 - y);
            ((0.0..width).contains(&x) && (0.0..height).contains(&y)).then(|| Minutia {
                x: x as u16,
                y: y as u16,
                angle: minutia.angle.wrapping_add(by),
                ..*minutia
            })
        };
        Template::new(template.capture(), template.minutiae().iter().filter_map(turn).collect()).unwrap()
    };
    let mut office = Office::new(vec![
        with_finger(1, LeftIndex, finger_of(1, RightThumb, 60)),
        with_finger(2, LeftLittle, turned(finger_of(1, RightThumb, 61), 64)),
        with_finger(3, RightThumb, turned(finger_of(1, LeftIndex, 62), 128)),
    ])
    .await;
    let credential = office.employs(1, 0, campaign()).await;
    office.signed_with(credential).await;
    assert_eq!(office.came_out().await, ["officer_fingers"; 3]);
    let named = office.named(0).await;
    assert_eq!((named[0].fingers[0].position, named[0].fingers[0].of), (LeftIndex.code(), RightThumb.code()));
}

#[tokio::test]
async fn an_officers_finger_hides_no_graver_case_and_no_other_fault() {
    let mut again = ten_of(1, 8);
    again.truncate(3);
    let mut office = Office::new(vec![ten_of(1, 7), ten_of(1, 9), again]).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.signed_with(credential).await;
    let came_out = office.came_out().await;
    assert_eq!(came_out, ["officer_fingers", "fingerprint_other_name", "fingerprint_other_name"]);
    assert_eq!(office.named(1).await[0].account, officer(1), "it is told beside the graver one");
}

#[tokio::test]
async fn a_citizen_who_is_no_officer_is_asked_nothing() {
    let mut office = Office::new((0..40).map(citizen).collect()).await;
    let credential = office.employs(1, 0, campaign()).await;
    for honest in 2..22 {
        office.employs(honest, honest % 4, campaign()).await;
    }
    office.signed_with(credential).await;
    assert_eq!(cases_of(&office.came_out().await), 0);
}

#[tokio::test]
async fn an_officers_own_application_is_accepted_with_the_reason_and_not_without() {
    let mut office = Office::new(vec![ten_of(2, 7)]).await;
    let credential = office.employs(1, 0, campaign()).await;
    office.employs(2, 1, campaign()).await;
    office.signed_with(credential).await;
    assert_eq!(office.came_out().await, ["officer_fingers"]);
    assert!(office.named(0).await[0].may_be_own);
    let (case, db) = (office.desk.case_of(0).await, &office.desk.db);
    let act = async |who: &str, act: Act, reason: Option<&str>| {
        let id = CaseId::derive(NOW, &[who.as_bytes(), &[u8::from(reason.is_some())]]);
        let by = adjudicator(who);
        let command = Command { id: id.uuid(), case, by: &by, seen: None, reason, at: NOW };
        cases::act(db, &command, &act).await
    };
    let theirs = || Act::Propose(Decision::Link(person_id(0, 1)));
    let refused = act("a", theirs(), None).await;
    assert!(matches!(refused, Err(Error::Refused { refusal: Refusal::NoPaper, .. })), "{refused:?}");
    act("a", theirs(), Some("hồ sơ của chính cán bộ, thẻ ngành số 7")).await.unwrap();
    act("b", Act::Confirm, None).await.unwrap();
    let mut conn = db.read().await.unwrap();
    let found = store::applications::find(&mut conn, office.desk.sent[0].application).await.unwrap().unwrap();
    assert_eq!(found.state, State::Accepted);
}

#[tokio::test]
async fn whoever_signed_the_application_that_a_recapture_stands_on_is_looked_at_too() {
    let office = Office::new(vec![citizen(1), citizen(2), citizen(3)]).await;
    let mut office = office;
    let [first, second] = [office.employs(1, 0, campaign()).await, office.employs(2, 1, campaign()).await];
    office.signed_with(first).await;
    let [base, anew, last] = [0, 1, 2].map(|number: usize| office.desk.sent[number].application);
    for (application, base) in [(anew, base), (last, anew)] {
        sqlx::query(
            "UPDATE packet SET content = 'recapture', base_application_id = $2, credential_id = $3 \
             WHERE application_id = $1",
        )
        .bind(application.uuid())
        .bind(base.uuid())
        .bind(second)
        .execute(office.desk.db.admin())
        .await
        .unwrap();
    }
    let mut conn = office.desk.db.read().await.unwrap();
    let hands = officers::fingers::hands(&mut conn, &[base, anew, last]).await.unwrap();
    let mut both = vec![officer(1), officer(2)];
    both.sort_unstable();
    assert_eq!(hands[&base].signers, [officer(1)]);
    assert_eq!((&hands[&anew].signers, &hands[&last].signers), (&both, &both));
    assert_eq!(hands[&last].kit, kit(0));
}
