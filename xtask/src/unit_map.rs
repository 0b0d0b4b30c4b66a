//! `cargo xtask unit-map PATH`: derives `units-2025.csv` and `unit-map-2025.csv` in `crates/domain/data` from
//! the unpacked package that `crates/domain/data/README.md` names.
//!
//! The package has two lists, that of the first months of 2025 and that of 1 July 2025, in `data/dataset.db`,
//! and what became of each old commune in `data/converter_2025.json`, by names without marks. Our list of
//! 2021 is older than the package's old one: a commune that was merged in between is found by its name among
//! those that the package says its successor had, and where that does not tell, its district says where it
//! can have gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The day of Decision 19/2025/QĐ-TTg.
const VALID_FROM: &str = "2025-07-01";

/// How many provinces and communes the decision lists.
const COUNTS: (usize, usize) = (34, 3321);

/// Reads the package and our list of 2021, and writes both files into `data`.
///
/// # Errors
/// When a file is missing, a count differs from the decision's, or a name of the one file is not in the
/// other.
pub fn derive(package: &Path, data: &Path) -> Result<()> {
    let database = package.join("vietnamadminunits/data/dataset.db");
    let new = ["provinceCode", "provinceKey", "province", "wardCode", "wardKey", "ward"];
    let new = rows(&database, "admin_units", &new)?;
    let old =
        ["provinceCode", "provinceKey", "districtCode", "districtKey", "wardCode", "wardKey", "wardAlias"];
    let old = rows(&database, "admin_units_legacy", &old)?;
    write(&data.join("units-2025.csv"), &list(&new)?)?;
    let converter = package.join("vietnamadminunits/data/converter_2025.json");
    let text =
        fs::read_to_string(&converter).with_context(|| format!("cannot read {}", converter.display()))?;
    let became = became(&serde_json::from_str(&text)?, &old, &new)?;
    let of_2021 = fs::read_to_string(data.join("units-2021.csv")).context("the list of 2021")?;
    write(&data.join("unit-map-2025.csv"), &map(&of_2021, &old, &became)?)
}

/// Rows of texts, by the program `sqlite3`: nothing else here needs a library for that.
fn rows(database: &Path, table: &str, columns: &[&str]) -> Result<Vec<Vec<String>>> {
    let query = format!("SELECT {} FROM {table}", columns.join(", "));
    let output = Command::new("sqlite3")
        .args(["-readonly", "-json"])
        .arg(database)
        .arg(query)
        .output()
        .context("the program sqlite3 is needed to read the package's tables; install it")?;
    ensure!(output.status.success(), "{}: {}", database.display(), String::from_utf8_lossy(&output.stderr));
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).context("what sqlite3 answers")?;
    let text = |row: &Value, column: &&str| row[*column].as_str().unwrap_or_default().to_owned();
    Ok(found.iter().map(|row| columns.iter().map(|column| text(row, column)).collect()).collect())
}

/// The list of 1 July 2025 in the format of the data's README.
fn list(new: &[Vec<String>]) -> Result<String> {
    let mut provinces = BTreeMap::new();
    let mut communes = BTreeMap::new();
    for row in new {
        let [province, _, province_name, commune, _, name] = &row[..] else { bail!("a row has six columns") };
        provinces.insert(province.as_str(), province_name.as_str());
        communes.insert(commune.as_str(), (name.as_str(), province.as_str()));
    }
    let counts = (provinces.len(), communes.len());
    ensure!(counts == COUNTS, "the package has {counts:?} provinces and communes, the decision {COUNTS:?}");
    let mut csv = String::from("code,level,kind,name,parent,valid_from,valid_to\n");
    for (code, name) in provinces {
        let (kind, name) = kind_and_name(name, &["thành phố", "tỉnh"])?;
        writeln!(csv, "{code},province,{kind},{name},,{VALID_FROM},")?;
    }
    for (code, (name, province)) in communes {
        let (kind, name) = kind_and_name(name, &["phường", "xã", "đặc khu"])?;
        writeln!(csv, "{code},commune,{kind},{name},{province},{VALID_FROM},")?;
    }
    Ok(csv)
}

fn kind_and_name<'k>(full: &str, kinds: &[&'k str]) -> Result<(&'k str, String)> {
    let full = full.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(!full.contains([',', '"']), "the name {full:?} would need quoting");
    let lower = full.to_lowercase();
    let kind = kinds.iter().find(|kind| lower.starts_with(&format!("{kind} ")));
    let kind = kind.with_context(|| format!("the name {full:?} begins with none of {kinds:?}"))?;
    let name = full.chars().skip(kind.chars().count() + 1).collect();
    Ok((kind, name))
}

/// Where each unit of the package's old list went, by its code: to one new commune, or to several.
fn became(
    converter: &Value,
    old: &[Vec<String>],
    new: &[Vec<String>],
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let by_name: BTreeMap<(&str, &str), &str> =
        new.iter().map(|row| ((row[1].as_str(), row[4].as_str()), row[3].as_str())).collect();
    let old_by_name: BTreeMap<String, &str> = old
        .iter()
        .map(|row| {
            let leaf = if row[4].is_empty() { row[2].as_str() } else { row[4].as_str() };
            (format!("{}_{}_{}", row[1], row[3], row[5]), leaf)
        })
        .collect();
    let mut became: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |old: &str, province: &str, commune: &str| -> Result<()> {
        let from = old_by_name.get(old).with_context(|| format!("no old unit is called {old}"))?;
        let to = by_name.get(&(province, commune)).with_context(|| format!("no new unit is {commune}"))?;
        became.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        Ok(())
    };
    for (province, communes) in object(&converter["DICT_PROVINCE_WARD_NO_DIVIDED"])? {
        for (commune, olds) in object(communes)? {
            for old in olds.as_array().context("a list of old names")? {
                add(old.as_str().unwrap_or_default(), province, commune)?;
            }
        }
    }
    for (province, olds) in object(&converter["DICT_PROVINCE_WARD_DIVIDED"])? {
        for (old, parts) in object(olds)? {
            for part in parts.as_array().context("a list of parts")? {
                add(old, province, part["newWardKey"].as_str().unwrap_or_default())?;
            }
        }
    }
    ensure!(became.len() == old.len(), "{} of {} old units went somewhere", became.len(), old.len());
    Ok(became)
}

fn object(value: &Value) -> Result<&serde_json::Map<String, Value>> {
    value.as_object().context("the converter is objects in objects")
}

/// From each leaf of our list of 2021 to the new communes.
fn map(of_2021: &str, old: &[Vec<String>], became: &BTreeMap<String, BTreeSet<String>>) -> Result<String> {
    let units: Vec<Vec<&str>> = of_2021.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let parents: BTreeSet<&str> = units.iter().map(|unit| unit[4]).collect();
    let province_of: BTreeMap<&str, &str> = units.iter().map(|unit| (unit[0], unit[4])).collect();
    // Which old units of the package took in a commune of that name, by district and by province.
    let mut took: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for row in old {
        let names = if row[6].is_empty() { "[]" } else { &row[6] };
        let names: Vec<String> = serde_json::from_str(names).context("the names of a unit")?;
        for name in names {
            took.entry((&row[2], name.clone())).or_default().insert(&row[4]);
            took.entry((&row[0], name)).or_default().insert(&row[4]);
        }
    }
    let leaves = units.iter().filter(|unit| unit[1] != "province" && !parents.contains(unit[0]));
    let mut of_district: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for unit in leaves.clone() {
        if let Some(to) = became.get(unit[0]) {
            of_district.entry(unit[4]).or_default().extend(to.iter().map(String::as_str));
        }
    }
    let mut csv = String::from("from,to,how,hamlets,basis\n");
    for unit in leaves {
        let (code, district) = (unit[0], unit[4]);
        let name = key(&format!("{}{}", unit[2], unit[3]));
        let province = province_of.get(district).copied().unwrap_or_default();
        let by_name = [district, province].into_iter().find_map(|above| {
            let took = took.get(&(above, name.clone()))?;
            if took.len() == 1 { took.first().and_then(|one| became.get(*one)) } else { None }
        });
        let (to, basis): (BTreeSet<&str>, _) = match (became.get(code), by_name) {
            (Some(to), _) => (to.iter().map(String::as_str).collect(), "code"),
            (None, Some(to)) => (to.iter().map(String::as_str).collect(), "name"),
            (None, None) => (of_district.get(district).cloned().unwrap_or_default(), "district"),
        };
        ensure!(!to.is_empty(), "nothing says where {code} went");
        let how = if to.len() == 1 { "whole" } else { "divided" };
        for to in to {
            writeln!(csv, "{code},{to},{how},,{basis}")?;
        }
    }
    Ok(csv)
}

/// A name as the package writes it where case, marks and spaces do not matter.
fn key(name: &str) -> String {
    const PLAIN: [(&str, char); 7] = [
        ("àáạảãâầấậẩẫăằắặẳẵ", 'a'),
        ("èéẹẻẽêềếệểễ", 'e'),
        ("ìíịỉĩ", 'i'),
        ("òóọỏõôồốộổỗơờớợởỡ", 'o'),
        ("ùúụủũưừứựửữ", 'u'),
        ("ỳýỵỷỹ", 'y'),
        ("đ", 'd'),
    ];
    let plain = |c: char| PLAIN.iter().find(|(marked, _)| marked.contains(c)).map_or(c, |(_, plain)| *plain);
    name.to_lowercase().chars().map(plain).filter(char::is_ascii_alphanumeric).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
