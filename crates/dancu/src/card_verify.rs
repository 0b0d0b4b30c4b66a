//! `dancu card verify`: a relying party's check of a chip's files, of what is printed, or of both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time};

use crate::output::{self, Ending};
use crate::trust::{Sources, TrustOptions};
use card::lds::{DataGroup, EF_SOD, dg1};
use card::mrz::Mrz;
use card::qr::QrText;
use centre::{Installation, Place};
use store::cards::MadeCard;
use ui::checks;
use ui::i18n::Lang;
use ui::say;
use verify::{CardFiles, CardStatus, Evidence, Outcome, Overall, Verdict, Worded};

const LAST_SECOND: Time = time::macros::time!(23:59:59);

/// Longest text of a QR code or of printed lines that is taken from a file.
const MOST_TEXT_BYTES: u64 = 16 * 1024;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The directory with the card's files, as `dancu card export` or a reader's program wrote them. Without
    /// it only what is printed is checked (--qr, --mrz), which proves very little.
    #[arg(required_unless_present_any = ["qr", "mrz"])]
    dir: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustOptions,
    /// The text of the QR code printed on the card; `@FILE` reads it from a file.
    #[arg(long, value_name = "TEXT")]
    qr: Option<String>,
    /// The machine-readable zone printed on the card, three lines or 90 characters; `@FILE` reads it from a
    /// file.
    #[arg(long, value_name = "TEXT")]
    mrz: Option<String>,
    /// Also ask the register of this installation (--data) whether the card is in force.
    #[arg(long)]
    status: bool,
    /// The serial number of the card, which must be the register's for this card.
    #[arg(long, requires = "status")]
    number: Option<String>,
    #[command(flatten)]
    show: Show,
}

/// For which day, and in which form, the verdict is given.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Show {
    /// The day at whose end the card is judged (yyyy-mm-dd). Without it: with --status the day of this
    /// installation, which is today's or the campaign's that was simulated; where trust lies beside the
    /// card's files, the day that lies there too; else now. The verdict says which.
    #[arg(long, alias = "at", value_name = "DATE", value_parser = crate::cli::date)]
    on: Option<Date>,
    /// Say what each check found in plain words, for whoever holds the card: vi or en.
    #[arg(long, value_parser = language)]
    words: Option<Lang>,
    /// Print the verdict as JSON (docs/verify-api.md).
    #[arg(long)]
    json: bool,
}

fn language(code: &str) -> Result<Lang> {
    Lang::from_code(code).with_context(|| format!("`{code}` is neither vi nor en"))
}

/// Ends by the verdict: see [`Show::verdict`].
pub async fn run(place: &Place, options: &Options) -> Result<ExitCode> {
    let files = options.dir.as_deref().map(read_directory).transpose()?;
    let (qr, mrz) = (text(options.qr.as_deref(), "--qr")?, text(options.mrz.as_deref(), "--mrz")?);
    let centre = if options.status { Some(Installation::open(place).await?) } else { None };
    let status = match &centre {
        None => None,
        Some(centre) => {
            let asked = Asked { files: files.as_ref(), qr: qr.as_deref(), mrz: mrz.as_deref() };
            Some(ask_register(centre, &asked, options.number.as_deref()).await?)
        }
    };
    let sources = match &files {
        None => Sources::default(),
        Some(_) => options.trust.load(options.dir.as_deref())?,
    };
    let beside = options.dir.as_deref().filter(|_| sources.is_trust_beside());
    let judged = options.show.judged(centre.as_ref(), beside)?;
    let at = judged.at;
    let verdict = match &files {
        None => verify::check_paper(qr.as_deref(), mrz.as_deref(), at, status),
        Some(files) => {
            let evidence = Evidence {
                links: &sources.links,
                crls: &sources.crls,
                need: sources.need,
                status,
                qr: qr.as_deref(),
                printed_mrz: mrz.as_deref(),
                ..Evidence::new(files, &sources.trust, at)
            };
            verify::check_card(&evidence)
        }
    };
    options.show.verdict(&verdict, &sources, &judged)
}

/// The instant by which a card is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// The instant.
    pub at: OffsetDateTime,
    by: Whose,
}

/// Whose day it is by which a card is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Asked,
    Installation,
    Beside,
    Machine,
}

impl Whose {
    const fn code(self) -> &'static str {
        match self {
            Whose::Asked => "option",
            Whose::Installation => "installation",
            Whose::Beside => "beside_the_card",
            Whose::Machine => "machine",
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Whose::Asked => "as --on says",
            Whose::Installation => "the day of this installation",
            Whose::Beside => {
                "the simulated day that lies beside the card's files; --on names another, such as today"
            }
            Whose::Machine => "today",
        }
    }
}

/// The day of a simulated campaign, which `card export` leaves beside the files: what was made on invented
/// days is judged by them.
pub const DAY_FILE: &str = "campaign-day";

/// The day in a directory, where one lies.
fn day_beside(dir: &Path) -> Result<Option<Date>> {
    let path = dir.join(DAY_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = text(Some(&format!("@{}", path.display())), DAY_FILE)?.unwrap_or_default();
    crate::cli::date(text.trim()).map(Some).with_context(|| format!("{}", path.display()))
}

impl Show {
    /// By which instant to judge: `centre` is the installation that was asked, `beside` the directory of
    /// files whose trust lies beside them.
    pub fn judged(&self, centre: Option<&Installation>, beside: Option<&Path>) -> Result<Judged> {
        // At the day's end, so that a list or a certificate of that day counts.
        let end = |day: Date| day.with_time(LAST_SECOND).assume_offset(domain::clock::VIETNAM);
        if let Some(day) = self.on {
            return Ok(Judged { at: end(day), by: Whose::Asked });
        }
        if let Some(centre) = centre {
            return Ok(Judged { at: centre.clock.now(), by: Whose::Installation });
        }
        if let Some(day) = beside.map(day_beside).transpose()?.flatten() {
            return Ok(Judged { at: end(day), by: Whose::Beside });
        }
        Ok(Judged { at: domain::Clock::now(&domain::clock::SystemClock), by: Whose::Machine })
    }

    /// Prints the verdict, and ends by it: [`Ending::Good`] is genuine, [`Ending::Bad`] rejected,
    /// [`Ending::Open`] unproven.
    pub fn verdict(&self, verdict: &Verdict, sources: &Sources, judged: &Judged) -> Result<ExitCode> {
        if self.json {
            output::print_json(&as_json(verdict, sources, judged)?)?;
        } else {
            self.lines(verdict, sources, judged);
        }
        Ok(match verdict.overall {
            Overall::Genuine => Ending::Good,
            Overall::Rejected => Ending::Bad,
            Overall::Unproven => Ending::Open,
        }
        .into())
    }

    fn lines(&self, verdict: &Verdict, sources: &Sources, judged: &Judged) {
        for check in &verdict.checks {
            let mark = match check.outcome {
                Outcome::Pass => "ok     ",
                Outcome::Fail => "FAILED ",
                Outcome::NotChecked => "-      ",
            };
            let said = match self.words {
                Some(lang) => checks::sentence(lang, &check.words_key()),
                None => &check.detail,
            };
            say!("{mark} {:<22} {said}", check.code.as_str());
        }
        for note in &sources.notes {
            let beside = if note.beside { ", which lies beside the card's files" } else { "" };
            say!("from    {:<22} {}{beside}", note.kind, note.from);
        }
        let day = domain::clock::day_in_vietnam(judged.at);
        say!("judged  {:<22} {}", day.to_string(), judged.by.told());
        let word = match verdict.overall {
            Overall::Genuine => "genuine",
            Overall::Rejected => "REJECTED",
            Overall::Unproven => "unproven",
        };
        let trusting = if sources.is_trust_beside() {
            " (trusting the csca.der that lies beside the files)"
        } else {
            ""
        };
        say!("{word}{trusting}");
        if let Some(lang) = self.words {
            say!("{}", checks::sentence(lang, verdict.overall.words_key()));
        }
    }
}

fn as_json(verdict: &Verdict, sources: &Sources, judged: &Judged) -> Result<serde_json::Value> {
    let mut object = serde_json::to_value(Worded { verdict, words: checks::both })?;
    object["at"] = json!(judged.at.format(&Rfc3339)?);
    object["at_by"] = json!(judged.by.code());
    let from = |kind: &str| -> Vec<serde_json::Value> {
        let notes = sources.notes.iter().filter(|note| note.kind == kind);
        notes.map(|note| json!({"file": note.from, "beside_the_card": note.beside})).collect()
    };
    object["from"] = json!({"trust": from("trust"), "link": from("link"), "crl": from("crl")});
    Ok(object)
}

/// The card's files in a directory; other files are left alone.
pub fn read_directory(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = CardFiles::default();
    let name = dir.display();
    let entries = fs::read_dir(dir).with_context(|| format!("the card's files are looked for in {name}"))?;
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if verify::elementary(&file).is_none() || !entry.path().is_file() {
            continue;
        }
        CardFiles::fits(&file, entry.metadata()?.len()).with_context(|| format!("{name}"))?;
        let bytes = fs::read(entry.path()).with_context(|| format!("{}", entry.path().display()))?;
        files.add(&file, bytes).with_context(|| format!("{name}"))?;
    }
    files.named().with_context(|| format!("{name}"))
}

/// A text, or the file that `@` names.
pub fn text(given: Option<&str>, option: &str) -> Result<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let Some(path) = given.strip_prefix('@') else { return Ok(Some(given.to_owned())) };
    let length = fs::metadata(path).with_context(|| format!("{option}: {path}"))?.len();
    if length > MOST_TEXT_BYTES {
        bail!("{option}: {path} has {length} bytes; a card's print has less than {MOST_TEXT_BYTES}");
    }
    let text = fs::read_to_string(path).with_context(|| format!("{option}: {path} must be text in UTF-8"))?;
    Ok(Some(text))
}

/// What the register can be asked by.
struct Asked<'a> {
    files: Option<&'a BTreeMap<String, Vec<u8>>>,
    qr: Option<&'a str>,
    mrz: Option<&'a str>,
}

/// A chip's card is found by its signed object, byte for byte; print only by the number and the days on it.
async fn ask_register(centre: &Installation, asked: &Asked<'_>, number: Option<&str>) -> Result<CardStatus> {
    let qr = asked.qr.and_then(|text| QrText::parse(text.trim_end_matches(['\r', '\n'])).ok());
    let mrz = asked.mrz.and_then(|text| Mrz::parse(text.trim()).ok());
    let in_chip =
        |files: &BTreeMap<String, Vec<u8>>| dg1::parse(files.get(&DataGroup::DG1.file_name())?).ok();
    let pin = match asked.files {
        Some(files) => in_chip(files).map(|mrz| mrz.pin().to_owned()),
        None => qr.as_ref().map(|qr| qr.pin.clone()).or_else(|| mrz.as_ref().map(|mrz| mrz.pin().to_owned())),
    };
    // What cannot be read, the register cannot know.
    let Some(pin) = pin else { return Ok(CardStatus::Unknown) };
    let sod = asked.files.and_then(|files| files.get(EF_SOD)).map_or(&[][..], Vec::as_slice);
    let mut conn = centre.db.read().await?;
    let cards = store::cards::cards_of_pin(&mut conn, &pin, sod).await?;
    let is_this = |card: &&MadeCard| {
        let printed = qr.as_ref().is_none_or(|qr| qr.issued == card.issued_on)
            && mrz.as_ref().is_none_or(|mrz| mrz.expiry() == expiry(card));
        let same = if asked.files.is_some() { card.is_signed_so } else { printed };
        same && number.is_none_or(|number| number == card.number)
    };
    Ok(cards.iter().find(is_this).map_or(CardStatus::Unknown, |card| CardStatus::of_state(card.state)))
}

fn expiry(card: &MadeCard) -> String {
    card.expires_on.map_or(card::data::Expiry::Never, card::data::Expiry::On).mrz()
}
