//! What one account proposes and another has to confirm.

use time::OffsetDateTime;

/// A proposal that nobody has confirmed or withdrawn yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// `revoke`, or of a kit that is stopped `resume`.
    pub what: String,
    pub at: OffsetDateTime,
    /// Actor who proposes.
    pub by: String,
    pub reason: String,
}

/// Binds the four columns: what is proposed, or nothing.
pub(super) fn bound<'q>(query: Query<'q>, proposal: Option<&'q Proposal>) -> Query<'q> {
    query
        .bind(proposal.map(|proposal| proposal.what.as_str()))
        .bind(proposal.map(|proposal| proposal.at))
        .bind(proposal.map(|proposal| proposal.by.as_str()))
        .bind(proposal.map(|proposal| proposal.reason.as_str()))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// The four columns of a row as one; they are there together or not at all.
pub(super) fn proposal(
    what: Option<String>,
    at: Option<OffsetDateTime>,
    by: Option<String>,
    reason: Option<String>,
) -> Option<Proposal> {
    Some(Proposal { what: what?, at: at?, by: by?, reason: reason? })
}
