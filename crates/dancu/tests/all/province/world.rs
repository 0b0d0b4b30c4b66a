//! The people of a small district: who they are, what their fingers are. The centre never sees it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use time::Date;

use domain::UnitCode;
use fingerprint::Template;
use fingerprint::synthetic::{Condition, person_masters};
use simulate::behaviour::{self, Behaviour, Draws};
use simulate::forms::{self, FormModel};
use simulate::{Model, Population, TruthId, finger, photo};

/// Thumbs and index fingers, which the scanner at the counter takes.
const COUNTER_FINGERS: [u8; 4] = [1, 2, 6, 7];

/// Everything that follows from the seed.
pub struct World {
    pub population: Population,
    pub draws: Draws,
    pub files: Vec<PathBuf>,
    pub forms: usize,
    /// Whom a form is about.
    pub by_form: HashMap<String, TruthId>,
    seed: u64,
}

impl World {
    /// Makes the people and writes their forms below `folder`: some with faults, some twice.
    pub fn make(district: UnitCode, people: usize, seed: u64, folder: &Path) -> World {
        let population = Population::generate(&Model::default(), seed, district, people).unwrap();
        let model = FormModel { error_share: 0.03, duplicate_share: 0.04, unknown_code_share: 0.0 };
        let written = forms::write(&population, &model, seed, folder).unwrap();
        let by_form = written
            .forms
            .iter()
            .map(|form| (form.form_no.to_string(), form.truth))
            .collect::<HashMap<_, _>>();
        let draws = Draws::new(Behaviour::default(), seed);
        World { population, draws, files: written.files, forms: written.forms.len(), by_form, seed }
    }

    fn body(&self, truth: TruthId) -> u64 {
        behaviour::body_seed(self.seed, truth)
    }

    /// Impressions of all fingers that the person has, by position; those of one occasion are alike.
    pub fn fingers(&self, truth: TruthId, occasion: u64) -> BTreeMap<u8, Option<Template>> {
        let missing = self.draws.missing_fingers(truth);
        let body = self.body(truth);
        let impression = |master: &fingerprint::synthetic::Master| {
            let drawn = occasion.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let seed = body ^ drawn.wrapping_add(u64::from(master.position().code()));
            master.impression(seed, Condition::Station)
        };
        let masters = person_masters(body);
        masters
            .iter()
            .map(|master| (master.position().code(), master))
            .map(|(code, master)| (code, (!missing.contains(&code)).then(|| impression(master))))
            .collect()
    }

    /// What the scanner at the counter writes: a file of finger views.
    pub fn probe(&self, truth: TruthId, path: &Path) {
        let mut fingers = self.fingers(truth, 100);
        fingers.retain(|code, _| COUNTER_FINGERS.contains(code));
        let views: Vec<Template> = fingers.into_values().flatten().collect();
        std::fs::write(path, fingerprint::encode(&views).unwrap()).unwrap();
    }

    pub fn finger_image(&self, truth: TruthId, position: u8) -> Vec<u8> {
        finger::image(self.body(truth), position)
    }

    pub fn portrait(&self, truth: TruthId, day: Date) -> Vec<u8> {
        let sex = self.population.person(truth).unwrap().sex;
        photo::portrait(self.body(truth), sex, behaviour::age_on(&self.population, truth, day))
    }
}
