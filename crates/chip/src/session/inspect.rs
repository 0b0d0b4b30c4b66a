//! Showing the chip that this reader may see what others may not.

use super::{Session, Transport};
use crate::file::FileId;
use crate::terminal::{self, EF_CVCA_LEN, InspectionSystem};
use crate::{Error, Step};
use card::apdu::{Command, StatusWord};
use card::tlv::{self, Tag};
use pki::HolderReference;

impl<T: Transport> Session<T> {
    /// Whom the chip trusts to authorise inspection systems, the most recent first: EF.CVCA, which every
    /// reader sees that opened the chip. Nobody, if there is no such file.
    pub fn trust_points(&mut self) -> Result<Vec<HolderReference>, Error> {
        let step = Step::TrustPoints;
        let select = Command::new(0, 0xA4, 0x02, 0x0C, &FileId::Cvca.identifier().to_be_bytes(), None);
        match self.transmit(&select)?.status {
            status if status.is_ok() => {}
            StatusWord::FILE_NOT_FOUND | StatusWord::SECURITY_STATUS => return Ok(Vec::new()),
            status => return Err(Error::Refused { step, status }),
        }
        let file = self.transmit(&Command::new(0, 0xB0, 0, 0, &[], Some(EF_CVCA_LEN as u32)))?;
        if !file.status.carries_data() {
            return Err(Error::Refused { step, status: file.status });
        }
        let problem = "EF.CVCA is not a list of references to keys";
        terminal::parse_trust_points(&file.data).ok_or(Error::Protocol { step, problem })
    }

    /// Terminal Authentication 1 (Doc 9303-11 §7.1), after Chip Authentication and in its channel: shows the
    /// chip the certificates from one that it trusts to this inspection system's, and signs its challenge.
    /// From then on it gives the files to which the certificates give a right.
    ///
    /// # Errors
    /// [`Error::NotTrusted`] when no certificate leads from what the chip trusts to this inspection system;
    /// [`Error::Refused`] when the chip does not accept one of them, or the signature. The channel stays.
    pub fn terminal_authentication(&mut self, system: &InspectionSystem) -> Result<(), Error> {
        let step = Step::TerminalAuthentication;
        let Some(reader_key) = self.reader_key else {
            return Err(Error::Protocol { step, problem: "Chip Authentication has to come first" });
        };
        let trust = self.trust_points()?;
        let Some(chain) = system.chain_from(&trust) else {
            let known: Vec<&str> = trust.iter().map(HolderReference::as_str).collect();
            let known = if known.is_empty() { "nobody".to_owned() } else { known.join(" and ") };
            return Err(Error::NotTrusted { known });
        };
        for certificate in chain {
            let key = tlv::encode(Tag(0x83), &[certificate.issuer().as_str().as_bytes()]);
            let certificate_step = Step::TerminalCertificate;
            self.exchange(certificate_step, &Command::new(0, 0x22, 0x81, 0xB6, &key, None))?;
            let command = Command::new(0, 0x2A, 0x00, 0xBE, certificate.content(), None);
            self.exchange_in_parts(certificate_step, command)?;
        }
        let key = tlv::encode(Tag(0x83), &[system.certificate().holder().as_str().as_bytes()]);
        self.exchange(step, &Command::new(0, 0x22, 0x81, 0xA4, &key, None))?;
        let response = self.exchange(step, &Command::new(0, 0x84, 0, 0, &[], Some(8)))?;
        let Ok(challenge) = <[u8; 8]>::try_from(&response.data[..]) else {
            return Err(Error::Protocol { step, problem: "a challenge has 8 bytes" });
        };
        let signed =
            pki::sign_plain(system.key(), &terminal::message(&self.chip_id, &challenge, &reader_key))?;
        self.exchange(step, &Command::new(0, 0x82, 0, 0, &signed, None)).map(drop)
    }
}
