//! Deduplicates a register, with truth if there is a truth file beside it.
//!
//! `dedupe make RECORDS SEED FILE` writes an invented register and its truth; `dedupe FILE [TRUTH]` links it
//! and says how long each step took and how right it was.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use linkage::batch::{Block, Collector, Linker, Register, RowPair, Trained, clusters};
use simulate::register::{Plan, generate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", records, seed, file] => make(records.parse()?, seed.parse()?, Path::new(file)),
        [file] => link(Path::new(file), None),
        [file, truth] => link(Path::new(file), Some(Path::new(truth))),
        _ => Err("dedupe make RECORDS SEED FILE | dedupe FILE [TRUTH]".into()),
    }
}

fn make(records: usize, seed: u64, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = recordfile::Writer::create(path)?;
    let mut truth = String::from("rec_id,person,kind\n");
    let mut number = 0;
    let mut result = Ok(());
    generate(&Plan::new(records, seed), |part| {
        let mut block = Block::default();
        for entry in part {
            number += 1;
            let id = format!("R{number:08}");
            truth.push_str(&format!(
                "{id},{},{}\n",
                entry.person,
                entry.kind.map_or("", |kind| kind.as_str())
            ));
            block.rec_id.push(&id);
            block.full_name.push(&entry.full_name);
            block.sex.push(entry.sex.map(|sex| match sex {
                domain::Sex::Male => linkage::Sex::Male,
                domain::Sex::Female => linkage::Sex::Female,
            }));
            block.birth.push((entry.birth_day, entry.birth_month, entry.birth_year));
            block.ethnicity.push(&entry.ethnicity.to_string());
            block.birth_province.push(&entry.birth_province);
            block.hometown.push(&entry.hometown);
            block.residence.push(&entry.residence);
            block.address_line.push(&entry.address_line);
            block.father_name.push(&entry.father_name);
            block.mother_name.push(&entry.mother_name);
        }
        if result.is_ok() {
            result = writer.write(&block);
        }
    });
    result?;
    writer.finish()?;
    std::fs::write(path.with_extension("truth.csv"), truth)?;
    Ok(())
}

fn link(path: &Path, truth: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let lap = |what: &str| {
        eprintln!("{:>8.2} s, {:>7.2} s of processor  {what}", begun.elapsed().as_secs_f64(), cpu())
    };
    let mut collector = Collector::new();
    let faults = recordfile::read(path, |block| collector.add(block))?;
    lap(&format!("read {} records, {} faults", collector.len(), faults.count));
    let register = collector.finish();
    lap("frequencies");
    let linker = Linker::new(&register);
    lap(&format!("{} candidates", linker.candidates()));
    let trained = linker.learn(&Trained::default());
    lap("learnt");
    let pairs = linker.pairs(&trained, 0.01);
    lap(&format!("{} pairs", pairs.len()));
    let people = clusters(&register, &pairs, 0.5);
    lap("clusters");
    if std::env::var_os("SHOW").is_some() {
        for (field, table) in Trained::FIELDS.iter().zip(&trained.tables) {
            let at = Trained::FIELDS.iter().position(|f| f == field).unwrap_or(0);
            for (level, rates) in Trained::levels(at).iter().zip(table) {
                println!(
                    "{field:>15} {level:<30} {:.5} {:.5} {:.5} {:.5} {:.2e}",
                    rates.clean, rates.damaged, rates.kin, rates.twin, rates.unrelated
                );
            }
        }
        println!("{} {} {}", trained.matches_per_record, trained.damaged_share, trained.kin_per_record);
        println!("twins {}", trained.twins_per_record);
    }
    if let Some(truth) = truth {
        score(&register, &linker, &trained, &pairs, &people, truth)?;
    }
    Ok(())
}

fn score(
    register: &Register,
    linker: &Linker<'_>,
    trained: &Trained,
    pairs: &[RowPair],
    people: &[u32],
    truth: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(truth)?;
    let of: HashMap<&str, (&str, &str)> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split(',');
            Some((fields.next()?, (fields.next()?, fields.next().unwrap_or_default())))
        })
        .collect();
    let who = |row: u32| of[register.id(row)];
    let mut groups: HashMap<&str, Vec<u32>> = HashMap::new();
    for row in 0..register.len() as u32 {
        groups.entry(who(row).0).or_default().push(row);
    }
    let mut all: HashMap<&str, f64> = HashMap::new();
    let total: f64 = groups.values().map(|rows| (rows.len() * (rows.len() - 1) / 2) as f64).sum();
    let kind = |a: u32, b: u32| if who(a).1.is_empty() { who(b).1 } else { who(a).1 };
    for rows in groups.values() {
        for (at, &a) in rows.iter().enumerate() {
            rows[at + 1..].iter().for_each(|&b| *all.entry(kind(a, b)).or_default() += 1.0);
        }
    }
    let mut sorted: Vec<&RowPair> = pairs.iter().collect();
    sorted.sort_by(|x, y| y.weight.total_cmp(&x.weight));
    let (mut right, mut best, mut at95) = (0.0, (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0));
    let mut bins = [(0.0f64, 0.0f64, 0.0f64); 11];
    let mut found: HashMap<&str, f64> = HashMap::new();
    for (at, pair) in sorted.iter().enumerate() {
        let is_right = who(pair.left).0 == who(pair.right).0;
        right += f64::from(u8::from(is_right));
        let (p, r) = (right / (at + 1) as f64, right / total);
        let f1 = 2.0 * p * r / (p + r);
        if f1 > best.0 {
            best = (f1, p, r, pair.probability);
        }
        if pair.probability >= 0.95 {
            at95 = (f1, p, r);
        }
        if is_right {
            *found.entry(kind(pair.left, pair.right)).or_default() += 1.0;
        }
        let bin = &mut bins[(pair.probability * 10.0) as usize];
        *bin = (bin.0 + 1.0, bin.1 + f64::from(u8::from(is_right)), bin.2 + pair.probability);
    }
    println!(
        "at 0.95: F1 {:.4} P {:.4} R {:.4}; best F1 {:.4} P {:.4} R {:.4} at {:.3}",
        at95.0, at95.1, at95.2, best.0, best.1, best.2, best.3
    );
    for (from, (n, right, sum)) in bins.into_iter().enumerate() {
        println!(
            "  p {:.1}: {n} pairs, stated {:.3}, true {:.3}",
            from as f64 / 10.0,
            sum / n.max(1.0),
            right / n.max(1.0)
        );
    }
    let mut kinds: Vec<_> = all.iter().collect();
    kinds.sort_unstable_by_key(|(kind, _)| **kind);
    for (kind, n) in kinds {
        println!("  {kind}: {n} pairs, {:.3} found at 0.01", found.get(kind).unwrap_or(&0.0) / n);
    }
    let mut clusters: HashMap<u32, Vec<u32>> = HashMap::new();
    people.iter().enumerate().for_each(|(row, &first)| clusters.entry(first).or_default().push(row as u32));
    let (mut right, mut stated) = (0.0, 0.0);
    for rows in clusters.values() {
        for (at, &a) in rows.iter().enumerate() {
            for &b in &rows[at + 1..] {
                stated += 1.0;
                right += f64::from(u8::from(who(a).0 == who(b).0));
            }
        }
    }
    println!("clusters at 0.5: F1 {:.4}", 2.0 * right / (stated + total));
    let limit = std::env::var("WRONG").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    for pair in sorted.iter().filter(|pair| who(pair.left).0 != who(pair.right).0).take(limit) {
        show(register, trained, pair.left, pair.right);
    }
    let missed = std::env::var("MISSED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let seen: std::collections::HashSet<(u32, u32)> =
        pairs.iter().filter(|pair| pair.probability > 0.5).map(|pair| (pair.left, pair.right)).collect();
    let mut keys: Vec<_> = groups.values().filter(|rows| rows.len() == 2).collect();
    keys.sort_unstable();
    for rows in keys
        .iter()
        .filter(|rows| !seen.contains(&(rows[0], rows[1])) && kind(rows[0], rows[1]) != "alias")
        .take(missed)
    {
        show(register, trained, rows[0], rows[1]);
    }
    let _ = linker;
    Ok(())
}

fn show(register: &Register, trained: &Trained, left: u32, right: u32) {
    let explained = register.explain(trained, left, right);
    println!("{} {} {:.1}", register.id(left), register.id(right), explained.weight);
    for field in explained.fields {
        print!(" {}={} {:+.1};", field.field.code(), field.level, field.weight);
    }
    println!();
}

/// Seconds of processor used so far, in a hundredth.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    fields.get(10..12).map_or(0.0, |times| times.iter().sum::<f64>() / 100.0)
}
