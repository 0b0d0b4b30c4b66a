//! Secure messaging (Doc 9303-11 §9.8): commands and responses encrypted and authenticated under session
//! keys, with two-key Triple-DES (after BAC) or AES-128 (after PACE or Chip Authentication).
//!
//! A [`Channel`] is one end. The chip's end calls `open_command` and `seal_response`, the reader's end
//! `seal_command` and `open_response`. Each message counts the send sequence counter up, so that none can be
//! repeated or left out.

mod cipher;

use zeroize::Zeroizing;

use crate::{
    CardError,
    apdu::{Command, Response, StatusWord},
    tlv::{self, Reader, Tag, Tlv},
};

pub use cipher::{Cipher, MAC_LEN, PaceKey, SessionKeys};

/// Padded cryptogram behind the padding-content indicator 01; for even instructions.
const DO_CRYPTOGRAM: Tag = Tag(0x87);
/// Padded cryptogram without an indicator; for odd instructions, whose data fields are TLV.
const DO_CRYPTOGRAM_TLV: Tag = Tag(0x85);
const DO_LE: Tag = Tag(0x97);
const DO_STATUS: Tag = Tag(0x99);
const DO_MAC: Tag = Tag(0x8E);

/// The most bytes of a response to a command with a short Le.
const SHORT_RESPONSE: usize = 256;

/// One end of a protected channel.
pub struct Channel {
    keys: SessionKeys,
    counter: u128,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel(redacted, {:?})", self.keys.cipher())
    }
}

impl Channel {
    /// `counter` is the send sequence counter before the first command: half of both nonces after BAC, zero
    /// after PACE and Chip Authentication (Doc 9303-11 §9.8.6).
    pub fn new(keys: SessionKeys, counter: u128) -> Channel {
        Channel { keys, counter }
    }

    /// What the session is protected with.
    pub fn cipher(&self) -> Cipher {
        self.keys.cipher()
    }

    /// The command as it goes over the air. The answer may be as long as the protected form of `command.le`
    /// bytes needs.
    pub fn seal_command(&mut self, command: &Command) -> Command {
        self.count();
        let cla = command.cla | 0x0C;
        let header = [cla, command.ins, command.p1, command.p2];
        let mut objects = Vec::new();
        if !command.data.is_empty() {
            objects = self.cryptogram(&command.data, command.has_odd_instruction());
        }
        let wide = command.extended || command.le.is_some_and(|le| le > 256);
        if let Some(le) = command.le {
            // The largest length of either form is written as zeros.
            let bytes = (le as u16).to_be_bytes();
            objects.extend(tlv::encode(DO_LE, &[if wide { &bytes[..] } else { &bytes[1..] }]));
        }
        let mac = self.mac(&header, &objects);
        objects.extend(tlv::encode(DO_MAC, &[&mac]));
        let extended = wide || objects.len() > 255;
        let le = Some(if extended { 65_536 } else { 256 });
        Command { cla, ins: command.ins, p1: command.p1, p2: command.p2, data: objects, le, extended }
    }

    /// The command that a reader protected.
    ///
    /// # Errors
    /// [`CardError::Channel`] when it was not, or not under these keys and this count. The channel is of no
    /// use then.
    pub fn open_command(&mut self, command: &Command) -> Result<Command, CardError> {
        self.count();
        let objects = Objects::parse(&command.data)?;
        let header = [command.cla, command.ins, command.p1, command.p2];
        self.check_mac(&header, &objects)?;
        let data = match objects.cryptogram {
            Some(cryptogram) => self.decrypt(&cryptogram)?.to_vec(),
            None => Vec::new(),
        };
        let (le, wide) = match objects.le.map(|le| le.value) {
            None => (None, false),
            Some(&[0]) => (Some(256), false),
            Some(&[le]) => (Some(u32::from(le)), false),
            Some(&[0, 0]) => (Some(65_536), true),
            Some(&[high, low]) => (Some(u32::from(u16::from_be_bytes([high, low]))), true),
            Some(_) => return Err(broken("the protected Le must have one or two bytes")),
        };
        let cla = command.cla & !0x0C;
        Ok(Command { cla, ins: command.ins, p1: command.p1, p2: command.p2, data, le, extended: wide })
    }

    /// The response as it goes over the air, to a command with this instruction.
    pub fn seal_response(&mut self, response: &Response, odd_instruction: bool) -> Response {
        self.count();
        let mut objects = Vec::new();
        if !response.data.is_empty() {
            objects = self.cryptogram(&response.data, odd_instruction);
        }
        objects.extend(tlv::encode(DO_STATUS, &[&response.status.0.to_be_bytes()]));
        let mac = self.mac(&[], &objects);
        objects.extend(tlv::encode(DO_MAC, &[&mac]));
        Response::new(objects, response.status)
    }

    /// The response that the chip protected.
    ///
    /// # Errors
    /// [`CardError::Channel`] when it was not, when it was changed on the way, or when the status word
    /// outside differs from the protected one.
    pub fn open_response(&mut self, response: &Response) -> Result<Response, CardError> {
        self.count();
        if response.data.is_empty() {
            return Err(broken("the chip answered without protection and so has left the channel"));
        }
        let objects = Objects::parse(&response.data)?;
        self.check_mac(&[], &objects)?;
        let Some(&[high, low]) = objects.status.map(|status| status.value) else {
            return Err(broken("the protected status word (99) is missing"));
        };
        let status = StatusWord(u16::from_be_bytes([high, low]));
        if status != response.status {
            return Err(broken("the status word outside differs from the protected one"));
        }
        let data = match objects.cryptogram {
            Some(cryptogram) => self.decrypt(&cryptogram)?.to_vec(),
            None => Vec::new(),
        };
        Ok(Response::new(data, status))
    }

    /// The most data that a protected response may carry, so that it fits a sender's Le. A chip that sends
    /// more than a short Le allows is cut off by readers that hold it to 256 bytes.
    pub fn most_response_data(&self, outer_le: Option<u32>) -> usize {
        let room = outer_le.unwrap_or(SHORT_RESPONSE as u32) as usize;
        let block = self.keys.cipher().block_len();
        // Status word (4), MAC (10), and around the cryptogram: tag, length (up to 3 bytes) and indicator.
        let length_len = if room <= SHORT_RESPONSE { 2 } else { 3 };
        let blocks = room.saturating_sub(4 + 2 + MAC_LEN + 1 + length_len + 1) / block;
        // One byte of padding at least.
        (blocks * block).saturating_sub(1)
    }

    fn count(&mut self) {
        self.counter = self.counter.wrapping_add(1);
    }

    fn cryptogram(&self, data: &[u8], odd: bool) -> Vec<u8> {
        let padded = pad(data, self.keys.cipher().block_len());
        let encrypted = self.keys.encrypt(self.counter, &padded);
        if odd {
            tlv::encode(DO_CRYPTOGRAM_TLV, &[&encrypted])
        } else {
            tlv::encode(DO_CRYPTOGRAM, &[&[0x01], &encrypted])
        }
    }

    fn decrypt(&self, cryptogram: &Tlv<'_>) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let encrypted = match (cryptogram.tag, cryptogram.value) {
            (DO_CRYPTOGRAM_TLV, value) => value,
            (_, [0x01, value @ ..]) => value,
            _ => return Err(broken("the padding indicator of the cryptogram (87) must be 01")),
        };
        if encrypted.is_empty() || !encrypted.len().is_multiple_of(self.keys.cipher().block_len()) {
            return Err(broken("the cryptogram is not a whole number of blocks"));
        }
        let mut data = self.keys.decrypt(self.counter, encrypted);
        let Some(end) = data.iter().rposition(|&b| b != 0).filter(|&end| data[end] == 0x80) else {
            return Err(broken("the padding of the cryptogram is wrong"));
        };
        data.truncate(end);
        Ok(data)
    }

    /// Over the counter, the padded header and the objects (Doc 9303-11 §9.8.4). A message without objects is
    /// the header alone, which is padded once.
    fn mac(&self, header: &[u8], objects: &[u8]) -> [u8; MAC_LEN] {
        let block = self.keys.cipher().block_len();
        let mut message = self.keys.counter_bytes(self.counter);
        if !header.is_empty() {
            message.extend(pad(header, block));
        }
        message.extend_from_slice(objects);
        if header.is_empty() || !objects.is_empty() {
            message = pad(&message, block);
        }
        self.keys.mac(&message)
    }

    fn check_mac(&self, header: &[u8], objects: &Objects<'_>) -> Result<(), CardError> {
        let expected = self.mac(header, objects.authenticated);
        // A comparison whose time tells where it failed would help to forge a MAC byte by byte.
        let differs = expected.iter().zip(objects.mac).fold(0, |sum, (a, b)| sum | (a ^ b));
        if differs == 0 { Ok(()) } else { Err(broken("the MAC is wrong")) }
    }
}

/// The data objects of a protected message.
struct Objects<'a> {
    cryptogram: Option<Tlv<'a>>,
    le: Option<Tlv<'a>>,
    status: Option<Tlv<'a>>,
    mac: &'a [u8; MAC_LEN],
    /// Everything before the MAC, as it was sent.
    authenticated: &'a [u8],
}

impl<'a> Objects<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, CardError> {
        let mut reader = Reader::new(bytes);
        let (mut cryptogram, mut le, mut status) = (None, None, None);
        while let Some(object) = reader.read()? {
            let slot = match object.tag {
                DO_CRYPTOGRAM | DO_CRYPTOGRAM_TLV => &mut cryptogram,
                DO_LE => &mut le,
                DO_STATUS => &mut status,
                DO_MAC => {
                    reader.finish()?;
                    let Ok(mac) = object.value.try_into() else {
                        return Err(broken("the MAC (8E) must have eight bytes"));
                    };
                    let authenticated = &bytes[..object.offset];
                    return Ok(Objects { cryptogram, le, status, mac, authenticated });
                }
                _ => return Err(broken("an object that secure messaging does not know")),
            };
            if slot.replace(object).is_some() {
                return Err(broken("an object occurs twice"));
            }
        }
        Err(broken("the MAC (8E) is missing"))
    }
}

/// ISO/IEC 9797-1 padding method 2.
pub fn pad(data: &[u8], block_len: usize) -> Vec<u8> {
    let mut out = data.to_vec();
    out.push(0x80);
    out.resize(out.len().next_multiple_of(block_len), 0);
    out
}

fn broken(problem: &'static str) -> CardError {
    CardError::Channel { problem }
}

#[cfg(test)]
mod tests;
