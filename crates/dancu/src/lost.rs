//! What to say and do when the database went away under a command.

use std::error::Error;

use centre::Place;

/// Whether the error comes from a database that went away, or from a kit that got no answer because of it.
pub fn is_lost(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        store_error(cause).is_some_and(store::Error::is_disconnected)
            || cause.downcast_ref::<centre::Error>().is_some_and(centre::Error::is_lost)
            || cause.downcast_ref::<kit::TransportError>().is_some_and(kit::TransportError::is_passing)
    })
}

/// The store's error in this link of a chain. A stage passes it on as its own, so that it is no link for
/// itself.
fn store_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a store::Error> {
    macro_rules! inside {
        ($($of:path),+) => {
            $(if let Some($of(error)) = cause.downcast_ref() { return Some(error); })+
        };
    }
    inside!(
        collect::Error::Store,
        plan::Error::Store,
        enrol::EnrolError::Store,
        resolve::Error::Store,
        issue::Error::Store,
        deliver::Error::Store,
        report::Error::Store,
        web::accounts::AccountError::Store
    );
    cause.downcast_ref()
}

/// What the reader of the error should do.
pub fn hint(place: &Place, error: &anyhow::Error) -> Option<String> {
    if !is_lost(error) {
        return None;
    }
    let again = "what was committed is safe; run the same command again, and it goes on where it stopped";
    let said = if place.database_url.is_none() { store::last_words(&place.data) } else { None };
    Some(match said {
        Some(said) if said.contains("No space left on device") => {
            format!("the disk that holds the database is full ({said}): free some space; {again}")
        }
        Some(said) => format!("the database server's log says: {said}; {again}"),
        None => format!("the database server went away or did not answer: {again}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_database_is_seen_through_what_wraps_it() {
        let gone = || store::Error::Disconnected { reason: "connection refused".to_owned() };
        for error in [
            anyhow::Error::from(gone()),
            anyhow::Error::from(collect::Error::from(gone())).context("a file"),
            anyhow::Error::from(resolve::Error::from(gone())),
            anyhow::Error::from(centre::Error::from(resolve::Error::from(gone()))).context("a night"),
            anyhow::Error::from(enrol::EnrolError::from(gone())).context("a packet").context("a day"),
            anyhow::Error::from(kit::KitError::from(kit::TransportError::Busy(503))),
        ] {
            assert!(is_lost(&error), "{error:#}");
        }
        assert!(!is_lost(&anyhow::Error::from(store::Error::UnitScope)));
        assert!(!is_lost(&anyhow::anyhow!("something else")));
    }
}
