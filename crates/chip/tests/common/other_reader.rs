//! Cards read through PC/SC by the crate `dmrtd`, which we did not write.

use std::time::Duration;

use chrono::NaiveDate;
use dmrtd::auth::passive::{self, DataGroup, PassiveAuth, PassiveAuthError, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::{Passport, PassportError};
use dmrtd::proto::{can_key::CanKey, dba_key::DBAKey};

use card::mrz::Mrz;
use chip::Transport;
use chip::pcsc::PcscCard;

/// PC/SC as `dmrtd` wants it.
struct Wire(PcscCard);

impl Transceiver for Wire {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        self.0.transmit(apdu).map_err(|error| TransceiveError::new(error.to_string()))
    }
}

pub fn connect(reader: &str) -> PcscCard {
    PcscCard::connect(reader, Duration::from_secs(20)).unwrap()
}

#[allow(dead_code, reason = "each test binary uses its part")]
pub enum Key<'a> {
    Bac(&'a Mrz),
    PaceNumber(&'a str),
    PaceZone(&'a Mrz),
}

fn zone_key(mrz: &Mrz, pace: bool) -> DBAKey {
    let date = |text: &str, century: i32| {
        let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap();
        NaiveDate::from_ymd_opt(century + number(0..2) as i32, number(2..4), number(4..6)).unwrap()
    };
    let number = &mrz.lines()[0][5..14];
    DBAKey::new(number, date(mrz.birth(), 1900), date(mrz.expiry(), 2000), pace).unwrap()
}

/// What the other reader makes of a card: DG1, DG2, DG13, DG14 and DG15 under EF.SOD, and Active
/// Authentication.
pub struct Judgement {
    pub passive: Result<PassiveAuth, PassiveAuthError>,
    pub active: Result<(), PassportError>,
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub names: (String, String),
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fingers: Result<Vec<u8>, PassportError>,
}

pub fn other_reader(reader: &str, key: &Key<'_>, csca: &[u8]) -> Result<Judgement, PassportError> {
    let mut passport = Passport::new(Wire(connect(reader)));
    match key {
        Key::Bac(mrz) => passport.start_session(zone_key(mrz, false))?,
        Key::PaceNumber(number) => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(CanKey::new(number).unwrap(), &access)?;
        }
        Key::PaceZone(mrz) => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(zone_key(mrz, true), &access)?;
        }
    }
    passport.read_ef_com()?;
    let dg1 = passport.read_ef_dg1()?;
    let groups = [
        (1, dg1.to_bytes().to_vec()),
        (2, passport.read_ef_dg2()?.to_bytes().to_vec()),
        (13, passport.read_ef_dg13()?.to_bytes().to_vec()),
        (14, passport.read_ef_dg14()?.to_bytes().to_vec()),
        (15, passport.read_ef_dg15()?.to_bytes().to_vec()),
    ];
    let sod = passport.read_ef_sod()?;
    let groups = groups.each_ref().map(|(number, bytes)| DataGroup { number: *number, bytes });
    let anchor = TrustAnchor::from_certificate(csca).unwrap();
    let zone = dg1.mrz();
    Ok(Judgement {
        passive: passive::verify(sod.to_bytes(), &groups, &[anchor]),
        active: passport.verify_active_authentication(b"8 bytes!"),
        names: (zone.last_name.clone(), zone.first_name.clone()),
        fingers: passport.read_ef_dg3().map(|file| file.to_bytes().to_vec()),
    })
}
