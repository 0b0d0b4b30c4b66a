//! `dancu card artwork`: a card's two sides as files for a printer, drawn from what is in its chip.

use crate::centre::Place;
use crate::{cards, live};
use anyhow::{Context, Result, bail};
use card::artwork::drawing::Edge;
use card::artwork::{self, BLEED_MM, Marking, PHOTO_DPI, Sheet};
use card::data::CardData;
use card::lds::{dg1, dg2, dg13::Dg13};
use card::mrz::Mrz;
use card::qr::{self, QrText};
use domain::id::CardId;
use std::fs;
use std::path::{Path, PathBuf};

/// Larger than any file of a chip.
const MOST_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// A card of this installation by its id, or a directory with a card's files (`dancu card export` writes one).
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
}

/// The files that a drawing is made of.
struct Source {
    dg1: Vec<u8>,
    dg2: Vec<u8>,
    dg13: Vec<u8>,
}

pub async fn run(place: &Place, options: &Options) -> Result<()> {
    let dir = Path::new(&options.card);
    let source = if dir.is_dir() { from_directory(dir)? } else { of_card(place, &options.card).await? };
    let files = draw(&source, options)?;
    fs::create_dir_all(&options.out).with_context(|| format!("{}", options.out.display()))?;
    for (name, bytes) in files {
        let path = options.out.join(name);
        fs::write(&path, &bytes).with_context(|| format!("{}", path.display()))?;
        println!("{} {}", bytes.len(), path.display());
    }
    Ok(())
}

async fn of_card(place: &Place, id: &str) -> Result<Source> {
    let card: CardId = id.parse().map_err(|_| {
        anyhow::anyhow!("`{id}` is neither a directory nor the id of a card (dancu card list)")
    })?;
    let (files, _) = cards::chip_of(&live::open(place).await?, card).await?;
    let file = |name| {
        let id = chip::FileId::from_name(name).context("a name of the standard")?;
        files.get(id).map(<[u8]>::to_vec).with_context(|| format!("the card has no {name}"))
    };
    Ok(Source { dg1: file("DG1")?, dg2: file("DG2")?, dg13: file("DG13")? })
}

fn from_directory(dir: &Path) -> Result<Source> {
    let file = |name| {
        let path = dir.join(name);
        let size =
            fs::metadata(&path).with_context(|| format!("{}: the drawing needs it", path.display()))?.len();
        if size > MOST_FILE_BYTES {
            bail!("{} has {size} bytes; no chip holds so large a file", path.display());
        }
        fs::read(&path).with_context(|| format!("{}", path.display()))
    };
    Ok(Source { dg1: file("DG1")?, dg2: file("DG2")?, dg13: file("DG13")? })
}

fn draw(source: &Source, options: &Options) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let dg13 = Dg13::parse(&source.dg13)?;
    let card = CardData::new(dg13.card_fields()?)?;
    // What is printed must be what the chip says.
    if dg1::parse(&source.dg1)? != Mrz::from_card(&card) {
        bail!("DG1 and DG13 are not of one card: the machine-readable zone does not follow from the fields");
    }
    let face = dg2::parse(&source.dg2)?;
    let sheet = Sheet {
        marking: if options.issued { Marking::Issued } else { Marking::Specimen },
        edge: if options.bleed { Edge::Bleed(BLEED_MM) } else { Edge::Square },
    };
    let sides = [artwork::draw_front(&card, Some(face.image), sheet)?, artwork::draw_back(&card, sheet)];
    if let Some(dpi) = sides[0].photo_dpi().filter(|dpi| *dpi < PHOTO_DPI) {
        eprintln!(
            "dancu: the photo has {} x {} pixels and is printed at {dpi:.0} dpi; {PHOTO_DPI:.0} are wanted",
            face.width, face.height
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
