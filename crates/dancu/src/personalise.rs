//! `dancu card personalise`: blanks on a reader become the cards of a batch.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;

use crate::card_name::CardName;
use crate::output::Ending;
use crate::{card_chip, made_card, stock};
use centre::{Centre, Place, inspection};
use chip::pcsc::{self, PcscCard};
use chip::{ChipImage, IsoEncoder, Lengths, MasterKey, Reading, Written};
use domain::id::CardId;
use issue::{Done, Later, Station, Told, Wanted, Workshop};
use ui::{say, tell};
use verify::{Evidence, ListNeed, Outcome, Overall};

/// How often the reader is asked whether the card was taken away.
const TURN: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The reader's name or its beginning; `dancu card read` without arguments names those there are.
    #[arg(long)]
    reader: String,
    /// Write the cards of this batch only; without it, of all batches in their order.
    #[arg(long)]
    batch: Option<i64>,
    /// Write this card only: its number (10 digits), its holder's personal number (12), the document number
    /// of its machine-readable zone (9), or its id.
    #[arg(long, conflicts_with = "batch")]
    card: Option<CardName>,
    /// Deal with what lies on the reader and end, instead of going on with blank after blank.
    #[arg(long)]
    once: bool,
    /// The login of whoever works here, for the audit trail.
    #[arg(long, env = "DANCU_OPERATOR")]
    operator: Option<String>,
    /// Use short commands even if the chip announces longer ones.
    #[arg(long)]
    short: bool,
    /// Seconds to wait for the next blank.
    #[arg(long, default_value_t = 600)]
    wait: u64,
}

/// [`Ending::Good`] when a card was finished (with `--once`) or all are, [`Ending::Bad`] when a card was
/// spoiled or what lay there was refused.
pub async fn run(place: &Place, options: &Options) -> Result<ExitCode> {
    let centre = Centre::open(place).await?;
    let actor = stock::actor(&centre, options.operator.as_deref()).await?;
    let bench = Bench::new(&centre).await?;
    let wanted = match (options.batch, &options.card) {
        (Some(number), _) => Wanted::Batch(number),
        (None, Some(card)) => Wanted::Card(card.find(&centre).await?),
        (None, None) => Wanted::Any,
    };
    let mut failed = false;
    loop {
        // A card under way comes back on its blank, and is waited for.
        if !options.once && issue::open_cards(&centre.db, wanted).await? == (0, 0) {
            say!("done       no signed card waits for a blank");
            return Ok(if failed { Ending::Bad } else { Ending::Good }.into());
        }
        let reader = options.reader.clone();
        let patience = Duration::from_secs(options.wait);
        let card = tokio::task::spawn_blocking(move || PcscCard::connect(&reader, patience)).await??;
        let lengths = if options.short { Lengths::Short } else { card.lengths() };
        let (db, clock, actor) = (&centre.db, centre.clock.as_ref(), &actor);
        let station = Station { db, clock, workshop: &bench, wanted, actor, lengths };
        let mut rng: StdRng = rand::make_rng();
        let done = station.serve(IsoEncoder::new(card, lengths), &mut rng).await;
        let good = match done {
            Ok(done) => say(&done),
            Err(issue::Error::Chip(error)) if !options.once && error.is_disturbance() => {
                tell!("contact was lost ({error}); lay the same card on the reader again");
                tokio::time::sleep(TURN).await;
                continue;
            }
            Err(error) => return Err(error).context("the card is as it was; lay it on the reader again"),
        };
        failed |= !good;
        if options.once {
            return Ok(if good { Ending::Good } else { Ending::Bad }.into());
        }
        taken_away(&options.reader).await?;
    }
}

async fn taken_away(reader: &str) -> Result<()> {
    let name = pcsc::reader(reader)?;
    while !pcsc::is_empty(&name)? {
        tokio::time::sleep(TURN).await;
    }
    Ok(())
}

/// Says what came of it on one line; true when it is a finished card.
fn say(done: &Done) -> bool {
    match done {
        Done::Personalised { serial, card, number } => {
            say!("card       {number} {card} on blank {serial}: written, read back and recorded");
            true
        }
        Done::Spoiled { serial, number, why } => {
            say!("SPOILED    {number} on blank {serial}: {why}; its person waits for another card");
            false
        }
        Done::Refused(refusal) => {
            say!("refused    {refusal}");
            false
        }
    }
}

/// What the station needs from the centre.
struct Bench<'a> {
    centre: &'a Centre,
    /// CSCA certificates of this installation.
    trust: Vec<Vec<u8>>,
    links: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
}

impl<'a> Bench<'a> {
    async fn new(centre: &'a Centre) -> Result<Bench<'a>> {
        let mut conn = centre.db.read().await?;
        let trust = store::cards::certificates::certificates(&mut conn, "csca").await?;
        let links = store::cards::certificates::certificates(&mut conn, "csca_link").await?;
        drop(conn);
        let mut crls = Vec::new();
        for csca in &trust {
            crls.extend(made_card::list_of(centre, csca).await?);
        }
        Ok(Bench { centre, trust, links, crls })
    }
}

impl Workshop for Bench<'_> {
    fn image(&self, card: CardId) -> Later<'_, Result<ChipImage, issue::Error>> {
        Box::pin(async move {
            let (files, keys) = made_card::chip_of(self.centre, card)
                .await
                .map_err(|error| issue::Error::Workshop(format!("{error:#}")))?;
            let keys = keys.ok_or(issue::Error::ChipKeysMissing)?;
            let image = ChipImage::new(files, keys)?;
            let anchor = inspection::anchor(self.centre)
                .map_err(|error| issue::Error::Workshop(format!("{error:#}")))?;
            Ok(image.trusting(anchor))
        })
    }

    fn master_key(&self, box_number: i64, sealed: &[u8]) -> Result<MasterKey, issue::Error> {
        let key = self.centre.open_transport_key(box_number, sealed).map_err(|error| {
            issue::Error::Workshop(format!("the master key of box {box_number} cannot be opened: {error}"))
        })?;
        Ok(MasterKey::from_bytes(key))
    }

    fn judge(&self, reading: &Reading) -> Result<(), String> {
        let files = card_chip::files_of(reading);
        let verdict = verify::check_card(&Evidence {
            links: &self.links,
            crls: &self.crls,
            // Whether the chip holds what was signed is the question: a list that is over stops no press.
            need: ListNeed::No,
            active_authentication: card_chip::proof(reading.active_authentication),
            chip_authentication: card_chip::proof(reading.chip_authentication),
            ..Evidence::new(&files, &self.trust, self.centre.clock.now())
        });
        if verdict.overall == Overall::Genuine {
            return Ok(());
        }
        let failed = verdict.checks.iter().filter(|check| check.outcome == Outcome::Fail);
        let codes: Vec<&str> = failed.map(|check| check.code.as_str()).collect();
        Err(format!(
            "it does not verify ({})",
            if codes.is_empty() { "unproven".to_owned() } else { codes.join(", ") }
        ))
    }

    fn tell(&self, told: Told<'_>) {
        let mut out = std::io::stderr();
        // Nobody may be watching; the work goes on.
        let _ = match told {
            Told::Begun { serial, number, again, .. } => {
                let word = if again { "going on with" } else { "writing" };
                writeln!(out, "{word} card {number} on blank {serial}")
            }
            Told::Written(Written(id, done, total)) => card_chip::bar("written       ", id, done, total),
            Told::Activated => writeln!(out, "activated; reading it back"),
            Told::Read(progress) => {
                card_chip::show(progress);
                Ok(())
            }
        };
    }
}
