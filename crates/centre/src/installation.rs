//! An installation without its keys, and what the store says of it: where the campaign's clock stands, and
//! whether its people exist. A demonstration writes that and everybody reads it, so that nobody else needs to
//! know what a demonstration is.

use std::sync::Arc;

use serde_json::{Value, json};
use time::Date;
use time::macros::{format_description, time};

use crate::{Error, Place};
use domain::Clock;
use domain::clock::{SystemClock, VIETNAM, VirtualClock};
use store::{Database, OpenOptions, PgConnection, progress};

/// An installation: its files, its database and its clock. Cloning shares it. What needs a key needs a
/// [`crate::Centre`] or [`crate::Keys`].
#[derive(Clone)]
pub struct Installation {
    /// Where it keeps its files.
    pub place: Place,
    /// The record.
    pub db: Database,
    /// The campaign's time.
    pub clock: Arc<dyn Clock>,
}

impl Installation {
    /// Opens an installation that is there, starting its private database server if that does not run. Makes
    /// and changes nothing. Its clock is the machine's, or stands where a simulated campaign has left it.
    ///
    /// # Errors
    /// [`store::Error::NoInstallation`]; a schema of another version; [`Error::Day`].
    pub async fn open(place: &Place) -> Result<Installation, Error> {
        let db = Database::open_existing(&options(place)).await?;
        db.check_schema().await?;
        let clock = clock_of(&db).await?;
        Ok(Installation { place: place.clone(), db, clock })
    }

    /// Opens an installation and brings its schema up to date, and makes the data directory, the private
    /// cluster and the tables where there are none.
    ///
    /// # Errors
    /// A database that does not start or is of a later version; a directory that cannot be used.
    pub async fn make(place: &Place) -> Result<Installation, Error> {
        let db = Database::open(&options(place)).await?;
        db.migrate().await?;
        let clock = clock_of(&db).await?;
        Ok(Installation { place: place.clone(), db, clock })
    }

    /// The same under another clock.
    pub fn at(self, clock: Arc<dyn Clock>) -> Installation {
        Installation { clock, ..self }
    }
}

/// Whether there is an installation, or a database to which it was pointed. Opens and makes nothing.
///
/// # Errors
/// A data file that cannot be read, or of another layout.
pub fn is_there(place: &Place) -> Result<bool, Error> {
    Ok(place.database_url.is_some() || store::has_cluster(&place.data)?)
}

fn options(place: &Place) -> OpenOptions {
    OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() }
}

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
    let mut conn = db.read().await?;
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
    let mut conn = db.read().await?;
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
