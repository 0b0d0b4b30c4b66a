//! A blank chip, and the memory of a virtual chip.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::material::FILES;
use card::apdu::Command;
use card::lds::{card_access, dg14, dg15};
use chip::{
    ChipFiles, ChipImage, ChipKeys, ChipSerial, Encoder, Error, FileId, IsoEncoder, Lengths, Life, MasterKey,
    Memory, Transport, TransportKey, VirtualChip, write_image,
};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn serial() -> ChipSerial {
    ChipSerial::from_bytes([0x47, 0x90, 0x55, 0x55, 0, 1, 0, 0, 0, 7])
}

fn key() -> TransportKey {
    MasterKey::from_bytes([7; 32].into()).transport_key(serial())
}

fn chip() -> VirtualChip<ChaCha20Rng> {
    VirtualChip::of(Memory::blank(serial(), key()), rng(2))
}

/// The chip without a reader between.
struct Direct<'a>(&'a mut VirtualChip<ChaCha20Rng>);

impl Transport for Direct<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.process(command))
    }
}

/// Commands, each behind its length of two bytes. The first byte says whether they come from a stranger, as
/// they are (0), or from a writer who knows the transport key, under whose channel each is sent (else).
pub fn blank(data: &[u8]) -> bool {
    let Some((&mode, mut rest)) = data.split_first() else { return false };
    let mut chip = chip();
    let mut done = false;
    if mode == 0 {
        while let Some((command, after)) = next(rest) {
            let answer = chip.process(command);
            assert!(answer.len() >= 2);
            done |= answer.ends_with(&[0x90, 0x00]);
            rest = after;
        }
        assert!(chip.life() == Life::Initialisation, "a stranger wrote the blank");
        return done;
    }
    let mut encoder = IsoEncoder::new(Direct(&mut chip), Lengths::Short);
    encoder.begin(&key(), &mut rng(3)).expect("the right key");
    while let Some((command, after)) = next(rest) {
        rest = after;
        let Ok(command) = Command::parse(command) else { continue };
        if command.data.len() > 4_000 {
            continue;
        }
        let Ok(answer) = encoder.transmit(&command) else { break };
        done |= answer.status.is_ok();
    }
    let memory = chip.memory().to_bytes();
    assert!(*Memory::from_bytes(&memory).expect("what it keeps can be read").to_bytes() == *memory);
    done
}

fn next(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn image() -> ChipImage {
    let keys = ChipKeys::generate(&mut rng(1));
    let mut files = ChipFiles::from_named(FILES.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    files.insert(FileId::CardAccess, card_access::encode(&card_access::of_citizen_card()));
    let mut insert = |name, bytes| files.insert(FileId::from_name(name).expect("a file's name"), bytes);
    insert("DG14", dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone())));
    insert("DG15", dg15::encode(keys.signature_key()));
    ChipImage::new(files, keys).expect("our own card")
}

/// What a writer sends, as the blank hears it and as it was before protection.
pub fn blank_seeds() -> Vec<Vec<u8>> {
    struct Recorder(VirtualChip<ChaCha20Rng>, Vec<u8>);
    impl Transport for Recorder {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
            self.1.extend_from_slice(&(command.len() as u16).to_be_bytes());
            self.1.extend_from_slice(command);
            Ok(self.0.process(command))
        }
    }
    let mut encoder = IsoEncoder::new(Recorder(chip(), vec![0]), Lengths::Short);
    encoder.identify().expect("our own blank");
    encoder.begin(&key(), &mut rng(3)).expect("our own blank");
    let stranger = encoder.into_transport().1;
    let plain: [&[u8]; 9] = [
        &[0, 0xA4, 0, 4, 2, 0x3F, 0, 0],
        &[0, 0xCA, 0x9F, 0x7F, 0],
        &[0, 0xA4, 4, 0x0C, 7, 0xA0, 0, 0, 2, 0x47, 0x10, 1],
        &[0, 0xE0, 0, 0, 12, 0x62, 10, 0x80, 1, 9, 0x82, 1, 1, 0x83, 2, 1, 1],
        &[0, 0xD6, 0, 0, 3, 0x61, 1, 0],
        &[0, 0xD7, 0, 0, 6, 0x54, 1, 2, 0x53, 1, 7],
        &[0, 0x24, 1, 2, 6, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35],
        &[0, 0x44, 0, 0],
        &[0, 0xFE, 0, 0],
    ];
    let mut writer = vec![1];
    for command in plain {
        writer.extend_from_slice(&(command.len() as u16).to_be_bytes());
        writer.extend_from_slice(command);
    }
    vec![stranger, writer]
}

/// The file of a virtual chip's memory.
pub fn memory(data: &[u8]) -> bool {
    let Ok(memory) = Memory::from_bytes(data) else { return false };
    let bytes = memory.to_bytes();
    assert!(*Memory::from_bytes(&bytes).expect("what we write can be read").to_bytes() == *bytes);
    let mut chip = VirtualChip::of(memory, rng(2));
    assert!(chip.process(&[0, 0xA4, 0, 4, 2, 0x3F, 0, 0]).ends_with(&[0x90, 0]));
    true
}

pub(crate) fn memory_seeds() -> Vec<Vec<u8>> {
    let mut chip = chip();
    let blank = chip.memory().to_bytes().to_vec();
    let mut encoder = IsoEncoder::new(Direct(&mut chip), Lengths::Extended(4_000));
    encoder.begin(&key(), &mut rng(3)).expect("our own blank");
    write_image(&mut encoder, &image(), &mut |_| ()).expect("our own blank");
    encoder.write_trust(&crate::verifiable::anchor()).expect("our own blank");
    encoder.activate().expect("our own blank");
    vec![blank, chip.memory().to_bytes().to_vec()]
}
