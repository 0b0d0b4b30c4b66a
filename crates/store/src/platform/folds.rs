//! Whether rows are the folds of their recorded actions: one check for everything that has a life.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// A table whose rows have `state` and `actions`, and the table of their recorded actions.
pub(crate) struct Folded {
    pub table: &'static str,
    /// Has `seq`, from 1 and without gaps.
    pub actions: &'static str,
    /// The column that names a row; both tables have it.
    pub id: &'static str,
    /// The columns of the key, for `USING` and `GROUP BY`.
    pub key: &'static str,
    /// The columns that say what an action was, with the prefix `x.`; a missing one is left out.
    pub says: &'static str,
}

/// The rows whose state, number of actions or sequence is not what their recorded actions say, by id; actions
/// without a row count too. `fold` gives the code of the state to which actions lead, each a text of the
/// columns of [`Folded::says`] with spaces between.
///
/// # Errors
/// Those of the database.
pub(crate) async fn check(
    conn: &mut PgConnection,
    folded: &Folded,
    fold: impl Fn(&[String]) -> Option<&'static str>,
) -> Result<Vec<Uuid>, Error> {
    let Folded { table, actions, id, key, says } = folded;
    let history = format!("array_remove(array_agg(concat_ws(' ', {says}) ORDER BY x.seq), '')");
    // Histories repeat: a million rows share some dozens of them, so the database groups and each is folded
    // once.
    let all = format!(
        "SELECT state, actions, history FROM ( \
             SELECT r.state, coalesce(r.actions, 0)::int AS actions, {history} AS history \
             FROM {table} r FULL JOIN {actions} x USING ({key}) GROUP BY {key}, r.state, r.actions) folded \
         GROUP BY state, actions, history"
    );
    let histories: Vec<(Option<String>, i32, Vec<String>)> =
        sqlx::query_as(sqlx::AssertSqlSafe(all)).fetch_all(&mut *conn).await?;
    let broken =
        format!("SELECT {id} FROM {actions} GROUP BY {key} HAVING min(seq) <> 1 OR max(seq) <> count(*)");
    let mut found: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(broken)).fetch_all(&mut *conn).await?;
    let these = format!(
        "SELECT {id} FROM {table} r FULL JOIN {actions} x USING ({key}) GROUP BY {key}, r.state, r.actions \
         HAVING r.state IS NOT DISTINCT FROM $1 AND coalesce(r.actions, 0) = $2 AND {history} = $3"
    );
    for (state, count, history) in histories {
        let leads_to = fold(&history);
        let is_sound =
            leads_to.is_some() && leads_to == state.as_deref() && usize::try_from(count) == Ok(history.len());
        if !is_sound {
            let ids = sqlx::query_scalar::<_, Uuid>(sqlx::AssertSqlSafe(these.as_str()));
            found.extend(ids.bind(state).bind(count).bind(history).fetch_all(&mut *conn).await?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
