//! Is a finger of this application an officer's? Pure. The reasons and the figures are in
//! `docs/decisions/0035-officers-fingers.md`.

use std::collections::HashMap;
use std::fmt;

use crate::fingers::LEAST_FINGERS;
use domain::id::{AccountId, KitId};
use domain::unit::Units;
use fingerprint::params::VERIFY_THRESHOLD;
use fingerprint::{FingerPosition, Prepared, Scan, Template, compare, finger_threshold_for};
use store::applications::kits::Kit;
use store::applications::officers::Credential;
use store::applications::officers::fingers::Hands;

/// Of 10,000 applications of people who are no officers one is asked about, by each of the three looks.
pub const FALSE_CASES: f64 = 1e-4;
/// Of officers who work elsewhere so many fingers are compared with each of the application's: those that
/// agree best by their sketches.
const LIKELIEST: usize = 24;
/// Of the positions that both have, this share must show one finger each for the officer's own application.
const OWN_SHARE: f64 = 0.75;

/// An officer one of whose fingers is in an application.
#[derive(Debug, Clone, PartialEq)]
pub struct OfficerHit {
    pub account: AccountId,
    /// Whether this officer signed the application, or one that it stands on.
    pub signed: bool,
    /// Whether nearly all fingers are this officer's, each at its own position: it may be their own
    /// application. All ten given for a citizen look the same.
    pub may_be_own: bool,
    /// In the order of the application's positions.
    pub pairs: Vec<Shown>,
}

/// A finger of the application that an officer has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Where the application has it.
    pub position: FingerPosition,
    /// Which finger of the officer it is.
    pub of: FingerPosition,
    pub score: f32,
}

/// The fingers of all officers, ready to be compared, and where each works or worked.
pub struct Officers {
    stamp: String,
    people: Vec<Officer>,
    /// The district of each kit, as its path.
    districts: HashMap<KitId, String>,
    /// Indexes of those who have, or had, a credential for a kit of the district.
    of_district: HashMap<String, Vec<usize>>,
    /// Each finger by itself: an officer's index and the finger's position.
    sketches: Scan,
}

struct Officer {
    account: AccountId,
    fingers: Vec<Prepared>,
}

impl Officers {
    /// Nobody's fingers: no officer has given any.
    pub fn nobody() -> Officers {
        Officers::new(String::new(), Vec::new(), &[], &[])
    }

    /// Makes them ready. `stamp` says which they are ([`Officers::is_of`]). That a credential has ended does
    /// not matter: whoever was on a team knows those who are.
    pub fn new(
        stamp: String,
        fingers: Vec<(AccountId, Vec<Template>)>,
        kits: &[Kit],
        credentials: &[Credential],
    ) -> Officers {
        let districts: HashMap<KitId, String> =
            kits.iter().map(|kit| (kit.kit_id, district_of(kit))).collect();
        let mut sketches = Scan::new();
        let mut people: Vec<Officer> = Vec::with_capacity(fingers.len());
        for (account, templates) in fingers {
            for template in &templates {
                let id = finger_id(people.len(), template.position());
                // A position that is there twice is compared with care where its owner is near.
                let _ = sketches.insert(id, std::slice::from_ref(template));
            }
            people.push(Officer { account, fingers: templates.iter().map(Prepared::new).collect() });
        }
        let index: HashMap<AccountId, usize> =
            people.iter().enumerate().map(|(index, officer)| (officer.account, index)).collect();
        let mut of_district: HashMap<String, Vec<usize>> = HashMap::new();
        for credential in credentials {
            let district = districts.get(&credential.kit_id);
            if let (Some(district), Some(&officer)) = (district, index.get(&credential.account_id)) {
                of_district.entry(district.clone()).or_default().push(officer);
            }
        }
        Officers { stamp, people, districts, of_district, sketches }
    }

    /// Whether these are the officers, kits and credentials of that stamp.
    pub fn is_of(&self, stamp: &str) -> bool {
        self.stamp == stamp
    }

    /// Of how many officers there are fingers.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// The officers whose fingers are among these, whoever signed first, then the surest. Each finger is
    /// compared with each: position does not protect.
    ///
    /// Those who signed and those of the kit's district are compared with care; of all others the fingers
    /// that are likeliest by their sketches. The more pairs are looked at, the higher is the score that
    /// counts ([`finger_threshold_for`]).
    pub fn look(&self, templates: &[Template], prepared: &[Prepared], hands: &Hands) -> Vec<OfficerHit> {
        if self.people.is_empty() || prepared.is_empty() {
            return Vec::new();
        }
        let signers: Vec<usize> = (0..self.people.len())
            .filter(|&officer| hands.signers.contains(&self.people[officer].account))
            .collect();
        let mut near = self.near(hands.kit);
        near.retain(|officer| !signers.contains(officer));
        let mut hits = Vec::new();
        for (officers, signed) in [(&signers, true), (&near, false)] {
            let pairs: usize = officers.iter().map(|&officer| self.people[officer].fingers.len()).sum();
            let least = finger_threshold_for(pairs * prepared.len(), FALSE_CASES);
            let hit = |&officer: &usize| self.people[officer].shows(prepared, signed, least);
            hits.extend(officers.iter().filter_map(hit));
        }
        let least = finger_threshold_for(self.sketches.len() * prepared.len(), FALSE_CASES);
        let known = [signers, near].concat();
        for officer in self.likeliest_elsewhere(templates, prepared, &known, least) {
            hits.extend(self.people[officer].shows(prepared, false, least));
        }
        let best = |hit: &OfficerHit| hit.pairs.iter().map(|pair| pair.score).fold(0.0, f32::max);
        hits.sort_by(|a, b| {
            b.signed.cmp(&a.signed).then(best(b).total_cmp(&best(a))).then(a.account.cmp(&b.account))
        });
        hits
    }

    /// Those who work or worked in the district of a kit.
    fn near(&self, kit: KitId) -> Vec<usize> {
        let Some(district) = self.districts.get(&kit) else { return Vec::new() };
        // A kit may be a whole province's.
        let covers = |other: &str| other.starts_with(district.as_str()) || district.starts_with(other);
        let mut near: Vec<usize> = self
            .of_district
            .iter()
            .filter(|(other, _)| covers(other))
            .flat_map(|(_, officers)| officers.iter().copied())
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    /// Anybody but `known` of whom some finger scores so much among those that agree best by their sketches.
    fn likeliest_elsewhere(
        &self,
        templates: &[Template],
        prepared: &[Prepared],
        known: &[usize],
        least: f32,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        if known.len() == self.people.len() {
            return found;
        }
        let of_known: usize = known.iter().map(|&officer| self.people[officer].fingers.len()).sum();
        for (template, own) in templates.iter().zip(prepared) {
            let likeliest =
                self.sketches.likeliest(template, LIKELIEST + of_known).into_iter().map(finger_of);
            for (officer, position) in
                likeliest.filter(|(officer, _)| !known.contains(officer)).take(LIKELIEST)
            {
                let finger = self.people[officer].fingers.iter().find(|finger| finger.position() == position);
                if !found.contains(&officer) && finger.is_some_and(|one| compare(own, one).score >= least) {
                    found.push(officer);
                }
            }
        }
        found
    }
}

impl Officer {
    /// What of these fingers is this officer's, if one of them scores so much.
    fn shows(&self, prepared: &[Prepared], signed: bool, least: f32) -> Option<OfficerHit> {
        let best = |own: &Prepared| {
            let pairs = self.fingers.iter().map(|finger| Shown {
                position: own.position(),
                of: finger.position(),
                score: compare(own, finger).score,
            });
            pairs.max_by(|a, b| a.score.total_cmp(&b.score)).filter(|pair| pair.score >= VERIFY_THRESHOLD)
        };
        let pairs: Vec<Shown> = prepared.iter().filter_map(best).collect();
        if !pairs.iter().any(|pair| pair.score >= least) {
            return None;
        }
        let has = |position: FingerPosition| self.fingers.iter().any(|finger| finger.position() == position);
        let common = prepared.iter().filter(|own| has(own.position())).count();
        let own = pairs.iter().filter(|pair| pair.position == pair.of).count();
        let may_be_own = own >= LEAST_FINGERS && own as f64 >= OWN_SHARE * common as f64;
        Some(OfficerHit { account: self.account, signed, may_be_own, pairs })
    }
}

impl fmt::Debug for Officers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Officers({}, redacted)", self.people.len())
    }
}

/// Province and district of a kit's unit, as in a path; of a unit that is no more, the unit alone.
fn district_of(kit: &Kit) -> String {
    match Units::latest().path(kit.unit) {
        Some(path) => path.split_inclusive('/').take(2).collect(),
        None => format!("{}/", kit.unit),
    }
}

fn finger_id(officer: usize, position: FingerPosition) -> u128 {
    (officer as u128) << 8 | u128::from(position.code())
}

fn finger_of(id: u128) -> (usize, FingerPosition) {
    let position = FingerPosition::from_code((id & 0xff) as u8).unwrap_or(FingerPosition::Unknown);
    ((id >> 8) as usize, position)
}
