//! One record against a resident register, on one core.

use std::collections::HashMap;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::sex;
use domain::UnitCode;
use domain::unit::{UnitLevel, Units};
use linkage::{Decision, Index, Params, Place, Record, Thresholds, decide};
use simulate::register::{Entry, Plan, generate};

/// Second records that ask, and inserts that are measured, at most.
const ASKED: usize = 50_000;

/// Builds the register from first records, asks with second ones, and then lets it grow.
pub fn measure(records: usize, seed: u64) -> Result<Value> {
    let (sender, receiver) = sync_channel(2);
    let mut asking: Vec<(Entry, Record)> = Vec::new();
    let (index, build_s) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A closed channel ends the building; there is nobody else to tell.
            generate(&Plan::new(records, seed), |part| drop(sender.send(part)));
        });
        let mut row = 0;
        let mut begun = None;
        let people = receiver.into_iter().flatten().filter_map(|entry| {
            begun.get_or_insert_with(Instant::now);
            row += 1;
            let record = record(&entry, row);
            match entry.kind {
                None => Some(record),
                Some(_) => {
                    if asking.len() < 2 * ASKED {
                        asking.push((entry, record));
                    }
                    None
                }
            }
        });
        let index = Index::build_with(Params::default(), people);
        (index, begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64()))
    });
    let persons = persons(records, seed);
    let (asked, growing) = asking.split_at(asking.len() / 2);
    let mut figures = search(&index, asked, &persons);
    let bytes = index.memory_bytes();
    let size = index.len();
    let inserts = grow(index, growing);
    let figures = figures.as_object_mut().context("figures are an object")?;
    figures.insert("records".into(), json!(size));
    figures.insert("build_s".into(), json!(build_s));
    figures.insert("index_mb".into(), json!(bytes as f64 / 1e6));
    figures.insert("insert_us".into(), inserts);
    Ok(json!(figures))
}

/// The first record's row of each person.
fn persons(records: usize, seed: u64) -> HashMap<u64, u128> {
    let (mut persons, mut row) = (HashMap::new(), 0);
    generate(&Plan::new(records, seed), |part| {
        for entry in part {
            row += 1;
            if entry.kind.is_none() {
                persons.insert(entry.person, row);
            }
        }
    });
    persons
}

fn search(index: &Index, asked: &[(Entry, Record)], persons: &HashMap<u64, u128>) -> Value {
    let mut micros = Vec::with_capacity(asked.len());
    let (mut linked, mut wrong, mut listed) = (0u32, 0u32, 0u32);
    for (entry, record) in asked {
        let begun = Instant::now();
        let candidates = index.search(record);
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
        let truth = persons.get(&entry.person).copied();
        listed += u32::from(candidates.iter().any(|candidate| Some(candidate.id) == truth));
        if let Decision::Link(id) = decide(&candidates, Thresholds::default()) {
            linked += u32::from(Some(id) == truth);
            wrong += u32::from(Some(id) != truth);
        }
    }
    let shares = |count: u32| f64::from(count) / asked.len().max(1) as f64;
    json!({
        "searches": asked.len(), "search_us": quantiles(micros),
        "truth_among_candidates": shares(listed), "linked": shares(linked), "linked_wrongly": wrong,
    })
}

fn grow(mut index: Index, records: &[(Entry, Record)]) -> Value {
    let mut micros = Vec::with_capacity(records.len());
    for (_, record) in records {
        let record = record.clone();
        let begun = Instant::now();
        index.insert(record);
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    quantiles(micros)
}

fn quantiles(mut micros: Vec<f64>) -> Value {
    micros.sort_by(f64::total_cmp);
    let at =
        |share: f64| micros.get(((micros.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0);
    let mean = micros.iter().sum::<f64>() / micros.len().max(1) as f64;
    json!({ "mean": mean, "p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999), "max": at(1.0) })
}

fn record(entry: &Entry, row: u128) -> Record {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Record {
        id: row,
        full_name: entry.full_name.clone(),
        sex: sex(entry),
        birth_day: Some(entry.birth_day),
        birth_month: Some(entry.birth_month),
        birth_year: Some(entry.birth_year),
        ethnicity: Some(entry.ethnicity),
        birth_province: entry.birth_province.parse().ok(),
        native_place: place(&entry.hometown),
        residence: place(&entry.residence),
        address_line: text(&entry.address_line),
        father_name: text(&entry.father_name),
        mother_name: text(&entry.mother_name),
        pin: None,
        cmnd: None,
    }
}

fn place(code: &str) -> Option<Place> {
    let code: UnitCode = code.parse().ok()?;
    let (mut province, mut district, mut commune) = (0, 0, 0);
    for unit in Units::latest().chain(code) {
        match unit.code.level() {
            UnitLevel::Province => province = unit.code.number() as u16,
            UnitLevel::District => district = unit.code.number() as u16,
            UnitLevel::Commune => commune = unit.code.number(),
        }
    }
    Place::new(province, district, commune).ok()
}
