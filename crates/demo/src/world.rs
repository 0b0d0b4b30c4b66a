//! The synthetic district and the truth about it, which the centre never sees.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use time::macros::datetime;
use time::{Date, OffsetDateTime};

use domain::UnitCode;
use domain::id::{ApplicationId, PacketId, PersonId};
use fingerprint::FingerPosition;
use fingerprint::synthetic::{Condition, person_masters, some_masters};
use simulate::behaviour::{Behaviour, Draws, body_seed};
use simulate::forms::{self, FormModel, WrittenForms};
use simulate::{Model, Population, TruthId, finger, photo};

/// The instant in ids that follow from the seed alone.
const ID_EPOCH: OffsetDateTime = datetime!(2021-01-01 0:00 UTC);

/// How many applications one person can make.
pub const MOST_APPLICATIONS: u8 = 2;

/// Everything that follows from the seed.
pub struct World {
    pub seed: u64,
    pub population: Population,
    pub forms: WrittenForms,
    pub draws: Draws,
    /// Whom a register record is about.
    pub by_person: HashMap<PersonId, TruthId>,
    /// Whom an application is about, and whether it is the person's first.
    pub by_application: HashMap<ApplicationId, (TruthId, u8)>,
}

impl World {
    /// Makes the people and writes their forms below `folder`.
    pub fn make(district: UnitCode, people: usize, seed: u64, folder: &Path) -> Result<World> {
        let population = Population::generate(&Model::default(), seed, district, people)?;
        let forms = forms::write(&population, &FormModel::default(), seed, folder)?;
        let by_person = forms
            .forms
            .iter()
            .map(|form| (collect::person_id(&form.form_no.to_string()), form.truth))
            .collect();
        let by_application = (0..population.people.len())
            .flat_map(|index| (1..=MOST_APPLICATIONS).map(move |number| (index, number)))
            .map(|(index, number)| (population.truth_id(index), number))
            .map(|(truth, number)| (application_id(seed, truth, number), (truth, number)))
            .collect();
        let draws = Draws::new(Behaviour::default(), seed);
        Ok(World { seed, population, forms, draws, by_person, by_application })
    }

    /// The invented person behind an id of the truth.
    ///
    /// # Panics
    ///
    /// When the id is of another population.
    pub fn person(&self, truth: TruthId) -> &simulate::population::Person {
        &self.population.people[truth.index()]
    }

    /// The seed of the person's fingers and face.
    pub fn body(&self, truth: TruthId) -> u64 {
        body_seed(self.seed, truth)
    }

    /// The portrait of a person on a day, as JPEG.
    pub fn portrait(&self, truth: TruthId, day: Date) -> Vec<u8> {
        let age = simulate::behaviour::age_on(&self.population, truth, day);
        photo::portrait(self.body(truth), self.person(truth).sex, age)
    }

    /// What the scanner shows of one of the person's fingers, as JPEG.
    pub fn finger_image(&self, truth: TruthId, position: FingerPosition) -> Vec<u8> {
        finger::image(self.body(truth), position.code())
    }

    /// Impressions of the fingers that the person has: the template's bytes (ISO/IEC 19794-2:2005), `None`
    /// for a missing finger. `occasion` tells one capture from another.
    pub fn fingers(&self, truth: TruthId, occasion: u64) -> Result<Vec<(FingerPosition, Option<Vec<u8>>)>> {
        let missing = self.draws.missing_fingers(truth);
        let body = self.body(truth);
        let masters = person_masters(body);
        let mut all = Vec::with_capacity(masters.len());
        for master in &masters {
            let position = master.position();
            let template = if missing.contains(&position.code()) {
                None
            } else {
                Some(fingerprint::encode(&[
                    master.impression(impression_seed(body, occasion, position), Condition::Station)
                ])?)
            };
            all.push((position, template));
        }
        Ok(all)
    }

    /// Fresh impressions of a few fingers, for the check at hand-over.
    pub fn probe(
        &self,
        truth: TruthId,
        occasion: u64,
        positions: &[FingerPosition],
    ) -> Vec<fingerprint::Template> {
        let missing = self.draws.missing_fingers(truth);
        let body = self.body(truth);
        let there: Vec<FingerPosition> =
            positions.iter().copied().filter(|position| !missing.contains(&position.code())).collect();
        some_masters(body, &there)
            .iter()
            .map(|m| m.impression(impression_seed(body, occasion, m.position()), Condition::Station))
            .collect()
    }
}

/// Impressions of one person's fingers on different occasions differ, and so do those of different fingers.
fn impression_seed(body: u64, occasion: u64, position: FingerPosition) -> u64 {
    body ^ occasion.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(position.code()) << 32)
}

/// A person's applications are counted from `number` 1; the same seed gives the same ids.
pub fn application_id(seed: u64, truth: TruthId, number: u8) -> ApplicationId {
    ApplicationId::derive(ID_EPOCH, &[&seed.to_be_bytes(), truth.to_string().as_bytes(), &[number]])
}

/// One packet belongs to an application.
pub fn packet_id(application: ApplicationId) -> PacketId {
    PacketId::derive(ID_EPOCH, &[application.uuid().as_bytes()])
}
