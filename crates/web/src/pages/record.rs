//! The two sources of a record that pages put side by side: the register, and what a citizen declared.

use crate::error::Error;
use crate::state::AppState;
use domain::ResidentRecord;
use domain::id::PersonId;
use store::PgConnection;
use time::Date;
use ui::i18n::Lang;
use ui::record::Described;

/// The register's record of somebody whom the reader's scope let through.
pub(crate) async fn of_person(
    state: &AppState,
    scoped: &mut PgConnection,
    lang: Lang,
    id: PersonId,
) -> Result<Option<Described>, Error> {
    let found = store::register::people::records(scoped, &[id]).await?;
    Ok(found.first().map(|(_, record)| Described::new(state.units(), lang, record)))
}

/// The record as it was on the first of these days, by what was known on the second; `None` when nothing was
/// known then.
pub(crate) async fn as_of(
    state: &AppState,
    scoped: &mut PgConnection,
    lang: Lang,
    id: PersonId,
    (on, known): (Date, Date),
) -> Result<Option<Described>, Error> {
    let found = store::register::person_as_of(scoped, id, on, register::known_on(known)).await?;
    Ok(found.map(|record| Described::new(state.units(), lang, &record)))
}

/// What a citizen declared; `None` when the stored record has another shape than this program's.
pub(crate) fn of_declared(state: &AppState, lang: Lang, record: &serde_json::Value) -> Option<Described> {
    let record: ResidentRecord = serde_json::from_value(record.clone()).ok()?;
    Some(Described::new(state.units(), lang, &record))
}
