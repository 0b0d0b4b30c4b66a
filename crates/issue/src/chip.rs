//! The chip's files of one card.

use crate::{Error, Face};
use card::lds::{DataGroup, com, dg1, dg2, dg13};
use card::mrz::Mrz;
use card::qr::QrText;
use card::sod::{self, SodTemplate};
use pki::Signer;

/// Elementary files, each with its raw bytes.
#[derive(Clone)]
pub struct ChipFiles {
    pub com: Vec<u8>,
    pub dg1: Vec<u8>,
    pub dg2: Vec<u8>,
    pub dg13: Vec<u8>,
    pub sod: Vec<u8>,
}

impl std::fmt::Debug for ChipFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipFiles(…)")
    }
}

/// The data groups of a chip, in ascending order.
fn groups() -> [DataGroup; 3] {
    [1, 2, 13].map(|number| DataGroup::from_number(number).expect("1, 2 and 13 are data groups"))
}

/// Builds and signs the files. The message that is signed covers the raw bytes of every data group.
pub(crate) fn build(
    face: &Face,
    photo_jpeg: &[u8],
    template: &SodTemplate,
    signer: &dyn Signer,
) -> Result<(ChipFiles, String), Error> {
    let data = face.card_data()?;
    let dg1 = dg1::encode(&Mrz::from_card(&data));
    let dg2 = dg2::encode(photo_jpeg)?;
    let dg13 = dg13::Dg13::from_card(&data).encode();
    let [one, two, thirteen] = groups();
    let prepared =
        template.prepare(&[(one, sod::hash(&dg1)), (two, sod::hash(&dg2)), (thirteen, sod::hash(&dg13))])?;
    let signature = signer.sign(prepared.to_be_signed())?;
    let sod = prepared.assemble(&signature);
    let qr = QrText::from_card(&data).encode();
    Ok((ChipFiles { com: com::encode(&groups()), dg1, dg2, dg13, sod }, qr))
}

/// Puts a stored card's files together again: EF.COM and DG2 are not stored, because they follow from the photo.
///
/// # Errors
/// When the photo is not a JPEG that a face record can hold.
pub fn rebuild(dg1: Vec<u8>, dg13: Vec<u8>, sod: Vec<u8>, photo_jpeg: &[u8]) -> Result<ChipFiles, Error> {
    Ok(ChipFiles { com: com::encode(&groups()), dg2: dg2::encode(photo_jpeg)?, dg1, dg13, sod })
}

impl ChipFiles {
    /// Files by the names under which they are exported.
    pub fn named(&self) -> [(&'static str, &[u8]); 5] {
        [
            ("EF.COM", &self.com),
            ("DG1", &self.dg1),
            ("DG2", &self.dg2),
            ("DG13", &self.dg13),
            ("EF.SOD", &self.sod),
        ]
    }
}
