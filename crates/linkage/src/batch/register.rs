//! A file's records as numbers: half a cache line each, every name and place once.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use rayon::prelude::*;

use crate::batch::block::{Block, Texts};
use crate::batch::frequencies::Frequencies;
use crate::batch::look::Look;
use crate::batch::places::{Codes, folded_key, place_bits};
use crate::birth::Birth;
use crate::compare::Side;
use crate::hash::{self, NumberHasher};
use crate::keys::{ends, given, words};
use crate::name::NameView;
use crate::names::{NO_NAME, Names};
use crate::row::{Facts, KINH, sex_flags};
use crate::token;

/// The columns of names: the person's, the father's, the mother's.
pub(crate) const NAME: usize = 0;
pub(crate) const FATHER: usize = 1;
pub(crate) const MOTHER: usize = 2;

/// Takes in one or two files, block by block.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    ids: Texts,
    facts: Vec<Facts>,
    names: [NameColumn; 3],
    places: Codes,
    provinces: Codes,
    ethnicities: Codes,
    addresses: Addresses,
    /// For each column of texts but the identifiers.
    remembered: [Remembered; 8],
    second: Option<usize>,
}

/// All records, ready to be compared.
#[derive(Clone, Debug)]
pub struct Register {
    ids: Texts,
    pub(crate) facts: Vec<Facts>,
    /// What blocking looks at, row by row as the facts.
    pub(crate) looks: Vec<Look>,
    pub(crate) names: [Names; 3],
    /// Where the second file begins, when two are linked.
    pub(crate) second: Option<usize>,
    pub(crate) frequencies: Frequencies,
}

impl Collector {
    /// A register without records, to which blocks are added.
    pub fn new() -> Collector {
        Collector::default()
    }

    /// Number of records taken in.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether no record was taken in.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// What follows belongs to the second file: only pairs between the two are asked for.
    pub fn begin_second(&mut self) {
        self.second = Some(self.facts.len());
    }

    /// Takes the records of a block in, as the next rows.
    pub fn add(&mut self, block: &Block) {
        let rows = block.len();
        let [own, father, mother] = &mut self.names;
        let [of_own, of_father, of_mother, hometowns, residences, addressed, of_groups, of_provinces] =
            &mut self.remembered;
        let (places, provinces, ethnicities) = (&mut self.places, &mut self.provinces, &mut self.ethnicities);
        let (addresses, ids) = (&mut self.addresses, &mut self.ids);
        // Columns know nothing of each other, so that they are numbered side by side.
        let ((name, hometown, residence), (father, mother, address, ethnicity, province)) = rayon::join(
            || {
                let name =
                    of_own.numbers(&block.full_name, rows, NO_NAME, |texts, rows| own.numbers(texts, rows));
                let mut code = by_text(|text| places.code(text));
                let hometown = hometowns.numbers(&block.hometown, rows, 0, &mut code);
                let residence = residences.numbers(&block.residence, rows, 0, &mut code);
                (0..rows).for_each(|row| ids.push(block.rec_id.get(row)));
                (name, hometown, residence)
            },
            || {
                let father = of_father
                    .numbers(&block.father_name, rows, NO_NAME, |texts, rows| father.numbers(texts, rows));
                let mother = of_mother
                    .numbers(&block.mother_name, rows, NO_NAME, |texts, rows| mother.numbers(texts, rows));
                let key = by_text(|text| addresses.key(text));
                let address = addressed.numbers(&block.address_line, rows, 0, key);
                let ethnicity =
                    of_groups.numbers(&block.ethnicity, rows, 0, by_text(|text| ethnicities.code(text)));
                let code = by_text(|text| provinces.code(text));
                let province = of_provinces.numbers(&block.birth_province, rows, 0, code);
                (father, mother, address, ethnicity, province)
            },
        );
        self.facts.reserve(rows);
        for row in 0..rows {
            let (day, month, year) = block.birth.get(row).copied().unwrap_or_default();
            self.facts.push(Facts {
                name: name[row],
                father: father[row],
                mother: mother[row],
                native_place: hometown[row],
                residence: residence[row],
                address: address[row],
                birth: Birth::new(Some(day), Some(month), Some(year)),
                birth_province: u16::try_from(province[row]).unwrap_or(0),
                ethnicity: u8::try_from(ethnicity[row]).unwrap_or(0),
                flags: sex_flags(block.sex.get(row).copied().flatten()),
            });
        }
    }

    /// Counts how frequent each value is, which weighing needs, and gives the whole register.
    pub fn finish(mut self) -> Register {
        self.name_places();
        self.number_ethnicities();
        let names = self.names.map(|column| column.names);
        let (frequencies, columns) = rayon::join(
            || Frequencies::new(&self.facts, &names),
            || names.par_iter().map(sounds).collect::<Vec<Vec<[u32; 3]>>>(),
        );
        let of = |column: usize, id: u32| match id {
            NO_NAME => [0; 3],
            id => columns[column][id as usize],
        };
        let look = |facts: &Facts| {
            let parents = [of(FATHER, facts.father)[0], of(MOTHER, facts.mother)[0]];
            Look::new(of(NAME, facts.name), parents, facts)
        };
        let looks = self.facts.par_iter().map(look).collect();
        Register { ids: self.ids, facts: self.facts, looks, names, second: self.second, frequencies }
    }

    /// Replaces the numbers of places by bits that tell district and province.
    fn name_places(&mut self) {
        let mut witnesses: HashMap<(u32, u32), u32> = HashMap::new();
        // A few hundred thousand records say well enough which province a place is in.
        let step = self.facts.len() / 300_000 + 1;
        for facts in self.facts.iter().step_by(step) {
            if facts.native_place != 0 && facts.birth_province != 0 {
                *witnesses.entry((facts.native_place, u32::from(facts.birth_province))).or_default() += 1;
            }
        }
        let bits = place_bits(&self.places, &witnesses);
        self.facts.par_iter_mut().for_each(|facts| {
            facts.native_place = bits[facts.native_place as usize];
            facts.residence = bits[facts.residence as usize];
        });
    }

    /// The largest group is the majority, whatever it is called.
    fn number_ethnicities(&mut self) {
        let mut counts = [0u32; 256];
        for facts in &self.facts {
            counts[usize::from(facts.ethnicity)] += 1;
        }
        let majority =
            (1..=255u8).max_by_key(|&code| (counts[usize::from(code)], 255 - code)).unwrap_or(KINH);
        for facts in &mut self.facts {
            facts.ethnicity = match facts.ethnicity {
                code if code == majority => KINH,
                KINH => majority,
                code => code,
            };
        }
    }
}

/// For each name of a column: all words, the given name, surname and given name.
fn sounds(names: &Names) -> Vec<[u32; 3]> {
    let short = |key: Option<u64>| key.map_or(0, |key| ((key >> 32) as u32).max(1));
    (0..names.len() as u32)
        .map(|id| {
            let view = names.view(id);
            // Sums of hashes are mixed before they are cut.
            [short(words(&view).map(|sum| hash::mix(sum, 3))), short(given(&view)), short(ends(&view))]
        })
        .collect()
}

impl Register {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there is no record to be compared.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The identifier of a record, as it stood in the file.
    pub fn id(&self, row: u32) -> &str {
        self.ids.get(row as usize)
    }

    /// The records with this identifier, in the order of the files.
    pub fn rows_of(&self, id: &str) -> Vec<u32> {
        (0..self.len() as u32).filter(|&row| self.id(row) == id).collect()
    }

    /// Pairs that are asked about: all of one file, or all between two.
    pub(crate) fn pairs_in_question(&self) -> f64 {
        let all = self.len() as f64;
        match self.second {
            Some(second) => second as f64 * (all - second as f64),
            None => all * (all - 1.0) / 2.0,
        }
    }

    pub(crate) fn facts(&self, row: u32) -> &Facts {
        &self.facts[row as usize]
    }

    /// Calls `look` with the sides of each pair of rows. What a comparison waits for is memory: all that it
    /// reads of some pairs is asked for before the first of them is looked at.
    pub(crate) fn each<T>(
        &self,
        pairs: &[(u32, u32)],
        mut look: impl FnMut(&Side<'_>, &Side<'_>) -> T,
    ) -> Vec<T> {
        const FETCHED: usize = 128;
        let (mut facts, mut starts) = (Vec::with_capacity(2 * FETCHED), Vec::with_capacity(2 * FETCHED));
        let mut looked = Vec::with_capacity(pairs.len());
        for some in pairs.chunks(FETCHED) {
            facts.clear();
            facts.extend(some.iter().flat_map(|&(a, b)| [*self.facts(a), *self.facts(b)]));
            let of_columns: [fn(&Facts) -> u32; 3] =
                [|facts| facts.name, |facts| facts.father, |facts| facts.mother];
            for (names, of) in self.names.iter().zip(of_columns) {
                std::hint::black_box(names.touch(facts.iter().map(of), &mut starts));
            }
            looked.extend(some.iter().map(|&(a, b)| look(&self.side(a), &self.side(b))));
        }
        looked
    }

    pub(crate) fn side(&self, row: u32) -> Side<'_> {
        let facts = self.facts(row);
        let [own, father, mother] = &self.names;
        Side {
            name: own.view(facts.name),
            father: father.view(facts.father),
            mother: mother.view(facts.mother),
            ..self.nameless_side(row)
        }
    }

    /// A record without what names would tell.
    pub(crate) fn nameless_side(&self, row: u32) -> Side<'_> {
        let none = NameView::new(None, std::iter::empty());
        Side { facts: self.facts(row), pin: None, cmnd: None, name: none, father: none, mother: none }
    }
}

/// One column's names. Whole spellings are remembered by hash, so that a name is taken apart once.
#[derive(Clone, Debug)]
struct NameColumn {
    names: Names,
    spellings: HashMap<u64, u32, BuildHasherDefault<NumberHasher>>,
}

impl Default for NameColumn {
    fn default() -> NameColumn {
        NameColumn { names: Names::new(), spellings: HashMap::default() }
    }
}

impl NameColumn {
    fn numbers(&mut self, texts: &Texts, rows: usize) -> Vec<u32> {
        const FETCHED: usize = 64;
        let mut numbers = Vec::with_capacity(rows);
        let (mut keys, mut known) = ([0; FETCHED], [None; FETCHED]);
        for start in (0..rows).step_by(FETCHED) {
            let end = (start + FETCHED).min(rows);
            // Looked up together, so that the waits for memory overlap.
            for (key, row) in keys.iter_mut().zip(start..end) {
                *key = hash::bytes(texts.get(row).as_bytes());
            }
            for (known, key) in known.iter_mut().zip(&keys[..end - start]) {
                *known = self.spellings.get(key).copied();
            }
            for (at, row) in (start..end).enumerate() {
                numbers.push(known[at].unwrap_or_else(|| self.number(keys[at], texts.get(row))));
            }
        }
        numbers
    }

    fn number(&mut self, key: u64, text: &str) -> u32 {
        let names = &mut self.names;
        *self
            .spellings
            .entry(key)
            .or_insert_with(|| if text.is_empty() { NO_NAME } else { names.intern(text) })
    }
}

fn by_text(mut number: impl FnMut(&str) -> u32) -> impl FnMut(&Texts, usize) -> Vec<u32> {
    move |texts, rows| (0..rows).map(|row| number(texts.get(row))).collect()
}

/// The numbers of the texts of the last dictionary.
#[derive(Clone, Debug, Default)]
struct Remembered {
    dictionary: Option<Arc<Texts>>,
    numbers: Vec<u32>,
}

impl Remembered {
    /// The numbers of a block's texts, `none` for a row without; `number` gives those of the first texts of a
    /// column.
    fn numbers(
        &mut self,
        texts: &Texts,
        rows: usize,
        none: u32,
        mut number: impl FnMut(&Texts, usize) -> Vec<u32>,
    ) -> Vec<u32> {
        let Some((dictionary, codes)) = texts.codes() else { return number(texts, rows) };
        if !self.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, dictionary)) {
            self.dictionary = Some(Arc::clone(dictionary));
            self.numbers = number(dictionary, dictionary.len());
        }
        let of = |row| codes.get(row).and_then(|&code: &u32| self.numbers.get(code as usize));
        (0..rows).map(|row| of(row).copied().unwrap_or(none)).collect()
    }
}

/// Address lines as hashes of their folded words.
#[derive(Clone, Debug, Default)]
struct Addresses {
    /// The folded hash of words that are not plain letters and digits.
    words: HashMap<u64, u64, BuildHasherDefault<NumberHasher>>,
}

impl Addresses {
    fn key(&mut self, line: &str) -> u32 {
        let key = token::words(line).fold(0, |state, word| {
            let spelling = hash::bytes(word.as_bytes());
            hash::mix(state, *self.words.entry(spelling).or_insert_with(|| folded_key(word)))
        });
        if key == 0 { 0 } else { ((key >> 32) as u32).max(1) }
    }
}
