//! Officers' own fingers, as they are taken and kept.

use time::Duration;

use crate::intake::{centre_with, count};
use crate::support::*;
use domain::Actor;
use domain::id::AccountId;
use domain::unit::Units;
use enrol::officers::fingers::{self, KEPT, SealedFingers};
use enrol::officers::{self, NewCredential};
use enrol::{EnrolError, kits};
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{FingerPosition, Minutia, Template};
use packet::{Biometric, Finger, FingerCapture};
use testkit::FreshDatabase;

fn account(name: &str) -> AccountId {
    AccountId::derive(DAY, &[name.as_bytes()])
}

fn operator() -> Actor {
    Actor::Account(account("operator"))
}

fn ten(body: u64) -> Vec<Template> {
    person_masters(body).iter().map(|master| master.impression(1, Condition::Station)).collect()
}

fn file(template: &Template) -> Finger {
    let bytes = fingerprint::encode(std::slice::from_ref(template)).unwrap();
    Finger { position: template.position(), capture: FingerCapture::Template(Biometric::new(bytes)) }
}

fn files(templates: &[Template]) -> Vec<Finger> {
    templates.iter().map(file).collect()
}

fn sealed(name: &str, taken: &[Finger], lacking: Option<&str>) -> Result<SealedFingers, EnrolError> {
    fingers::seal(&*centre_keys().wrapping, account(name), taken, lacking, &mut rng(5))
}

fn refused(taken: &[Finger], says: &str) {
    let error = sealed("kim", taken, None).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

/// Too few minutiae to be searched.
fn faint(template: &Template) -> Template {
    let minutiae: Vec<Minutia> = template.minutiae().iter().take(5).copied().collect();
    Template::new(template.capture(), minutiae).unwrap()
}

/// A credential for the next officer's key on the kit.
fn credential(kit: &TestKit, key: u64, name: &str, fingers: Option<SealedFingers>) -> NewCredential {
    NewCredential {
        account: account(name),
        login: name.to_owned(),
        kit: kit.id.to_string(),
        public_key: TestKit::new(key).officer_public(),
        not_after: DAY + Duration::weeks(8),
        fingers,
    }
}

async fn issue(db: &FreshDatabase, new: &NewCredential) -> Result<kits::Came, String> {
    let issued = officers::issue(db, Units::latest(), new, &operator(), DAY).await;
    issued.map(|(_, came)| came).map_err(|error| error.to_string())
}

async fn kept(db: &FreshDatabase) -> Vec<(AccountId, usize)> {
    let mut conn = db.read().await.unwrap();
    let opened = fingers::open_all(&mut conn, &centre_keys()).await.unwrap();
    opened.into_iter().map(|(account, templates)| (account, templates.len())).collect()
}

#[test]
fn an_officers_fingers_are_ten_of_one_view_each_and_fit_to_be_compared() {
    let all = ten(1);
    assert_eq!(sealed("kim", &files(&all), None).unwrap().count(), 10);
    refused(&files(&all[..9]), "9 of an officer's 10 fingers are here");
    refused(&[], "0 of an officer's 10 fingers");
    let mut worn = all.clone();
    for finger in &mut worn[..2] {
        *finger = faint(finger);
    }
    assert!(sealed("kim", &files(&worn), None).is_ok(), "two in ten may be worn");
    worn[2] = faint(&worn[2]);
    refused(&files(&worn), "7 of these are fit");
    // An officer who gives one finger ten times has nine that nobody looks for.
    let thumb = all[0].clone();
    let copied: Vec<Template> = FingerPosition::ALL.map(|at| thumb.clone().with_position(at)).to_vec();
    refused(&files(&copied), "are one finger");
    // A file that is another finger, two views, or no template.
    let mut wrong = files(&all);
    wrong[0].position = FingerPosition::LeftLittle;
    refused(&wrong[..9], "says that it is another finger");
    let two = fingerprint::encode(&all[..2]).unwrap();
    for bytes in [two, b"FMR".to_vec(), vec![0; packet::MAX_TEMPLATE_BYTES + 1]] {
        let mut wrong = files(&all);
        wrong[3].capture = FingerCapture::Template(Biometric::new(bytes));
        refused(&wrong, "cannot be read");
    }
    refused(&[files(&all), files(&all[..1])].concat(), "occurs twice");
}

#[tokio::test]
async fn no_officer_signs_whose_fingers_are_not_kept() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let without = issue(&db, &credential(&kit, 5, "kim", None)).await.unwrap_err();
    assert!(without.contains("no fingers of kim are kept"), "{without}");
    assert_eq!(count(&db, "SELECT count(*) FROM officer_credential WHERE login = 'kim'").await, 0);
    let others = sealed("an", &files(&ten(1)), None).unwrap();
    let others = issue(&db, &credential(&kit, 5, "kim", Some(others))).await.unwrap_err();
    assert!(others.contains("another officer's"), "{others}");
    let taken = || Some(sealed("kim", &files(&ten(1)), None).unwrap());
    assert_eq!(issue(&db, &credential(&kit, 5, "kim", taken())).await, Ok(kits::Came::Now));
    assert_eq!(issue(&db, &credential(&kit, 5, "kim", None)).await, Ok(kits::Came::Before));
    assert_eq!(issue(&db, &credential(&kit, 6, "kim", None)).await, Ok(kits::Came::Now), "they are kept");
    assert_eq!(kept(&db).await, [(account("kim"), 10)]);
    // Whoever has no fingers says why, and that is in the trail.
    let lacking = || sealed("an", &[], Some("mất hai bàn tay, giấy số 7")).unwrap();
    assert_eq!(issue(&db, &credential(&kit, 7, "an", Some(lacking()))).await, Ok(kits::Came::Now));
    assert_eq!(kept(&db).await.len(), 1);
    let told = "SELECT count(*) FROM audit WHERE action = 'officer.fingers_taken' \
                AND detail ->> 'lacking' LIKE 'mất hai bàn tay%' AND unit_path = '42/445/18562/'";
    assert_eq!(count(&db, told).await, 1);
    assert!(sealed("an", &[], Some("  ")).is_err(), "a reason has words");
}

#[tokio::test]
async fn fingers_rest_sealed_and_open_for_their_owner_alone() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    for (name, body) in [("an", 1), ("kim", 2)] {
        let taken = sealed(name, &files(&ten(body)), None).unwrap();
        fingers::take(&db, &taken, "42/445/", &operator(), DAY).await.unwrap();
    }
    let at_rest: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM officer_fingers").fetch_all(db.admin()).await.unwrap();
    for template in [ten(1), ten(2)].concat() {
        let bytes = fingerprint::encode(&[template]).unwrap();
        for sealed in &at_rest {
            // The minutiae behind the headers of record and view.
            assert!(!sealed.windows(24).any(|part| part == &bytes[28..52]), "a template rests in clear");
        }
    }
    assert_eq!(kept(&db).await.len(), 2);
    // An administrator gives one officer's fingers to the other.
    sqlx::query(
        "UPDATE officer_fingers f SET sealed = o.sealed FROM officer_fingers o \
         WHERE o.account_id <> f.account_id",
    )
    .execute(db.admin())
    .await
    .unwrap();
    assert_eq!(kept(&db).await, [], "exchanged ones open for nobody");
    let anew = sealed("an", &files(&ten(3)), None).unwrap();
    fingers::take(&db, &anew, "42/445/", &operator(), DAY).await.unwrap();
    assert_eq!(kept(&db).await, [(account("an"), 10)], "and taken anew they are there again");
}

#[tokio::test]
async fn fingers_are_forgotten_a_year_after_the_last_credential_is_over() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let taken = || Some(sealed("kim", &files(&ten(1)), None).unwrap());
    issue(&db, &credential(&kit, 5, "kim", taken())).await.unwrap();
    let mut longer = credential(&kit, 6, "kim", None);
    longer.not_after = DAY + Duration::weeks(20);
    issue(&db, &longer).await.unwrap();
    // Taken ahead of a credential that never came.
    let never = sealed("an", &files(&ten(2)), None).unwrap();
    fingers::take(&db, &never, "42/445/", &operator(), DAY).await.unwrap();
    let over = |weeks: i64| DAY + Duration::weeks(weeks) + KEPT;
    assert_eq!(fingers::forget(&db, DAY + KEPT).await.unwrap(), 0);
    assert_eq!(fingers::forget(&db, over(0) + Duration::DAY).await.unwrap(), 1);
    assert_eq!(kept(&db).await, [(account("kim"), 10)]);
    assert_eq!(fingers::forget(&db, over(20)).await.unwrap(), 0, "the later one counts");
    // A credential that was revoked is over at once.
    let id = officers::id_of(&longer.public_key);
    let units = Units::latest();
    officers::revoke(&db, units, id, "nghỉ việc", &operator(), DAY + Duration::weeks(9)).await.unwrap();
    let other = Actor::Account(account("other"));
    officers::confirm(&db, units, id, &other, DAY + Duration::weeks(9)).await.unwrap();
    assert_eq!(fingers::forget(&db, over(9)).await.unwrap(), 0);
    assert_eq!(fingers::forget(&db, over(9) + Duration::DAY).await.unwrap(), 1);
    assert_eq!(kept(&db).await, []);
    let told = "SELECT count(*) FROM audit WHERE action = 'officer.fingers_forgotten'";
    assert_eq!(count(&db, told).await, 2);
}
