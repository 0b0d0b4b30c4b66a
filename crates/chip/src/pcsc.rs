//! Real readers, and virtual ones, through the system's PC/SC service.

use std::ffi::{CStr, CString};
use std::time::Duration;

use pcsc::{
    Card, Context, Disposition, MAX_BUFFER_SIZE_EXTENDED, Protocols, ReaderState, Scope, ShareMode, State,
};

use crate::{Error, Lengths, Transport};

/// How often the service is asked for a card.
const TURN: Duration = Duration::from_millis(250);

/// A card on a reader.
pub struct PcscCard {
    /// `None` once it was given back in `drop`.
    card: Option<Card>,
    atr: Vec<u8>,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for PcscCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PcscCard(…)")
    }
}

/// The names of all readers that the system knows.
pub fn readers() -> Result<Vec<String>, Error> {
    let names = context()?.list_readers_owned().map_err(fault)?;
    Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// The whole name of the reader whose name is `name` or begins with it.
pub fn reader(name: &str) -> Result<String, Error> {
    let known = context()?.list_readers_owned().map_err(fault)?;
    find(&known, name)
        .map(|reader| reader.to_string_lossy().into_owned())
        .ok_or_else(|| unknown(name, &known))
}

/// Whether the service sees that no card lies on the reader of exactly this name. After a command that failed
/// it does not know for a moment, and a card that is laid down before it has looked again is never noticed.
pub fn is_empty(name: &str) -> Result<bool, Error> {
    let name = CString::new(name).map_err(|_| Error::Transport("a name with a zero byte".to_owned()))?;
    Ok(state(&context()?, &name)?.contains(State::EMPTY))
}

impl PcscCard {
    /// The card on the reader whose name is `name` or begins with it, once one lies there; waits for it about
    /// `patience`.
    pub fn connect(name: &str, patience: Duration) -> Result<PcscCard, Error> {
        let context = context()?;
        let known = context.list_readers_owned().map_err(fault)?;
        let reader = find(&known, name).ok_or_else(|| unknown(name, &known))?;
        let card = wait_for_card(&context, reader, patience)?;
        let atr = card.status2_owned().map_err(fault)?.atr().to_vec();
        Ok(PcscCard { card: Some(card), atr, buffer: vec![0; MAX_BUFFER_SIZE_EXTENDED] })
    }

    /// How much the card says it takes at once.
    pub fn lengths(&self) -> Lengths {
        Lengths::from_atr(&self.atr)
    }
}

impl Transport for PcscCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        let card =
            self.card.as_ref().ok_or_else(|| Error::Transport("the card was given back".to_owned()))?;
        card.transmit(command, &mut self.buffer).map(<[u8]>::to_vec).map_err(fault)
    }
}

impl Drop for PcscCard {
    fn drop(&mut self) {
        if let Some(card) = self.card.take() {
            // The chip forgets the session with its power; whether that works changes nothing any more.
            let _ = card.disconnect(Disposition::UnpowerCard);
        }
    }
}

fn context() -> Result<Context, Error> {
    Context::establish(Scope::User).map_err(|error| match error {
        pcsc::Error::NoService => Error::Transport("the service pcscd does not run".to_owned()),
        error => fault(error),
    })
}

fn wait_for_card(context: &Context, reader: &CStr, patience: Duration) -> Result<Card, Error> {
    let mut last = Error::Transport("no card lies on it".to_owned());
    for _turn in 0..=patience.as_millis() / TURN.as_millis() {
        if state(context, reader)?.contains(State::PRESENT) {
            match context.connect(reader, ShareMode::Exclusive, Protocols::ANY) {
                Ok(card) => return Ok(card),
                // A card that is just being laid down or taken away, or still in another program's hands.
                Err(error) => last = fault(error),
            }
        }
        std::thread::sleep(TURN);
    }
    Err(last)
}

fn state(context: &Context, reader: &CStr) -> Result<State, Error> {
    // An unknown state before makes the service answer at once with the state of now.
    let mut states = [ReaderState::new(reader, State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut states).map_err(fault)?;
    Ok(states[0].event_state())
}

fn find<'a>(known: &'a [CString], name: &str) -> Option<&'a CStr> {
    let exact = known.iter().find(|reader| reader.to_bytes() == name.as_bytes());
    let found = exact.or_else(|| known.iter().find(|reader| reader.to_bytes().starts_with(name.as_bytes())));
    found.map(CString::as_c_str)
}

fn unknown(name: &str, known: &[CString]) -> Error {
    let known = match known {
        [] => "none".to_owned(),
        known => known.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", "),
    };
    Error::NoReader { name: name.to_owned(), known }
}

fn fault(error: pcsc::Error) -> Error {
    Error::Transport(error.to_string())
}
