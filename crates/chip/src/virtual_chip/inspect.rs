//! The chip's side of Terminal Authentication (Doc 9303-11 §7.1).

use rand::CryptoRng;

use super::pending::Pending;
use super::trust::TrustPoint;
use super::{Answer, VirtualChip};
use crate::terminal;
use card::apdu::{Command, Response, StatusWord};
use card::ec_key::Curve;
use pki::{CvCertificate, CvPublicKey, CvRole, HolderReference, Rights};

/// The referenced data are there and may not be used: a certificate that is over.
const NOT_USABLE: StatusWord = StatusWord(0x6984);

/// What Terminal Authentication has reached in this channel. Every new channel begins with nothing of it.
#[derive(Default)]
pub(super) struct Terminal {
    /// How the chip is named in what is signed.
    chip_id: Vec<u8>,
    /// The reader's key of Chip Authentication; without one there is no Terminal Authentication.
    reader_key: Option<[u8; Curve::FIELD_LEN]>,
    /// The key that is to verify the next certificate.
    verifier: Option<HolderReference>,
    /// From the last certificate of a verifier or an inspection system. Only the last counts (Doc 9303-11
    /// §7.1.4.3.7).
    imported: Option<Imported>,
    /// The imported key was chosen to verify the terminal's signature.
    chosen: bool,
    /// What the terminal may read, once it has authenticated itself.
    granted: Option<Rights>,
}

/// A key with what the certificates from the trust point down to it allow.
struct Imported {
    holder: HolderReference,
    key: CvPublicKey,
    role: CvRole,
    rights: Rights,
}

impl Terminal {
    /// In the channel of PACE or Basic Access Control.
    pub(super) fn of_chip(chip_id: &[u8]) -> Terminal {
        Terminal { chip_id: chip_id.to_vec(), ..Terminal::default() }
    }

    /// In the channel of Chip Authentication with this key of the reader.
    pub(super) fn after_chip_authentication(self, reader_key: &[u8; Curve::FIELD_LEN]) -> Terminal {
        Terminal { chip_id: self.chip_id, reader_key: Some(*reader_key), ..Terminal::default() }
    }

    pub(super) fn rights(&self) -> Rights {
        self.granted.unwrap_or(Rights::NONE)
    }
}

impl<R: CryptoRng> VirtualChip<R> {
    /// MSE: Set DST: which key verifies the next certificate. A chip that trusts nobody ends every chain
    /// here.
    pub(super) fn choose_verifier(&mut self, reference: Option<&[u8]>) -> Result<(), StatusWord> {
        if self.memory.trust.is_empty() {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        self.may_begin()?;
        let holder = reference_in(reference)?;
        let imported = self.state.terminal.imported.as_ref();
        let below = imported.is_some_and(|key| key.holder == holder && key.role.is_verifier());
        if !below && self.memory.trust.find(&holder).is_none() {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        self.state.terminal.verifier = Some(holder);
        Ok(())
    }

    /// PSO: Verify Certificate, of a certificate's body and signature under the key that was chosen.
    pub(super) fn verify_certificate(&mut self, command: &Command) -> Answer {
        if self.memory.trust.is_empty() {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        if (command.p1, command.p2) != (0x00, 0xBE) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        self.may_begin()?;
        let verifier = self.state.terminal.verifier.take().ok_or(StatusWord::CONDITIONS)?;
        let certificate = CvCertificate::from_content(&command.data).map_err(|_| StatusWord::WRONG_DATA)?;
        let (imported, accurate) = self.judge(&verifier, &certificate)?;
        let trust = &mut self.memory.trust;
        let mut changed = accurate && trust.advance(certificate.effective());
        if imported.role == CvRole::Cvca {
            trust.enable(TrustPoint::new(certificate, imported.key));
            changed = true;
        } else {
            self.state.terminal.imported = Some(imported);
            self.state.terminal.chosen = false;
        }
        if changed {
            // Day and trust points change together or not at all, whenever the power is cut.
            self.keep()?;
        }
        Ok(Response::status(StatusWord::OK))
    }

    /// What a certificate brings, and whether its date is to be believed. 6A80: it is none, or says what its
    /// issuer may not say; 6300: another signed it; 6984: it is over.
    fn judge(
        &self,
        verifier: &HolderReference,
        certificate: &CvCertificate,
    ) -> Result<(Imported, bool), StatusWord> {
        let trust = &self.memory.trust;
        let point = trust.find(verifier);
        let imported = self.state.terminal.imported.as_ref().filter(|key| key.holder == *verifier);
        let (key, role, rights) = match (point, imported) {
            (Some(point), _) => (point.key(), CvRole::Cvca, point.rights()),
            (None, Some(imported)) => (&imported.key, imported.role, imported.rights),
            (None, None) => return Err(StatusWord::REFERENCE_NOT_FOUND),
        };
        let authorization = certificate.authorization().ok_or(StatusWord::WRONG_DATA)?;
        let is_known = trust.find(certificate.holder()).is_some();
        if certificate.issuer() != verifier || !role.may_certify(authorization.role) || is_known {
            return Err(StatusWord::WRONG_DATA);
        }
        certificate.verify(key).map_err(|_| StatusWord::AUTHENTICATION_FAILED)?;
        let is_link = authorization.role == CvRole::Cvca;
        let over =
            trust.is_over(certificate.expires()) || point.is_some_and(|point| trust.is_point_over(point));
        if over && !is_link {
            return Err(NOT_USABLE);
        }
        let certified = certificate.public_key(Some(key.curve())).map_err(|_| StatusWord::WRONG_DATA)?;
        // A foreign verifier is not believed the day (Doc 9303-11 §7.1.4.3.3).
        let accurate = role != CvRole::ForeignVerifier;
        let imported = Imported {
            holder: certificate.holder().clone(),
            key: certified,
            role: authorization.role,
            rights: rights.and(authorization.rights),
        };
        Ok((imported, accurate))
    }

    /// MSE: Set AT: the terminal's own key, which its certificate has just brought.
    pub(super) fn choose_terminal(&mut self, reference: Option<&[u8]>) -> Result<(), StatusWord> {
        if self.memory.trust.is_empty() {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        self.may_begin()?;
        let holder = reference_in(reference)?;
        let terminal = &mut self.state.terminal;
        let own = |key: &Imported| key.holder == holder && key.role == CvRole::InspectionSystem;
        terminal.chosen = terminal.imported.as_ref().is_some_and(own);
        if terminal.chosen { Ok(()) } else { Err(StatusWord::REFERENCE_NOT_FOUND) }
    }

    /// EXTERNAL AUTHENTICATE under a channel: the terminal's signature over the chip's name, the challenge
    /// and the key of Chip Authentication. The challenge is used up, whatever comes of it; the channel stays.
    pub(super) fn authenticate_terminal(&mut self, command: &Command) -> Answer {
        let Pending::Challenge(challenge) = std::mem::take(&mut self.state.pending) else {
            return Err(StatusWord::CONDITIONS);
        };
        self.may_begin()?;
        let terminal = &mut self.state.terminal;
        let imported = terminal.imported.as_ref().filter(|_| terminal.chosen);
        let (Some(imported), Some(reader_key)) = (imported, &terminal.reader_key) else {
            return Err(StatusWord::SECURITY_STATUS);
        };
        let message = terminal::message(&terminal.chip_id, &challenge, reader_key);
        imported.key.verify(&message, &command.data).map_err(|_| StatusWord::AUTHENTICATION_FAILED)?;
        terminal.granted = Some(imported.rights);
        Ok(Response::status(StatusWord::OK))
    }

    /// Only in the channel of Chip Authentication, and once in it (Doc 9303-11 §7.1.3).
    fn may_begin(&self) -> Result<(), StatusWord> {
        let terminal = &self.state.terminal;
        let bound = self.state.channel.is_some() && terminal.reader_key.is_some();
        if bound && terminal.granted.is_none() { Ok(()) } else { Err(StatusWord::SECURITY_STATUS) }
    }
}

fn reference_in(value: Option<&[u8]>) -> Result<HolderReference, StatusWord> {
    let text = value.and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| HolderReference::parse(text).ok()).ok_or(StatusWord::REFERENCE_NOT_FOUND)
}
