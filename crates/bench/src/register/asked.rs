//! Questions to the register, one after the other: a person as of a day and as known on one, by number, by
//! name.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use time::macros::date;

use super::{Resident, TODAY};
use domain::id::PersonId;
use simulate::stream::Streams;
use store::register::pages::{PeopleQuery, people};
use store::register::person_as_of;
use store::register::pins::holder_of_pin;
use store::{Database, UnitScope};

/// Lines of a page.
const PAGE: i64 = 51;

/// What each kind of question took, in ascending order.
pub async fn ask(
    db: &Database,
    scope: &UnitScope,
    all: &[Resident],
    changed: &[PersonId],
    count: usize,
) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    let streams = Streams::new(1, b"bench-register");
    let pick = |round: u64, at: usize, of: usize| {
        streams.stream(round << 32 | at as u64).below(u32::try_from(of).unwrap_or(u32::MAX)) as usize
    };
    let [mut as_of, mut number, mut name] = [(); 3].map(|()| Vec::with_capacity(count));
    for at in 0..count {
        let person = changed[pick(1, at, changed.len())];
        let begun = Instant::now();
        let mut tx = db.scoped(scope).await?;
        let known = register::known_on(TODAY);
        person_as_of(&mut tx, person, date!(2021 - 04 - 10), known).await?.context("somebody is missing")?;
        drop(tx);
        as_of.push(begun.elapsed());

        let one = &all[pick(2, at, all.len())];
        let Some(pin) = &one.pin else { continue };
        let begun = Instant::now();
        let holder = holder_of_pin(&mut *db.read().await?, pin).await?;
        ensure!(holder == Some(one.id), "a number leads to somebody else");
        let query = PeopleQuery { person_id: holder, limit: PAGE, ..PeopleQuery::default() };
        let mut tx = db.scoped(scope).await?;
        ensure!(people(&mut tx, &query).await?.len() == 1, "a number leads nowhere");
        drop(tx);
        number.push(begun.elapsed());

        let one = &all[pick(3, at, all.len())];
        let query =
            PeopleQuery { name_fold: Some(one.name_fold.clone()), limit: PAGE, ..PeopleQuery::default() };
        let begun = Instant::now();
        let mut tx = db.scoped(scope).await?;
        ensure!(!people(&mut tx, &query).await?.is_empty(), "a name leads nowhere");
        drop(tx);
        name.push(begun.elapsed());
    }
    let mut asked = vec![("as_of", as_of), ("search_number", number), ("search_name", name)];
    for (what, took) in &mut asked {
        ensure!(!took.is_empty(), "nothing was asked of {what}");
        took.sort_unstable();
    }
    Ok(asked)
}
