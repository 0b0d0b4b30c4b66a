//! The centre's own work, step by step: open packets, resolve who it is, make batches and sign them. `work`
//! runs the steps for ever, the demo runs them every virtual night.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use time::{Date, OffsetDateTime};
use tokio::task::JoinSet;

use crate::upkeep::{self, Round};
use crate::{Centre, Error, Installation, handed, officers, signers, snapshot};
use card::lds::dg3::Finger;
use domain::id::{ApplicationId, BatchId, PersonId};
use domain::unit::Units;
use domain::{Actor, UnitCode};
use enrol::intake;
use fingerprint::Template;
use issue::{Authority, ChipImages, Fingers, Photos, PinSource};
use packet::{Content, FingerCapture, ImagesForChip};
use resolve::fingers::Absent;
use resolve::officers::Officers;
use resolve::{DedupeSummary, Extent, FingerSource, Identities, Opened, Ready, ResolveSummary};
use store::UnitScope;
use store::audit::{self, Entry};

/// Packets read at once to be opened.
const OPEN_AT_ONCE: u32 = 1_000;
/// Applications resolved in one transaction.
const RESOLVE_AT_ONCE: u32 = 500;
/// Applications asked for at once, to be resolved in batches one after the other.
const WAITING_AT_ONCE: u32 = 20 * RESOLVE_AT_ONCE;
/// Cards of a production batch: what one box of the dispatch room holds.
pub const BATCH_SIZE: u32 = 500;
/// Batches that are signed at once.
const SIGN_AT_ONCE: usize = 2;

/// Opens every packet that can be opened. Says how many were valid and how many not.
///
/// # Errors
/// Those of the database; a key store that does not answer.
pub async fn open_packets(centre: &Centre) -> Result<(usize, usize), Error> {
    let (mut opened, mut rejected) = (0, 0);
    loop {
        let step =
            intake::open_received(&centre.db, Arc::clone(&centre.keys), centre.clock.now(), OPEN_AT_ONCE)
                .await?;
        if step.opened + step.rejected == 0 {
            return Ok((opened, rejected));
        }
        opened += step.opened;
        rejected += step.rejected;
    }
}

/// Loads the register into the linkage index and everyone's fingerprints into the gallery. Both follow from
/// then on.
///
/// # Errors
/// Those of the database; a packet whose templates cannot be read.
pub async fn load_identities(centre: &Centre, scope: &UnitScope) -> Result<Identities, Error> {
    Ok(load_kept(centre, scope).await?.0)
}

/// As [`load_identities`], with the number of applications that were in the gallery's snapshot.
async fn load_kept(centre: &Centre, scope: &UnitScope) -> Result<(Identities, usize), Error> {
    let fingers = Arc::new(PacketFingers { centre: centre.clone() });
    let mut identities = Identities::load(&centre.db, scope).await?.with_fingers(fingers);
    officers::watch(centre, &mut identities).await?;
    let folder = &centre.place.data;
    if let Some(kept) = snapshot::load(&centre.db, folder, &centre.keys, &mut identities).await? {
        identities.catch_up(&centre.db).await?;
        return Ok((identities, kept));
    }
    identities.enrol_everybody(&centre.db).await?;
    Ok((identities, 0))
}

/// The fingers of applications, from their packets.
struct PacketFingers {
    centre: Centre,
}

impl FingerSource for PacketFingers {
    fn fingers(&self, applications: Vec<ApplicationId>) -> resolve::Fingers<'_> {
        Box::pin(async move { Ok(open_fingers(&self.centre, &applications).await?) })
    }
}

async fn open_fingers(centre: &Centre, applications: &[ApplicationId]) -> Result<Vec<Opened>, Error> {
    let mut opened = Vec::with_capacity(applications.len());
    for page in applications.chunks(RESOLVE_AT_ONCE as usize) {
        let now = centre.clock.now();
        let contents = intake::read_contents(&centre.db, Arc::clone(&centre.keys), page, now).await?;
        for (application_id, content) in contents.opened {
            let (templates, absent) = (templates(&content)?, absent(&content));
            opened.push(Opened { application_id, templates, absent });
        }
    }
    Ok(opened)
}

/// Looks for second records of people who came into the register, or changed, since it was done last; of
/// everybody the first time. Says how many records were merged and how many pairs are asked about.
///
/// # Errors
/// Those of the database.
pub async fn dedupe(centre: &Centre, identities: &mut Identities) -> Result<(usize, usize), Error> {
    let found = resolve::dedupe_new(&centre.db, identities, centre.clock.now()).await?;
    Ok((found.merged.len(), found.cases))
}

/// As [`dedupe`], on somebody's word and of a part of the register: whoever was not looked at yet, among
/// everybody. It goes step by step: one that is stopped goes on where it was.
///
/// # Errors
/// Those of the database.
pub async fn dedupe_register(
    centre: &Installation,
    scope: &UnitScope,
    by: &Actor,
) -> Result<DedupeSummary, Error> {
    let now = centre.clock.now();
    let found = resolve::dedupe(&centre.db, scope, Extent::Changed, now).await?;
    let mut tx = centre.db.begin().await?;
    let entry = Entry {
        at: now,
        actor: by.clone(),
        action: "register.dedupe_asked".to_owned(),
        subject: "register".to_owned(),
        unit_path: scope.as_str().to_owned(),
        detail: serde_json::json!({
            "pairs": found.pairs, "merged": found.merged.len(), "cases": found.cases,
        }),
    };
    audit::append(&mut tx, &entry).await?;
    store::commit(tx).await?;
    Ok(found)
}

/// Resolves every application that waits. Says how many were linked and how many became cases. While one
/// batch is searched and written, the next one's packets are opened and its fingers made ready.
///
/// # Errors
/// Those of `resolve::resolve_ready`; [`Error::NoneResolved`].
pub async fn resolve_waiting(centre: &Centre, identities: &mut Identities) -> Result<(usize, usize), Error> {
    let (mut linked, mut cases) = (0, 0);
    loop {
        let waiting = resolve::waiting(&centre.db, WAITING_AT_ONCE).await?;
        let mut pages = waiting.chunks(RESOLVE_AT_ONCE as usize);
        let Some(first) = pages.next() else { return Ok((linked, cases)) };
        officers::watch(centre, identities).await?;
        let watched = identities.officers();
        let mut ready = open_ready(centre, &watched, first).await?;
        let before = linked + cases;
        loop {
            let next = async {
                match pages.next() {
                    Some(page) => open_ready(centre, &watched, page).await.map(Some),
                    None => Ok(None),
                }
            };
            let (step, next) = tokio::try_join!(resolve_page(centre, identities, ready), next)?;
            linked += step.linked;
            cases += step.cases();
            match next {
                Some(next) => ready = next,
                None => break,
            }
        }
        // Another worker may have resolved them in the meantime; then others wait now, or none.
        if linked + cases == before && resolve::waiting(&centre.db, WAITING_AT_ONCE).await? == waiting {
            return Err(Error::NoneResolved { waiting: waiting.len() });
        }
    }
}

async fn open_ready(
    centre: &Centre,
    watched: &Arc<Officers>,
    page: &[ApplicationId],
) -> Result<Vec<Ready>, Error> {
    let opened = open_fingers(centre, page).await?;
    Ok(resolve::make_ready(&centre.db, Arc::clone(watched), opened).await?)
}

async fn resolve_page(
    centre: &Centre,
    identities: &mut Identities,
    ready: Vec<Ready>,
) -> Result<ResolveSummary, Error> {
    // Most of what others did is taken over here, so that little is left to do under the lock.
    identities.catch_up(&centre.db).await?;
    Ok(resolve::resolve_ready(&centre.db, identities, ready, centre.clock.now()).await?)
}

/// Puts every accepted application below `scope` into batches for the district and signs their cards, two
/// batches at once: while the cards of one are computed, those of the other are stored. Returns the batches
/// whose results are not in yet, those of an interrupted run included.
///
/// # Errors
/// Those of `issue::open_batch` and `issue::sign_batch`.
pub async fn make_batches(
    centre: &Centre,
    authority: &Arc<Authority>,
    scope: &UnitScope,
    district: &str,
    pins: &dyn PinSource,
) -> Result<Vec<BatchId>, Error> {
    let now = centre.clock.now();
    let mut signing = Signing::new(centre, authority, now);
    loop {
        let opened = issue::open_batch(&centre.db, authority, scope, district, BATCH_SIZE, pins, now).await?;
        if opened.blocked > 0 {
            tracing::warn!(
                applications = opened.blocked,
                "no card can be made; see issue_blocked for the reasons"
            );
        }
        match opened.batch {
            Some(batch) => signing.begin(batch).await?,
            None if opened.blocked == 0 => break,
            None => {}
        }
    }
    let batches = issue::unfinished_batches(&centre.db).await?;
    for &batch in &batches {
        signing.begin(batch).await?;
    }
    signing.end().await?;
    Ok(batches)
}

/// Batches that are being signed, each in a task of its own. When this is dropped, what they have not written
/// is not written.
struct Signing<'a> {
    centre: &'a Centre,
    authority: &'a Arc<Authority>,
    now: OffsetDateTime,
    begun: HashSet<BatchId>,
    tasks: JoinSet<Result<(), Error>>,
}

impl<'a> Signing<'a> {
    fn new(centre: &'a Centre, authority: &'a Arc<Authority>, now: OffsetDateTime) -> Self {
        Signing { centre, authority, now, begun: HashSet::new(), tasks: JoinSet::new() }
    }

    /// Begins with a batch, once, as soon as there is room for it.
    async fn begin(&mut self, batch: BatchId) -> Result<(), Error> {
        if !self.begun.insert(batch) {
            return Ok(());
        }
        if self.tasks.len() == SIGN_AT_ONCE {
            self.one_ends().await?;
        }
        let (centre, authority, now) = (self.centre.clone(), Arc::clone(self.authority), self.now);
        self.tasks.spawn(async move { sign(&centre, &authority, batch, now).await });
        Ok(())
    }

    async fn end(mut self) -> Result<(), Error> {
        while !self.tasks.is_empty() {
            self.one_ends().await?;
        }
        Ok(())
    }

    async fn one_ends(&mut self) -> Result<(), Error> {
        self.tasks.join_next().await.unwrap_or(Ok(Ok(())))?
    }
}

/// Signs those cards of a batch that are only intended.
async fn sign(
    centre: &Centre,
    authority: &Arc<Authority>,
    batch: BatchId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut conn = centre.db.read().await?;
    let unsigned = store::cards::intended_cards(&mut conn, batch).await?;
    drop(conn);
    if unsigned.is_empty() {
        return Ok(());
    }
    let applications: Vec<ApplicationId> = unsigned.iter().map(|card| card.application_id).collect();
    let photos = photos(centre, &applications).await?;
    issue::sign_batch(&centre.db, authority, batch, Arc::new(photos), now).await?;
    Ok(())
}

/// The photos of these applications and the images of their fingers, from their packets. One whose packet was
/// altered has none.
///
/// # Errors
/// Those of the database; a key store that does not answer.
pub async fn photos(centre: &Centre, applications: &[ApplicationId]) -> Result<Photos, Error> {
    let now = centre.clock.now();
    let contents = intake::read_contents(&centre.db, Arc::clone(&centre.keys), applications, now).await?;
    Ok(contents.opened.into_iter().map(|(id, content)| (id, images(id, &content))).collect())
}

/// What of a packet goes on a chip.
fn images(application: ApplicationId, content: &Content) -> ChipImages {
    let fingers = match content.images_for_chip() {
        ImagesForChip::None => Fingers::None,
        ImagesForChip::NotTaken => Fingers::NotTaken,
        ImagesForChip::Taken(images) => {
            let finger = |image: &packet::FingerImage| Finger::from_code(image.position.code());
            let jpegs = images.iter().map(|image| (finger(image), image.jpeg.as_bytes()));
            let (fingers, left_out) = Fingers::of_jpegs(jpegs);
            for (_, error) in left_out {
                tracing::warn!(application.id = %application, %error, "left out of DG3");
            }
            fingers
        }
    };
    ChipImages { photo: content.photo.as_bytes().to_vec(), fingers }
}

/// The templates of a packet's fingers; missing fingers have none.
///
/// # Errors
/// [`Error::Packet`].
pub fn templates(content: &Content) -> Result<Vec<Template>, Error> {
    Ok(content.templates()?)
}

/// The positions of a packet at which no finger was captured.
fn absent(content: &Content) -> Vec<Absent> {
    let absent = |finger: &packet::Finger| match finger.capture {
        FingerCapture::Missing(reason) => Some(Absent { position: finger.position, reason: reason.code() }),
        FingerCapture::Template(_) => None,
    };
    content.fingers.iter().filter_map(absent).collect()
}

/// What the work does when there is nothing left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenIdle {
    /// It ends.
    End,
    /// It waits for more, and for a database that is gone.
    Wait,
}

/// How long the work rests when there was nothing to do.
const REST: Duration = Duration::from_secs(2);
/// With fewer days left for which there are document signers, the work says so.
const SOON_DAYS: i64 = 14;
/// How long it waits for a database that is gone.
const RECONNECT: Duration = Duration::from_secs(5);

/// Round after round: opens packets, resolves who it is, does what is due by the day ([`upkeep`]), and makes
/// the cards of these districts. Without districts no cards are made.
///
/// # Errors
/// Those of a round; that the database is gone, and that nobody may sign cards, only with [`WhenIdle::End`],
/// and then everything else is done.
pub async fn run(centre: &Centre, districts: &[UnitCode], idle: WhenIdle) -> Result<(), Error> {
    let mut press = Press { districts, said: None, missing: None };
    let (mut identities, mut written) = load_kept(centre, &UnitScope::everything()).await?;
    loop {
        match round(centre, &mut identities, &mut press).await {
            Ok(true) => keep_gallery(centre, &identities, &mut written, false).await,
            Ok(false) => {
                keep_gallery(centre, &identities, &mut written, true).await;
                match idle {
                    WhenIdle::End => return press.missing.map_or(Ok(()), Err),
                    WhenIdle::Wait => tokio::time::sleep(REST).await,
                }
            }
            Err(error) if idle == WhenIdle::Wait && error.is_lost() => {
                tracing::warn!("the database is gone; trying again in {} s", RECONNECT.as_secs());
                tokio::time::sleep(RECONNECT).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes a snapshot of the gallery when enough is new. Without one the next start takes longer, and nothing
/// else is amiss: an error is no reason to stop working.
async fn keep_gallery(centre: &Centre, identities: &Identities, written: &mut usize, at_rest: bool) {
    let now = identities.memory().applications;
    if !snapshot::is_due(*written, now, at_rest) {
        return;
    }
    match snapshot::save(&centre.db, &centre.place.data, &centre.keys, identities).await {
        Ok(true) => tracing::info!(applications = now, "the gallery's snapshot is written"),
        Ok(false) => {}
        Err(error) => {
            let error = crate::error::with_causes(&error);
            tracing::warn!(error, "the gallery's snapshot cannot be written");
        }
    }
    *written = now;
}

/// One round of everything that needs nobody's decision. Says whether anything was done.
async fn round(centre: &Centre, identities: &mut Identities, press: &mut Press<'_>) -> Result<bool, Error> {
    let (opened, rejected) = open_packets(centre).await?;
    let handed = handed::book(centre).await?;
    let (merged, asked) = dedupe(centre, identities).await?;
    let (linked, cases) = resolve_waiting(centre, identities).await?;
    let booked = handed.booked + handed.set_aside;
    let mut is_busy = opened + rejected + booked + merged + asked + linked + cases > 0;
    if is_busy {
        tracing::info!(opened, rejected, booked, merged, asked, linked, cases, "worked");
    }
    is_busy |= upkeep::work_off(&centre.db, &Round::ALL, centre.clock.now()).await? > 0;
    is_busy |= press.make_cards(centre).await?;
    Ok(is_busy)
}

/// The districts for which cards are made, and what was said of who signs them.
struct Press<'a> {
    districts: &'a [UnitCode],
    /// The day on which something was said last: once a day is loud enough for a log.
    said: Option<Date>,
    /// Why no cards were made in the last round.
    missing: Option<Error>,
}

impl Press<'_> {
    /// Batches and cards of every district. Says whether anything was done. Without a document signer of the
    /// day nothing is, and that is told and no error: the rest of the work goes on.
    async fn make_cards(&mut self, centre: &Centre) -> Result<bool, Error> {
        if self.districts.is_empty() {
            return Ok(false);
        }
        self.missing = None;
        let authority = match centre.authority().await {
            Err(error) if error.is_no_signer() => {
                if self.is_first_today(centre) {
                    tracing::error!(error = crate::error::with_causes(&error), "no cards are signed");
                }
                self.missing = Some(error);
                return Ok(false);
            }
            authority => authority?,
        };
        self.look_ahead(centre).await?;
        let rng: Mutex<StdRng> = Mutex::new(rand::make_rng());
        let pins = |_: PersonId, _: u32| rng.lock().unwrap_or_else(|p| p.into_inner()).next_u32() % 1_000_000;
        let mut is_busy = false;
        for &district in self.districts {
            let path = Units::latest().path(district).ok_or(Error::NoUnit(district))?;
            let scope = UnitScope::parse(&path)?;
            let before = unfinished(centre).await?;
            make_batches(centre, &authority, &scope, &district.to_string(), &pins).await?;
            is_busy |= unfinished(centre).await? != before;
        }
        Ok(is_busy)
    }

    /// Says when the document signers are about to run out.
    async fn look_ahead(&mut self, centre: &Centre) -> Result<(), Error> {
        let now = centre.clock.now();
        let covered = signers::covered_until(&signers::periods(centre).await?, now);
        let left_days = covered.map_or(0, |until| (until - now).whole_days());
        if left_days < SOON_DAYS && self.is_first_today(centre) {
            tracing::warn!(
                left_days,
                "soon no document signer may sign: make some ahead, where the CSCA's key is, with `dancu pki \
                 issue-ds --until DATE`"
            );
        }
        Ok(())
    }

    fn is_first_today(&mut self, centre: &Centre) -> bool {
        let today = centre.clock.today();
        self.said.replace(today) != Some(today)
    }
}

async fn unfinished(centre: &Centre) -> Result<usize, Error> {
    Ok(issue::unfinished_batches(&centre.db).await?.len())
}
