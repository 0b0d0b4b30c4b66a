//! A chip in memory, which answers command by command.

mod access;
mod files;
mod inspect;
mod memory;
mod pending;
mod personalise;
mod prove;
mod trust;

use rand::CryptoRng;

use crate::Error;
use crate::access::{AccessNumber, MrzKey};
use crate::encoder::Life;
use crate::file::{ChipFiles, FileId};
use crate::keys::ChipKeys;
use crate::session::APPLICATION;
use crate::terminal::TrustAnchor;
use card::apdu::{Command, Response, StatusWord};
use card::lds::{DataGroup, dg1};
use card::secure_messaging::Channel;
use inspect::Terminal;
use pending::Pending;

pub use memory::Memory;

/// The answer to reset of a contactless chip behind a PC/SC reader (PC/SC part 3 §3.1.3.2.3): no interface
/// bytes but those of T=0 and T=1; historical bytes that announce selection by full name and by identifier,
/// short file identifiers, and extended lengths (ISO/IEC 7816-4:2013 §12.1.1.9); a check byte.
pub const ATR: &[u8] = &[0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0x94, 0x01, 0x40, 0x22];

/// A command's result: data and a status of success, or the status that says why not.
type Answer = Result<Response, StatusWord>;

/// A citizen card's chip, or a blank that becomes one.
pub struct VirtualChip<R> {
    memory: Memory,
    rng: R,
    /// What the reader has reached since power-on.
    state: State,
    keeper: Option<Keeper>,
    /// The keeper failed: the chip does nothing more until it is loaded again.
    broken: bool,
}

/// Keeps the memory of a chip where it survives a power cut. Says whether it could.
type Keeper = Box<dyn FnMut(&Memory) -> bool + Send>;

/// What a command is in a chain.
enum Joined {
    Alone,
    Part,
    Whole(Command),
}

/// Bytes of data that the commands of a chain have together at most: a certificate's.
const MOST_CHAINED: usize = 4_096;

#[derive(Default)]
struct State {
    channel: Option<Channel>,
    /// The application is selected, not the master file.
    in_application: bool,
    selected: Option<FileId>,
    pending: Pending,
    /// The other side has shown that it knows the transport key. It counts only under a channel.
    is_writer: bool,
    /// The session ends with the answer to this command.
    closing: bool,
    /// Commands of a chain that came so far, as one.
    chain: Option<Command>,
    terminal: Terminal,
    /// The channel that the next message will be under, after Chip Authentication and PACE.
    next_channel: Option<Channel>,
}

impl<R> std::fmt::Debug for VirtualChip<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualChip({:?})", self.memory)
    }
}

impl<R: CryptoRng> VirtualChip<R> {
    /// A chip with these files. Access number and key of the zone follow from DG1. Without keys the chip
    /// proves nothing, but can be read.
    pub fn new(files: ChipFiles, keys: Option<ChipKeys>, rng: R) -> Result<VirtualChip<R>, Error> {
        let mrz = dg1::parse(files.get(FileId::Group(DataGroup::DG1)).unwrap_or_default())?;
        let mut memory = Memory { files, life: Life::Operational, ..Memory::unpersonalised() };
        (memory.number, memory.zone) = (Some(AccessNumber::of(&mrz)), Some(MrzKey::of(&mrz)));
        if let Some(ChipKeys { agreement, signature }) = keys {
            (memory.agreement, memory.signature) = (Some(agreement), Some(signature));
        }
        Ok(VirtualChip::of(memory, rng))
    }

    /// The same chip, which gives fingers to whoever this authority's verifiers authorise.
    pub fn trusting(mut self, anchor: &TrustAnchor) -> Result<VirtualChip<R>, Error> {
        self.memory.trust.begin_with(trust::TrustPoint::own(anchor.cvca.bytes())?);
        self.memory.trust.advance(anchor.today);
        Ok(self)
    }

    /// A chip with this memory, which has just been given power.
    pub fn of(memory: Memory, rng: R) -> VirtualChip<R> {
        VirtualChip { memory, rng, state: State::default(), keeper: None, broken: false }
    }

    /// Gives each change of the memory to `keeper` before the command that made it is answered, so that what
    /// the other side was told is true after a power cut. When it says that it could not keep it, the command
    /// fails with 6581.
    pub fn kept_by(self, keeper: impl FnMut(&Memory) -> bool + Send + 'static) -> VirtualChip<R> {
        VirtualChip { keeper: Some(Box::new(keeper)), ..self }
    }

    /// What would be left without power.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// How far the chip has come from blank to card.
    pub fn life(&self) -> Life {
        self.memory.life
    }

    /// Power off or a reset: everything that was reached is gone.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// One command APDU in, one response APDU out.
    pub fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let response = match Command::parse(command) {
            Ok(command) => self.respond(command),
            Err(_) => {
                self.leave_channel();
                Response::status(StatusWord::WRONG_LENGTH)
            }
        };
        response.to_bytes()
    }

    fn respond(&mut self, command: Command) -> Response {
        if !command.is_protected() {
            // A command without protection ends the channel (Doc 9303-11 §9.8.3); it is then treated as a
            // stranger's.
            self.leave_channel();
            let response = self.perform(&command, command.le);
            self.state.channel = self.state.next_channel.take();
            return response;
        }
        let Some(mut channel) = self.state.channel.take() else {
            return Response::status(StatusWord::SM_OBJECT_MISSING);
        };
        let Ok(plain) = channel.open_command(&command) else {
            self.leave_channel();
            return Response::status(StatusWord::SM_OBJECT_WRONG);
        };
        let room = channel.most_response_data(command.le) as u32;
        // What a short answer cannot hold stays on the chip: the reader asks for it with the next offset.
        let le = plain.le.map(|le| le.min(room));
        let odd = plain.has_odd_instruction();
        self.state.channel = Some(channel);
        let response = self.perform(&plain, le);
        let Some(mut channel) = self.state.channel.take() else {
            return response;
        };
        let sealed = channel.seal_response(&response, odd);
        // The answer to the last step of PACE or Chip Authentication still goes under the old keys.
        self.state.channel = Some(self.state.next_channel.take().unwrap_or(channel));
        if self.state.closing {
            self.state = State::default();
        }
        sealed
    }

    fn leave_channel(&mut self) {
        if self.state.channel.take().is_some() {
            self.state = State::default();
        }
    }

    fn perform(&mut self, command: &Command, le: Option<u32>) -> Response {
        // Steps of GENERAL AUTHENTICATE are a chain too, and are answered one by one.
        let known_class =
            command.cla == 0 || (command.cla == 0x10 && matches!(command.ins, 0x86 | 0x2A | 0xDB));
        let answer = match known_class.then(|| self.joined(command)) {
            None => Err(StatusWord::CLASS_NOT_SUPPORTED),
            Some(Err(status)) => Err(status),
            Some(Ok(Joined::Part)) => Ok(Response::status(StatusWord::OK)),
            Some(Ok(Joined::Alone)) => self.dispatch(command, le),
            Some(Ok(Joined::Whole(whole))) => self.dispatch(&whole, le),
        };
        if !matches!(command.ins, 0x22 | 0x84 | 0x86) {
            // Another command in between ends a protocol that is under way, except the one that a challenge
            // waits for.
            self.state.pending = Pending::None;
        }
        answer.unwrap_or_else(Response::status)
    }

    /// Puts the commands of a chain together, for certificates and keys that are longer than a short command.
    /// A command of another kind drops what came so far.
    fn joined(&mut self, command: &Command) -> Result<Joined, StatusWord> {
        let begun = self
            .state
            .chain
            .take()
            .filter(|begun| (begun.ins, begun.p1, begun.p2) == (command.ins, command.p1, command.p2));
        if !matches!(command.ins, 0x2A | 0xDB) || (begun.is_none() && command.cla == 0) {
            return Ok(Joined::Alone);
        }
        if self.state.channel.is_none() {
            return Err(StatusWord::SECURITY_STATUS);
        }
        let mut whole = Command { data: Vec::new(), ..command.clone() };
        whole.data.extend(begun.into_iter().flat_map(|begun| begun.data));
        whole.data.extend_from_slice(&command.data);
        if whole.data.len() > MOST_CHAINED {
            return Err(StatusWord::WRONG_LENGTH);
        }
        if command.cla == 0 {
            return Ok(Joined::Whole(whole));
        }
        self.state.chain = Some(whole);
        Ok(Joined::Part)
    }

    fn dispatch(&mut self, command: &Command, le: Option<u32>) -> Answer {
        if self.broken {
            return Err(personalise::MEMORY_FAILURE);
        }
        let operational = self.memory.life == Life::Operational;
        match command.ins {
            0xA4 => self.select(command),
            0xCA => self.get_data(command),
            _ if self.memory.life == Life::Terminated => Err(StatusWord::CONDITIONS),
            0xE0 => self.create_file(command),
            0xD6 => self.update_binary(command),
            0xD7 => self.update_binary_odd(command),
            0xDB => self.put_data(command),
            0x24 => self.change_reference_data(command),
            0x44 => self.activate(command),
            0xFE => self.terminate(command),
            0x22 | 0x86 | 0x88 | 0x2A if !operational => Err(StatusWord::CONDITIONS),
            0x82 if !operational => self.authenticate_writer(command),
            0xB0 => self.read_binary(command, le),
            0xB1 => self.read_binary_odd(command, le),
            0x84 => self.challenge(command),
            0x82 => self.external_authenticate(command),
            0x22 => self.manage_security_environment(command),
            0x86 => self.general_authenticate(command),
            0x88 => self.internal_authenticate(command),
            0x2A => self.verify_certificate(command),
            _ => Err(StatusWord::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    fn select(&mut self, command: &Command) -> Answer {
        let state = &mut self.state;
        match (command.p1, &command.data[..]) {
            (0x04, name) if name == APPLICATION => {
                state.in_application = true;
                state.selected = None;
                Ok(match command.p2 {
                    0x00 => {
                        let name = card::tlv::encode(card::tlv::Tag(0x84), &[&APPLICATION]);
                        Response::new(card::tlv::encode(card::tlv::Tag(0x6F), &[&name]), StatusWord::OK)
                    }
                    _ => Response::status(StatusWord::OK),
                })
            }
            (0x04, _) => Err(StatusWord::FILE_NOT_FOUND),
            (0x00, [] | [0x3F, 0x00]) => {
                state.in_application = false;
                state.selected = None;
                Ok(match command.p2 {
                    // File control parameters with the life cycle status (ISO/IEC 7816-4 §7.4).
                    0x04 => {
                        let status = card::tlv::encode(card::tlv::Tag(0x8A), &[&[self.memory.life.code()]]);
                        Response::new(card::tlv::encode(card::tlv::Tag(0x62), &[&status]), StatusWord::OK)
                    }
                    _ => Response::status(StatusWord::OK),
                })
            }
            (0x00 | 0x02, &[high, low]) => {
                let id = FileId::from_identifier(u16::from_be_bytes([high, low]));
                self.select_file(id.ok_or(StatusWord::FILE_NOT_FOUND)?)
            }
            (0x00 | 0x02, _) => Err(StatusWord::WRONG_LENGTH),
            _ => Err(StatusWord::WRONG_P1_P2),
        }
    }
}

#[cfg(test)]
mod blank_tests;
#[cfg(test)]
mod inspect_material;
#[cfg(test)]
mod inspect_tests;
#[cfg(test)]
mod tests;
