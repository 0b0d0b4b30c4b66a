//! What to make of a token's error.

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};

use pki::SignError;

/// What the caller of the token does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait, and try again in the same way.
    Wait,
    /// Wait, open a new session, and try again.
    Reopen,
    /// The token may have signed: give up, and let nobody sign the same again.
    Unknown,
    /// Trying again cannot help, and with a wrong PIN would lock the token.
    GiveUp,
}

/// Errors of a token, as they come back from a session being opened, a key being looked for, or a signature.
pub(super) fn next(error: &Error) -> Next {
    let Error::Pkcs11(code, function) = error else { return Next::GiveUp };
    match code {
        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLocked
        | RvError::PinExpired
        | RvError::PinLenRange
        | RvError::UserPinNotInitialized
        | RvError::MechanismInvalid
        | RvError::KeyFunctionNotPermitted
        | RvError::KeyTypeInconsistent
        | RvError::FunctionNotSupported => Next::GiveUp,
        // The token is full of sessions or of work.
        RvError::SessionCount | RvError::HostMemory | RvError::DeviceMemory => Next::Wait,
        // These say that nothing was signed, even when they come from C_Sign: there was no session, login or
        // key.
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::UserNotLoggedIn
        | RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid
        | RvError::OperationNotInitialized
        | RvError::OperationActive
        | RvError::CryptokiNotInitialized => Next::Reopen,
        _ if matches!(function, Function::Sign) => Next::Unknown,
        RvError::TokenNotPresent
        | RvError::DeviceRemoved
        | RvError::DeviceError
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::GeneralError
        | RvError::FunctionFailed => Next::Reopen,
        _ => Next::GiveUp,
    }
}

pub(super) fn sign_error(error: &Error) -> SignError {
    match next(error) {
        Next::GiveUp => SignError::Refused(describe(error)),
        Next::Wait | Next::Reopen => SignError::Unavailable(describe(error)),
        Next::Unknown => SignError::Unavailable(format!(
            "{}; whether it signed is not known, so the serial number must not be used again",
            describe(error)
        )),
    }
}

/// The code by its name in the standard; the library's own text is a page of the standard.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("C_{function:?} answered {code:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: RvError, function: Function, expected: Next) {
        assert_eq!(next(&Error::Pkcs11(code, function)), expected, "{code:?} from {function:?}");
    }

    #[test]
    fn only_what_was_surely_not_signed_is_tried_again() {
        check(RvError::DeviceError, Function::OpenSession, Next::Reopen);
        check(RvError::DeviceError, Function::SignInit, Next::Reopen);
        check(RvError::DeviceError, Function::Sign, Next::Unknown);
        check(RvError::GeneralError, Function::Sign, Next::Unknown);
        check(RvError::FunctionCanceled, Function::Sign, Next::Unknown);
        check(RvError::SessionHandleInvalid, Function::Sign, Next::Reopen);
        check(RvError::SessionCount, Function::OpenSession, Next::Wait);
        check(RvError::PinIncorrect, Function::Login, Next::GiveUp);
        check(RvError::KeyFunctionNotPermitted, Function::SignInit, Next::GiveUp);
        let unknown = sign_error(&Error::Pkcs11(RvError::DeviceRemoved, Function::Sign)).to_string();
        assert!(unknown.contains("must not be used again") && unknown.contains("DeviceRemoved"), "{unknown}");
    }
}
