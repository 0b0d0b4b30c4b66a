//! Why an application is made. Each reason belongs to one kind: who has lost a card asks for a reissue, and
//! the fee follows from both.

use thiserror::Error;

use super::Kind;

/// Why an application is made (2014 law, art. 19 and 23; 2023 law, art. 24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// New: the person never had an identity card of any kind.
    FirstCard,
    /// New: an identity card of the old kind (CMND) is given up for it.
    OldCard,
    /// Exchange: the holder reached an age at which cards are exchanged.
    Age,
    Damaged,
    Name,
    /// The face is no longer that of the photo.
    Appearance,
    /// The sex was determined anew.
    Sex,
    NativePlace,
    /// What the card says was wrong from the beginning, by what the citizen had stated.
    CardError,
    /// What the card says was wrong from the beginning, by the office's own error.
    OfficeError,
    /// The personal number was cancelled and another one given.
    Number,
    /// A photo or fingers that could not be taken before.
    Biometrics,
    /// The holder's units were merged, split or renamed.
    UnitsRearranged,
    /// None of these: the holder asks for it.
    OnRequest,
    /// Reissue: the card is lost.
    Lost,
    /// Reissue: the person is a citizen again.
    NationalityRegained,
}

/// Why a text is no reason for an application of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReasonError {
    #[error("there is no reason of this code for an application")]
    Unknown,
    #[error("`{}` is a reason for `{}`, not for `{}`", reason.code(), reason.kind().code(), kind.code())]
    OtherKind { reason: Reason, kind: Kind },
}

impl Reason {
    /// By kind, in the order in which an officer is offered them.
    pub const ALL: [Reason; 16] = [
        Reason::FirstCard,
        Reason::OldCard,
        Reason::Age,
        Reason::Damaged,
        Reason::Name,
        Reason::Appearance,
        Reason::Sex,
        Reason::NativePlace,
        Reason::CardError,
        Reason::OfficeError,
        Reason::Number,
        Reason::Biometrics,
        Reason::UnitsRearranged,
        Reason::OnRequest,
        Reason::Lost,
        Reason::NationalityRegained,
    ];

    /// Stable code, fit to be stored.
    pub const fn code(self) -> &'static str {
        match self {
            Reason::FirstCard => "first_card",
            Reason::OldCard => "old_card",
            Reason::Age => "age",
            Reason::Damaged => "damaged",
            Reason::Name => "name",
            Reason::Appearance => "appearance",
            Reason::Sex => "sex",
            Reason::NativePlace => "native_place",
            Reason::CardError => "card_error",
            Reason::OfficeError => "office_error",
            Reason::Number => "number",
            Reason::Biometrics => "biometrics",
            Reason::UnitsRearranged => "units_rearranged",
            Reason::OnRequest => "on_request",
            Reason::Lost => "lost",
            Reason::NationalityRegained => "nationality_regained",
        }
    }

    /// The inverse of [`Reason::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The one kind of application that the reason is given for.
    pub const fn kind(self) -> Kind {
        match self {
            Reason::FirstCard | Reason::OldCard => Kind::New,
            Reason::Age
            | Reason::Damaged
            | Reason::Name
            | Reason::Appearance
            | Reason::Sex
            | Reason::NativePlace
            | Reason::CardError
            | Reason::OfficeError
            | Reason::Number
            | Reason::Biometrics
            | Reason::UnitsRearranged
            | Reason::OnRequest => Kind::Exchange,
            Reason::Lost | Reason::NationalityRegained => Kind::Reissue,
        }
    }

    /// The reason of this code, if it is one for an application of `kind`.
    ///
    /// # Errors
    /// When there is no such reason, or it is another kind's.
    pub fn parse(kind: Kind, code: &str) -> Result<Self, ReasonError> {
        let reason = Self::from_code(code).ok_or(ReasonError::Unknown)?;
        if reason.kind() == kind { Ok(reason) } else { Err(ReasonError::OtherKind { reason, kind }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_taken_for_its_own_kind_only() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            for kind in Kind::ALL {
                let parsed = Reason::parse(kind, reason.code());
                assert_eq!(parsed.is_ok(), reason.kind() == kind, "{parsed:?}");
            }
        }
        for kind in Kind::ALL {
            assert!(Reason::ALL.iter().any(|reason| reason.kind() == kind), "{kind:?} has no reason");
        }
        let error = Reason::parse(Kind::New, "lost").unwrap_err();
        assert_eq!(error.to_string(), "`lost` is a reason for `reissue`, not for `new`");
        assert_eq!(Reason::parse(Kind::New, "stolen"), Err(ReasonError::Unknown));
    }
}
