//! Making the chip prove that it is the one which was signed: a copy of the files has no private key.

use rand::CryptoRng;

use super::{Session, Transport};
use crate::agreement::{self, KeyPair};
use crate::keys::active_signature_is_right;
use crate::pace::{self, object};
use crate::{Error, Step};
use card::apdu::Command;
use card::ec_key::EcPublicKey;
use card::secure_messaging::{Channel, Cipher, SessionKeys};
use card::security_info::oid;
use card::tlv::{self, Tag};

impl<T: Transport> Session<T> {
    /// Active Authentication (Doc 9303-11 §6.1) with the key of DG15: whether the chip signed our challenge.
    /// DG15 itself must be proven by the document signer's signature.
    pub fn active_authentication(
        &mut self,
        key: &EcPublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, Error> {
        let mut challenge = [0; 8];
        rng.fill_bytes(&mut challenge);
        let command = Command::new(0, 0x88, 0, 0, &challenge, Some(256));
        let response = self.exchange(Step::ActiveAuthentication, &command)?;
        Ok(active_signature_is_right(key, &challenge, &response.data))
    }

    /// Chip Authentication 1 (Doc 9303-11 §6.2) with the key of DG14: the channel gets new keys, which only a
    /// chip with the private key knows. The next command shows it, so one is sent here.
    pub fn chip_authentication(
        &mut self,
        key: &EcPublicKey,
        key_id: Option<u8>,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, Error> {
        let step = Step::ChipAuthentication;
        let own = KeyPair::generate(key.curve(), rng);
        let Some(common) = own.agree(key.point()) else {
            return Err(Error::Protocol { step, problem: "the key in DG14 is not on its curve" });
        };
        let mut choice = tlv::encode(Tag(0x80), &[oid::CHIP_AUTHENTICATION_AES_128]);
        if let Some(id) = key_id {
            choice.extend(tlv::encode(Tag(0x84), &[&[id]]));
        }
        self.exchange(step, &Command::new(0, 0x22, 0x41, 0xA4, &choice, None))?;
        let sent = pace::dynamic_data(Some((object::PUBLIC_KEY, own.public().point())));
        self.exchange(step, &Command::new(0, 0x86, 0, 0, &sent, Some(256)))?;
        let keys = SessionKeys::derive(Cipher::Aes128, agreement::x(&common));
        self.channel = Some(Channel::new(keys, 0));
        self.reader_key = Some(*agreement::x_of(own.public().point()));
        match self.select_application() {
            Ok(()) => Ok(true),
            Err(Error::Card(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
