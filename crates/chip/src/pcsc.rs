//! Real readers, and the virtual one, through the system's PC/SC service.

use crate::{Error, Lengths, Transport};
use pcsc::{Card, Context, Disposition, MAX_BUFFER_SIZE_EXTENDED, Protocols, Scope, ShareMode};
use std::ffi::{CStr, CString};

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
    let context = context()?;
    let names = context.list_readers_owned().map_err(fault)?;
    Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

impl PcscCard {
    /// The card on the reader whose name is `name`, or begins with it.
    pub fn connect(name: &str) -> Result<PcscCard, Error> {
        let context = context()?;
        let known = context.list_readers_owned().map_err(fault)?;
        let reader = find(&known, name).ok_or_else(|| Error::NoReader {
            name: name.to_owned(),
            known: known.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", "),
        })?;
        let card = context.connect(reader, ShareMode::Exclusive, Protocols::ANY).map_err(fault)?;
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

fn find<'a>(known: &'a [CString], name: &str) -> Option<&'a CStr> {
    let exact = known.iter().find(|reader| reader.to_bytes() == name.as_bytes());
    exact
        .or_else(|| known.iter().find(|reader| reader.to_bytes().starts_with(name.as_bytes())))
        .map(CString::as_c_str)
}

fn fault(error: pcsc::Error) -> Error {
    Error::Transport(error.to_string())
}
