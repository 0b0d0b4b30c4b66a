//! Cards by what people call them.

use sqlx::PgConnection;

use super::CardLine;
use crate::Error;
use domain::card::CardName;

/// Cards for which a condition on `$1` holds, newest first.
macro_rules! cards_where {
    ($condition:literal) => {
        concat!(
            "SELECT card_id, number, state, issued_on FROM card WHERE ",
            $condition,
            " ORDER BY issued_on DESC, number DESC"
        )
    };
}

/// The cards that bear this name, newest first; [`domain::card::name::meant`] says which of them is meant.
///
/// Nothing but a command asks by document number, so that there is no index: the answer takes as long as
/// reading all cards.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut PgConnection, name: &CardName) -> Result<Vec<CardLine>, Error> {
    let query = match name {
        CardName::Id(id) => sqlx::query(cards_where!("card_id = $1")).bind(id.uuid()),
        CardName::Number(number) => sqlx::query(cards_where!("number = $1")).bind(number),
        CardName::Pin(pin) => sqlx::query(cards_where!("pin = $1")).bind(pin.as_str()),
        CardName::Document(document) => sqlx::query(cards_where!("right(pin, 9) = $1")).bind(document),
    };
    query.fetch_all(conn).await?.iter().map(CardLine::from_row).collect()
}
