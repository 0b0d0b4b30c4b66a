//! The commands that make a card of a blank. Which, after which clauses, is in the crate's README.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::trust::{Trust, TrustPoint};
use super::{Answer, VirtualChip};
use crate::access::{self, AccessNumber, MrzKey, SHARE_LEN};
use crate::agreement::KeyPair;
use crate::encoder::{ACCESS_NUMBER, AGREEMENT_KEY, FILE_EXISTS, Life, SIGNATURE_KEY, ZONE};
use crate::file::{ChipFiles, FileId};
use crate::production::PRODUCTION_DATA;
use card::apdu::{Command, Response, StatusWord};
use card::ec_key::Curve;
use card::lds::DataGroup;
use card::tlv::{self, Reader, Tag};

pub(super) const MEMORY_FAILURE: StatusWord = StatusWord(0x6581);
const BLOCKED: StatusWord = StatusWord(0x6983);
const NOT_ENOUGH_MEMORY: StatusWord = StatusWord(0x6A84);

/// Bytes that all files of a card may have together: a chip of half a megabyte.
const CAPACITY: usize = 512 * 1024;

impl<R: CryptoRng> VirtualChip<R> {
    /// GET DATA (ISO/IEC 7816-4): the production data. A finished card gives it only under a channel.
    pub(super) fn get_data(&self, command: &Command) -> Answer {
        if (command.p1, command.p2) != (0x9F, 0x7F) {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        if !command.data.is_empty() || command.le.is_none() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        if self.memory.life == Life::Operational && self.state.channel.is_none() {
            return Err(StatusWord::SECURITY_STATUS);
        }
        Ok(Response::new(tlv::encode(PRODUCTION_DATA, &[&self.memory.production]), StatusWord::OK))
    }

    /// MUTUAL AUTHENTICATE (ISO/IEC 7816-4 §11.6) with the transport key.
    pub(super) fn authenticate_writer(&mut self, command: &Command) -> Answer {
        let challenge = self.challenged(command)?;
        if self.memory.tries_left == 0 {
            return Err(BLOCKED);
        }
        let keys = self.memory.transport_key.as_ref().ok_or(StatusWord::CONDITIONS)?.access_keys();
        // Counted before it is compared: whoever cuts the power in between has used the try up.
        self.memory.tries_left -= 1;
        self.keep()?;
        let Some((reader, reader_share)) = access::open(&keys, &command.data, &challenge, None) else {
            return Err(StatusWord(0x63C0 | u16::from(self.memory.tries_left)));
        };
        self.memory.forgive();
        self.keep()?;
        let mut share = Zeroizing::new([0; SHARE_LEN]);
        self.rng.fill_bytes(share.as_mut_slice());
        let answer = access::seal(&keys, &challenge, &reader, &share);
        self.state.next_channel =
            Some(access::channel(keys.cipher(), (&challenge, &share), (&reader, &reader_share)));
        self.state.is_writer = true;
        Ok(Response::new(answer, StatusWord::OK))
    }

    pub(super) fn writer_is_here(&self) -> bool {
        self.memory.life == Life::Initialisation && self.state.is_writer && self.state.channel.is_some()
    }

    fn may_write(&self) -> Result<(), StatusWord> {
        match self.memory.life {
            Life::Initialisation if self.writer_is_here() => Ok(()),
            Life::Initialisation => Err(StatusWord::SECURITY_STATUS),
            // For ever.
            Life::Operational | Life::Terminated => Err(StatusWord::CONDITIONS),
        }
    }

    /// CREATE FILE (ISO/IEC 7816-9): file control parameters with size, descriptor and identifier.
    pub(super) fn create_file(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if (command.p1, command.p2) != (0, 0) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let (id, size) = file_in(&command.data).ok_or(StatusWord::WRONG_DATA)?;
        if (id == FileId::CardAccess) == self.state.in_application {
            return Err(StatusWord::CONDITIONS);
        }
        if self.memory.files.get(id).is_some() {
            return Err(FILE_EXISTS);
        }
        let taken: usize = self.memory.files.iter().map(|(_, bytes)| bytes.len()).sum();
        if size > CAPACITY - taken.min(CAPACITY) {
            return Err(NOT_ENOUGH_MEMORY);
        }
        self.memory.files.insert(id, vec![0; size]);
        self.state.selected = Some(id);
        self.kept()
    }

    /// UPDATE BINARY (ISO/IEC 7816-4 §11.3.5) of the selected file, with the offset in P1 and P2.
    pub(super) fn update_binary(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if command.p1 & 0x80 != 0 {
            return Err(StatusWord::WRONG_P1_P2);
        }
        self.update(usize::from(command.p1) << 8 | usize::from(command.p2), &command.data)
    }

    /// The same with the odd instruction: the offset stands in object 54, the data in object 53.
    pub(super) fn update_binary_odd(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if (command.p1, command.p2) != (0, 0) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let parts = || {
            let mut reader = Reader::new(&command.data);
            let offset = reader.expect(Tag(0x54), "offset (54) expected").ok()?.value;
            let data = reader.expect(Tag(0x53), "data (53) expected").ok()?.value;
            reader.finish().ok()?;
            let offset = (1..=4).contains(&offset.len()).then_some(offset)?;
            Some((offset.iter().fold(0usize, |value, &byte| value << 8 | usize::from(byte)), data))
        };
        let (offset, data) = parts().ok_or(StatusWord::WRONG_DATA)?;
        self.update(offset, data)
    }

    fn update(&mut self, offset: usize, data: &[u8]) -> Answer {
        let id = self.state.selected.ok_or(StatusWord::NO_FILE_SELECTED)?;
        if data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let file = self.memory.files.get_mut(id).ok_or(StatusWord::FILE_NOT_FOUND)?;
        if offset >= file.len() {
            return Err(StatusWord::OFFSET_OUTSIDE);
        }
        let part = file.get_mut(offset..offset + data.len()).ok_or(NOT_ENOUGH_MEMORY)?;
        part.copy_from_slice(data);
        self.kept()
    }

    /// PUT DATA (ISO/IEC 7816-4, odd instruction, current directory): a private key template (7F48, ISO/IEC
    /// 7816-8) with the key's reference (84) and the number itself (92); the certificate of the CVCA that the
    /// chip is to trust (7F21); or the day (5F25).
    pub(super) fn put_data(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if (command.p1, command.p2) != (0x3F, 0xFF) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        match &command.data[..] {
            [0x7F, 0x21, ..] => {
                let point = TrustPoint::own(&command.data).map_err(|_| StatusWord::WRONG_DATA)?;
                self.memory.trust.begin_with(point);
                return self.kept();
            }
            [0x5F, 0x25, 6, digits @ ..] => {
                self.memory.trust.advance(pki::cv_date(digits).ok_or(StatusWord::WRONG_DATA)?);
                return self.kept();
            }
            _ => {}
        }
        let (reference, secret) = key_in(&command.data).ok_or(StatusWord::WRONG_DATA)?;
        let (place, curve) = match reference {
            AGREEMENT_KEY => (&mut self.memory.agreement, Curve::BrainpoolP256r1),
            SIGNATURE_KEY => (&mut self.memory.signature, Curve::P256),
            _ => return Err(StatusWord::REFERENCE_NOT_FOUND),
        };
        *place = Some(KeyPair::from_secret(curve, secret).ok_or(StatusWord::WRONG_DATA)?);
        self.kept()
    }

    /// CHANGE REFERENCE DATA (ISO/IEC 7816-4 §11.6.7) with P1 = 01, a new value without the old one.
    pub(super) fn change_reference_data(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if command.p1 != 0x01 {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let text = std::str::from_utf8(&command.data).map_err(|_| StatusWord::WRONG_DATA)?;
        match command.p2 {
            ZONE => {
                self.memory.zone = Some(MrzKey::from_information(text).map_err(|_| StatusWord::WRONG_DATA)?);
            }
            ACCESS_NUMBER => {
                self.memory.number = Some(AccessNumber::parse(text).map_err(|_| StatusWord::WRONG_DATA)?);
            }
            _ => return Err(StatusWord::REFERENCE_NOT_FOUND),
        }
        self.kept()
    }

    /// ACTIVATE FILE (ISO/IEC 7816-9) of the card as a whole.
    pub(super) fn activate(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if (command.p1, command.p2) != (0, 0) || !command.data.is_empty() {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let memory = &mut self.memory;
        let needed = [FileId::CardAccess, FileId::Com, FileId::Sod, FileId::Group(DataGroup::DG1)];
        let has_files = needed.into_iter().all(|id| memory.files.get(id).is_some());
        let has_keys = memory.agreement.is_some() && memory.signature.is_some();
        if !(has_files && has_keys && memory.number.is_some() && memory.zone.is_some()) {
            return Err(StatusWord::CONDITIONS);
        }
        memory.life = Life::Operational;
        memory.transport_key = None;
        self.state.closing = true;
        self.kept()
    }

    /// TERMINATE CARD USAGE (ISO/IEC 7816-9).
    pub(super) fn terminate(&mut self, command: &Command) -> Answer {
        self.may_write()?;
        if (command.p1, command.p2) != (0, 0) || !command.data.is_empty() {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let memory = &mut self.memory;
        memory.life = Life::Terminated;
        memory.files = ChipFiles::default();
        (memory.transport_key, memory.agreement, memory.signature) = (None, None, None);
        (memory.number, memory.zone) = (None, None);
        memory.trust = Trust::default();
        self.state.closing = true;
        self.kept()
    }

    fn kept(&mut self) -> Answer {
        self.keep()?;
        Ok(Response::status(StatusWord::OK))
    }

    pub(super) fn keep(&mut self) -> Result<(), StatusWord> {
        let kept = self.keeper.as_mut().is_none_or(|keeper| keeper(&self.memory));
        self.broken = !kept;
        if kept { Ok(()) } else { Err(MEMORY_FAILURE) }
    }
}

/// A transparent working file in file control parameters (62): its identifier and its size.
fn file_in(data: &[u8]) -> Option<(FileId, usize)> {
    let template = tlv::single(data, Tag(0x62), "file control parameters (62) expected").ok()?;
    let (mut size, mut identifier, mut transparent) = (None, None, false);
    let mut reader = template.children().ok()?;
    while let Some(object) = reader.read().ok()? {
        match (object.tag.0, object.value) {
            (0x80, value) if (1..=4).contains(&value.len()) => {
                size = Some(value.iter().fold(0usize, |size, &byte| size << 8 | usize::from(byte)));
            }
            (0x82, [0x01, ..]) => transparent = true,
            (0x83, &[high, low]) => identifier = FileId::from_identifier(u16::from_be_bytes([high, low])),
            (0x88, _) => {}
            _ => return None,
        }
    }
    let id = identifier.filter(|_| transparent)?;
    Some((id, size.filter(|&size| size > 0)?))
}

/// A private key template's reference and number.
fn key_in(data: &[u8]) -> Option<(u8, Zeroizing<[u8; Curve::FIELD_LEN]>)> {
    let template = tlv::single(data, Tag(0x7F48), "private key template (7F48) expected").ok()?;
    let mut reader = template.children().ok()?;
    let reference = reader.expect(Tag(0x84), "key reference (84) expected").ok()?.value;
    let secret = reader.expect(Tag(0x92), "private number (92) expected").ok()?.value;
    reader.finish().ok()?;
    let &[reference] = reference else { return None };
    Some((reference, Zeroizing::new(secret.try_into().ok()?)))
}
