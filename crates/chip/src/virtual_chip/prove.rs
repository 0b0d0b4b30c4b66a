//! The chip's side of Active Authentication and Chip Authentication.

use rand::CryptoRng;

use super::{Answer, VirtualChip, access::point};
use crate::agreement;
use crate::keys::sign;
use crate::pace::object;
use card::apdu::{Command, Response, StatusWord};
use card::secure_messaging::{Channel, Cipher, SessionKeys};

impl<R: CryptoRng> VirtualChip<R> {
    /// Active Authentication: eight bytes of the reader's, signed.
    pub(super) fn internal_authenticate(&mut self, command: &Command) -> Answer {
        let key = self.memory.signature.as_ref().ok_or(StatusWord::INSTRUCTION_NOT_SUPPORTED)?;
        if !self.state.in_application || self.state.channel.is_none() {
            return Err(StatusWord::SECURITY_STATUS);
        }
        if command.data.len() != 8 {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let signature = sign(key, &command.data).ok_or(StatusWord::CONDITIONS)?;
        Ok(Response::new(signature, StatusWord::OK))
    }

    /// Chip Authentication: the next message is under keys from the static key of DG14 and the reader's
    /// ephemeral one.
    pub(super) fn agree_as_chip(&mut self, sent: Option<(u8, &[u8])>) -> Result<(), StatusWord> {
        let key = self.memory.agreement.as_ref().ok_or(StatusWord::CONDITIONS)?;
        let theirs = point(sent, object::PUBLIC_KEY)?;
        let common = key.agree(&theirs).ok_or(StatusWord::WRONG_DATA)?;
        let keys = SessionKeys::derive(Cipher::Aes128, agreement::x(&common));
        self.state.next_channel = Some(Channel::new(keys, 0));
        // Rights of the channel before end with it (Doc 9303-11 §7.1.3).
        let terminal = std::mem::take(&mut self.state.terminal);
        self.state.terminal = terminal.after_chip_authentication(agreement::x_of(&theirs));
        Ok(())
    }
}
