//! A whole card, read in the order of Doc 9303-11 §4.2: open it, make the chip prove itself, fetch the files.

use rand::CryptoRng;

use crate::access::{MrzKey, Password};
use crate::file::{ChipFiles, FileId};
use crate::session::{ReadFile, Session, Transport};
use crate::terminal::InspectionSystem;
use crate::{Error, Step};
use card::ec_key::EcPublicKey;
use card::lds::{DataGroup, card_access, com, dg14, dg15};
use card::security_info::SecurityInfo;
use card::sod::Sod;

/// What whoever holds the reader knows of the card.
#[derive(Debug, Clone)]
pub struct Access {
    /// For PACE, which is tried first.
    pub password: Password,
    /// For Basic Access Control, which knows no access number.
    pub zone: Option<MrzKey>,
}

/// How the chip was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    Pace,
    BasicAccess,
}

/// Whether the chip proved to hold a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It did. That proves something only if the file with the public key is proven genuine.
    Given,
    /// It was asked and did not.
    Failed,
    /// Its files hold no key for it that is known here.
    NotOffered,
}

/// Whether the chip accepted the reader as an inspection system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// The reader did not show itself as one.
    NotTried,
    Accepted,
    /// The files that need a right stay closed; everything else goes on.
    Refused {
        why: String,
    },
}

/// A card as it was read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub opened: Opened,
    pub files: ChipFiles,
    /// Files that EF.COM lists and the chip keeps back, such as DG3.
    pub refused: Vec<FileId>,
    /// Files that EF.COM or EF.SOD lists and the chip has not: a sign of a copy that leaves out what would
    /// betray it.
    pub missing: Vec<FileId>,
    pub chip_authentication: Proof,
    pub active_authentication: Proof,
    pub inspection: Inspection,
}

/// Something to show while a card is read.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    Opened(Opened),
    /// Bytes read of a file, and its size.
    File(FileId, usize, usize),
}

/// Opens and reads a whole card.
///
/// # Errors
/// When the chip does not open, or the conversation breaks. A file that is kept back or missing is no error.
pub fn read_card<T: Transport>(
    session: &mut Session<T>,
    access: &Access,
    rng: &mut impl CryptoRng,
    watch: &mut dyn FnMut(Progress),
) -> Result<Reading, Error> {
    read_card_as(session, access, None, rng, watch)
}

/// [`read_card`] as an inspection system, if one is given: it shows itself after Chip Authentication, and
/// gets the files to which its certificates give a right. A chip that does not accept it is read like by
/// anybody else.
pub fn read_card_as<T: Transport>(
    session: &mut Session<T>,
    access: &Access,
    system: Option<&InspectionSystem>,
    rng: &mut impl CryptoRng,
    watch: &mut dyn FnMut(Progress),
) -> Result<Reading, Error> {
    let mut reading = Reading {
        opened: Opened::Pace,
        files: ChipFiles::default(),
        refused: Vec::new(),
        missing: Vec::new(),
        chip_authentication: Proof::NotOffered,
        active_authentication: Proof::NotOffered,
        inspection: Inspection::NotTried,
    };
    reading.opened = open(session, access, rng, &mut reading.files, watch)?;
    watch(Progress::Opened(reading.opened));
    for id in [FileId::Com, FileId::Sod, FileId::Group(DataGroup::DG14)] {
        fetch(session, id, &mut reading, watch)?;
    }
    if let Some((key, id)) = chip_key(&reading.files)? {
        let given = or_not(session.chip_authentication(&key, id, rng))?;
        reading.chip_authentication = proof(given);
        if !given {
            // The channel is gone with the proof; nothing more can be read.
            return Ok(reading);
        }
    }
    if let Some(system) = system {
        reading.inspection = inspect(session, system, reading.chip_authentication)?;
    }
    for group in listed(&reading.files)? {
        let id = FileId::Group(group);
        if reading.files.get(id).is_none() {
            fetch(session, id, &mut reading, watch)?;
        }
    }
    if let Some(file) = reading.files.get(FileId::Group(DataGroup::DG15)) {
        let key = dg15::parse(file)?;
        reading.active_authentication = proof(or_not(session.active_authentication(&key, rng))?);
    }
    Ok(reading)
}

/// A chip that refuses to prove the key in its own files has not proven it: a copy would do that.
fn or_not(given: Result<bool, Error>) -> Result<bool, Error> {
    match given {
        Err(Error::Refused { .. }) => Ok(false),
        other => other,
    }
}

fn inspect<T: Transport>(
    session: &mut Session<T>,
    system: &InspectionSystem,
    proof: Proof,
) -> Result<Inspection, Error> {
    if proof != Proof::Given {
        let why =
            "the chip has no key for Chip Authentication, without which there is no Terminal Authentication";
        return Ok(Inspection::Refused { why: why.to_owned() });
    }
    match session.terminal_authentication(system) {
        Ok(()) => Ok(Inspection::Accepted),
        Err(error @ (Error::Refused { .. } | Error::NotTrusted { .. })) => {
            Ok(Inspection::Refused { why: error.to_string() })
        }
        Err(error) => Err(error),
    }
}

fn open<T: Transport>(
    session: &mut Session<T>,
    access: &Access,
    rng: &mut impl CryptoRng,
    files: &mut ChipFiles,
    watch: &mut dyn FnMut(Progress),
) -> Result<Opened, Error> {
    let pace = match session.read_file(FileId::CardAccess, &mut |done, total| {
        watch(Progress::File(FileId::CardAccess, done, total));
    })? {
        ReadFile::Bytes(bytes) => {
            let infos = card_access::parse(&bytes)?;
            files.insert(FileId::CardAccess, bytes);
            session.pace(&infos, &access.password, rng)
        }
        ReadFile::Missing | ReadFile::Refused => Err(Error::NoKnownPace),
    };
    match (pace, &access.zone) {
        (Ok(()), _) => {
            session.select_application()?;
            Ok(Opened::Pace)
        }
        // A chip that refuses to begin may still know the older protocol; one that refuses the password does
        // not want it.
        (Err(Error::NoKnownPace | Error::Refused { step: Step::PaceStart, .. }), Some(zone)) => {
            session.select_application()?;
            session.basic_access(zone, rng)?;
            Ok(Opened::BasicAccess)
        }
        (Err(error), _) => Err(error),
    }
}

fn fetch<T: Transport>(
    session: &mut Session<T>,
    id: FileId,
    reading: &mut Reading,
    watch: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    match session.read_file(id, &mut |done, total| watch(Progress::File(id, done, total)))? {
        ReadFile::Bytes(bytes) => reading.files.insert(id, bytes),
        ReadFile::Refused => reading.refused.push(id),
        ReadFile::Missing => reading.missing.push(id),
    }
    Ok(())
}

/// The data groups that EF.COM or EF.SOD names, in ascending order. EF.COM is not signed, so a copy may leave
/// something out of it; EF.SOD is read whatever EF.COM says.
fn listed(files: &ChipFiles) -> Result<Vec<DataGroup>, Error> {
    let mut groups = match files.get(FileId::Com) {
        Some(file) => com::parse(file)?.groups,
        None => Vec::new(),
    };
    if let Some(file) = files.get(FileId::Sod) {
        // A file that cannot be read is for the verification to judge.
        groups.extend(Sod::parse(file).iter().flat_map(|sod| sod.hashes().keys()));
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

fn chip_key(files: &ChipFiles) -> Result<Option<(EcPublicKey, Option<u8>)>, Error> {
    let Some(file) = files.get(FileId::Group(DataGroup::DG14)) else {
        return Ok(None);
    };
    let infos = dg14::parse(file)?;
    Ok(infos.iter().find_map(|info| match info {
        SecurityInfo::ChipPublicKey { key, id } => Some((key.clone(), *id)),
        _ => None,
    }))
}

fn proof(given: bool) -> Proof {
    if given { Proof::Given } else { Proof::Failed }
}
