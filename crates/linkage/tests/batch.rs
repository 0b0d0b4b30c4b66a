//! Whole files: what is found, what stays apart, and that results do not depend on chance.

use std::collections::HashSet;

use linkage::batch::{Block, Collector, Linker, Register, RowPair, Trained, clusters};
use linkage::{Place, Record};

mod support;

fn block(records: &[Record]) -> Block {
    let mut block = Block::default();
    let place = |place: Option<Place>| place.map_or(String::new(), |place| format!("{:05}", place.commune()));
    for record in records {
        block.rec_id.push(&record.id.to_string());
        block.full_name.push(&record.full_name);
        block.sex.push(record.sex);
        let (day, month) = (record.birth_day.unwrap_or(0), record.birth_month.unwrap_or(0));
        block.birth.push((day, month, record.birth_year.unwrap_or(0)));
        block.ethnicity.push(&record.ethnicity.map_or(String::new(), |code| code.to_string()));
        block.birth_province.push(&record.birth_province.map_or(String::new(), |code| code.to_string()));
        block.hometown.push(&place(record.native_place));
        block.residence.push(&place(record.residence));
        block.address_line.push(record.address_line.as_deref().unwrap_or_default());
        block.father_name.push(record.father_name.as_deref().unwrap_or_default());
        block.mother_name.push(record.mother_name.as_deref().unwrap_or_default());
    }
    block
}

fn register(files: &[&[Record]]) -> Register {
    let mut collector = Collector::new();
    for (at, records) in files.iter().enumerate() {
        if at > 0 {
            collector.begin_second();
        }
        records.chunks(1000).for_each(|part| collector.add(&block(part)));
    }
    collector.finish()
}

fn link(register: &Register) -> (Trained, Vec<RowPair>) {
    let linker = Linker::new(register);
    let trained = linker.learn(&Trained::default());
    let pairs = linker.pairs(&trained, 0.5);
    (trained, pairs)
}

/// People, and copies of every tenth with the damage that papers take.
fn people_and_copies(count: usize) -> (Vec<Record>, Vec<Record>) {
    let mut population = support::Population::new(5);
    let people = population.people(count);
    let copies = people.iter().step_by(10).map(|person| population.again(person, 0.0)).collect();
    (people, copies)
}

#[test]
fn copies_are_found_and_families_stay_apart() {
    let (mut people, copies) = people_and_copies(6000);
    let first = people.len();
    people.extend(copies);
    let register = register(&[&people]);
    let (trained, pairs) = link(&register);
    let is_right = |pair: &&RowPair| {
        let copy = pair.right as usize;
        copy >= first && pair.left as usize == (copy - first) * 10
    };
    let right = pairs.iter().filter(is_right).count();
    assert!(right * 100 > 95 * pairs.len(), "{right} of {} pairs are right", pairs.len());
    assert!(right * 10 > 7 * (people.len() - first), "{right} of {} copies found", people.len() - first);
    assert_eq!(link(&register), (trained, pairs), "the same file gives the same pairs");
}

#[test]
fn twins_stay_apart_in_a_file_without_parents() {
    let (mut people, copies) = people_and_copies(6000);
    let first = people.len();
    people.extend(copies);
    let twins: Vec<Record> = (0..120)
        .map(|at| {
            let (one, other) = (&people[at * 50], &people[at * 50 + 25]);
            let surname = one.full_name.split(' ').next().unwrap_or_default();
            let own_words: Vec<&str> = other.full_name.split(' ').skip(1).collect();
            let full_name = format!("{surname} {}", own_words.join(" "));
            Record { id: (1 << 100) + at as u128, full_name, sex: other.sex, ..one.clone() }
        })
        .collect();
    let twins_from = people.len();
    people.extend(twins);
    for person in &mut people {
        (person.father_name, person.mother_name, person.native_place) = (None, None, None);
    }
    let (_, pairs) = link(&register(&[&people]));
    let likely: Vec<&RowPair> = pairs.iter().filter(|pair| pair.probability >= 0.95).collect();
    let is_right = |pair: &&&RowPair| {
        let copy = pair.right as usize;
        (first..twins_from).contains(&copy) && pair.left as usize == (copy - first) * 10
    };
    let right = likely.iter().filter(is_right).count();
    assert!(right * 100 > 97 * likely.len(), "{right} of {} pairs are right", likely.len());
    assert!(right * 10 > 5 * (twins_from - first), "{right} of {} copies found", twins_from - first);
}

#[test]
fn an_explanation_sums_to_the_weight_of_the_pair() {
    let (mut people, copies) = people_and_copies(1500);
    people.extend(copies);
    let register = register(&[&people]);
    let (trained, pairs) = link(&register);
    assert!(!pairs.is_empty());
    for pair in &pairs {
        let explained = register.explain(&trained, pair.left, pair.right);
        let sum: f64 = explained.fields.iter().map(|field| field.weight).sum();
        assert!((explained.weight - pair.weight).abs() < 1e-6 && (sum - pair.weight).abs() < 1e-6);
    }
}

#[test]
fn of_two_files_only_pairs_between_them_are_given() {
    let (people, copies) = people_and_copies(3000);
    let register = register(&[&people, &copies]);
    let (_, pairs) = link(&register);
    assert!(pairs.len() * 10 > 7 * copies.len(), "{} pairs", pairs.len());
    assert!(
        pairs.iter().all(|pair| (pair.left as usize) < people.len() && pair.right as usize >= people.len())
    );
    assert_eq!(register.id(pairs[0].left), people[pairs[0].left as usize].id.to_string());
}

#[test]
fn a_chain_does_not_join_people_born_on_other_days() {
    let (people, _) = people_and_copies(40);
    let register = register(&[&people]);
    let dated = |row: &u32| people[*row as usize].birth_day.is_some_and(|day| day > 12);
    let rows: Vec<u32> = (0..people.len() as u32).filter(dated).take(3).collect();
    let pair = |left, right, weight| RowPair { left, right, weight, probability: 0.99 };
    let pairs = [pair(rows[0], rows[1], 9.0), pair(rows[1], rows[2], 8.0)];
    let years: HashSet<_> = rows.iter().map(|row| people[*row as usize].birth_year).collect();
    assert_eq!(years.len(), 3, "three people of three years");
    let first = clusters(&register, &pairs, 0.5);
    assert_eq!(first[rows[1] as usize], rows[0], "the likeliest pair is joined");
    assert_eq!(first[rows[2] as usize], rows[2], "the third contradicts the first");
}
