//! Why a page cannot be shown. The outside sees a calm page without details; the inside is logged once, here.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// An answer that is not the page that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to another unit: the answer is the same.
    #[error("not found, or outside the reader's unit")]
    NotFound,
    #[error("the reader's role does not allow this page")]
    Forbidden,
    #[error("nobody is signed in")]
    SignedOut,
    #[error("the form does not belong to this session; load the page again and repeat")]
    Csrf,
    #[error("the form could not be read: {0}")]
    BadForm(&'static str),
    #[error("too many guesses; wait a quarter of an hour")]
    TooMany,
    #[error("too many messages at once; send it again later")]
    Busy,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the report could not be made: {0}")]
    Report(report::Error),
    #[error("the page could not be drawn: {0}")]
    Render(#[from] askama::Error),
    #[error("a background task ended early")]
    Task,
}

impl From<report::Error> for Error {
    fn from(error: report::Error) -> Error {
        match error {
            report::Error::Store(error) => Error::Store(error),
            other => Error::Report(other),
        }
    }
}

/// The page that the outermost layer draws, in the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub status: StatusCode,
    /// Texts are `problem.<code>.title` and `problem.<code>.text`.
    pub code: &'static str,
}

impl Error {
    pub(crate) fn problem(&self) -> Problem {
        let (status, code) = match self {
            Error::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Error::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Error::SignedOut => (StatusCode::UNAUTHORIZED, "signed_out"),
            Error::Csrf => (StatusCode::FORBIDDEN, "csrf"),
            Error::BadForm(_) => (StatusCode::BAD_REQUEST, "bad_form"),
            Error::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Error::Busy => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Error::TooSlow => (StatusCode::REQUEST_TIMEOUT, "bad_form"),
            Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Error::Store(e) if e.is_disconnected() => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Error::Store(_) | Error::Report(_) | Error::Render(_) | Error::Task => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        Problem { status, code }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if problem.status.is_server_error() {
            tracing::error!(http.status = problem.status.as_u16(), error = %self, "page failed");
        }
        let mut response = problem.status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}
