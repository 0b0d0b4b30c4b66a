//! What stands for real readers in a program that was built without them.

use std::time::Duration;

use crate::{Error, Lengths, Transport};

/// There is none: see [`Error::BuiltWithoutReaders`].
#[derive(Debug)]
pub enum PcscCard {}

/// # Errors
/// Always [`Error::BuiltWithoutReaders`].
pub fn readers() -> Result<Vec<String>, Error> {
    Err(Error::BuiltWithoutReaders)
}

/// # Errors
/// Always [`Error::BuiltWithoutReaders`].
pub fn reader(_name: &str) -> Result<String, Error> {
    Err(Error::BuiltWithoutReaders)
}

/// # Errors
/// Always [`Error::BuiltWithoutReaders`].
pub fn is_empty(_name: &str) -> Result<bool, Error> {
    Err(Error::BuiltWithoutReaders)
}

impl PcscCard {
    /// # Errors
    /// Always [`Error::BuiltWithoutReaders`].
    pub fn connect(_name: &str, _patience: Duration) -> Result<PcscCard, Error> {
        Err(Error::BuiltWithoutReaders)
    }

    /// There is no reader to be asked: no value of this type exists.
    pub fn lengths(&self) -> Lengths {
        match *self {}
    }
}

impl Transport for PcscCard {
    fn transmit(&mut self, _command: &[u8]) -> Result<Vec<u8>, Error> {
        match *self {}
    }
}
