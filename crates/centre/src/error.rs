use std::path::{Path, PathBuf};

use time::Date;

use domain::UnitCode;
use domain::id::ApplicationId;
use enrol::EnrolError;
use packet::keys::KeyError;

/// What the centre cannot do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    #[error(transparent)]
    Register(#[from] register::Error),
    #[error(transparent)]
    Issue(#[from] issue::Error),
    /// A card could not be handed over.
    #[error(transparent)]
    Deliver(#[from] deliver::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Hsm(#[from] hsm::HsmError),
    #[error(transparent)]
    Pki(#[from] pki::PkiError),
    #[error("a stored packet")]
    Packet(#[from] packet::PacketError),
    #[error("{}: cannot {doing}", path.display())]
    File { path: PathBuf, doing: &'static str, source: std::io::Error },
    #[error("{} is not what `dancu pki init` wrote; take it from a backup", path.display())]
    Settings { path: PathBuf, source: serde_json::Error },
    #[error("`{name}` is none of {known}")]
    Suite { name: String, known: String },
    #[error("{} is a key of another kind than this installation's signing keys", path.display())]
    AnotherKind { path: PathBuf },
    #[error("{} is longer than a certificate can be", path.display())]
    TooLong { path: PathBuf },
    #[error(
        "{} is missing: take it from a backup. Where it was never made, `{make}` makes it", path.display()
    )]
    NoKey { path: PathBuf, make: &'static str },
    #[error(
        "the token has no key {name}: name the token that has it. Where it was never made, `{make}` makes it"
    )]
    NoTokenKey { name: String, make: &'static str },
    #[error("the keys in {} were not made to their end: run `dancu keys init` again", folder.display())]
    KeysUnfinished { folder: PathBuf },
    #[error("{} has its keys, and a key is never replaced; `dancu keys list` names them", folder.display())]
    KeysThere { folder: PathBuf },
    #[error(
        "missing beside other keys: {}. Take it from a backup: a new one opens nothing that was sealed to \
         the lost one. If nothing was sealed yet, move the other keys away and run `dancu keys init` again",
        listed(missing)
    )]
    KeysLost { missing: Vec<PathBuf> },
    #[error(
        "no document signer may sign on {day}{}: cards are not signed until there is one. Make some ahead, \
         where the CSCA's key is, with `dancu pki issue-ds --until DATE`", from(*next)
    )]
    NoSigner { day: Date, next: Option<Date> },
    #[error(
        "the key of document signer {serial}, which signs today, is not here: bring its key file, or make \
         another signer with `dancu pki issue-ds`"
    )]
    SignersKey { serial: String },
    #[error(
        "the CSCA's key certifies document signers that begin until {until}, and {made} were made: change it \
         with `dancu pki roll` first"
    )]
    BeyondCsca { until: Date, made: usize },
    #[error("{made} document signers were made and more are asked for than one command makes; run it again")]
    TooFarAhead { made: u32 },
    #[error(
        "the packet of application {application} is not what the kit signed for it: it was set aside, and \
         nothing is done with it before its row is brought back (`dancu packet list`)"
    )]
    PacketAltered { application: ApplicationId },
    #[error("there is no CSCA yet; make one with `dancu pki init`")]
    NoCsca,
    #[error("another process answers on {}: it holds the keys; stop it first", path.display())]
    SocketTaken { path: PathBuf },
    #[error(
        "{} is not a directory of this user's that is closed to strangers: run `chmod o= {}`, or name \
         another place for the socket with --socket",
        folder.display(),
        folder.display()
    )]
    SocketFolder { folder: PathBuf },
    #[error("a question on the socket that cannot be read")]
    Question(#[source] packet::PacketError),
    #[error("the connection on the socket")]
    Line(#[source] std::io::Error),
    #[error("another process is making the keys in {}", folder.display())]
    KeysBeingMade { folder: PathBuf },
    #[error("{}: no certificate", path.display())]
    Certificate { path: PathBuf, source: pki::PkiError },
    #[error("{}: no inspection system", folder.display())]
    InspectionSystem { folder: PathBuf, source: chip::Error },
    #[error(transparent)]
    Chip(#[from] chip::Error),
    #[error("there is a country verifying CA, {holder}; change its key with --roll")]
    CvcaThere { holder: String },
    #[error("there is no country verifying CA; make one with `dancu pki cvca`")]
    NoCvca,
    #[error("the country verifying CA's certificate is over; change its key with `dancu pki cvca --roll`")]
    CvcaOver,
    #[error("CVCA is the authority's own name; give the verifier another")]
    CvcasName,
    #[error("there is no verifier {name}; make it with `dancu pki dv {name}`")]
    NoVerifier { name: String },
    #[error("{} is taken by somebody who works here too; try again", path.display())]
    ReferenceTaken { path: PathBuf, source: std::io::Error },
    #[error("there is no unit {0}; take a district's code, such as 445")]
    NoUnit(UnitCode),
    #[error("{waiting} applications wait to be resolved and none could be; see the log")]
    NoneResolved { waiting: usize },
    #[error("the store says `{found}` where the day stands on which the campaign is; days are yyyy-mm-dd")]
    Day { found: String },
    #[error("a round of upkeep is called `{code}`, which this version does not know")]
    UnknownRound { code: String },
    #[error("{records} records are not what their histories say; `dancu check` names them")]
    Unsound { records: usize },
    /// The heads are not signed again over a trail that is another.
    #[error(
        "the audit trail is not the one whose heads were signed at {signed_at}: row {row} of chain {chain} \
         is gone or another. Keep the database as it is, and ask `dancu audit verify --heads {}`",
        path.display()
    )]
    TrailRewritten { chain: i16, row: i64, signed_at: time::OffsetDateTime, path: PathBuf },
    #[error(
        "the last line of {} is wrong: {fault}. Nothing is added to it; name another file", path.display()
    )]
    HeadsFile { path: PathBuf, fault: crate::audit_heads::Fault },
    #[error("another process writes to {} in this moment", path.display())]
    HeadsTaken { path: PathBuf },
    #[error("the heads of the audit trail cannot be signed")]
    HeadsUnsigned { source: pki::SignError },
    #[error("a part of the program stopped before it was done")]
    Stopped(#[from] tokio::task::JoinError),
}

impl Error {
    /// Whether the database went away: what was committed is safe, and the same may succeed later.
    pub fn is_lost(&self) -> bool {
        match self {
            Error::Store(error)
            | Error::Enrol(EnrolError::Store(error))
            | Error::Resolve(resolve::Error::Store(error))
            | Error::Register(register::Error::Store(error))
            | Error::Deliver(deliver::Error::Store(error))
            | Error::Issue(issue::Error::Store(error)) => error.is_disconnected(),
            // What opens the packets of applications that others resolved is this crate's own.
            Error::Resolve(resolve::Error::Fingers(error)) => {
                error.downcast_ref::<Error>().is_some_and(Error::is_lost)
            }
            _ => false,
        }
    }

    /// Whether nothing but a document signer of the day is missing: cards cannot be signed, and all else can
    /// be done.
    pub fn is_no_signer(&self) -> bool {
        matches!(self, Error::NoSigner { .. } | Error::SignersKey { .. })
    }

    /// For `map_err` of what is done to a file.
    pub(crate) fn file(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::File { path: path.to_owned(), doing, source }
    }
}

fn from(next: Option<Date>) -> String {
    next.map_or_else(String::new, |day| format!(" (the next one from {day} on)"))
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// An error and what caused it, on one line of a log.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_database_is_seen_through_the_stage_that_met_it() {
        let gone = || store::Error::Disconnected { reason: "connection refused".to_owned() };
        for error in [
            Error::from(gone()),
            Error::from(EnrolError::from(gone())),
            Error::from(resolve::Error::from(gone())),
            Error::from(register::Error::from(gone())),
            Error::from(issue::Error::from(gone())),
        ] {
            assert!(error.is_lost(), "{error}");
        }
        assert!(!Error::from(store::Error::UnitScope).is_lost());
        assert!(!Error::NoneResolved { waiting: 1 }.is_lost());
    }

    #[test]
    fn a_line_of_the_log_names_every_cause_once() {
        let error = Error::from(EnrolError::from(store::Error::UnitScope));
        let line = with_causes(&error);
        assert!(line.starts_with("the store failed: not a unit path"), "{line}");
        assert_eq!(line.matches("the store failed").count(), 1, "{line}");
    }
}
