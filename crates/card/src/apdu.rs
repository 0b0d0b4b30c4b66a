//! Commands and responses of ISO/IEC 7816-4 §5.1, in short and extended form.

use zeroize::Zeroize;

use crate::CardError;

/// The most data that an extended command carries.
pub const MOST_COMMAND_DATA: usize = 65_535;
/// The most data that a response carries.
pub const MOST_RESPONSE_DATA: usize = 65_536;

/// One command to the chip.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    pub cla: u8,
    pub ins: u8,
    pub p1: u8,
    pub p2: u8,
    pub data: Vec<u8>,
    /// The most bytes the sender will take: 1 to 256 in a short command, 1 to 65,536 in an extended one;
    /// `None` when it expects no data.
    pub le: Option<u32>,
    /// Lengths are written in the extended form, even if the short one would do.
    pub extended: bool,
}

/// Data may hold personal values and keys under agreement.
impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Command { cla, ins, p1, p2, .. } = self;
        write!(f, "Command({cla:02X} {ins:02X} {p1:02X} {p2:02X}, {} bytes)", self.data.len())
    }
}

impl Command {
    /// A command in short form; [`Command::to_bytes`] takes the extended one when the lengths need it.
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8], le: Option<u32>) -> Command {
        Command { cla, ins, p1, p2, data: data.to_vec(), le, extended: false }
    }

    /// Reads a command in short or extended length (ISO/IEC 7816-4 §5.1).
    ///
    /// # Errors
    ///
    /// When the length fields do not match the length of the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Command, CardError> {
        let Some((&[cla, ins, p1, p2], body)) = bytes.split_first_chunk::<4>() else {
            return Err(error(bytes.len(), "a command has at least four bytes"));
        };
        let (data, le, extended) = body_of(body)?;
        Ok(Command { cla, ins, p1, p2, data: data.to_vec(), le, extended })
    }

    /// # Panics
    /// If the data is longer than [`MOST_COMMAND_DATA`] or Le lies outside 1 to 65,536: the caller's lengths
    /// come from fixed formats.
    pub fn to_bytes(&self) -> Vec<u8> {
        let le = self.le;
        assert!(self.data.len() <= MOST_COMMAND_DATA, "a command carries at most 65,535 bytes");
        assert!(le.is_none_or(|le| (1..=65_536).contains(&le)), "Le lies between 1 and 65,536");
        let mut out = vec![self.cla, self.ins, self.p1, self.p2];
        if self.extended || self.data.len() > 255 || le.is_some_and(|le| le > 256) {
            if !self.data.is_empty() || le.is_some() {
                out.push(0);
            }
            if !self.data.is_empty() {
                out.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
                out.extend_from_slice(&self.data);
            }
            // 65,536 is written as zero, which is what the cast leaves of it.
            out.extend(le.iter().flat_map(|&le| (le as u16).to_be_bytes()));
        } else {
            if !self.data.is_empty() {
                out.push(self.data.len() as u8);
                out.extend_from_slice(&self.data);
            }
            out.extend(le.iter().map(|&le| le as u8));
        }
        out
    }

    /// Bit 1 of INS: the data fields are BER-TLV (ISO/IEC 7816-4 §5.1.2).
    pub fn has_odd_instruction(&self) -> bool {
        self.ins & 1 == 1
    }

    /// CLA announces secure messaging in which the header is authenticated (ISO/IEC 7816-4 §5.1.1, table 2).
    pub fn is_protected(&self) -> bool {
        self.cla & 0xEC == 0x0C
    }
}

type Body<'a> = (&'a [u8], Option<u32>, bool);

/// The seven forms of ISO/IEC 7816-4 §5.1, table 1 (cases 1, 2S to 4S and 2E to 4E).
fn body_of(body: &[u8]) -> Result<Body<'_>, CardError> {
    let short = |le: u8| Some(if le == 0 { 256 } else { u32::from(le) });
    let extended = |high: u8, low: u8| {
        let le = u32::from(u16::from_be_bytes([high, low]));
        Some(if le == 0 { 65_536 } else { le })
    };
    match *body {
        [] => Ok((&[], None, false)),
        [le] => Ok((&[], short(le), false)),
        [0, high, low] => Ok((&[], extended(high, low), true)),
        [0, high, low, ref rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            match rest.split_at_checked(length) {
                _ if length == 0 => Err(error(5, "an extended Lc of zero")),
                Some((data, [])) => Ok((data, None, true)),
                Some((data, &[high, low])) => Ok((data, extended(high, low), true)),
                _ => Err(error(5, "Lc does not match the length of the command")),
            }
        }
        [0, _] => Err(error(4, "an extended length is cut off")),
        [length, ref rest @ ..] => match rest.split_at_checked(usize::from(length)) {
            Some((data, [])) => Ok((data, None, false)),
            Some((data, &[le])) => Ok((data, short(le), false)),
            _ => Err(error(4, "Lc does not match the length of the command")),
        },
    }
}

fn error(offset: usize, problem: &'static str) -> CardError {
    CardError::Apdu { offset, problem }
}

/// The chip's word on how a command went.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// The command was carried out.
    pub const OK: Self = Self(0x9000);
    /// The end of the file came before as many bytes as were asked for; what there is was sent.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// The other side could not be authenticated.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// Lc or Le does not fit the command.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// The chip does not know the logical channel that the class byte names.
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    /// What is asked for needs an access protocol that has not been run, or a right that was not given.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// The command comes out of order, or the chip's life has gone beyond it.
    pub const CONDITIONS: Self = Self(0x6985);
    /// A command on the current file came while no file is selected.
    pub const NO_FILE_SELECTED: Self = Self(0x6986);
    /// The session is protected and the message lacks a data object of secure messaging.
    pub const SM_OBJECT_MISSING: Self = Self(0x6987);
    /// A data object of secure messaging is damaged, or its checksum is wrong; the chip ends the session.
    pub const SM_OBJECT_WRONG: Self = Self(0x6988);
    /// The data field holds something that the command does not allow.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// There is no such file or application.
    pub const FILE_NOT_FOUND: Self = Self(0x6A82);
    /// The parameters P1 and P2 do not exist for this command.
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    /// The key or reference data that the command names is not there.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// The offset lies beyond the end of the file.
    pub const OFFSET_OUTSIDE: Self = Self(0x6B00);
    /// The chip does not know the instruction byte.
    pub const INSTRUCTION_NOT_SUPPORTED: Self = Self(0x6D00);
    /// The chip does not know the class byte.
    pub const CLASS_NOT_SUPPORTED: Self = Self(0x6E00);

    /// Whether the command was carried out without a warning.
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// The data of such a response may be used: done, or done with a warning such as the end of the file.
    pub fn carries_data(self) -> bool {
        self.is_ok() || self.0 >> 8 == 0x62
    }
}

impl std::fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl std::fmt::Display for StatusWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let meaning = match *self {
            Self::OK => "done",
            Self::END_OF_FILE => "the file ended",
            Self::WRONG_LENGTH => "wrong length",
            Self::SECURITY_STATUS => "access refused",
            Self::CONDITIONS => "not now",
            Self::SM_OBJECT_MISSING | Self::SM_OBJECT_WRONG => "the protected channel broke",
            Self::FILE_NOT_FOUND => "no such file or application",
            Self::INSTRUCTION_NOT_SUPPORTED | Self::CLASS_NOT_SUPPORTED => "command not supported",
            Self(word) if word >> 8 == 0x63 => "authentication failed",
            Self(word) if matches!(word >> 8, 0x69..=0x6B) => "the command does not fit",
            Self(_) => "no known meaning",
        };
        write!(f, "{:04X} ({meaning})", self.0)
    }
}

/// One response of the chip.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub data: Vec<u8>,
    pub status: StatusWord,
}

/// Data may hold personal values.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({} bytes, {:?})", self.data.len(), self.status)
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

impl Response {
    /// An answer with data, as it goes over the wire before secure messaging.
    pub fn new(data: Vec<u8>, status: StatusWord) -> Response {
        Response { data, status }
    }

    /// An answer of a status word alone.
    pub fn status(status: StatusWord) -> Response {
        Response { data: Vec::new(), status }
    }

    /// Reads an answer: data, then the two bytes of the status word.
    ///
    /// # Errors
    ///
    /// When there are fewer than two bytes, or more data than an answer can carry.
    pub fn parse(bytes: &[u8]) -> Result<Response, CardError> {
        let Some((data, &word)) = bytes.split_last_chunk::<2>() else {
            return Err(error(bytes.len(), "a response has at least the two bytes of a status word"));
        };
        if data.len() > MOST_RESPONSE_DATA {
            return Err(error(MOST_RESPONSE_DATA, "a response carries at most 65,536 bytes"));
        }
        Ok(Response { data: data.to_vec(), status: StatusWord(u16::from_be_bytes(word)) })
    }

    /// The data, then the status word.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.data[..], &self.status.0.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], data: &[u8], le: Option<u32>, extended: bool) {
        let command = Command::parse(bytes).unwrap();
        assert_eq!((&command.data[..], command.le, command.extended), (data, le, extended));
        assert_eq!(command.to_bytes(), bytes);
    }

    #[test]
    fn the_seven_forms() {
        check(&[0, 0xA4, 4, 0x0C], &[], None, false);
        check(&[0, 0xB0, 0, 0, 0], &[], Some(256), false);
        check(&[0, 0xB0, 0, 0, 9], &[], Some(9), false);
        check(&[0, 0xA4, 2, 0x0C, 2, 1, 0x1E], &[1, 0x1E], None, false);
        check(&[0, 0x88, 0, 0, 1, 7, 0], &[7], Some(256), false);
        check(&[0, 0xB0, 0, 0, 0, 0, 0], &[], Some(65_536), true);
        check(&[0, 0x86, 0, 0, 0, 0, 1, 7], &[7], None, true);
        check(&[0, 0x86, 0, 0, 0, 0, 1, 7, 1, 0], &[7], Some(256), true);
    }

    #[test]
    fn lengths_that_disagree_are_placed() {
        let at = |bytes: &[u8]| match Command::parse(bytes).unwrap_err() {
            CardError::Apdu { offset, .. } => offset,
            other => panic!("{other}"),
        };
        assert_eq!(at(&[0, 0xA4, 4]), 3);
        assert_eq!(at(&[0, 0xA4, 4, 0, 3, 1]), 4);
        assert_eq!(at(&[0, 0xA4, 4, 0, 1, 1, 0, 0]), 4);
        assert_eq!(at(&[0, 0xA4, 4, 0, 0, 0]), 4);
        assert_eq!(at(&[0, 0xA4, 4, 0, 0, 0, 0, 1]), 5);
        assert_eq!(at(&[0, 0xA4, 4, 0, 0, 0, 9, 1]), 5);
        assert!(Response::parse(&[0x90]).is_err());
    }

    proptest! {
        #[test]
        fn any_command_reads_back(
            header in any::<[u8; 4]>(),
            data in proptest::collection::vec(any::<u8>(), 0..700),
            le in proptest::option::of(1u32..=65_536),
            extended in any::<bool>(),
        ) {
            let [cla, ins, p1, p2] = header;
            let command = Command { cla, ins, p1, p2, data, le, extended };
            let read = Command::parse(&command.to_bytes()).unwrap();
            prop_assert_eq!((&read.data, read.le), (&command.data, command.le));
        }

        #[test]
        fn what_parses_is_written_back_alike(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(command) = Command::parse(&bytes) {
                prop_assert_eq!(command.to_bytes(), bytes.clone());
            }
            if let Ok(response) = Response::parse(&bytes) {
                prop_assert_eq!(response.to_bytes(), bytes);
            }
        }
    }
}
