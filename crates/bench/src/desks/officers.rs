//! Who sits at the desks, what each of them may see, and whom they look for.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;

use crate::browser::{Browser, value_of};
use domain::clock::SystemClock;
use domain::text::fold_ascii;
use domain::unit::Units;
use domain::{Actor, Clock, UnitCode};
use simulate::Population;
use simulate::stream::{Stream, Streams};
use store::{Database, UnitScope};
use web::Role;
use web::accounts::{NewAccount, add};

/// People whom one officer looks for in a run, again and again in another order.
const SOUGHT: usize = 40;

/// Somebody at a desk.
pub struct Officer {
    pub login: String,
    password: String,
    pub role: Role,
    unit: UnitCode,
    /// Whom they look for: people of their unit.
    pub sought: Vec<Sought>,
    /// Which of so many adjudicators: each takes cases of their own, as colleagues agree among themselves.
    pub turn: (u64, u64),
}

impl Officer {
    /// What the officer may see.
    ///
    /// # Errors
    /// A unit that the list of units does not know.
    pub fn scope(&self) -> Result<UnitScope> {
        let path = Units::latest().path(self.unit).context("a unit has a path")?;
        Ok(UnitScope::parse(&path)?)
    }
}

/// Somebody who stands at the counter or whose paper lies there.
pub struct Sought {
    /// As it is typed: small letters without marks.
    pub name: String,
    pub year: u16,
    pub pin: Option<String>,
}

/// The officers of a province. Of twenty, sixteen are commune officers, two adjudicators (every second of the
/// province, the others of a district), one a district's clerk and one a commander (every third of the
/// province, the others of a district).
pub fn officers(population: &Population, count: usize, seed: u64) -> Result<Vec<Officer>> {
    let (units, streams) = (Units::latest(), Streams::new(seed, b"bench officers"));
    let communes = &population.communes;
    let adjudicators = (0..count).filter(|number| role_of(*number).0 == Role::Adjudicator).count() as u64;
    let mut adjudicator = 0;
    (0..count)
        .map(|number| {
            let mut stream = streams.stream(number as u64);
            let commune = &communes[number * communes.len() / count];
            let (role, place) = role_of(number);
            let district = units.chain(commune.unit).nth(1).map_or(commune.unit, |unit| unit.code);
            let (unit, people) = match place {
                Place::Commune => (commune.unit, commune.people.clone()),
                Place::District => (district, people_of(units, population, district)),
                Place::Province => (population.scope, 0..population.people.len()),
            };
            ensure!(!people.is_empty(), "{unit} has nobody in it; take more people");
            let turn = (adjudicator, adjudicators.max(1));
            adjudicator += u64::from(role == Role::Adjudicator);
            let sought = (0..SOUGHT).map(|_| sought(population, &people, &mut stream)).collect();
            let password = format!("{:016x}{:016x}", stream.next_u64(), stream.next_u64());
            Ok(Officer { login: format!("o{count}-{number:04}"), password, role, unit, sought, turn })
        })
        .collect()
}

enum Place {
    Commune,
    District,
    Province,
}

fn role_of(number: usize) -> (Role, Place) {
    match number % 20 {
        0 => (Role::Adjudicator, Place::Province),
        10 => (Role::Adjudicator, Place::District),
        5 => (Role::Clerk, Place::District),
        3 if (number / 20) % 3 == 2 => (Role::Commander, Place::Province),
        3 => (Role::Commander, Place::District),
        _ => (Role::Officer, Place::Commune),
    }
}

/// A district's communes follow one another in the list.
fn people_of(units: Units<'_>, population: &Population, district: UnitCode) -> Range<usize> {
    let inside = |unit| units.chain(unit).any(|above| above.code == district);
    let mut ranges =
        population.communes.iter().filter(|commune| inside(commune.unit)).map(|c| c.people.clone());
    let first = ranges.next().unwrap_or(0..0);
    ranges.take_while(|range| !range.is_empty()).fold(first, |all, next| match next.start == all.end {
        true => all.start..next.end,
        false => all,
    })
}

fn sought(population: &Population, people: &Range<usize>, stream: &mut Stream) -> Sought {
    let index = people.start + stream.below(u32::try_from(people.len()).unwrap_or(u32::MAX)) as usize;
    let record = population.record(&population.people[index]);
    Sought {
        name: fold_ascii(record.name.as_str()).to_lowercase(),
        year: u16::try_from(record.birth.year()).unwrap_or(0),
        pin: record.pin.map(|pin| pin.as_str().to_owned()),
    }
}

/// Makes the accounts that are not there yet. Each costs one Argon2, which is why they are kept.
pub async fn make_accounts(db: &Database, officers: &[Officer]) -> Result<()> {
    let mut rng: StdRng = rand::make_rng();
    let units = Units::latest();
    let known: Vec<String> = store::accounts::all(&mut *db.read().await?)
        .await?
        .into_iter()
        .map(|account| account.login)
        .collect();
    for officer in officers.iter().filter(|officer| !known.contains(&officer.login)) {
        let new = NewAccount {
            login: &officer.login,
            display_name: "Cán bộ thử tải",
            role: officer.role,
            unit: Some(officer.unit),
        };
        add(db, units, &new, &officer.password, &Actor::Centre, SystemClock.now(), &mut rng).await?;
    }
    Ok(())
}

/// A browser in which the officer has signed in on the page for it.
pub async fn sign_in(address: SocketAddr, officer: &Officer) -> Result<Browser> {
    let mut browser = Browser::new(address);
    let form = browser.get("/vao").await?.good()?;
    let token = value_of(&form, "token").context("the form to sign in on has no token")?;
    let fields =
        [("token", &*token), ("tiep", ""), ("login", &officer.login), ("password", &officer.password)];
    let home = browser.post("/vao", &fields).await?.good().context("signing in")?;
    ensure!(home.contains("action=\"/ra\""), "signing in led to a page without a way out");
    Ok(browser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_desk_and_looks_for_people_of_its_own_unit() {
        let population =
            Population::generate(&simulate::Model::default(), 7, "445".parse().unwrap(), 3_000).unwrap();
        let officers = officers(&population, 40, 7).unwrap();
        let of = |role| officers.iter().filter(|officer| officer.role == role).count();
        let counts = [Role::Officer, Role::Adjudicator, Role::Clerk, Role::Commander].map(of);
        assert_eq!(counts, [32, 4, 2, 2]);
        let names = |range: Range<usize>| -> Vec<String> {
            let name = |at: usize| fold_ascii(&population.people[at].name.text()).to_lowercase();
            range.map(name).collect()
        };
        for officer in officers.iter().filter(|officer| officer.role == Role::Officer) {
            let commune = population.communes.iter().find(|commune| commune.unit == officer.unit).unwrap();
            let there = names(commune.people.clone());
            assert!(officer.sought.iter().all(|sought| there.contains(&sought.name)), "{}", officer.unit);
        }
        let mut turns: Vec<u64> =
            officers.iter().filter(|o| o.role == Role::Adjudicator).map(|o| o.turn.0).collect();
        turns.sort_unstable();
        assert_eq!(turns, [0, 1, 2, 3]);
    }
}
