//! The chip's files of one card.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Face};
use ::chip::ChipKeys;
use card::CardError;
use card::lds::dg3::{self, FingerImage};
use card::lds::{DataGroup, card_access, com, dg1, dg2, dg13, dg14, dg15};
use card::mrz::Mrz;
use card::qr::QrText;
use card::sod::{self, Sod, SodTemplate};
use domain::id::CardId;
use pki::Signer;

/// Elementary files, each with its raw bytes.
#[derive(Clone)]
pub struct ChipFiles {
    pub com: Vec<u8>,
    pub dg1: Vec<u8>,
    pub dg2: Vec<u8>,
    /// Fingerprints, if the kit took images of them.
    pub dg3: Option<Vec<u8>>,
    pub dg13: Vec<u8>,
    pub sod: Vec<u8>,
    /// What a chip with keys of its own has besides.
    pub proofs: Option<Proofs>,
}

/// What of an application's packet goes on the chip.
#[derive(Clone)]
pub struct ChipImages {
    /// JPEG.
    pub photo: Vec<u8>,
    pub fingers: Fingers,
}

impl std::fmt::Debug for ChipImages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipImages(…)")
    }
}

/// What is known of the holder's fingers as pictures.
#[derive(Debug, Clone)]
pub enum Fingers {
    /// The kit gave templates only: the chip has no DG3.
    NotTaken,
    /// One or two, the right hand first.
    Taken(Vec<FingerImage>),
    /// There is none to take: DG3 says so.
    None,
}

impl Fingers {
    /// The fingers of which a kit took these JPEG files. One that is no grey JPEG after all is left out, so
    /// that one packet does not hold up a batch, and is returned with its reason. Without any left it is as
    /// if none had been taken. A card's files are put together again in the same way.
    pub fn of_jpegs<'a>(
        images: impl IntoIterator<Item = (dg3::Finger, &'a [u8])>,
    ) -> (Fingers, Vec<(dg3::Finger, CardError)>) {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        for (finger, jpeg) in images {
            match FingerImage::jpeg(finger, jpeg.to_vec()) {
                Ok(image) => taken.push(image),
                Err(error) => left_out.push((finger, error)),
            }
        }
        let fingers = if taken.is_empty() { Fingers::NotTaken } else { Fingers::Taken(taken) };
        (fingers, left_out)
    }
}

/// With what a chip proves itself, and what it announces before it is opened.
#[derive(Clone)]
pub struct Proofs {
    pub dg14: Vec<u8>,
    pub dg15: Vec<u8>,
    pub card_access: Vec<u8>,
}

impl Proofs {
    fn of(keys: &ChipKeys) -> Proofs {
        Proofs {
            dg14: dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone())),
            dg15: dg15::encode(keys.signature_key()),
            card_access: card_access::encode(&card_access::of_citizen_card()),
        }
    }
}

impl std::fmt::Debug for ChipFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipFiles(…)")
    }
}

/// Gives each card the keys of its chip. They follow from one secret and the card's id, so that no private
/// key of a chip is stored anywhere.
#[derive(Clone)]
pub struct ChipKeySource(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for ChipKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipKeySource(…)")
    }
}

impl ChipKeySource {
    /// `secret` is 32 bytes or more that only the issuer's key store can make.
    pub fn new(secret: Zeroizing<Vec<u8>>) -> ChipKeySource {
        ChipKeySource(secret)
    }

    /// The same for the same card at every call, since they are derived from the secret and the card's id.
    pub fn keys(&self, card: CardId) -> ChipKeys {
        ChipKeys::derive(&self.0, card.uuid().as_bytes())
    }
}

/// Builds and signs the files. The message that is signed covers the raw bytes of every data group. Without
/// `keys` the chip has nothing to prove itself with.
pub(crate) fn build(
    face: &Face,
    images: &ChipImages,
    template: &SodTemplate,
    signer: &dyn Signer,
    keys: Option<&ChipKeys>,
) -> Result<(ChipFiles, String), Error> {
    let data = face.card_data()?;
    let dg1 = dg1::encode(&Mrz::from_card(&data));
    let dg2 = dg2::encode(&images.photo)?;
    let dg3 = fingerprints(&images.fingers, keys);
    let dg13 = dg13::Dg13::from_card(&data).encode();
    let mut files =
        ChipFiles { com: Vec::new(), dg1, dg2, dg3, dg13, sod: Vec::new(), proofs: keys.map(Proofs::of) };
    let hashes: Vec<_> = files.groups().into_iter().map(|(group, file)| (group, sod::hash(file))).collect();
    let prepared = template.prepare(&hashes)?;
    let signature = signer.sign(prepared.to_be_signed())?;
    files.sod = prepared.assemble(&signature);
    files.com = files.encode_com();
    Ok((files, QrText::from_card(&data).encode()))
}

/// DG3. For a holder without fingers it holds filler in their place, which differs from card to card, so that
/// the hash in EF.SOD does not tell it (Doc 9303-10, EF.DG3). The filler follows from the chip's keys, which
/// nobody else knows: a chip without keys has no DG3 then.
fn fingerprints(fingers: &Fingers, keys: Option<&ChipKeys>) -> Option<Vec<u8>> {
    match (fingers, keys) {
        (Fingers::Taken(images), _) => Some(dg3::encode(images, &[])),
        (Fingers::None, Some(keys)) => {
            let filler = Sha256::new().chain_update(b"DG3 without fingers").chain_update(&*keys.to_bytes());
            Some(dg3::encode(&[], &filler.finalize()))
        }
        (Fingers::None, None) | (Fingers::NotTaken, _) => None,
    }
}

/// Puts a stored card's files together again: EF.COM, DG2, DG3 and what the chip proves itself with are not
/// stored, because they follow from the packet's images and from the keys. A card that was signed without DG3
/// stays without it.
///
/// # Errors
/// When the photo is not a JPEG that a face record can hold, or the card was signed with keys and none are
/// given.
pub fn rebuild(
    dg1: Vec<u8>,
    dg13: Vec<u8>,
    sod: Vec<u8>,
    images: &ChipImages,
    keys: Option<&ChipKeys>,
) -> Result<ChipFiles, Error> {
    let signed = Sod::parse(&sod)?;
    let has_fingers = signed.hashes().contains_key(&DataGroup::DG3);
    let proofs = match (signed.hashes().contains_key(&DataGroup::DG14), keys) {
        (false, _) => None,
        (true, Some(keys)) => Some(Proofs::of(keys)),
        (true, None) => return Err(Error::ChipKeysMissing),
    };
    let dg2 = dg2::encode(&images.photo)?;
    let dg3 = fingerprints(&images.fingers, keys).filter(|_| has_fingers);
    let mut files = ChipFiles { com: Vec::new(), dg1, dg2, dg3, dg13, sod, proofs };
    files.com = files.encode_com();
    Ok(files)
}

impl ChipFiles {
    /// Files by the names under which they are exported.
    pub fn named(&self) -> Vec<(&'static str, &[u8])> {
        let mut all: Vec<(&'static str, &[u8])> =
            vec![("EF.COM", &self.com), ("DG1", &self.dg1), ("DG2", &self.dg2)];
        all.extend(self.dg3.as_deref().map(|dg3| ("DG3", dg3)));
        all.extend([("DG13", &self.dg13[..]), ("EF.SOD", &self.sod)]);
        if let Some(Proofs { dg14, dg15, card_access }) = &self.proofs {
            all.extend([("DG14", &dg14[..]), ("DG15", dg15), ("EF.CardAccess", card_access)]);
        }
        all
    }

    /// The data groups of the chip, in ascending order.
    fn groups(&self) -> Vec<(DataGroup, &[u8])> {
        let mut all: Vec<(DataGroup, &[u8])> = vec![(DataGroup::DG1, &self.dg1), (DataGroup::DG2, &self.dg2)];
        all.extend(self.dg3.as_deref().map(|dg3| (DataGroup::DG3, dg3)));
        all.push((DataGroup::DG13, &self.dg13));
        if let Some(Proofs { dg14, dg15, .. }) = &self.proofs {
            all.extend([(DataGroup::DG14, &dg14[..]), (DataGroup::DG15, dg15)]);
        }
        all
    }

    fn encode_com(&self) -> Vec<u8> {
        com::encode(&self.groups().into_iter().map(|(group, _)| group).collect::<Vec<_>>())
    }
}
