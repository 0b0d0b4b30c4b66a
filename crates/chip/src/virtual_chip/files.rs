//! Selecting and reading files.

use rand::CryptoRng;

use super::{Answer, VirtualChip};
use crate::encoder::Life;
use crate::file::FileId;
use card::apdu::{Command, MOST_RESPONSE_DATA, Response, StatusWord};
use card::tlv::{self, Reader, Tag};

impl<R: CryptoRng> VirtualChip<R> {
    pub(super) fn select_file(&mut self, id: FileId) -> Answer {
        self.state.selected = None;
        // One identifier stands for two files (Doc 9303-11 appendix K.2).
        let id = if id == FileId::CardAccess && self.state.in_application { FileId::Cvca } else { id };
        self.readable(id)?;
        self.state.selected = Some(id);
        Ok(Response::status(StatusWord::OK))
    }

    /// READ BINARY with an even instruction: the offset stands in P1 and P2, eight bits of it beside a short
    /// identifier.
    pub(super) fn read_binary(&mut self, command: &Command, le: Option<u32>) -> Answer {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let offset = if command.p1 & 0x80 == 0 {
            usize::from(command.p1) << 8 | usize::from(command.p2)
        } else {
            let id = (command.p1 & 0x60 == 0).then(|| FileId::from_short_identifier(command.p1)).flatten();
            self.select_file(id.ok_or(StatusWord::FILE_NOT_FOUND)?)?;
            usize::from(command.p2)
        };
        let wanted = le.ok_or(StatusWord::WRONG_LENGTH)?;
        let (data, status) = self.part(offset, wanted as usize, command.le)?;
        Ok(Response::new(data.to_vec(), status))
    }

    /// READ BINARY with an odd instruction (ISO/IEC 7816-4 §11.3.3): the offset stands in object 54, the data
    /// in object 53.
    pub(super) fn read_binary_odd(&mut self, command: &Command, le: Option<u32>) -> Answer {
        match u16::from_be_bytes([command.p1, command.p2]) {
            0x0000 => {}
            short @ 1..=0x1E => {
                let id = FileId::from_short_identifier(short as u8);
                self.select_file(id.ok_or(StatusWord::FILE_NOT_FOUND)?)?;
            }
            identifier => {
                let id = FileId::from_identifier(identifier);
                self.select_file(id.ok_or(StatusWord::FILE_NOT_FOUND)?)?;
            }
        }
        let mut reader = Reader::new(&command.data);
        let object = reader.expect(Tag(0x54), "offset (54) expected").map_err(|_| StatusWord::WRONG_DATA)?;
        reader.finish().map_err(|_| StatusWord::WRONG_DATA)?;
        if object.value.is_empty() || object.value.len() > 4 {
            return Err(StatusWord::WRONG_DATA);
        }
        let offset = object.value.iter().fold(0usize, |value, &byte| value << 8 | usize::from(byte));
        // The object's header takes part of what the reader asked for. A request that leaves no room beside
        // it gets one byte all the same, because some readers count the data alone and would take nothing for
        // the end of the file.
        let room = le.ok_or(StatusWord::WRONG_LENGTH)? as usize;
        let header = tlv::encoded_len(Tag(0x53), room) - room;
        let wanted = room.saturating_sub(header).max(1);
        let (data, status) = self.part(offset, wanted, command.le)?;
        Ok(Response::new(tlv::encode(Tag(0x53), &[data]), status))
    }

    /// At most `most` bytes of the selected file. `asked` is the Le that the reader wrote, which decides
    /// whether less is worth a warning.
    fn part(
        &self,
        offset: usize,
        most: usize,
        asked: Option<u32>,
    ) -> Result<(&[u8], StatusWord), StatusWord> {
        let id = self.state.selected.ok_or(StatusWord::NO_FILE_SELECTED)?;
        let rest = self.readable(id)?.get(offset..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(StatusWord::OFFSET_OUTSIDE)?;
        let data = &rest[..rest.len().min(most).min(MOST_RESPONSE_DATA)];
        // The largest length of either form means "what there is".
        let exact = asked.is_some_and(|le| le != 256 && le != 65_536 && le as usize > rest.len());
        Ok((data, if exact { StatusWord::END_OF_FILE } else { StatusWord::OK }))
    }

    /// A file where it stands, if the reader has come far enough to see it.
    fn readable(&self, id: FileId) -> Result<&[u8], StatusWord> {
        let here = (id == FileId::CardAccess) != self.state.in_application;
        let file = if id == FileId::Cvca { self.memory.trust.file() } else { self.memory.files.get(id) };
        let file = file.filter(|_| here).ok_or(StatusWord::FILE_NOT_FOUND)?;
        if self.memory.life != Life::Operational {
            // Who writes may read back; a blank is closed to everybody else.
            return if self.writer_is_here() { Ok(file) } else { Err(StatusWord::SECURITY_STATUS) };
        }
        let open = id == FileId::CardAccess || self.state.channel.is_some();
        let granted = id.is_granted(self.state.terminal.rights());
        if open && granted { Ok(file) } else { Err(StatusWord::SECURITY_STATUS) }
    }
}
