//! NIST's bozorth3 on the same pairs, by the program in `crates/bench/benches/bozorth3`, which is built by
//! itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Print;

/// Two prints by their places in the list, and what they scored.
pub type Score = (usize, usize, f32);

/// Pairs with their score (the greater of both orders), and comparisons per CPU second.
pub fn measure(program: &Path, prints: &[Print]) -> Result<(Vec<Score>, f64)> {
    let folder = std::env::temp_dir().join(format!("dancu-bozorth3-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let outcome = compare(program, prints, &folder);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    outcome
}

fn compare(program: &Path, prints: &[Print], folder: &Path) -> Result<(Vec<Score>, f64)> {
    for (index, print) in prints.iter().enumerate() {
        std::fs::write(
            folder.join(format!("{index:06}.iso")),
            fingerprint::encode(std::slice::from_ref(&print.template))?,
        )?;
    }
    let done = Command::new(program).arg(folder).output();
    let done =
        done.with_context(|| format!("cannot run {}; build it as its README says", program.display()))?;
    ensure!(done.status.success(), "{} failed: {}", program.display(), String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).context("the program's answer is no text")?;
    let mut scores = Vec::new();
    let mut rate = 0.0;
    for line in text.lines() {
        let mut fields = line.split(',');
        let mut number =
            || fields.next().and_then(|f| f.parse::<f64>().ok()).with_context(|| format!("`{line}`"));
        // The last line holds comparisons and CPU seconds, the others two files and their score.
        let (first, second) = (number()?, number()?);
        match number() {
            Ok(score) => scores.push((first as usize, second as usize, score as f32)),
            Err(_) => rate = first / second.max(1e-9),
        }
    }
    Ok((scores, rate))
}
