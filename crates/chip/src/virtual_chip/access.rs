//! The chip's side of PACE and Basic Access Control.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::inspect::Terminal;
use super::pending::Pending;
use super::{Answer, VirtualChip};
use crate::access::{self, CHALLENGE_LEN, MESSAGE_LEN, Password, SHARE_LEN};
use crate::agreement::{self, KeyPair, Point, map_generator};
use crate::encoder::Life;
use crate::pace::{self, object};
use card::apdu::{Command, Response, StatusWord};
use card::ec_key::Curve;
use card::secure_messaging::SessionKeys;
use card::security_info::oid;
use card::tlv::Reader;

/// The curve of [`card::lds::card_access::of_citizen_card`].
const PACE_CURVE: Curve = Curve::BrainpoolP256r1;

impl<R: CryptoRng> VirtualChip<R> {
    pub(super) fn challenge(&mut self, command: &Command) -> Answer {
        if command.le.is_none_or(|le| le != CHALLENGE_LEN as u32 && le != 256) {
            return Err(StatusWord::WRONG_LENGTH);
        }
        if !self.state.in_application && self.memory.life == Life::Operational {
            return Err(StatusWord::CONDITIONS);
        }
        let mut challenge = [0; CHALLENGE_LEN];
        self.rng.fill_bytes(&mut challenge);
        self.state.pending = Pending::Challenge(challenge);
        Ok(Response::new(challenge.to_vec(), StatusWord::OK))
    }

    /// Basic Access Control; under a channel the last step of Terminal Authentication.
    pub(super) fn external_authenticate(&mut self, command: &Command) -> Answer {
        if self.state.channel.is_some() {
            return self.authenticate_terminal(command);
        }
        let challenge = self.challenged(command)?;
        let zone = self.memory.zone.as_ref().ok_or(StatusWord::CONDITIONS)?;
        let keys = zone.basic_access_keys();
        let opened = access::open(&keys, &command.data, &challenge, None);
        let (reader, reader_share) = opened.ok_or(StatusWord::AUTHENTICATION_FAILED)?;
        let mut share = Zeroizing::new([0; SHARE_LEN]);
        self.rng.fill_bytes(share.as_mut_slice());
        let answer = access::seal(&keys, &challenge, &reader, &share);
        self.state.terminal = Terminal::of_chip(zone.document_number().as_bytes());
        self.state.next_channel =
            Some(access::channel(keys.cipher(), (&challenge, &share), (&reader, &reader_share)));
        Ok(Response::new(answer, StatusWord::OK))
    }

    /// The challenge that a message in the clear answers, which is used up by it.
    pub(super) fn challenged(&mut self, command: &Command) -> Result<[u8; CHALLENGE_LEN], StatusWord> {
        let pending = std::mem::take(&mut self.state.pending);
        let Pending::Challenge(challenge) = pending else {
            return Err(StatusWord::CONDITIONS);
        };
        if self.state.channel.is_some() {
            return Err(StatusWord::SECURITY_STATUS);
        }
        if command.data.len() != MESSAGE_LEN {
            return Err(StatusWord::WRONG_LENGTH);
        }
        Ok(challenge)
    }

    pub(super) fn manage_security_environment(&mut self, command: &Command) -> Answer {
        self.state.pending = Pending::None;
        let (mut protocol, mut reference, mut others) = (None, None, 0);
        let mut reader = Reader::new(&command.data);
        while let Some(object) = reader.read().map_err(|_| StatusWord::WRONG_DATA)? {
            match object.tag.0 {
                0x80 => protocol = Some(object.value),
                0x83 => reference = Some(object.value),
                _ => others += 1,
            }
        }
        match (command.p1, command.p2) {
            // Set AT for PACE.
            (0xC1, 0xA4) => {
                if protocol != Some(oid::PACE_ECDH_GM_AES_128) {
                    return Err(StatusWord::WRONG_DATA);
                }
                let password = match reference {
                    Some([0x01]) => self.memory.zone.clone().map(Password::Mrz),
                    Some([0x02]) => self.memory.number.clone().map(Password::AccessNumber),
                    _ => None,
                };
                let password = password.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
                self.state.pending = Pending::PaceNonce(password);
            }
            // Set AT for Chip Authentication. A private key reference (84) may be there; there is one key.
            (0x41, 0xA4) => {
                if self.state.channel.is_none() {
                    return Err(StatusWord::SECURITY_STATUS);
                }
                if protocol != Some(oid::CHIP_AUTHENTICATION_AES_128) || others > 1 {
                    return Err(StatusWord::WRONG_DATA);
                }
                self.state.pending = Pending::ChipAuthentication;
            }
            // Set DST and Set AT for Terminal Authentication. Version 1 knows no other objects, auxiliary
            // data (67) among them: a terminal that sends some would sign more than the chip checks.
            (0x81, 0xB6 | 0xA4) if protocol.is_some() || others > 0 => return Err(StatusWord::WRONG_DATA),
            (0x81, 0xB6) => self.choose_verifier(reference)?,
            (0x81, 0xA4) => self.choose_terminal(reference)?,
            _ => return Err(StatusWord::WRONG_P1_P2),
        }
        Ok(Response::status(StatusWord::OK))
    }

    pub(super) fn general_authenticate(&mut self, command: &Command) -> Answer {
        let sent = pace::parse_dynamic_data(&command.data).ok_or(StatusWord::WRONG_DATA)?;
        let pending = std::mem::take(&mut self.state.pending);
        let chained = command.cla & 0x10 != 0;
        // The last step of a protocol is the one that is not chained.
        let is_last = matches!(pending, Pending::PaceConfirmation(..) | Pending::ChipAuthentication);
        if chained == is_last && !matches!(pending, Pending::None) {
            return Err(StatusWord::WRONG_DATA);
        }
        let (tag, data) = match pending {
            Pending::PaceNonce(password) => self.pace_nonce(&password, sent)?,
            Pending::PaceMapping(nonce) => self.pace_mapping(&nonce, sent)?,
            Pending::PaceAgreement(generator) => self.pace_agreement(&generator, sent)?,
            Pending::PaceConfirmation(keys, reader, own) => {
                self.pace_confirmation(keys, &reader, &own, sent)?
            }
            Pending::ChipAuthentication => {
                self.agree_as_chip(sent)?;
                return Ok(Response::new(pace::dynamic_data(None), StatusWord::OK));
            }
            Pending::None | Pending::Challenge(_) => return Err(StatusWord::CONDITIONS),
        };
        Ok(Response::new(pace::dynamic_data(Some((tag, &data))), StatusWord::OK))
    }

    fn pace_nonce(&mut self, password: &Password, sent: Sent<'_>) -> Step {
        if sent.is_some() {
            return Err(StatusWord::WRONG_DATA);
        }
        let mut nonce = Zeroizing::new([0; 16]);
        self.rng.fill_bytes(nonce.as_mut_slice());
        let encrypted = password.pace_key().encrypt_nonce(&nonce);
        self.state.pending = Pending::PaceMapping(nonce);
        Ok((object::ENCRYPTED_NONCE, encrypted.to_vec()))
    }

    fn pace_mapping(&mut self, nonce: &[u8; 16], sent: Sent<'_>) -> Step {
        let theirs = point(sent, object::MAPPING_OF_READER)?;
        let own = KeyPair::generate(PACE_CURVE, &mut self.rng);
        let common = own.agree(&theirs).ok_or(StatusWord::WRONG_DATA)?;
        let generator = map_generator(PACE_CURVE, nonce, &common).ok_or(StatusWord::WRONG_DATA)?;
        self.state.pending = Pending::PaceAgreement(generator);
        Ok((object::MAPPING_OF_CHIP, own.public().point().to_vec()))
    }

    fn pace_agreement(&mut self, generator: &Point, sent: Sent<'_>) -> Step {
        let theirs = point(sent, object::EPHEMERAL_OF_READER)?;
        let own = KeyPair::generate_over(PACE_CURVE, Some(generator), &mut self.rng);
        let common = own.agree(&theirs).ok_or(StatusWord::WRONG_DATA)?;
        let keys = pace::session_keys(&common);
        self.state.pending = Pending::PaceConfirmation(keys, theirs, *own.public().point());
        Ok((object::EPHEMERAL_OF_CHIP, own.public().point().to_vec()))
    }

    fn pace_confirmation(&mut self, keys: SessionKeys, reader: &Point, own: &Point, sent: Sent<'_>) -> Step {
        let Some((object::TOKEN_OF_READER, token)) = sent else {
            return Err(StatusWord::WRONG_DATA);
        };
        if !pace::equal(token, &pace::token(&keys, own)) {
            return Err(StatusWord::AUTHENTICATION_FAILED);
        }
        let answer = pace::token(&keys, reader);
        self.state.next_channel = Some(pace::channel(keys));
        self.state.terminal = Terminal::of_chip(agreement::x(own));
        Ok((object::TOKEN_OF_CHIP, answer.to_vec()))
    }
}

/// What the reader put into its dynamic authentication data.
type Sent<'a> = Option<(u8, &'a [u8])>;
/// The object that answers a step.
type Step = Result<(u8, Vec<u8>), StatusWord>;

pub(super) fn point(sent: Sent<'_>, wanted: u8) -> Result<Point, StatusWord> {
    match sent {
        Some((tag, value)) if tag == wanted => value.try_into().map_err(|_| StatusWord::WRONG_DATA),
        _ => Err(StatusWord::WRONG_DATA),
    }
}
