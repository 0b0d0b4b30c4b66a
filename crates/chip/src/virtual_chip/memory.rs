//! What a virtual chip keeps without power, and its form as bytes.

use zeroize::Zeroizing;

use super::trust::{DAY, TRUST_POINT, Trust};
use crate::Error;
use crate::access::{AccessNumber, MrzKey};
use crate::agreement::KeyPair;
use crate::encoder::Life;
use crate::file::{ChipFiles, FileId};
use crate::production::{ChipSerial, PRODUCTION_DATA, PRODUCTION_LEN, TransportKey};
use card::ec_key::Curve;
use card::tlv::{self, Reader, Tag};

/// What the bytes of a memory begin with.
const MAGIC: &[u8; 8] = b"dancuMEM";
/// Wrong tries of the transport key before a blank locks itself.
const TRIES: u8 = 10;

const LIFE: Tag = Tag(0x8A);
const TRIES_LEFT: Tag = Tag(0x81);
const TRANSPORT_KEY: Tag = Tag(0x90);
const AGREEMENT: Tag = Tag(0x91);
const SIGNATURE: Tag = Tag(0x92);
const NUMBER: Tag = Tag(0x93);
const ZONE: Tag = Tag(0x94);
const FILE: Tag = Tag(0xA0);
const FILE_IDENTIFIER: Tag = Tag(0x80);
const FILE_BYTES: Tag = Tag(0x81);

/// The memory of a virtual chip.
pub struct Memory {
    pub(super) life: Life,
    pub(super) production: [u8; PRODUCTION_LEN],
    /// Gone once the card is activated.
    pub(super) transport_key: Option<TransportKey>,
    pub(super) tries_left: u8,
    pub(super) files: ChipFiles,
    /// For Chip Authentication, on brainpoolP256r1.
    pub(super) agreement: Option<KeyPair>,
    /// For Active Authentication, on P-256.
    pub(super) signature: Option<KeyPair>,
    pub(super) number: Option<AccessNumber>,
    pub(super) zone: Option<MrzKey>,
    pub(super) trust: Trust,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({:?}, {:?})", self.life, self.files)
    }
}

impl Memory {
    /// A blank as it leaves its maker.
    pub fn blank(serial: ChipSerial, key: TransportKey) -> Memory {
        Memory {
            production: serial.production_data(),
            transport_key: Some(key),
            tries_left: TRIES,
            ..Memory::unpersonalised()
        }
    }

    pub(super) fn unpersonalised() -> Memory {
        Memory {
            life: Life::Initialisation,
            production: [0; PRODUCTION_LEN],
            transport_key: None,
            tries_left: 0,
            files: ChipFiles::default(),
            agreement: None,
            signature: None,
            number: None,
            zone: None,
            trust: Trust::default(),
        }
    }

    /// How far the chip has come from blank to card.
    pub fn life(&self) -> Life {
        self.life
    }

    /// A success with the transport key forgives the wrong tries before it.
    pub(super) fn forgive(&mut self) {
        self.tries_left = TRIES;
    }

    /// The whole memory, keys in the clear: the file of a virtual chip must be its owner's only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(MAGIC.to_vec());
        let mut put = |tag, value: &[u8]| out.extend_from_slice(&tlv::encode(tag, &[value]));
        put(LIFE, &[self.life.code()]);
        put(PRODUCTION_DATA, &self.production);
        put(TRIES_LEFT, &[self.tries_left]);
        if let Some(key) = &self.transport_key {
            put(TRANSPORT_KEY, key.0.as_slice());
        }
        for (tag, pair) in [(AGREEMENT, &self.agreement), (SIGNATURE, &self.signature)] {
            if let Some(pair) = pair {
                put(tag, pair.secret());
            }
        }
        if let Some(number) = &self.number {
            put(NUMBER, number.text().as_bytes());
        }
        if let Some(zone) = &self.zone {
            put(ZONE, zone.text().as_bytes());
        }
        self.trust.objects().iter().for_each(|object| out.extend_from_slice(object));
        let mut put = |tag, value: &[u8]| out.extend_from_slice(&tlv::encode(tag, &[value]));
        for (id, bytes) in self.files.iter() {
            let identifier = tlv::encode(FILE_IDENTIFIER, &[&id.identifier().to_be_bytes()]);
            put(FILE, &[identifier, tlv::encode(FILE_BYTES, &[bytes])].concat());
        }
        out
    }

    /// Reads [`Memory::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Memory, Error> {
        let objects = bytes.strip_prefix(MAGIC).ok_or(Error::Memory("it does not begin with dancuMEM"))?;
        let mut memory = Memory::unpersonalised();
        let mut reader = Reader::new(objects);
        while let Some(object) = reader.read()? {
            let value = object.value;
            match object.tag {
                LIFE => {
                    memory.life = byte(value).and_then(Life::from_code).ok_or(wrong("life cycle status"))?
                }
                PRODUCTION_DATA => {
                    memory.production = value.try_into().map_err(|_| wrong("production data"))?;
                }
                TRIES_LEFT => memory.tries_left = byte(value).ok_or(wrong("tries"))?,
                TRANSPORT_KEY => {
                    let key = value.try_into().map_err(|_| wrong("transport key"))?;
                    memory.transport_key = Some(TransportKey(Zeroizing::new(key)));
                }
                AGREEMENT => memory.agreement = Some(pair(Curve::BrainpoolP256r1, value)?),
                SIGNATURE => memory.signature = Some(pair(Curve::P256, value)?),
                NUMBER => memory.number = Some(AccessNumber::parse(text(value)?)?),
                ZONE => memory.zone = Some(MrzKey::from_information(text(value)?)?),
                TRUST_POINT | DAY => memory.trust.load(&object)?,
                FILE => {
                    let (id, bytes) = file(&object)?;
                    memory.files.insert(id, bytes);
                }
                _ => return Err(wrong("an object that it does not have")),
            }
        }
        memory.trust.check()?;
        Ok(memory)
    }
}

fn wrong(problem: &'static str) -> Error {
    Error::Memory(problem)
}

fn byte(value: &[u8]) -> Option<u8> {
    <[u8; 1]>::try_from(value).ok().map(|[byte]| byte)
}

fn text(value: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(value).map_err(|_| wrong("a password is no text"))
}

fn pair(curve: Curve, secret: &[u8]) -> Result<KeyPair, Error> {
    let secret = <[u8; 32]>::try_from(secret).map_err(|_| wrong("a private key has 32 bytes"))?;
    KeyPair::from_secret(curve, Zeroizing::new(secret)).ok_or(wrong("a private key lies outside its group"))
}

fn file(object: &tlv::Tlv<'_>) -> Result<(FileId, Vec<u8>), Error> {
    let mut reader = object.children()?;
    let identifier = reader.expect(FILE_IDENTIFIER, "a file's identifier (80) expected")?;
    let bytes = reader.expect(FILE_BYTES, "a file's bytes (81) expected")?.value.to_vec();
    reader.finish()?;
    let identifier =
        identifier.value.try_into().map(u16::from_be_bytes).map_err(|_| wrong("a file's identifier"))?;
    Ok((FileId::from_identifier(identifier).ok_or(wrong("a file's identifier"))?, bytes))
}
