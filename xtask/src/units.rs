//! `cargo xtask units PATH`: derives `crates/domain/data/units-2021.csv` from the unpacked package that
//! `crates/domain/data/README.md` names.
//!
//! The package repeats every name in several spellings (slug, path, with and without the kind); we keep the
//! bare name, the kind and the parent, and put the white space right (the source doubles a space in eight
//! names). Everything else is kept as the office spells it, tone marks included.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// First day on which the table answers. It is not the day on which a unit was founded: see the data README.
const VALID_FROM: &str = "2021-01-01";

/// Source file, digits of its codes, and how many units the list of 1 November 2021 has at that level.
const LEVELS: [(&str, usize, usize); 3] =
    [("tinh_tp.json", 2, 63), ("quan_huyen.json", 3, 705), ("xa_phuong.json", 5, 10_599)];

/// Reads `dist/*.json` below `package` and writes the table to `output`.
///
/// # Errors
/// When a file is missing, a count differs from the official one, or a row has an unknown kind or parent.
pub fn derive(package: &Path, output: &Path) -> Result<()> {
    let mut csv = String::from("code,level,kind,name,parent,valid_from,valid_to\n");
    let mut above: BTreeMap<String, Row> = BTreeMap::new();
    for (level, (file, digits, expected)) in LEVELS.into_iter().enumerate() {
        let rows = read_level(&package.join("dist").join(file))?;
        ensure!(rows.len() == expected, "{file} has {} units, the official list {expected}", rows.len());
        for (code, row) in &rows {
            ensure!(code.len() == digits, "{file}: code {code} does not have {digits} digits");
            ensure!(
                level == 0 || above.contains_key(&row.parent),
                "{file}: {code} has the unknown parent {}",
                row.parent
            );
            let level = ["province", "district", "commune"][level];
            writeln!(csv, "{code},{level},{},{},{},{VALID_FROM},", row.kind, row.name, row.parent)?;
        }
        above = rows;
    }
    fs::write(output, csv).with_context(|| format!("cannot write {}", output.display()))
}

struct Row {
    kind: &'static str,
    name: String,
    parent: String,
}

fn read_level(path: &Path) -> Result<BTreeMap<String, Row>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let units: BTreeMap<String, Value> =
        serde_json::from_str(&text).with_context(|| format!("{} is not a JSON object", path.display()))?;
    let mut rows = BTreeMap::new();
    for (code, unit) in units {
        let row = read_unit(&unit).with_context(|| format!("{}: unit {code}", path.display()))?;
        rows.insert(code, row);
    }
    Ok(rows)
}

fn read_unit(unit: &Value) -> Result<Row> {
    let field = |name: &str| unit.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = match field("type") {
        "thanh-pho" => "thành phố",
        "tinh" => "tỉnh",
        "quan" => "quận",
        "huyen" => "huyện",
        "thi-xa" => "thị xã",
        "phuong" => "phường",
        "xa" => "xã",
        "thi-tran" => "thị trấn",
        other => bail!("unknown kind {other:?}"),
    };
    let name = field("name").split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(!name.is_empty(), "no name");
    ensure!(!name.contains([',', '"']), "the name {name:?} would need quoting");
    Ok(Row { kind, name, parent: field("parent_code").to_owned() })
}
