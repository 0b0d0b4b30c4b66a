//! The query and the ids of a path. axum's own extractors answer what they cannot read with a line of plain
//! text; here it is a problem like any other, with a page in the reader's language.

use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::state::AppState;

/// The query of an address.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Query<T>, Error> {
        let read = extract::Query::try_from_uri(&parts.uri);
        read.map(|query| Query(query.0)).map_err(|_| Error::BadForm("a query that the page does not know"))
    }
}

/// What stands in a path at `{…}`: one text, or a tuple of texts.
pub(crate) struct Path<T = String>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Path<T>, Error> {
        let read = extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Path(path.0)).map_err(|_| Error::NotFound)
    }
}
