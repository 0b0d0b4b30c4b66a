//! What the store says of the installation itself: where the campaign's clock stands, and whether its people
//! exist. A demonstration writes it and everybody reads it, so that nobody else needs to know what a
//! demonstration is.

use std::sync::Arc;

use serde_json::{Value, json};
use time::Date;
use time::macros::{format_description, time};

use crate::Error;
use domain::Clock;
use domain::clock::{SystemClock, VIETNAM, VirtualClock};
use store::{Database, PgConnection, progress};

/// The last day that a simulated campaign has finished.
const DAY: &str = "campaign.day";
/// Whether the people are invented.
const INVENTED: &str = "people.invented";

/// The clock by which the centre works: that of the machine; where a simulated campaign has left its days
/// behind, the evening of the last one.
///
/// # Errors
/// Those of the database; [`Error::Day`].
pub async fn clock_of(db: &Database) -> Result<Arc<dyn Clock>, Error> {
    let mut conn = db.begin().await?;
    Ok(match day_of(&mut conn).await? {
        Some(day) => Arc::new(VirtualClock::at(day.with_time(time!(23:59)).assume_offset(VIETNAM))),
        None => Arc::new(SystemClock),
    })
}

/// The last day that a simulated campaign has finished; `None` where time is the machine's.
///
/// # Errors
/// Those of the database; [`Error::Day`].
pub async fn day_of(conn: &mut PgConnection) -> Result<Option<Date>, Error> {
    let Some(found) = progress::load(conn, DAY).await? else { return Ok(None) };
    let format = format_description!("[year]-[month]-[day]");
    let day = found.as_str().and_then(|text| Date::parse(text, format).ok());
    day.map(Some).ok_or_else(|| Error::Day { found: found.to_string() })
}

/// A simulated campaign has finished a day: from now on the centre's clock stands at its evening.
///
/// # Errors
/// Those of the database.
pub async fn finish_day(tx: &mut PgConnection, day: Date) -> Result<(), Error> {
    Ok(progress::save(tx, DAY, &json!(day.to_string())).await?)
}

/// Whether the people do not exist, so that drawn cards are marked as specimens.
///
/// # Errors
/// Those of the database.
pub async fn has_invented_people(db: &Database) -> Result<bool, Error> {
    let mut conn = db.begin().await?;
    Ok(progress::load(&mut conn, INVENTED).await? == Some(Value::Bool(true)))
}

/// The people of this installation do not exist.
///
/// # Errors
/// Those of the database.
pub async fn mark_invented(tx: &mut PgConnection) -> Result<(), Error> {
    Ok(progress::save(tx, INVENTED, &Value::Bool(true)).await?)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[tokio::test]
    async fn an_installation_runs_on_the_machines_clock_until_a_campaign_was_simulated() {
        let db = testkit::fresh_database().await;
        let before = SystemClock.now();
        assert!(clock_of(&db).await.unwrap().now() >= before);
        assert!(!has_invented_people(&db).await.unwrap());
        for day in [date!(2021 - 03 - 01), date!(2021 - 03 - 02)] {
            let mut tx = db.begin().await.unwrap();
            finish_day(&mut tx, day).await.unwrap();
            mark_invented(&mut tx).await.unwrap();
            store::commit(tx).await.unwrap();
        }
        assert_eq!(clock_of(&db).await.unwrap().now(), datetime!(2021-03-02 23:59 +7));
        assert!(has_invented_people(&db).await.unwrap());

        let mut tx = db.begin().await.unwrap();
        progress::save(&mut tx, DAY, &json!("2 March")).await.unwrap();
        store::commit(tx).await.unwrap();
        let Err(error) = clock_of(&db).await else { panic!("a day that cannot be read must be told") };
        assert!(error.to_string().contains("2 March"), "{error}");
    }
}
