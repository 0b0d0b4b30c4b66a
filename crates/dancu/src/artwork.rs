//! `dancu card artwork`: a card's two sides as files for a printer, drawn from what is in its chip.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cli::Operator;
use crate::{card_verify, made_card};
use card::artwork::drawing::Edge;
use card::artwork::{self, BLEED_MM, Marking, PHOTO_DPI, Sheet};
use card::data::CardData;
use card::lds::{DataGroup, dg1, dg2, dg13::Dg13};
use card::mrz::Mrz;
use card::qr::{self, QrText};
use centre::{Centre, Installation, Place};
use ui::{say, tell};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A card of this installation by its id or a number on it, or a directory with a card's files (`dancu
    /// card export` writes one).
    card: String,
    /// The directory for front.svg, back.svg, card.pdf, qr.svg and qr.txt.
    #[arg(long)]
    out: PathBuf,
    /// Draw three millimetres beyond the edge, for a printer that cuts the cards afterwards.
    #[arg(long)]
    bleed: bool,
    /// Leave out the specimen mark: the holder exists, and this is the card.
    #[arg(long)]
    issued: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(crate) async fn run(place: &Place, options: &Options) -> Result<()> {
    let files = draw(&files_of(place, options).await?, options)?;
    fs::create_dir_all(&options.out).with_context(|| format!("{}", options.out.display()))?;
    for (name, bytes) in files {
        let path = options.out.join(name);
        fs::write(&path, &bytes).with_context(|| format!("{}", path.display()))?;
        say!("{} {}", bytes.len(), path.display());
    }
    Ok(())
}

/// A card's files by their names. That those of an installation were read is in its audit trail.
async fn files_of(place: &Place, options: &Options) -> Result<BTreeMap<String, Vec<u8>>> {
    let dir = Path::new(&options.card);
    if dir.is_dir() {
        return card_verify::read_directory(dir);
    }
    let installation = Installation::open(place).await?;
    let card = made_card::named(&installation, &options.card).await?;
    let by = options.operator.actor(&installation).await?;
    made_card::note(&installation, &by, "card.drawn", card).await?;
    let (files, _) = made_card::chip_of(&Centre::of(installation).await?, card).await?;
    Ok(files.iter().map(|(id, bytes)| (id.name(), bytes.to_vec())).collect())
}

fn draw(files: &BTreeMap<String, Vec<u8>>, options: &Options) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let file = |group: DataGroup| {
        files
            .get(&group.file_name())
            .with_context(|| format!("the drawing needs {group}, which is not there"))
    };
    let dg13 = Dg13::parse(file(DataGroup::DG13)?)?;
    let card = CardData::new(dg13.card_fields()?)?;
    // What is printed must be what the chip says.
    if dg1::parse(file(DataGroup::DG1)?)? != Mrz::from_card(&card) {
        bail!("DG1 and DG13 are not of one card: the machine-readable zone does not follow from the fields");
    }
    let face = dg2::parse(file(DataGroup::DG2)?)?;
    let sheet = Sheet {
        marking: if options.issued { Marking::Issued } else { Marking::Specimen },
        edge: if options.bleed { Edge::Bleed(BLEED_MM) } else { Edge::Square },
    };
    let sides = [artwork::draw_front(&card, Some(face.image), sheet)?, artwork::draw_back(&card, sheet)];
    if let Some(dpi) = sides[0].photo_dpi().filter(|dpi| *dpi < PHOTO_DPI) {
        tell!(
            "dancu: the photo has {} x {} pixels and is printed at {dpi:.0} dpi; {PHOTO_DPI:.0} are wanted",
            face.width,
            face.height
        );
    }
    let pdf = print::pdf(&sides)?;
    let text = QrText::from_card(&card).encode();
    let symbol = qr::symbol(&text)?;
    let [front, back] = sides.map(|side| side.to_svg().into_bytes());
    Ok(vec![
        ("front.svg", front),
        ("back.svg", back),
        ("card.pdf", pdf),
        ("qr.svg", symbol.to_svg().into_bytes()),
        ("qr.txt", text.into_bytes()),
    ])
}
