//! What waits for people's hands: one count for each kind of work.

use sqlx::Row;

use crate::{Error, PgConnection, UnitScope};

/// How much of each kind of work there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Cases about which nobody has said anything.
    pub open_cases: i64,
    /// Boxes that were sent and not counted yet.
    pub boxes_under_way: i64,
    /// Invitations that passed without people who have not come since.
    pub missed_invitations: i64,
    /// Rows of imported files that were rejected and not replaced since, in the whole country.
    pub rejected_forms: i64,
    /// Communes with eligible people of whom none has applied.
    pub unserved_communes: i64,
}

/// What waits below `scope`.
///
/// # Errors
/// Those of the database.
pub async fn waiting(conn: &mut PgConnection, scope: &UnitScope) -> Result<Waiting, Error> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM case_file WHERE decision IS NULL \
         AND unit_path LIKE $1 || '%') AS cases, \
                (SELECT count(*) FROM consignment WHERE received_at IS NULL) AS boxes, \
                (SELECT count(*) FROM invitation i WHERE i.state = 'missed' AND i.unit_path LIKE $1 || '%' \
                   AND NOT EXISTS (SELECT 1 FROM invitation n \
                                   WHERE n.person_id = i.person_id AND n.state = 'attended')) AS absent, \
                (SELECT count(*) FROM import_reject WHERE resolved_by IS NULL) AS forms, \
                (SELECT count(*) FROM area a WHERE a.eligible > 0 AND a.unit_path LIKE $1 || '%' \
                   AND NOT EXISTS (SELECT 1 FROM application p WHERE p.unit_path = a.unit_path)) AS communes",
    )
    .bind(scope.as_str())
    .fetch_one(conn)
    .await?;
    Ok(Waiting {
        open_cases: row.try_get("cases")?,
        boxes_under_way: row.try_get("boxes")?,
        missed_invitations: row.try_get("absent")?,
        rejected_forms: row.try_get("forms")?,
        unserved_communes: row.try_get("communes")?,
    })
}
