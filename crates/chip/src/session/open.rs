//! Opening a chip: PACE and Basic Access Control.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{Session, Transport};
use crate::access::{self, MESSAGE_LEN, MrzKey, Password, SHARE_LEN};
use crate::agreement::{KeyPair, Point, map_generator, x_of};
use crate::pace::{self, object};
use crate::production::TransportKey;
use crate::{Error, Step};
use card::apdu::{Command, Response};
use card::ec_key::Curve;
use card::secure_messaging::SessionKeys;
use card::security_info::{SecurityInfo, SecurityInfos, oid};
use card::tlv::{self, Tag};

impl<T: Transport> Session<T> {
    /// PACE with generic mapping (Doc 9303-11 §4.4), as the chip announces it in EF.CardAccess.
    pub fn pace(
        &mut self,
        infos: &SecurityInfos,
        password: &Password,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let curve = infos.iter().find_map(known_pace).ok_or(Error::NoKnownPace)?;
        let choice = [
            tlv::encode(Tag(0x80), &[oid::PACE_ECDH_GM_AES_128]),
            tlv::encode(Tag(0x83), &[&[password.reference()]]),
        ]
        .concat();
        self.exchange(Step::PaceStart, &Command::new(0, 0x22, 0xC1, 0xA4, &choice, None))?;

        let encrypted = self.authenticate(Step::PaceNonce, None, object::ENCRYPTED_NONCE, More::Follows)?;
        let Ok(encrypted) = <[u8; 16]>::try_from(encrypted) else {
            return Err(Error::Protocol { step: Step::PaceNonce, problem: "a nonce has 16 bytes" });
        };
        let nonce = password.pace_key().decrypt_nonce(&encrypted);

        let step = Step::PaceMapping;
        let own = KeyPair::generate(curve, rng);
        let sent = Some((object::MAPPING_OF_READER, &own.public().point()[..]));
        let theirs = point(step, self.authenticate(step, sent, object::MAPPING_OF_CHIP, More::Follows)?)?;
        let common = own.agree(&theirs).ok_or_else(|| off_curve(step))?;
        let generator = map_generator(curve, &nonce, &common).ok_or_else(|| off_curve(step))?;

        let step = Step::PaceAgreement;
        let own = KeyPair::generate_over(curve, Some(&generator), rng);
        let sent = Some((object::EPHEMERAL_OF_READER, &own.public().point()[..]));
        let theirs = point(step, self.authenticate(step, sent, object::EPHEMERAL_OF_CHIP, More::Follows)?)?;
        if theirs == *own.public().point() {
            // Doc 9303-11 §4.4.1: a chip that sends our own key back could know no secret.
            return Err(Error::Protocol { step, problem: "the chip returned our own key" });
        }
        let keys = pace::session_keys(&*own.agree(&theirs).ok_or_else(|| off_curve(step))?);

        let step = Step::PaceConfirmation;
        let token = pace::token(&keys, &theirs);
        let sent = Some((object::TOKEN_OF_READER, &token[..]));
        let answer = match self.authenticate(step, sent, object::TOKEN_OF_CHIP, More::Last) {
            Err(Error::Refused { status, .. }) if status.0 >> 8 == 0x63 => {
                return Err(Error::WrongPassword { step });
            }
            answer => answer?,
        };
        if !pace::equal(&answer, &pace::token(&keys, own.public().point())) {
            return Err(Error::Protocol { step, problem: "the chip's token is wrong" });
        }
        self.channel = Some(pace::channel(keys));
        self.is_chip(x_of(&theirs));
        Ok(())
    }

    /// Basic Access Control (Doc 9303-11 §4.3), after the application is selected.
    pub fn basic_access(&mut self, key: &MrzKey, rng: &mut impl CryptoRng) -> Result<(), Error> {
        self.mutual_authentication(Step::BasicAccess, &key.basic_access_keys(), rng)?;
        self.is_chip(key.document_number().as_bytes());
        Ok(())
    }

    /// How the chip is named in Terminal Authentication (Doc 9303-11 §7.1.2), which can only come after Chip
    /// Authentication in this session.
    fn is_chip(&mut self, id: &[u8]) {
        self.chip_id = id.to_vec();
        self.reader_key = None;
    }

    /// Before a blank is written: both sides know its transport key. The messages are those of Basic Access
    /// Control, which are mechanism 6 of ISO/IEC 11770-2, under AES.
    pub(crate) fn transport_authentication(
        &mut self,
        key: &TransportKey,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let step = Step::TransportAuthentication;
        match self.mutual_authentication(step, &key.access_keys(), rng) {
            Err(Error::WrongPassword { .. } | Error::Refused { step: Step::TransportAuthentication, .. }) => {
                Err(Error::WrongTransportKey)
            }
            other => other,
        }
    }

    fn mutual_authentication(
        &mut self,
        step: Step,
        keys: &SessionKeys,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let response = self.exchange(Step::Challenge, &Command::new(0, 0x84, 0, 0, &[], Some(8)))?;
        let Ok(challenge) = <[u8; 8]>::try_from(&response.data[..]) else {
            return Err(Error::Protocol { step: Step::Challenge, problem: "a challenge has 8 bytes" });
        };
        let mut own = [0; 8];
        let mut share = Zeroizing::new([0; SHARE_LEN]);
        rng.fill_bytes(&mut own);
        rng.fill_bytes(share.as_mut_slice());
        let message = access::seal(keys, &own, &challenge, &share);
        let command = Command::new(0, 0x82, 0, 0, &message, Some(MESSAGE_LEN as u32));
        let response = self.transmit(&command)?;
        // Chips differ in how they say that the keys are wrong.
        if response.status.0 >> 8 == 0x63 || matches!(response.status.0, 0x6982 | 0x6985 | 0x6988 | 0x6A80) {
            return Err(Error::WrongPassword { step });
        }
        if !response.status.is_ok() {
            return Err(Error::Refused { step, status: response.status });
        }
        let opened = access::open(keys, &response.data, &own, Some(&challenge));
        let Some((_, chip_share)) = opened else {
            return Err(Error::Protocol {
                step,
                problem: "the chip does not know the keys that it accepted",
            });
        };
        self.channel = Some(access::channel(keys.cipher(), (&challenge, &chip_share), (&own, &share)));
        Ok(())
    }

    /// GENERAL AUTHENTICATE with one object, whose answer must be one object with this tag.
    fn authenticate(
        &mut self,
        step: Step,
        sent: Option<(u8, &[u8])>,
        wanted: u8,
        more: More,
    ) -> Result<Vec<u8>, Error> {
        // Bit 5 of the class byte says that more commands of the chain follow (ISO/IEC 7816-4 §5.3.3).
        let cla = if more == More::Follows { 0x10 } else { 0x00 };
        let command = Command::new(cla, 0x86, 0, 0, &pace::dynamic_data(sent), Some(256));
        let response: Response = self.exchange(step, &command)?;
        match pace::parse_dynamic_data(&response.data) {
            Some(Some((tag, value))) if tag == wanted => Ok(value.to_vec()),
            _ => {
                Err(Error::Protocol { step, problem: "the answer lacks the object that the step calls for" })
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Follows,
    Last,
}

fn off_curve(step: Step) -> Error {
    Error::Protocol { step, problem: "the chip's public key is not on the curve" }
}

fn point(step: Step, bytes: Vec<u8>) -> Result<Point, Error> {
    Point::try_from(bytes).map_err(|_| Error::Protocol { step, problem: "a public key has 65 bytes" })
}

fn known_pace(info: &SecurityInfo) -> Option<Curve> {
    match info {
        SecurityInfo::Pace { protocol, version: 2, parameter: Some(number) }
            if protocol == oid::PACE_ECDH_GM_AES_128 =>
        {
            pace::curve(*number)
        }
        _ => None,
    }
}
