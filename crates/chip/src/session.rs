//! The reader's side: one conversation with a chip.

mod authenticate;
mod inspect;
mod open;

use crate::file::FileId;
use crate::production::ChipSerial;
use crate::{Error, Step};
use card::apdu::{Command, Response, StatusWord};
use card::ec_key::Curve;
use card::secure_messaging::Channel;
use card::tlv::{self, Tag};

/// The application of travel documents and of the citizen card.
pub(crate) const APPLICATION: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

/// The largest file that is read: many times a DG2 or DG3.
const MOST_FILE_BYTES: usize = 1 << 20;
/// What 255 bytes of a short command hold under secure messaging, with its padding, indicator and MAC.
const SHORT_COMMAND: usize = 223;
/// READ BINARY with an even instruction reaches offsets of fifteen bits.
const EVEN_REACH: usize = 0x7FFF;

/// Carries commands to a chip and its answers back.
pub trait Transport {
    /// Sends one command APDU and returns the response with its status word.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        (**self).transmit(command)
    }
}

/// How much a chip and its reader take at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// 256 bytes, secure messaging included.
    Short,
    /// Extended commands that ask for this many bytes at once.
    Extended(u16),
}

impl Lengths {
    /// What fits the buffer of every reader that knows extended lengths at all.
    const EXTENDED: Lengths = Lengths::Extended(4_000);

    /// Extended when the historical bytes of the answer to reset say that the chip takes it: compact TLV 73,
    /// third byte, bit 7 (ISO/IEC 7816-4:2013 §12.1.1.9).
    pub fn from_atr(atr: &[u8]) -> Lengths {
        if extended_in_atr(atr) == Some(true) { Lengths::EXTENDED } else { Lengths::Short }
    }
}

/// ISO/IEC 7816-3 §8.2: T0 and each TD say which interface bytes follow; the low half of T0 counts the
/// historical bytes.
fn extended_in_atr(atr: &[u8]) -> Option<bool> {
    let count = usize::from(atr.get(1)? & 0x0F);
    let (mut at, mut follow) = (2, atr.get(1)? >> 4);
    while follow != 0 {
        at += follow.count_ones() as usize;
        follow = if follow & 8 != 0 { atr.get(at - 1)? >> 4 } else { 0 };
    }
    let historical = atr.get(at..at + count)?;
    // Category 00 or 80: compact TLV follows, with the status at the end for 00.
    let (&category, mut rest) = historical.split_first()?;
    if !matches!(category, 0x00 | 0x80) {
        return None;
    }
    while let [header, tail @ ..] = rest {
        let value = tail.get(..usize::from(header & 0x0F))?;
        if *header == 0x73 {
            return Some(value[2] & 0x40 != 0);
        }
        rest = &tail[value.len()..];
    }
    None
}

/// One conversation with one chip. It begins without any right; `pace` or `basic_access` opens it.
pub struct Session<T> {
    transport: T,
    channel: Option<Channel>,
    lengths: Lengths,
    /// How Terminal Authentication names the chip, from the protocol that opened it.
    pub(crate) chip_id: Vec<u8>,
    /// Our key of Chip Authentication, compressed: its x coordinate (Doc 9303-11 §7.1.4.2.3).
    pub(crate) reader_key: Option<[u8; Curve::FIELD_LEN]>,
}

impl<T> std::fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?}, {:?})", self.channel, self.lengths)
    }
}

/// What came of reading a file.
#[derive(Clone, PartialEq, Eq)]
pub enum ReadFile {
    Bytes(Vec<u8>),
    /// The chip has no such file.
    Missing,
    /// The chip gives it only to those who may read it.
    Refused,
}

impl std::fmt::Debug for ReadFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadFile::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            ReadFile::Missing => f.write_str("Missing"),
            ReadFile::Refused => f.write_str("Refused"),
        }
    }
}

impl<T: Transport> Session<T> {
    /// A session without protection; an access protocol opens a channel later.
    pub fn new(transport: T, lengths: Lengths) -> Session<T> {
        Session { transport, channel: None, lengths, chip_id: Vec::new(), reader_key: None }
    }

    /// Whether an access protocol was run, so that messages are encrypted.
    pub fn is_protected(&self) -> bool {
        self.channel.is_some()
    }

    /// Ends the session; the chip keeps its power, and its side of the channel is lost with the next plain
    /// command.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// The serial number of the chip, which a finished card tells only those who opened it; `None` if it
    /// tells none.
    pub fn serial(&mut self) -> Result<Option<ChipSerial>, Error> {
        let answer = self.transmit(&Command::new(0, 0xCA, 0x9F, 0x7F, &[], Some(256)))?;
        Ok(answer.status.is_ok().then(|| ChipSerial::from_answer(&answer.data)).flatten())
    }

    /// How much data one protected command may carry.
    pub(crate) fn most_command_data(&self) -> usize {
        match self.lengths {
            Lengths::Extended(most) => usize::from(most).max(SHORT_COMMAND),
            Lengths::Short => SHORT_COMMAND,
        }
    }

    /// Selects the application of the card. After it, files are those of the application.
    pub fn select_application(&mut self) -> Result<(), Error> {
        let command = Command::new(0, 0xA4, 0x04, 0x0C, &APPLICATION, None);
        self.exchange(Step::SelectApplication, &command).map(drop)
    }

    /// EF.CardAccess, which stands at the master file and is open to everybody; before the application is
    /// selected.
    pub fn read_card_access(&mut self) -> Result<ReadFile, Error> {
        self.read_file(FileId::CardAccess, &mut |_, _| ())
    }

    /// Reads a whole file. `progress` is told how many bytes are read, and of how many.
    ///
    /// # Errors
    /// When the conversation breaks; a file that is missing or refused is a result.
    pub fn read_file(
        &mut self,
        file: FileId,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<ReadFile, Error> {
        let select = Command::new(0, 0xA4, 0x02, 0x0C, &file.identifier().to_be_bytes(), None);
        match self.transmit(&select)?.status {
            status if status.carries_data() => {}
            StatusWord::FILE_NOT_FOUND => return Ok(ReadFile::Missing),
            StatusWord::SECURITY_STATUS => return Ok(ReadFile::Refused),
            status => return Err(Error::Refused { step: Step::SelectFile, status }),
        }
        let head = self.transmit(&Command::new(0, 0xB0, 0, 0, &[], Some(8)))?;
        if head.status == StatusWord::SECURITY_STATUS {
            return Ok(ReadFile::Refused);
        }
        if !head.status.carries_data() {
            return Err(Error::Refused { step: Step::ReadFile, status: head.status });
        }
        let total = file_len(&head.data)?;
        let mut bytes = head.data.clone();
        bytes.truncate(total);
        progress(bytes.len(), total);
        while bytes.len() < total {
            let part = self.read_part(bytes.len(), total - bytes.len())?;
            if part.is_empty() {
                let problem = "the file ends before the length that its first bytes state";
                return Err(Error::Protocol { step: Step::ReadFile, problem });
            }
            bytes.extend_from_slice(&part[..part.len().min(total - bytes.len())]);
            progress(bytes.len(), total);
        }
        Ok(ReadFile::Bytes(bytes))
    }

    fn read_part(&mut self, offset: usize, missing: usize) -> Result<Vec<u8>, Error> {
        let most = match (self.lengths, &self.channel) {
            (Lengths::Extended(most), _) => usize::from(most),
            (Lengths::Short, Some(channel)) => channel.most_response_data(Some(256)),
            (Lengths::Short, None) => 256,
        };
        let odd = offset > EVEN_REACH;
        // The answer to an odd instruction is wrapped in an object with up to four bytes of header.
        let wanted = if odd { most.min(missing + 4) } else { most.min(missing) } as u32;
        let mut command = if odd {
            let offset = tlv::encode(Tag(0x54), &[&(offset as u32).to_be_bytes()[1..]]);
            Command::new(0, 0xB1, 0, 0, &offset, Some(wanted))
        } else {
            Command::new(0, 0xB0, (offset >> 8) as u8, offset as u8, &[], Some(wanted))
        };
        command.extended = matches!(self.lengths, Lengths::Extended(_));
        let response = self.transmit(&command)?;
        if !response.status.carries_data() {
            return Err(Error::Refused { step: Step::ReadFile, status: response.status });
        }
        if !odd {
            return Ok(response.data.clone());
        }
        Ok(tlv::single(&response.data, Tag(0x53), "data object 53 expected")?.value.to_vec())
    }

    /// Sends a command, under protection if there is a channel, and demands that it succeeds.
    pub(crate) fn exchange(&mut self, step: Step, command: &Command) -> Result<Response, Error> {
        let response = self.transmit(command)?;
        if response.status.is_ok() {
            Ok(response)
        } else {
            Err(Error::Refused { step, status: response.status })
        }
    }

    /// The same with data of any length: in one command where chip and reader take it, otherwise in a chain
    /// of them (ISO/IEC 7816-4 §5.3.3).
    pub(crate) fn exchange_in_parts(&mut self, step: Step, mut command: Command) -> Result<Response, Error> {
        let most = self.most_command_data();
        while command.data.len() > most {
            let rest = command.data.split_off(most);
            let part = Command { cla: command.cla | 0x10, le: None, ..command.clone() };
            self.exchange(step, &part)?;
            command.data = rest;
        }
        self.exchange(step, &command)
    }

    /// Sends any command, under protection if there is a channel, and gives the answer whatever its status.
    ///
    /// # Errors
    /// When the conversation breaks.
    pub fn transmit(&mut self, command: &Command) -> Result<Response, Error> {
        let Some(channel) = &mut self.channel else {
            return Ok(Response::parse(&self.transport.transmit(&command.to_bytes())?)?);
        };
        let sealed = channel.seal_command(command);
        let answer = Response::parse(&self.transport.transmit(&sealed.to_bytes())?)?;
        let opened = channel.open_response(&answer);
        if opened.is_err() {
            // Nothing that comes after a break can be trusted.
            self.channel = None;
        }
        Ok(opened?)
    }
}

/// Length of a file that is one data object, from its first bytes.
fn file_len(head: &[u8]) -> Result<usize, Error> {
    let problem = |problem| Error::Protocol { step: Step::ReadFile, problem };
    let (&first, rest) = head.split_first().ok_or(problem("the file is empty"))?;
    let tag_len = if first & 0x1F == 0x1F { 2 } else { 1 };
    let Some(&length) = rest.get(tag_len - 1) else {
        return Err(problem("the file ends inside its tag"));
    };
    let (header, value) = match length {
        0..=0x7F => (tag_len + 1, usize::from(length)),
        0x81..=0x84 => {
            let count = usize::from(length & 0x0F);
            let Some(bytes) = head.get(tag_len + 1..tag_len + 1 + count) else {
                return Err(problem("the file ends inside its length"));
            };
            (tag_len + 1 + count, bytes.iter().fold(0, |value, &byte| value << 8 | usize::from(byte)))
        }
        _ => return Err(problem("the file has no definite length")),
    };
    let total = header + value;
    if total > MOST_FILE_BYTES { Err(problem("the file is larger than a megabyte")) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_files_come_from_their_first_bytes() {
        assert_eq!(file_len(&[0x61, 0x5D, 0x5F]).unwrap(), 95);
        assert_eq!(file_len(&[0x75, 0x82, 0x50, 0x00]).unwrap(), 0x5004);
        assert_eq!(file_len(&[0x7F, 0x61, 0x81, 0x90]).unwrap(), 4 + 0x90);
        for wrong in [&[][..], &[0x61], &[0x61, 0x80], &[0x61, 0x82, 1], &[0x61, 0x84, 0x7F, 0, 0, 0]] {
            assert!(file_len(wrong).is_err());
        }
    }

    #[test]
    fn the_answer_to_reset_says_whether_lengths_may_be_extended() {
        assert_eq!(Lengths::from_atr(crate::ATR), Lengths::EXTENDED);
        let mut short = crate::ATR.to_vec();
        let at = short.windows(2).position(|w| w[0] == 0x73).unwrap();
        short[at + 3] &= !0x40;
        assert_eq!(Lengths::from_atr(&short), Lengths::Short);
        for cut in 0..short.len() {
            Lengths::from_atr(&short[..cut]);
        }
    }
}
