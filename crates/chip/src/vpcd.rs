//! The protocol between vsmartcard's virtual reader (vpcd, a driver of pcscd) and a virtual card: messages
//! with a length of two bytes, big-endian, in front. A message of one byte from the reader is a control; any
//! other is a command APDU.

use std::io::{self, Read, Write};

use rand::CryptoRng;

use crate::virtual_chip::{ATR, VirtualChip};

/// The port on which vpcd waits unless it is told otherwise.
pub const PORT: u16 = 35_963;

/// What the reader asks for other than an answer.
const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const ATR_WANTED: u8 = 4;

/// Something that happened, for whoever watches. It carries no data of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    PowerOn,
    PowerOff,
    Command { instruction: u8, status: u16 },
}

/// Answers the reader until it closes the connection.
pub fn serve<R: CryptoRng>(
    mut reader: impl Read + Write,
    chip: &mut VirtualChip<R>,
    mut watch: impl FnMut(Event),
) -> io::Result<()> {
    while let Some(message) = receive(&mut reader)? {
        let answer = match message[..] {
            [] => continue,
            [POWER_ON | RESET] => {
                chip.reset();
                watch(Event::PowerOn);
                continue;
            }
            [POWER_OFF] => {
                chip.reset();
                watch(Event::PowerOff);
                continue;
            }
            [ATR_WANTED] => ATR.to_vec(),
            // An unknown control has no answer that the reader could wait for.
            [_] => continue,
            ref command => {
                let answer = chip.process(command);
                let status = answer.last_chunk::<2>().map_or(0, |word| u16::from_be_bytes(*word));
                watch(Event::Command { instruction: command.get(1).copied().unwrap_or(0), status });
                answer
            }
        };
        send(&mut reader, &answer)?;
    }
    Ok(())
}

/// `None` once the other side has closed the connection between two messages.
fn receive(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match from.read(&mut length)? {
        0 => return Ok(None),
        1 => from.read_exact(&mut length[1..])?,
        _ => {}
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

/// One write for both parts: the driver reads them from a socket without waiting for more.
fn send(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "the answer is longer than vpcd can carry")
    })?;
    to.write_all(&[&length.to_be_bytes()[..], message].concat())?;
    to.flush()
}
