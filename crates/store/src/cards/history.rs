//! What happened to cards, read.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use domain::card::{CardAction, CardState, fold};
use domain::id::{ApplicationId, CardId};

/// One recorded action of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From 1, without gaps.
    pub seq: i16,
    pub action: CardAction,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    /// As it is stored: [`domain::Actor`] writes it.
    pub actor: String,
}

/// Everything that happened to the card of an application, from the intent; empty for an unknown one.
///
/// # Errors
/// Those of the database; an action that this program does not know.
pub async fn timeline(
    conn: &mut PgConnection,
    application: ApplicationId,
    card: CardId,
) -> Result<Vec<Step>, Error> {
    let rows: Vec<(i16, String, Option<String>, OffsetDateTime, OffsetDateTime, String)> = sqlx::query_as(
        "SELECT seq, action, reason, at, recorded_at, actor FROM card_action \
         WHERE application_id = $1 AND card_id = $2 ORDER BY seq",
    )
    .bind(application.uuid())
    .bind(card.uuid())
    .fetch_all(conn)
    .await?;
    let step = |(seq, action, reason, at, recorded_at, actor): (_, String, Option<String>, _, _, _)| {
        let action =
            CardAction::from_codes(&action, reason.as_deref()).ok_or_else(|| Error::Inconsistent {
                table: "card_action",
                row: format!("{card}, {seq}"),
                reason: "there is no such action, or not with this reason".to_owned(),
            })?;
        Ok(Step { seq, action, at, recorded_at, actor })
    };
    rows.into_iter().map(step).collect()
}

/// The cards whose state, number of actions or sequence is not what their recorded actions say, by id;
/// actions without a card count too. Empty in a sound database.
///
/// # Errors
/// Those of the database.
pub async fn check_folds(conn: &mut PgConnection) -> Result<Vec<CardId>, Error> {
    // Histories repeat: a million cards share some dozens of them, so the database groups and each is folded
    // once.
    let histories: Vec<(Option<String>, i32, Vec<String>)> = sqlx::query_as(
        "SELECT state, actions, history FROM ( \
             SELECT c.state, coalesce(c.actions, 0)::int AS actions, \
                    array_remove(array_agg(concat_ws(' ', x.action, x.reason) ORDER BY x.seq), '') AS \
                    history \
             FROM card c FULL JOIN card_action x USING (application_id, card_id) \
             GROUP BY application_id, card_id, c.state, c.actions) folded \
         GROUP BY state, actions, history",
    )
    .fetch_all(&mut *conn)
    .await?;
    let unsound = histories
        .into_iter()
        .filter(|(state, actions, history)| !is_sound(state.as_deref(), *actions, history));
    let mut found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT card_id FROM card_action GROUP BY application_id, card_id HAVING min(seq) <> 1 OR max(seq) \
         <> count(*)",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (state, actions, history) in unsound {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT card_id FROM card c FULL JOIN card_action x USING (application_id, card_id) \
             GROUP BY application_id, card_id, c.state, c.actions \
             HAVING c.state IS NOT DISTINCT FROM $1 AND coalesce(c.actions, 0) = $2 \
                AND array_remove(array_agg(concat_ws(' ', x.action, x.reason) ORDER BY x.seq), '') = $3",
        )
        .bind(state)
        .bind(actions)
        .bind(history)
        .fetch_all(&mut *conn)
        .await?;
        found.extend(ids);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(CardId::from_uuid).collect())
}

fn is_sound(state: Option<&str>, actions: i32, history: &[String]) -> bool {
    let action = |text: &String| match text.split_once(' ') {
        Some((action, reason)) => CardAction::from_codes(action, Some(reason)),
        None => CardAction::from_codes(text, None),
    };
    let parsed: Option<Vec<CardAction>> = history.iter().map(action).collect();
    let folded = parsed.and_then(|actions| fold(actions).ok().flatten());
    folded.is_some() && folded.map(CardState::code) == state && usize::try_from(actions) == Ok(history.len())
}
