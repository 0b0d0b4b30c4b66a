//! The parameters of `dancu link` as a file: JSON, one entry for every level of every comparison
//! (`docs/linkage-files.md`).

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use linkage::batch::{ClassRates, Trained};

const FORMAT: &str = "dancu-linkage-1";

pub(crate) fn save(out: &mut impl Write, trained: &Trained) -> Result<()> {
    let mut comparisons = Map::new();
    for (field, code) in Trained::FIELDS.iter().enumerate() {
        let levels = Trained::levels(field).into_iter().zip(&trained.tables[field]);
        let levels: Map<String, Value> = levels
            .map(|(level, rates)| {
                let ClassRates { clean, damaged, kin, twin, unrelated } = rates;
                let rates = json!({
                    "clean": clean, "damaged": damaged, "kin": kin, "twin": twin, "unrelated": unrelated,
                });
                (level, rates)
            })
            .collect();
        comparisons.insert((*code).to_owned(), Value::Object(levels));
    }
    let model = json!({
        "format": FORMAT,
        "matches_per_record": trained.matches_per_record,
        "damaged_share": trained.damaged_share,
        "kin_per_record": trained.kin_per_record,
        "twins_per_record": trained.twins_per_record,
        "comparisons": comparisons,
    });
    serde_json::to_writer_pretty(&mut *out, &model)?;
    out.write_all(b"\n")?;
    Ok(())
}

pub(crate) fn load(path: &Path) -> Result<Trained> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&text).with_context(|| format!("{} holds no parameters of `dancu link`", path.display()))
}

fn parse(text: &str) -> Result<Trained> {
    let model: Value = serde_json::from_str(text)?;
    anyhow::ensure!(model["format"] == FORMAT, "its `format` is not `{FORMAT}`; learn the parameters anew");
    let number = |of: &Value, key: &str, most: f64| -> Result<f64> {
        let value = of[key].as_f64().filter(|value| (0.0..=most).contains(value));
        value.with_context(|| format!("`{key}` is missing or not a number from 0 to {most}"))
    };
    let mut trained = Trained {
        matches_per_record: number(&model, "matches_per_record", 1e3)?,
        damaged_share: number(&model, "damaged_share", 1.0)?,
        kin_per_record: number(&model, "kin_per_record", 1e3)?,
        twins_per_record: number(&model, "twins_per_record", 1e3)?,
        ..Trained::default()
    };
    for (field, code) in Trained::FIELDS.iter().enumerate() {
        for (level, rates) in Trained::levels(field).iter().zip(&mut trained.tables[field]) {
            let stored = &model["comparisons"][*code][level.as_str()];
            let rate = |class: &str| {
                // A strangers' rate may be a factor above one.
                number(stored, class, 100.0).with_context(|| format!("comparison `{code}`, level `{level}`"))
            };
            *rates = ClassRates {
                clean: rate("clean")?,
                damaged: rate("damaged")?,
                kin: rate("kin")?,
                twin: rate("twin")?,
                unrelated: rate("unrelated")?,
            };
        }
    }
    Ok(trained)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let mut trained = Trained::default();
        trained.tables[4][1].clean = 0.123;
        trained.damaged_share = 0.3;
        let mut out = Vec::new();
        save(&mut out, &trained).unwrap();
        assert_eq!(parse(std::str::from_utf8(&out).unwrap()).unwrap(), trained);
    }

    #[test]
    fn a_broken_file_says_where() {
        let mut out = Vec::new();
        save(&mut out, &Trained::default()).unwrap();
        let text = String::from_utf8(out).unwrap().replace("\"exact\"", "\"exactly\"");
        let error = format!("{:#}", parse(&text).unwrap_err());
        assert!(error.contains("comparison `birth`, level `exact`"), "{error}");
        assert!(parse("{}").is_err());
    }
}
