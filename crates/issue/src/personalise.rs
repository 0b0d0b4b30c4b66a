//! A blank on a reader becomes the card of one person: recorded first, written, read back, verified, and
//! recorded again.
//!
//! Whatever stops it, the next begin finds the chip and the rows as they were left. The chip tells where it
//! stands and, as long as it is no card, its serial number; the row of that blank tells for which card it was
//! taken.

use std::future::Future;
use std::pin::Pin;

use rand::CryptoRng;

use crate::Error;
use crate::outcome::{audit, record_card};
use ::chip::{
    Access, ChipImage, ChipSerial, Encoder, Found, Lengths, Life, MasterKey, Opened, Password, Progress,
    Proof, ReadFile, Reading, Session, Transport, Written, read_card, write_image,
};
use card::lds::card_access;
use domain::blank::{BlankState, SpoilReason};
use domain::id::CardId;
use domain::{Actor, Clock};
use store::Database;
use store::cards::{batches, stock};

/// How often writing one blank is begun before it is given up.
const MOST_ATTEMPTS: i16 = 5;
/// Cards under way that a finished card on the reader is compared with.
const MOST_UNDER_WAY: i64 = 50;

/// An answer that takes a while.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the station needs from whoever has the photos, the keys and the verification.
pub trait Workshop: Sync {
    /// The files and keys of a signed card.
    fn image(&self, card: CardId) -> Later<'_, Result<ChipImage, Error>>;

    /// The master key of a box, opened.
    fn master_key(&self, box_number: i64, sealed: &[u8]) -> Result<MasterKey, Error>;

    /// Whether a relying party would accept the card as it was read; if not, why, without personal data.
    fn judge(&self, reading: &Reading) -> Result<(), String>;

    /// Something to show.
    fn tell(&self, told: Told<'_>);
}

/// What happens on the station.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A blank was taken for the card of this number, now or in an earlier run.
    Begun {
        serial: ChipSerial,
        card: CardId,
        number: &'a str,
        again: bool,
    },
    Written(Written),
    /// The card is activated.
    Activated,
    Read(Progress),
}

/// Which cards are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Any,
    Batch(i64),
    Card(CardId),
}

impl Wanted {
    fn filter(self) -> (Option<i64>, Option<CardId>) {
        match self {
            Wanted::Any => (None, None),
            Wanted::Batch(number) => (Some(number), None),
            Wanted::Card(card) => (None, Some(card)),
        }
    }
}

/// How many of these cards wait for a blank, and how many are under way on one.
pub async fn open_cards(db: &Database, wanted: Wanted) -> Result<(i64, i64), Error> {
    let (batch, card) = wanted.filter();
    let mut conn = db.read().await?;
    Ok(stock::open_cards(&mut conn, batch, card).await?)
}

/// What came of a card on the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    Personalised {
        serial: ChipSerial,
        card: CardId,
        number: String,
    },
    /// Card and blank are spoiled and recorded as such; the person waits for another card.
    Spoiled {
        serial: ChipSerial,
        number: String,
        why: Spoiling,
    },
    /// Nothing was written and nothing recorded.
    Refused(Refusal),
}

/// Why a card was spoiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Spoiling {
    #[error("{0}")]
    Chip(String),
    #[error("what was read back is not right: {0}")]
    Verification(String),
    #[error("writing it was begun {MOST_ATTEMPTS} times")]
    Attempts,
    #[error("its chip was terminated")]
    Terminated,
}

impl Spoiling {
    /// As it is recorded.
    pub fn reason(&self) -> SpoilReason {
        match self {
            Spoiling::Chip(_) => SpoilReason::Chip,
            Spoiling::Verification(_) => SpoilReason::Verification,
            Spoiling::Attempts => SpoilReason::Attempts,
            Spoiling::Terminated => SpoilReason::Terminated,
        }
    }
}

/// Why what lies on the reader is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the chip tells no serial number: this is no blank of a kind that is known here")]
    NoSerial,
    #[error("blank {0} is not in stock; receive its box first (`dancu stock receive`)")]
    NotInStock(ChipSerial),
    #[error("blank {0} came in a box without a transport key; another machine writes those")]
    NoKey(ChipSerial),
    #[error(
        "blank {0} does not accept its transport key: check the key letter of its box. A blank locks itself \
         after ten tries"
    )]
    WrongKey(ChipSerial),
    #[error("blank {0} is recorded as spoiled; what was on it is erased. Destroy it")]
    Spoiled(ChipSerial),
    #[error(
        "blank {0} is recorded as a finished card, and this chip is blank: two chips tell one number. Lay it \
         aside and report it"
    )]
    Twin(ChipSerial),
    #[error(
        "the chip of blank {0} is terminated; it can never be written. Record it with `dancu stock spoil {0} \
         --reason broken`"
    )]
    Terminated(ChipSerial),
    #[error("this is a finished card, and none of those that are under way here")]
    Finished,
    #[error("no signed card waits for a blank \
             here{}", match .under_way { 0 => String::new(), n => format!("; {n} are under way on blanks \
                 that are not on this reader") })]
    NoCard { under_way: i64 },
}

/// One reader with its operator.
pub struct Station<'a, W> {
    pub db: &'a Database,
    pub clock: &'a dyn Clock,
    pub workshop: &'a W,
    pub wanted: Wanted,
    /// Who works here, for the audit trail.
    pub actor: &'a Actor,
    pub lengths: Lengths,
}

impl<W> std::fmt::Debug for Station<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// A blank that was taken for a card.
struct Intent {
    serial: ChipSerial,
    card: CardId,
    number: String,
}

impl<W: Workshop> Station<'_, W> {
    /// Deals with what lies on the reader. Talking to the chip blocks the thread, so the runtime must have
    /// several.
    ///
    /// # Errors
    /// When contact to the chip is lost, the database fails, or the card cannot be put together. What was
    /// begun goes on when the same blank lies on a reader again.
    pub async fn serve<E>(&self, mut encoder: E, rng: &mut (impl CryptoRng + Send)) -> Result<Done, Error>
    where
        E: Encoder + Send,
        E::Transport: Send,
    {
        match block(|| encoder.identify())? {
            Found { life: Life::Operational, .. } => self.recognise(encoder.into_transport(), rng).await,
            Found { serial: None, .. } => Ok(Done::Refused(Refusal::NoSerial)),
            Found { life: Life::Terminated, serial: Some(serial) } => match self.row(serial).await? {
                Some(blank) if blank.state == BlankState::Writing => {
                    self.spoil(serial, Spoiling::Terminated).await
                }
                _ => Ok(Done::Refused(Refusal::Terminated(serial))),
            },
            Found { life: Life::Initialisation, serial: Some(serial) } => {
                self.serve_blank(serial, encoder, rng).await
            }
        }
    }

    async fn serve_blank<E>(
        &self,
        serial: ChipSerial,
        mut encoder: E,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Done, Error>
    where
        E: Encoder + Send,
        E::Transport: Send,
    {
        let refused = |refusal| Ok(Done::Refused(refusal));
        let Some(blank) = self.row(serial).await? else { return refused(Refusal::NotInStock(serial)) };
        if blank.state == BlankState::Used {
            return refused(Refusal::Twin(serial));
        }
        let mut conn = self.db.read().await?;
        let sealed = stock::box_key(&mut conn, blank.box_number).await?;
        drop(conn);
        let Some(sealed) = sealed else { return refused(Refusal::NoKey(serial)) };
        let key = self.workshop.master_key(blank.box_number, &sealed)?.transport_key(serial);
        // Before the intent, because it writes nothing: a wrong key letter must not spoil a box of blanks.
        match block(|| encoder.begin(&key, rng)) {
            Err(::chip::Error::WrongTransportKey) => return refused(Refusal::WrongKey(serial)),
            begun => begun?,
        }
        if blank.state == BlankState::Spoiled {
            block(|| encoder.terminate())?;
            return refused(Refusal::Spoiled(serial));
        }
        match self.intend(serial).await? {
            Some(intent) => self.write(&intent, encoder, rng).await,
            None => {
                let (_, under_way) = open_cards(self.db, self.wanted).await?;
                refused(Refusal::NoCard { under_way })
            }
        }
    }

    async fn row(&self, serial: ChipSerial) -> Result<Option<stock::Blank>, Error> {
        let mut conn = self.db.read().await?;
        Ok(stock::blanks_named(&mut conn, &[serial.to_string()]).await?.pop())
    }

    /// The card that the blank was taken for, or is taken for now: the next that waits. Committed before
    /// anything is written.
    async fn intend(&self, serial: ChipSerial) -> Result<Option<Intent>, Error> {
        let mut tx = self.db.begin().await?;
        let text = serial.to_string();
        let blank = stock::lock_blank(&mut tx, &text).await?.ok_or_else(|| Error::NoBlank(text.clone()))?;
        let again = blank.state == BlankState::Writing;
        let card = match blank.card_id.filter(|_| again) {
            Some(card) => card,
            None => {
                let (batch, card) = self.wanted.filter();
                let Some(card) = stock::next_card(&mut tx, batch, card).await? else { return Ok(None) };
                let now = self.clock.now();
                if !stock::begin_writing(&mut tx, &text, card, now).await? {
                    return Err(Error::BlankFinished { serial: text, state: blank.state });
                }
                let detail = serde_json::json!({ "blank": text });
                audit(&mut tx, now, self.actor, "card.blank_taken", format!("card:{card}"), detail).await?;
                card
            }
        };
        let number = batches::card_item(&mut tx, card).await?.map(|item| item.number).unwrap_or_default();
        store::commit(tx).await?;
        self.workshop.tell(Told::Begun { serial, card, number: &number, again });
        Ok(Some(Intent { serial, card, number }))
    }

    async fn write<E>(
        &self,
        intent: &Intent,
        mut encoder: E,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Done, Error>
    where
        E: Encoder + Send,
        E::Transport: Send,
    {
        let image = self.workshop.image(intent.card).await?;
        let mut tx = self.db.begin().await?;
        let attempts = stock::count_attempt(&mut tx, &intent.serial.to_string()).await?;
        store::commit(tx).await?;
        let written = match attempts {
            ..=MOST_ATTEMPTS => block(|| {
                write_image(&mut encoder, &image, &mut |written| self.workshop.tell(Told::Written(written)))?;
                encoder.activate()
            }),
            _ => {
                let done = self.spoil(intent.serial, Spoiling::Attempts).await;
                // Recorded first: a half-written blank that loses contact here is erased when it lies on a
                // reader again.
                let _ = block(|| encoder.terminate());
                return done;
            }
        };
        match written {
            Ok(()) => {
                self.workshop.tell(Told::Activated);
                self.finish(intent, &image, encoder.into_transport(), rng).await
            }
            Err(error) if error.is_disturbance() => Err(error.into()),
            Err(error) => {
                let done = self.spoil(intent.serial, Spoiling::Chip(error.to_string())).await;
                let _ = block(|| encoder.terminate());
                done
            }
        }
    }

    /// A finished card: one of those under way, whose last record is missing, opens with its access number
    /// and tells the serial number of its blank.
    async fn recognise<T>(&self, mut transport: T, rng: &mut (impl CryptoRng + Send)) -> Result<Done, Error>
    where
        T: Transport + Send,
    {
        let mut conn = self.db.read().await?;
        let under_way = stock::blanks(&mut conn, Some(BlankState::Writing), None, MOST_UNDER_WAY).await?;
        drop(conn);
        for blank in under_way {
            let Some(card) = blank.card_id else { continue };
            // Whom it trusts was settled when it was written, perhaps before the authority changed its key.
            let image = self.workshop.image(card).await?.trusting(None);
            let serial = ChipSerial::parse(&blank.serial)?;
            if block(|| serial_under(&mut transport, self.lengths, &image, rng))? == Some(serial) {
                let intent = Intent { serial, card, number: blank.card_number.unwrap_or_default() };
                self.workshop.tell(Told::Begun { serial, card, number: &intent.number, again: true });
                return self.finish(&intent, &image, transport, rng).await;
            }
        }
        Ok(Done::Refused(Refusal::Finished))
    }

    /// Reads the finished card back as anybody would, and records what came of it.
    async fn finish<T>(
        &self,
        intent: &Intent,
        image: &ChipImage,
        transport: T,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Done, Error>
    where
        T: Transport + Send,
    {
        let watch = &mut |progress| self.workshop.tell(Told::Read(progress));
        let verdict = match block(|| read_back(transport, self.lengths, intent.serial, image, rng, watch)) {
            Ok(Ok(reading)) => self.workshop.judge(&reading).map_err(Spoiling::Verification),
            Ok(Err(problem)) => Err(Spoiling::Verification(problem)),
            Err(error) if error.is_disturbance() => return Err(error.into()),
            Err(error) => Err(Spoiling::Chip(error.to_string())),
        };
        match verdict {
            Ok(()) => {
                let Intent { serial, card, .. } = *intent;
                record_card(self.db, &serial.to_string(), None, self.actor, self.clock.now()).await?;
                Ok(Done::Personalised { serial, card, number: intent.number.clone() })
            }
            Err(why) => self.spoil(intent.serial, why).await,
        }
    }

    async fn spoil(&self, serial: ChipSerial, why: Spoiling) -> Result<Done, Error> {
        let text = serial.to_string();
        let number = record_card(self.db, &text, Some(why.reason()), self.actor, self.clock.now()).await?;
        Ok(Done::Spoiled { serial, number: number.unwrap_or_default(), why })
    }
}

/// The serial number that the chip tells under the access number of this image; `None` if it is another's
/// card.
fn serial_under<T: Transport>(
    transport: &mut T,
    lengths: Lengths,
    image: &ChipImage,
    rng: &mut impl CryptoRng,
) -> Result<Option<ChipSerial>, ::chip::Error> {
    let mut session = Session::new(transport, lengths);
    let ReadFile::Bytes(file) = session.read_card_access()? else { return Ok(None) };
    let Ok(infos) = card_access::parse(&file) else { return Ok(None) };
    match session.pace(&infos, &Password::AccessNumber(image.number().clone()), rng) {
        Ok(()) => session.serial(),
        Err(error) if error.is_disturbance() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The whole card by PACE with the access number, and by Basic Access Control with the zone: the inner error
/// says what is not as it was written.
fn read_back<T: Transport>(
    mut transport: T,
    lengths: Lengths,
    serial: ChipSerial,
    image: &ChipImage,
    rng: &mut impl CryptoRng,
    watch: &mut dyn FnMut(Progress),
) -> Result<Result<Reading, String>, ::chip::Error> {
    let mut session = Session::new(&mut transport, lengths);
    let access = Access { password: Password::AccessNumber(image.number().clone()), zone: None };
    let reading = read_card(&mut session, &access, rng, watch)?;
    if session.serial()? != Some(serial) {
        return Ok(Err("the chip tells another serial number than its blank".to_owned()));
    }
    if let Some(anchor) = image.trust()
        && session.trust_points()? != std::slice::from_ref(anchor.cvca().holder())
    {
        return Ok(Err("the chip does not trust the authority that it was told of".to_owned()));
    }
    for (id, bytes) in image.files().iter() {
        let same = if id.needs_terminal_authentication() {
            reading.refused.contains(&id)
        } else {
            reading.files.get(id) == Some(bytes)
        };
        if !same {
            return Ok(Err(format!("{} is not what was written", id.name())));
        }
    }
    let proofs = [reading.chip_authentication, reading.active_authentication];
    if reading.opened != Opened::Pace || proofs != [Proof::Given; 2] || !reading.missing.is_empty() {
        return Ok(Err("the chip does not prove itself as its files promise".to_owned()));
    }
    let mut session = Session::new(&mut transport, lengths);
    session.select_application()?;
    match session.basic_access(image.zone(), rng) {
        Ok(()) => {}
        Err(error) if error.is_disturbance() => return Err(error),
        Err(error) => return Ok(Err(error.to_string())),
    }
    let sod = session.read_file(::chip::FileId::Sod, &mut |_, _| ())?;
    let same =
        matches!(&sod, ReadFile::Bytes(bytes) if image.files().get(::chip::FileId::Sod) == Some(bytes));
    Ok(if same { Ok(reading) } else { Err("Basic Access Control does not give EF.SOD".to_owned()) })
}

/// Talking to a chip takes seconds and cannot be awaited.
fn block<T>(talk: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(talk)
}
