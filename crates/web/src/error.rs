//! Why a page cannot be shown. The outside sees a calm page without details; the inside is logged once, here.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use time::Duration;

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
    #[error("too many guesses; wait {} s", wait.whole_seconds())]
    TooMany { wait: Duration },
    #[error("the account was shown its quota of people today")]
    Quota,
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
    #[error("the case could not be read: {0}")]
    Resolve(resolve::Error),
    #[error("kits and packets could not be read: {0}")]
    Enrol(enrol::EnrolError),
    #[error("the event could not be judged: {0}")]
    Register(register::Error),
    #[error("the case of correction could not be judged: {0}")]
    Correction(register::cases::CaseError),
    #[error("the change of units could not be read: {0}")]
    Rearranged(register::units::Error),
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

impl From<enrol::EnrolError> for Error {
    fn from(error: enrol::EnrolError) -> Error {
        match error {
            enrol::EnrolError::Store(error) => Error::Store(error),
            other => Error::Enrol(other),
        }
    }
}

impl From<register::Error> for Error {
    fn from(error: register::Error) -> Error {
        match error {
            register::Error::Store(error) => Error::Store(error),
            other => Error::Register(other),
        }
    }
}

impl From<register::cases::CaseError> for Error {
    fn from(error: register::cases::CaseError) -> Error {
        match error {
            register::cases::CaseError::Store(error) => Error::Store(error),
            other => Error::Correction(other),
        }
    }
}

impl From<register::units::Error> for Error {
    fn from(error: register::units::Error) -> Error {
        match error {
            register::units::Error::Store(error) => Error::Store(error),
            other => Error::Rearranged(other),
        }
    }
}

impl From<resolve::Error> for Error {
    fn from(error: resolve::Error) -> Error {
        match error {
            resolve::Error::Store(error) => Error::Store(error),
            other => Error::Resolve(other),
        }
    }
}

/// How long whoever meets a busy centre should wait: a turn at the door takes seconds.
pub(crate) const BUSY: Duration = Duration::seconds(10);

/// The kinds of problem pages. Each has a title and a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Forbidden,
    SignedOut,
    Csrf,
    BadForm,
    TooMany,
    Quota,
    Busy,
    TooSlow,
    TooLarge,
    Unavailable,
    Internal,
}

impl Kind {
    /// Every kind.
    #[cfg(test)]
    pub const ALL: [Kind; 12] = [
        Kind::NotFound,
        Kind::Forbidden,
        Kind::SignedOut,
        Kind::Csrf,
        Kind::BadForm,
        Kind::TooMany,
        Kind::Quota,
        Kind::Busy,
        Kind::TooSlow,
        Kind::TooLarge,
        Kind::Unavailable,
        Kind::Internal,
    ];

    /// Stable: the texts are `problem.<code>.title` and `problem.<code>.text`, and programs are told it.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::NotFound => "not_found",
            Kind::Forbidden => "forbidden",
            Kind::SignedOut => "signed_out",
            Kind::Csrf => "csrf",
            Kind::BadForm => "bad_form",
            Kind::TooMany => "too_many",
            Kind::Quota => "quota",
            Kind::Busy => "busy",
            Kind::TooSlow => "too_slow",
            Kind::TooLarge => "too_large",
            Kind::Unavailable => "unavailable",
            Kind::Internal => "internal",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Forbidden | Kind::Csrf => StatusCode::FORBIDDEN,
            Kind::SignedOut => StatusCode::UNAUTHORIZED,
            Kind::BadForm => StatusCode::BAD_REQUEST,
            Kind::TooMany | Kind::Quota => StatusCode::TOO_MANY_REQUESTS,
            Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Busy | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The page that the outermost layer draws, in the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub kind: Kind,
    /// After how long it is worth trying again.
    pub wait: Option<Duration>,
}

impl Problem {
    pub fn status(self) -> StatusCode {
        self.kind.status()
    }

    /// The value of `Retry-After`, in whole seconds and at least one.
    pub fn retry_after(self) -> Option<HeaderValue> {
        self.wait.map(|wait| HeaderValue::from(wait.whole_seconds().max(1)))
    }

    /// The wait in whole minutes, rounded up: whoever comes back then is let in.
    pub fn wait_minutes(self) -> i64 {
        self.wait.map_or(1, |wait| (wait.whole_seconds() + 59) / 60).max(1)
    }
}

impl Error {
    pub(crate) fn problem(&self) -> Problem {
        let (kind, wait) = match self {
            Error::NotFound => (Kind::NotFound, None),
            Error::Forbidden => (Kind::Forbidden, None),
            Error::SignedOut => (Kind::SignedOut, None),
            Error::Csrf => (Kind::Csrf, None),
            Error::BadForm(_) => (Kind::BadForm, None),
            Error::TooMany { wait } => (Kind::TooMany, Some(*wait)),
            Error::Quota => (Kind::Quota, None),
            Error::Busy => (Kind::Busy, Some(BUSY)),
            Error::TooSlow => (Kind::TooSlow, None),
            Error::TooLarge { .. } => (Kind::TooLarge, None),
            Error::Store(e) if e.is_disconnected() => (Kind::Unavailable, Some(BUSY)),
            Error::Store(_)
            | Error::Report(_)
            | Error::Resolve(_)
            | Error::Enrol(_)
            | Error::Register(_)
            | Error::Correction(_)
            | Error::Rearranged(_)
            | Error::Render(_)
            | Error::Task => (Kind::Internal, None),
        };
        Problem { kind, wait }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status = problem.status();
        if problem.kind == Kind::Busy {
            tracing::warn!(http.status = status.as_u16(), "busy");
        } else if status.is_server_error() {
            tracing::error!(http.status = status.as_u16(), error = %self, "page failed");
        }
        let mut response = status.into_response();
        if let Some(value) = problem.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_centre_asks_for_seconds_and_a_guesser_for_what_is_left_of_the_window() {
        let told = |error: Error| {
            let response = error.into_response();
            let wait =
                response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().expect("digits"));
            (response.status().as_u16(), wait.map(str::to_owned))
        };
        assert_eq!(told(Error::Busy), (503, Some("10".to_owned())));
        assert_eq!(told(Error::TooMany { wait: Duration::seconds(700) }), (429, Some("700".to_owned())));
        // Nobody is told to come back at once to a door that is still closed.
        assert_eq!(told(Error::TooMany { wait: Duration::milliseconds(300) }), (429, Some("1".to_owned())));
        assert_eq!(told(Error::NotFound), (404, None));
    }
}
