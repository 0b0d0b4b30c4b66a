//! Who acts in the simulation: the accounts that whoever looks at the demonstration signs in with.

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;

use centre::{Centre, Installation};
use domain::clock::SystemClock;
use domain::id::AccountId;
use domain::unit::Units;
use domain::{Actor, Clock, UnitCode};
use enrol::EnrolError;
use enrol::officers::fingers::SealedFingers;
use fingerprint::synthetic::{Condition, person_masters};
use packet::{Biometric, Finger, FingerCapture};
use web::Role;
use web::accounts::DemoAccount;

/// Invented bodies that are looked at: nine in ten have fingers that are fit.
const MOST_BODIES: u64 = 100;

/// Whoever decides cases, counts boxes and hands cards over.
pub struct Staff {
    /// The first proposes and the second confirms.
    pub adjudicators: [Actor; 2],
    /// One account for the teams, and for the counters of all communes.
    pub officer: Actor,
    /// The login of that account.
    pub officer_login: String,
}

impl Staff {
    /// The accounts of the demonstration of a district, which are made when they are missing.
    ///
    /// # Errors
    /// Accounts that cannot be written, or of which there are too few.
    pub async fn of(centre: &Installation, district: UnitCode) -> Result<Staff> {
        let made = accounts(centre, district).await?;
        let mut conn = centre.db.read().await?;
        let (mut adjudicators, mut officers) = (Vec::new(), Vec::new());
        for account in &made {
            let of_role = match account.role {
                Role::Adjudicator => &mut adjudicators,
                Role::Officer => &mut officers,
                Role::Commander | Role::Clerk | Role::Justice => continue,
            };
            let found = store::accounts::by_login(&mut conn, account.login).await?;
            let found = found.context("an account just made")?;
            of_role.push((Actor::Account(AccountId::from_uuid(found.id)), found.login));
        }
        let adjudicators: Vec<Actor> = adjudicators.into_iter().map(|(actor, _)| actor).collect();
        let adjudicators = adjudicators.try_into().map_err(|_| {
            anyhow::anyhow!("deciding takes two adjudicators, and the demonstration has not two")
        })?;
        let (officer, officer_login) = officers.pop().context("the demonstration has no officer")?;
        Ok(Staff { adjudicators, officer, officer_login })
    }
}

/// The fingers of the demonstration's officer, who is invented as everybody is: the first such body whose
/// fingers are taken over.
///
/// # Errors
/// A key store that does not answer.
pub fn fingers(centre: &Centre, account: AccountId, seed: u64) -> Result<SealedFingers> {
    let mut rng: StdRng = rand::make_rng();
    for number in 0..MOST_BODIES {
        let body = simulate::behaviour::officer_seed(seed, number);
        let mut taken = Vec::new();
        for master in person_masters(body) {
            let template = fingerprint::encode(&[master.impression(body, Condition::Station)])?;
            let capture = FingerCapture::Template(Biometric::new(template));
            taken.push(Finger { position: master.position(), capture });
        }
        match enrol::officers::fingers::seal(&*centre.keys.wrapping, account, &taken, None, &mut rng) {
            Err(EnrolError::Officer(_)) => {}
            sealed => return Ok(sealed?),
        }
    }
    bail!("no invented officer has fingers that are fit to be compared")
}

/// Makes the demonstration's accounts, or finds them: of a campaign that is run, and of one that is shown.
///
/// # Errors
/// Accounts that cannot be written.
pub async fn accounts(centre: &Installation, district: UnitCode) -> Result<Vec<DemoAccount>> {
    let mut rng: StdRng = rand::make_rng();
    let (units, now) = (Units::on(centre.clock.today()), SystemClock.now());
    web::accounts::create_demo(&centre.db, units, district, &centre.place.data, now, &mut rng)
        .await
        .context("the demonstration's accounts")
}
