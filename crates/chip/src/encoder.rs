//! Writing a blank: an interface, and the command set of ISO/IEC 7816 behind it.

use rand::CryptoRng;

use crate::access::{AccessNumber, MrzKey};
use crate::file::{ChipFiles, FileId};
use crate::production::{ChipSerial, TransportKey};
use crate::session::{Lengths, ReadFile, Session, Transport};
use crate::terminal::TrustAnchor;
use crate::{ChipKeys, Error, Step};
use card::apdu::{Command, Response, StatusWord};
use card::lds::{DataGroup, dg1};
use card::tlv::{self, Tag};

/// References of the chip's private keys in PUT DATA.
pub(crate) const AGREEMENT_KEY: u8 = 1;
pub(crate) const SIGNATURE_KEY: u8 = 2;
/// References of the passwords in CHANGE REFERENCE DATA: those that PACE has (Doc 9303-11 §4.4.4.1).
pub(crate) const ZONE: u8 = 1;
pub(crate) const ACCESS_NUMBER: u8 = 2;

pub(crate) const FILE_EXISTS: StatusWord = StatusWord(0x6A89);
/// Where an even instruction's offset ends (fifteen bits in P1 and P2).
const EVEN_REACH: usize = 0x7FFF;

/// Where a chip stands between its maker and its end (ISO/IEC 7816-4 §7.4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// A blank, or one that is being written: whoever knows the transport key may write.
    Initialisation,
    /// A card. Nothing can be written any more.
    Operational,
    /// Without content, for ever.
    Terminated,
}

impl Life {
    pub(crate) fn code(self) -> u8 {
        match self {
            Life::Initialisation => 0x03,
            Life::Operational => 0x05,
            Life::Terminated => 0x0C,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Life> {
        match code {
            0x03 => Some(Life::Initialisation),
            0x05 | 0x07 => Some(Life::Operational),
            0x0C..=0x0F => Some(Life::Terminated),
            _ => None,
        }
    }
}

/// What lies on the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub life: Life,
    /// `None` from a finished card: it tells its number only to those who opened it, so that nobody can be
    /// followed by it.
    pub serial: Option<ChipSerial>,
}

/// All that makes a blank one person's card.
pub struct ChipImage {
    files: ChipFiles,
    keys: ChipKeys,
    number: AccessNumber,
    zone: MrzKey,
    trust: Option<TrustAnchor>,
}

impl std::fmt::Debug for ChipImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChipImage({:?})", self.files)
    }
}

impl ChipImage {
    /// Access number and key of the zone follow from DG1.
    ///
    /// # Errors
    /// When DG1 cannot be read, or EF.CardAccess, EF.COM or EF.SOD is missing.
    pub fn new(files: ChipFiles, keys: ChipKeys) -> Result<ChipImage, Error> {
        let mrz = dg1::parse(files.get(FileId::Group(DataGroup::DG1)).unwrap_or_default())?;
        if [FileId::CardAccess, FileId::Com, FileId::Sod].into_iter().any(|id| files.get(id).is_none()) {
            return Err(Error::Unfit("EF.CardAccess, EF.COM or EF.SOD is missing"));
        }
        Ok(ChipImage { number: AccessNumber::of(&mrz), zone: MrzKey::of(&mrz), files, keys, trust: None })
    }

    /// The same for a chip that gives fingers to those whom this authority's verifiers authorise. Without one
    /// nobody gets them.
    pub fn trusting(self, anchor: Option<TrustAnchor>) -> ChipImage {
        ChipImage { trust: anchor, ..self }
    }

    /// Whose certificates the chip accepts of inspection systems; `None` for a chip that lets none read
    /// fingers.
    pub fn trust(&self) -> Option<&TrustAnchor> {
        self.trust.as_ref()
    }

    /// What is written to the chip.
    pub fn files(&self) -> &ChipFiles {
        &self.files
    }

    /// For PACE.
    pub fn number(&self) -> &AccessNumber {
        &self.number
    }

    /// For PACE and Basic Access Control.
    pub fn zone(&self) -> &MrzKey {
        &self.zone
    }
}

/// What a product's own commands do to a blank of that product. The order is: `identify`, `begin`, the
/// writing, `activate`; or `terminate` instead of it. Until `activate` everything may be done again, also on
/// another day.
pub trait Encoder {
    /// The way to the chip, given back for reading.
    type Transport: Transport;

    fn identify(&mut self) -> Result<Found, Error>;

    /// Chip and writer show each other that they know the transport key. Nothing is written by it.
    ///
    /// # Errors
    /// [`Error::WrongTransportKey`].
    fn begin(&mut self, key: &TransportKey, rng: &mut impl CryptoRng) -> Result<(), Error>;

    fn write_passwords(&mut self, number: &AccessNumber, zone: &MrzKey) -> Result<(), Error>;

    fn write_keys(&mut self, keys: &ChipKeys) -> Result<(), Error>;

    /// Whom the chip trusts to authorise inspection systems, and the day.
    fn write_trust(&mut self, anchor: &TrustAnchor) -> Result<(), Error>;

    /// Makes the file, if it is not there, and writes it from its first byte on. `progress` is told how many
    /// bytes are written.
    fn write_file(&mut self, id: FileId, bytes: &[u8], progress: &mut dyn FnMut(usize)) -> Result<(), Error>;

    /// What the chip has in a file, read under the writer's right; `None` if it has no such file.
    fn read_back(&mut self, id: FileId) -> Result<Option<Vec<u8>>, Error>;

    /// The blank becomes a card, and nobody can write it any more.
    fn activate(&mut self) -> Result<(), Error>;

    /// Takes everything from the chip, for ever.
    fn terminate(&mut self) -> Result<(), Error>;

    fn into_transport(self) -> Self::Transport;
}

/// Something to show while a card is written: bytes written of a file, and its size.
#[derive(Debug, Clone, Copy)]
pub struct Written(pub FileId, pub usize, pub usize);

/// Writes a whole card, and reads back what nobody but its writer can read: the files that need Terminal
/// Authentication. The card is not activated by this.
///
/// # Errors
/// Of the encoder; [`Error::ReadBack`] when a file is not what was written.
pub fn write_image(
    encoder: &mut impl Encoder,
    image: &ChipImage,
    watch: &mut dyn FnMut(Written),
) -> Result<(), Error> {
    encoder.write_passwords(&image.number, &image.zone)?;
    encoder.write_keys(&image.keys)?;
    if let Some(anchor) = &image.trust {
        encoder.write_trust(anchor)?;
    }
    for (id, bytes) in image.files.iter() {
        encoder.write_file(id, bytes, &mut |done| watch(Written(id, done, bytes.len())))?;
        if id.needs_terminal_authentication() && encoder.read_back(id)?.as_deref() != Some(bytes) {
            return Err(Error::ReadBack(id.name()));
        }
    }
    Ok(())
}

/// The profile that the crate's README describes, of ISO/IEC 7816-4, -8 and -9.
#[derive(Debug)]
pub struct IsoEncoder<T> {
    session: Session<T>,
    /// Which directory is selected: `Some(true)` the application, `Some(false)` the master file.
    in_application: Option<bool>,
}

impl<T: Transport> IsoEncoder<T> {
    /// Talks to the blank on the reader behind `transport`, with commands no longer than `lengths` allow.
    pub fn new(transport: T, lengths: Lengths) -> IsoEncoder<T> {
        IsoEncoder { session: Session::new(transport, lengths), in_application: None }
    }

    /// Sends any command, under protection once `begin` succeeded, and gives the answer whatever its status.
    ///
    /// # Errors
    /// When the conversation breaks.
    pub fn transmit(&mut self, command: &Command) -> Result<Response, Error> {
        self.in_application = None;
        self.session.transmit(command)
    }

    fn enter(&mut self, id: FileId) -> Result<(), Error> {
        let application = id != FileId::CardAccess;
        if self.in_application != Some(application) {
            if application {
                self.session.select_application()?;
            } else {
                let command = Command::new(0, 0xA4, 0x00, 0x0C, &[0x3F, 0x00], None);
                self.session.exchange(Step::SelectFile, &command)?;
            }
            self.in_application = Some(application);
        }
        Ok(())
    }

    fn put_key(&mut self, reference: u8, secret: &[u8]) -> Result<(), Error> {
        let reference = tlv::encode(Tag(0x84), &[&[reference]]);
        let secret = zeroize::Zeroizing::new(tlv::encode(Tag(0x92), &[secret]));
        let template = zeroize::Zeroizing::new(tlv::encode(Tag(0x7F48), &[&reference, &secret]));
        self.put(Step::WriteKey, &template)
    }

    /// PUT DATA (odd instruction) into the current directory.
    fn put(&mut self, step: Step, data: &[u8]) -> Result<(), Error> {
        self.session.exchange_in_parts(step, Command::new(0, 0xDB, 0x3F, 0xFF, data, None)).map(drop)
    }

    fn put_password(&mut self, reference: u8, value: &str) -> Result<(), Error> {
        let command = Command::new(0, 0x24, 0x01, reference, value.as_bytes(), None);
        self.session.exchange(Step::WritePassword, &command).map(drop)
    }

    fn create(&mut self, id: FileId, size: usize) -> Result<(), Error> {
        let size = (size as u32).to_be_bytes();
        let size = &size[if size[1] == 0 { 2 } else { 1 }..];
        let parts = [
            tlv::encode(Tag(0x80), &[size]),
            // A working elementary file, transparent (ISO/IEC 7816-4 §7.4.5, table 12).
            tlv::encode(Tag(0x82), &[&[0x01]]),
            tlv::encode(Tag(0x83), &[&id.identifier().to_be_bytes()]),
            tlv::encode(Tag(0x88), &[&[id.short_identifier() << 3]]),
        ];
        let template = tlv::encode(Tag(0x62), &[&parts.concat()]);
        match self.session.transmit(&Command::new(0, 0xE0, 0, 0, &template, None))?.status {
            status if status.is_ok() => Ok(()),
            // From an attempt before this one.
            FILE_EXISTS => {
                let command = Command::new(0, 0xA4, 0x02, 0x0C, &id.identifier().to_be_bytes(), None);
                self.session.exchange(Step::SelectFile, &command).map(drop)
            }
            status => Err(Error::Refused { step: Step::CreateFile, status }),
        }
    }

    fn update(&mut self, offset: usize, part: &[u8]) -> Result<(), Error> {
        let mut command = if offset <= EVEN_REACH {
            Command::new(0, 0xD6, (offset >> 8) as u8, offset as u8, part, None)
        } else {
            let offset = tlv::encode(Tag(0x54), &[&(offset as u32).to_be_bytes()[1..]]);
            let data = [offset, tlv::encode(Tag(0x53), &[part])].concat();
            Command::new(0, 0xD7, 0, 0, &data, None)
        };
        command.extended = part.len() > 255;
        self.session.exchange(Step::WriteFile, &command).map(drop)
    }
}

impl<T: Transport> Encoder for IsoEncoder<T> {
    type Transport = T;

    fn identify(&mut self) -> Result<Found, Error> {
        let select = Command::new(0, 0xA4, 0x00, 0x04, &[0x3F, 0x00], Some(256));
        let answer = self.session.transmit(&select)?;
        self.in_application = None;
        let life = answer.status.carries_data().then(|| life_in(&answer.data)).flatten();
        let get = Command::new(0, 0xCA, 0x9F, 0x7F, &[], Some(256));
        let answer = self.session.transmit(&get)?;
        let serial = answer.status.is_ok().then(|| ChipSerial::from_answer(&answer.data)).flatten();
        // A product in the field that does not say where it stands is not a blank of ours.
        Ok(Found { life: life.unwrap_or(Life::Operational), serial })
    }

    fn begin(&mut self, key: &TransportKey, rng: &mut impl CryptoRng) -> Result<(), Error> {
        self.in_application = None;
        self.session.transport_authentication(key, rng)
    }

    fn write_passwords(&mut self, number: &AccessNumber, zone: &MrzKey) -> Result<(), Error> {
        self.put_password(ZONE, zone.text())?;
        self.put_password(ACCESS_NUMBER, number.text())
    }

    fn write_keys(&mut self, keys: &ChipKeys) -> Result<(), Error> {
        self.put_key(AGREEMENT_KEY, keys.agreement.secret())?;
        self.put_key(SIGNATURE_KEY, keys.signature.secret())
    }

    fn write_trust(&mut self, anchor: &TrustAnchor) -> Result<(), Error> {
        self.put(Step::WriteTrust, anchor.cvca.bytes())?;
        let day = pki::cv_date_bytes(anchor.today).ok_or(Error::Unfit("a day that a chip cannot know"))?;
        self.put(Step::WriteTrust, &tlv::encode(Tag(0x5F25), &[&day]))
    }

    fn write_file(&mut self, id: FileId, bytes: &[u8], progress: &mut dyn FnMut(usize)) -> Result<(), Error> {
        self.enter(id)?;
        self.create(id, bytes.len())?;
        // What an odd instruction needs beside the data: 54 with three bytes, and the header of 53.
        const AROUND: usize = 5 + 4;
        let most = self.session.most_command_data() - AROUND;
        let mut done = 0;
        for part in bytes.chunks(most) {
            self.update(done, part)?;
            done += part.len();
            progress(done);
        }
        Ok(())
    }

    fn read_back(&mut self, id: FileId) -> Result<Option<Vec<u8>>, Error> {
        self.enter(id)?;
        match self.session.read_file(id, &mut |_, _| ())? {
            ReadFile::Bytes(bytes) => Ok(Some(bytes)),
            ReadFile::Missing | ReadFile::Refused => Ok(None),
        }
    }

    fn activate(&mut self) -> Result<(), Error> {
        self.session.exchange(Step::Activate, &Command::new(0, 0x44, 0, 0, &[], None)).map(drop)
    }

    fn terminate(&mut self) -> Result<(), Error> {
        self.session.exchange(Step::Terminate, &Command::new(0, 0xFE, 0, 0, &[], None)).map(drop)
    }

    fn into_transport(self) -> T {
        self.session.into_transport()
    }
}

/// The life cycle status (8A) in file control parameters (62).
fn life_in(answer: &[u8]) -> Option<Life> {
    let template = tlv::single(answer, Tag(0x62), "file control parameters (62) expected").ok()?;
    let mut reader = template.children().ok()?;
    while let Some(object) = reader.read().ok()? {
        if let (Tag(0x8A), &[code]) = (object.tag, object.value) {
            return Life::from_code(code);
        }
    }
    None
}
