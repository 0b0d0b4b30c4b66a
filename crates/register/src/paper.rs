//! Papers: which there are, and which event needs one.

use time::{Date, Time};

use crate::event::EventKind;
use domain::id::DocumentId;

/// Characters of a number at most.
pub const MOST_NUMBER: usize = 60;
/// Characters of an authority's name at most.
pub const MOST_AUTHORITY: usize = 200;

/// What kind of paper it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaperKind {
    /// Extract of the register of deaths (trích lục khai tử).
    DeathExtract,
    /// Extract about a change or correction of civil status (trích lục hộ tịch).
    CivilStatus,
    /// A court's decision (quyết định của tòa án).
    CourtDecision,
    /// The result of a registration of residence (thông báo kết quả đăng ký cư trú).
    Residence,
    /// A record of verification (biên bản xác minh).
    Verification,
    /// Another paper (giấy tờ khác).
    Other,
}

impl PaperKind {
    /// Every kind, in the order in which a page offers them.
    pub const ALL: [PaperKind; 6] = [
        PaperKind::CivilStatus,
        PaperKind::DeathExtract,
        PaperKind::CourtDecision,
        PaperKind::Residence,
        PaperKind::Verification,
        PaperKind::Other,
    ];

    /// Stable code, as stored in `legal_document.kind`.
    pub const fn code(self) -> &'static str {
        match self {
            PaperKind::DeathExtract => "death_extract",
            PaperKind::CivilStatus => "civil_status",
            PaperKind::CourtDecision => "court_decision",
            PaperKind::Residence => "residence",
            PaperKind::Verification => "verification",
            PaperKind::Other => "other",
        }
    }

    /// The kind of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether such a paper is about one person, so that it stands behind no other person's event. A court or
    /// an office may decide about several people by one paper.
    pub const fn is_of_one_person(self) -> bool {
        match self {
            PaperKind::DeathExtract | PaperKind::CivilStatus => true,
            PaperKind::CourtDecision | PaperKind::Residence | PaperKind::Verification | PaperKind::Other => {
                false
            }
        }
    }
}

/// Whether the event is recorded only with a paper. A supplement and a move may rest on what the person
/// declares, and a reversal on the clerk's own error.
pub const fn is_needed(kind: EventKind) -> bool {
    match kind {
        EventKind::Died
        | EventKind::DeathUndone
        | EventKind::DeclaredMissing
        | EventKind::Found
        | EventKind::Corrected => true,
        EventKind::Supplemented | EventKind::Moved | EventKind::Reversed => false,
    }
}

/// A paper as its authority issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// What it is.
    pub kind: PaperKind,
    /// As the authority wrote it.
    pub number: String,
    /// Who issued it.
    pub authority: String,
    /// The day of issue.
    pub issued_on: Date,
}

impl Paper {
    /// The id, which follows from all that says which paper it is: whoever enters it again has the same row.
    pub fn id(&self) -> DocumentId {
        let day = self.issued_on.with_time(Time::MIDNIGHT).assume_utc();
        DocumentId::derive(
            day,
            &[self.kind.code().as_bytes(), self.number.as_bytes(), self.authority.as_bytes()],
        )
    }
}
