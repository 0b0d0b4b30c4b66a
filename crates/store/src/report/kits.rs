//! What kits count of themselves, beside what the centre knows of them.

use sqlx::Row;
use time::{Date, OffsetDateTime};

use super::unit;
use crate::{Error, PgConnection};
use domain::UnitCode;
use domain::id::KitId;

/// A kit's newest day report, and how many of its captures until then are recorded.
#[derive(Debug, Clone)]
pub struct KitCount {
    pub kit: KitId,
    pub name: String,
    pub unit: UnitCode,
    pub reported_at: OffsetDateTime,
    /// The kit's own counter since it was registered.
    pub own: i64,
    /// Applications with an action `capture` of this kit, up to the report.
    pub known: i64,
}

/// Kits that have reported, by name.
pub async fn kit_counts(conn: &mut PgConnection) -> Result<Vec<KitCount>, Error> {
    let rows = sqlx::query(
        "WITH last AS (SELECT DISTINCT ON (kit_id) kit_id, reported_at, captured_total FROM kit_report \
                       ORDER BY kit_id, reported_at DESC, captured_total DESC), \
              known AS (SELECT a.kit_id, count(DISTINCT a.application_id) AS captures \
                        FROM last l JOIN application a USING (kit_id) \
                        JOIN application_action x USING (application_id) \
                        WHERE x.action = 'capture' AND x.at <= l.reported_at GROUP BY a.kit_id) \
         SELECT k.kit_id, k.name, k.unit_code, l.reported_at, l.captured_total, coalesce(n.captures, \
         0) AS known \
         FROM kit k JOIN last l USING (kit_id) LEFT JOIN known n USING (kit_id) ORDER BY k.name",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(KitCount {
                kit: KitId::from_uuid(row.try_get("kit_id")?),
                name: row.try_get("name")?,
                unit: unit("kit", row.try_get("unit_code")?)?,
                reported_at: row.try_get("reported_at")?,
                own: row.try_get("captured_total")?,
                known: row.try_get("known")?,
            })
        })
        .collect()
}

/// A day on which a kit counted more or fewer captures than the centre knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KitDay {
    pub day: Date,
    /// Zero for a day that the kit never reported.
    pub own: i64,
    pub known: i64,
}

/// The days up to `until` on which the kit's count of the day is not the centre's.
pub async fn kit_days(
    conn: &mut PgConnection,
    kit: KitId,
    until: OffsetDateTime,
) -> Result<Vec<KitDay>, Error> {
    let rows: Vec<(Date, i64, i64)> = sqlx::query_as(concat!(
        "WITH own AS (SELECT day, captured FROM kit_report WHERE kit_id = $1), \
              known AS (SELECT ",
        vn_day!("x.at"),
        " AS day, count(DISTINCT a.application_id) AS captures \
                        FROM application a JOIN application_action x USING (application_id) \
                        WHERE a.kit_id = $1 AND x.action = 'capture' AND x.at <= $2 GROUP BY 1) \
         SELECT day, coalesce(o.captured, 0), coalesce(k.captures, 0) FROM own o FULL \
         JOIN known k USING (day) \
         WHERE coalesce(o.captured, 0) <> coalesce(k.captures, 0) ORDER BY day"
    ))
    .bind(kit.uuid())
    .bind(until)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(day, own, known)| KitDay { day, own, known }).collect())
}
