//! What happened to cards, read.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::Error;
use crate::platform::folds::{self, Folded};
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
    let folded = Folded {
        table: "card",
        actions: "card_action",
        id: "card_id",
        key: "application_id, card_id",
        says: "x.action, x.reason",
    };
    let action = |text: &String| match text.split_once(' ') {
        Some((action, reason)) => CardAction::from_codes(action, Some(reason)),
        None => CardAction::from_codes(text, None),
    };
    let leads_to = |history: &[String]| {
        let actions: Option<Vec<CardAction>> = history.iter().map(action).collect();
        actions.and_then(|actions| fold(actions).ok().flatten()).map(CardState::code)
    };
    let found = folds::check(conn, &folded, leads_to).await?;
    Ok(found.into_iter().map(CardId::from_uuid).collect())
}
