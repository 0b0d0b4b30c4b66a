//! What takes two people: one account proposes, another confirms or withdraws. Pure.

use time::OffsetDateTime;

use domain::Actor;
use store::applications::proposals::Proposal;

/// Characters of a reason at most, for what is proposed and for what is released.
pub const MOST_REASON_CHARS: usize = 200;

/// A proposal by an account, for a reason.
///
/// # Errors
/// A sentence: nobody named, no reason or one that is too long.
pub(crate) fn propose(what: &str, reason: &str, by: &Actor, at: OffsetDateTime) -> Result<Proposal, String> {
    let reason = self::reason(reason)?.to_owned();
    Ok(Proposal { what: what.to_owned(), at, by: account(by)?, reason })
}

/// What somebody gives as a reason, without the space around it.
///
/// # Errors
/// A sentence: none, or one that is too long.
pub(crate) fn reason(given: &str) -> Result<&str, String> {
    let reason = given.trim();
    if reason.is_empty() || reason.chars().count() > MOST_REASON_CHARS {
        return Err(format!("a reason has 1 to {MOST_REASON_CHARS} characters"));
    }
    Ok(reason)
}

/// The proposal, for an account that did not make it.
///
/// # Errors
/// A sentence: nothing proposed, nobody named, or the same account.
pub(crate) fn answer<'a>(
    proposed: Option<&'a Proposal>,
    name: &str,
    by: &Actor,
) -> Result<&'a Proposal, String> {
    let proposed = proposed.ok_or_else(|| format!("nothing is proposed of {name}"))?;
    if account(by)? == proposed.by {
        return Err(format!(
            "{name}: the account that proposed it neither confirms nor withdraws it; another must"
        ));
    }
    Ok(proposed)
}

fn account(by: &Actor) -> Result<String, String> {
    match by {
        Actor::Account(_) => Ok(by.to_string()),
        Actor::Centre
        | Actor::Kit(_)
        | Actor::Import(_)
        | Actor::Command(_)
        | Actor::Printer
        | Actor::Station => {
            Err("this takes two people: name the account that you act for with --operator".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::AccountId;
    use time::macros::datetime;

    const AT: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

    fn somebody(name: &str) -> Actor {
        Actor::Account(AccountId::derive(AT, &[name.as_bytes()]))
    }

    #[test]
    fn one_person_is_not_two() {
        let (one, other) = (somebody("one"), somebody("other"));
        let proposal = propose("revoke", " lost ", &one, AT).unwrap();
        assert_eq!(proposal.reason, "lost");
        assert!(answer(Some(&proposal), "kit-01", &one).unwrap_err().contains("another must"));
        assert_eq!(answer(Some(&proposal), "kit-01", &other), Ok(&proposal));
        assert!(answer(None, "kit-01", &other).unwrap_err().contains("nothing is proposed"));
    }

    #[test]
    fn nobody_is_not_two_either() {
        for nobody in [Actor::Centre, Actor::Printer] {
            assert!(propose("revoke", "lost", &nobody, AT).unwrap_err().contains("--operator"));
            let proposal = propose("revoke", "lost", &somebody("one"), AT).unwrap();
            assert!(answer(Some(&proposal), "kit-01", &nobody).is_err());
        }
        assert!(propose("revoke", " ", &somebody("one"), AT).is_err());
        assert!(propose("revoke", &"x".repeat(201), &somebody("one"), AT).is_err());
    }
}
