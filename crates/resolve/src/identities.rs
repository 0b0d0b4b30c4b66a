//! In memory: everybody in the register, and the fingers of everybody who applied; and how both follow the
//! database.

mod keep;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::officers::Officers;
use crate::{Error, Opened, record};
use domain::id::{ApplicationId, PersonId};
use fingerprint::identify::GalleryParams;
use fingerprint::params::{MAX_PEOPLE, PERSON_THRESHOLD};
use fingerprint::{Gallery, Probe, Template};
use linkage::{Index, Params};
use store::cases::resolutions;
use store::change_log::{self, Changed};
use store::register::matching;
use store::{Database, PgConnection, UnitScope};

/// People read at a time while the register is loaded.
const PAGE: u32 = 20_000;
/// Applications that a new gallery has room for at least.
const LEAST_ROOM: usize = 5_000;
/// Applications whose fingers are asked for at once.
const FINGERS_AT_ONCE: usize = 2_000;

/// What a [`FingerSource`] answers in the end.
pub type Fingers<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<Opened>, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

/// The fingers of applications. They lie encrypted, and whoever is here cannot decrypt.
pub trait FingerSource: Send + Sync {
    /// Those of these applications that are there, in any order.
    fn fingers(&self, applications: Vec<ApplicationId>) -> Fingers<'_>;
}

/// The linkage index over the living register and the fingerprint gallery over applications that were looked
/// at.
///
/// Both follow the database: before each batch, and under the lock that resolving takes, they take over what
/// others have registered, changed and resolved by then. So any number of these may work side by side.
pub struct Identities {
    /// Shared with the threads that search; no lock is held between two calls.
    people: Arc<RwLock<Index>>,
    gallery: Arc<RwLock<Gallery>>,
    officers: Arc<Officers>,
    scope: UnitScope,
    fingers: Option<Arc<dyn FingerSource>>,
    /// Applications that a gallery has room for before it must be laid out anew.
    room: usize,
    at: Positions,
}

/// How far the change log was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Positions {
    people: i64,
    fingers: i64,
}

/// What is held, and in how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub people: usize,
    pub people_bytes: usize,
    pub applications: usize,
    pub applications_bytes: usize,
}

impl Identities {
    /// Reads the living people of `scope`. The gallery is empty: fill it with
    /// [`Identities::enrol_everybody`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn load(db: &Database, scope: &UnitScope) -> Result<Identities, Error> {
        // Taken before anything is read: what changes meanwhile is read again, and nothing is missed.
        let newest = change_log::newest(db).await?;
        let index = load_index(db, scope, Params::default()).await?;
        let mut conn = db.read().await?;
        let known = resolutions::looked_at(&mut conn).await?.len();
        // Nearly everybody in the register is going to apply, and a gallery that grows files everyone again.
        let room = LEAST_ROOM.max(known + known / 4).max(index.len()).min(MAX_PEOPLE);
        let gallery = Gallery::new(GalleryParams { expected_people: room, threshold: PERSON_THRESHOLD });
        Ok(Identities {
            people: Arc::new(RwLock::new(index)),
            gallery: Arc::new(RwLock::new(gallery)),
            officers: Arc::new(Officers::nobody()),
            scope: scope.clone(),
            fingers: None,
            room,
            at: Positions { people: newest, fingers: newest },
        })
    }

    /// Says where the fingers come from of applications that others resolve.
    #[must_use]
    pub fn with_fingers(self, fingers: Arc<dyn FingerSource>) -> Identities {
        Identities { fingers: Some(fingers), ..self }
    }

    /// Says whose fingers are officers'. They lie encrypted too; whoever can decrypt hands them in.
    pub fn watch(&mut self, officers: Officers) {
        self.officers = Arc::new(officers);
    }

    /// The officers whose fingers are compared with every application's.
    pub fn officers(&self) -> Arc<Officers> {
        Arc::clone(&self.officers)
    }

    /// Puts an application's fingers into the gallery; says whether they are new there. Repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// [`fingerprint::Error::GalleryFull`].
    pub fn enrol(&mut self, application: ApplicationId, templates: &[Template]) -> Result<bool, Error> {
        let id = application.uuid().as_u128();
        let mut gallery = self.gallery.write().unwrap_or_else(PoisonError::into_inner);
        if gallery.contains(id) {
            return Ok(false);
        }
        gallery.insert(id, templates)?;
        Ok(true)
    }

    /// Enrols all applications that were looked at so far, many at a time.
    ///
    /// # Errors
    /// Those of the database and of the source of fingers; [`Error::NoFingerSource`].
    pub async fn enrol_everybody(&mut self, db: &Database) -> Result<(), Error> {
        self.enrol_missing(Identities::enrolled(db).await?).await
    }

    /// Applications whose fingers must be in the gallery, in the order of capture: all that were looked at.
    /// Those in a case or rejected are among them, so that a third attempt is caught too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enrolled(db: &Database) -> Result<Vec<ApplicationId>, Error> {
        let mut conn = db.read().await?;
        Ok(resolutions::looked_at(&mut conn).await?)
    }

    /// Takes over what others have changed by now. Resolving does it too; done before, it keeps the lock
    /// short.
    ///
    /// # Errors
    /// Those of the database and of the source of fingers.
    pub async fn catch_up(&mut self, db: &Database) -> Result<(), Error> {
        change_log::newest(db).await?;
        let mut conn = db.read().await?;
        self.at = self.follow(&mut conn).await?;
        Ok(())
    }

    /// As [`Identities::catch_up`], under the lock that resolving takes and to the end of `tx`. What it
    /// returns is to be given to [`Identities::reached`] once that is committed.
    pub(crate) async fn catch_up_in(&self, tx: &mut PgConnection) -> Result<Positions, Error> {
        change_log::number(tx).await?;
        self.follow(tx).await
    }

    /// As [`Identities::catch_up`], of the register alone. Returns the position that it knows everything up
    /// to.
    pub(crate) async fn catch_up_people(&mut self, db: &Database) -> Result<i64, Error> {
        change_log::newest(db).await?;
        let mut conn = db.read().await?;
        self.at.people = self.follow_people(&mut conn).await?;
        Ok(self.at.people)
    }

    /// As [`Identities::catch_up_in`], of the register alone.
    pub(crate) async fn catch_up_people_in(&self, tx: &mut PgConnection) -> Result<Positions, Error> {
        change_log::number(tx).await?;
        Ok(Positions { people: self.follow_people(tx).await?, ..self.at })
    }

    pub(crate) fn reached(&mut self, at: Positions) {
        self.at = at;
    }

    async fn follow(&self, conn: &mut PgConnection) -> Result<Positions, Error> {
        Ok(Positions { people: self.follow_people(conn).await?, fingers: self.follow_fingers(conn).await? })
    }

    /// Reads people again who were registered, merged, taken apart or otherwise changed.
    async fn follow_people(&self, conn: &mut PgConnection) -> Result<i64, Error> {
        let mut position = self.at.people;
        while let Some(page) = change_log::after(conn, Changed::People, position).await? {
            let ids: Vec<PersonId> = distinct(page.ids).into_iter().map(PersonId::from_uuid).collect();
            let living = matching::people(conn, &ids).await?;
            let (people, scope) = (Arc::clone(&self.people), self.scope.clone());
            let refreshing = tokio::task::spawn_blocking(move || {
                let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
                let mut gone: HashSet<u128> = ids.iter().map(|id| id.uuid().as_u128()).collect();
                for row in living.iter().filter(|row| row.unit_path.starts_with(scope.as_str())) {
                    gone.remove(&row.person_id.as_u128());
                    people.insert(record::of_row(row));
                }
                for id in gone {
                    people.remove(id);
                }
            });
            refreshing.await.map_err(|e| Error::Search(e.to_string()))?;
            position = page.position;
        }
        Ok(position)
    }

    /// Enrols the fingers of applications that others have resolved.
    async fn follow_fingers(&self, conn: &mut PgConnection) -> Result<i64, Error> {
        let mut position = self.at.fingers;
        while let Some(page) = change_log::after(conn, Changed::Resolutions, position).await? {
            let ids = distinct(page.ids).into_iter().map(ApplicationId::from_uuid).collect();
            self.enrol_missing(ids).await?;
            position = page.position;
        }
        Ok(position)
    }

    async fn enrol_missing(&self, mut applications: Vec<ApplicationId>) -> Result<(), Error> {
        {
            let gallery = self.gallery.read().unwrap_or_else(PoisonError::into_inner);
            applications.retain(|application| !gallery.contains(application.uuid().as_u128()));
        }
        for asked in applications.chunks(FINGERS_AT_ONCE) {
            let source = self.fingers.as_ref().ok_or(Error::NoFingerSource)?;
            let opened = source.fingers(asked.to_vec()).await.map_err(Error::Fingers)?;
            if opened.len() < asked.len() {
                let missing = asked.len() - opened.len();
                tracing::warn!(
                    applications = missing,
                    "no fingers could be had: they are searched by name only"
                );
            }
            let mut opened: Vec<(u128, Vec<Template>)> =
                opened.into_iter().map(|o| (o.application_id.uuid().as_u128(), o.templates)).collect();
            let gallery = Arc::clone(&self.gallery);
            let enrolling = tokio::task::spawn_blocking(move || {
                let mut gallery = gallery.write().unwrap_or_else(PoisonError::into_inner);
                // A batch that is being resolved may have enrolled some since.
                opened.retain(|(id, _)| !gallery.contains(*id));
                gallery.insert_all(&opened)
            });
            enrolling.await.map_err(|e| Error::Search(e.to_string()))??;
        }
        Ok(())
    }

    /// How much is held, for the measurements; what is being added meanwhile may or may not count.
    pub fn memory(&self) -> Memory {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        let gallery = self.gallery.read().unwrap_or_else(PoisonError::into_inner);
        Memory {
            people: people.len(),
            people_bytes: people.memory_bytes(),
            applications: gallery.len(),
            applications_bytes: gallery.memory_bytes(),
        }
    }

    pub(crate) fn people(&self) -> Arc<RwLock<Index>> {
        Arc::clone(&self.people)
    }

    pub(crate) fn gallery(&self) -> Arc<RwLock<Gallery>> {
        Arc::clone(&self.gallery)
    }

    pub(crate) fn scope(&self) -> &UnitScope {
        &self.scope
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({:?}, redacted)", self.memory())
    }
}

/// What changed twice is read once.
fn distinct(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(crate) fn enrol_probe(
    gallery: &mut Gallery,
    application: ApplicationId,
    probe: &Probe,
) -> Result<bool, Error> {
    let id = application.uuid().as_u128();
    if gallery.contains(id) {
        return Ok(false);
    }
    gallery.insert_probe(id, probe)?;
    Ok(true)
}

/// The index of the living people of `scope`, read page by page so that their text is never held as a whole.
pub(crate) async fn load_index(db: &Database, scope: &UnitScope, params: Params) -> Result<Index, Error> {
    let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<matching::PersonRow>>(2);
    let building = tokio::task::spawn_blocking(move || {
        let pages = std::iter::from_fn(|| receive.blocking_recv());
        Index::build_with(params, pages.flatten().map(|row| record::of_row(&row)))
    });
    let mut conn = db.read().await?;
    let mut after = Uuid::nil();
    loop {
        let page = matching::living_people(&mut conn, scope, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.person_id;
        if send.send(page).await.is_err() {
            break;
        }
    }
    drop(send);
    building.await.map_err(|e| Error::Search(e.to_string()))
}
