//! Writes a population's forms and some portraits, and prints the time: `forms DIRECTORY [UNIT] [PEOPLE]
//! [SEED]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use domain::{PartialDate, UnitCode};
use simulate::forms::{self, FormModel};
use simulate::{Model, Population, photo};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory shall the forms go to?")?);
    let unit: UnitCode = arguments.next().as_deref().unwrap_or("445").parse()?;
    let people: usize = arguments.next().as_deref().unwrap_or("200000").parse()?;
    let seed: u64 = arguments.next().as_deref().unwrap_or("1").parse()?;

    let started = Instant::now();
    let population = Population::generate(&Model::default(), seed, unit, people)?;
    println!("{people} people in {:.2} s", started.elapsed().as_secs_f64());

    let started = Instant::now();
    let written = forms::write(&population, &FormModel::default(), seed, &directory)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} forms in {} files in {seconds:.2} s", written.forms.len(), written.files.len());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for form in &written.forms {
        let fault = form.fault.map(|fault| fault.as_str());
        let second = form.duplicate_of.map(|(_, variation)| variation.as_str());
        *kinds.entry(fault.or(second).unwrap_or("as it should be")).or_default() += 1;
    }
    for (kind, count) in kinds {
        println!("  {kind:<20}{count:>8}");
    }

    let started = Instant::now();
    let portraits = people.min(1000);
    let mut bytes = 0;
    for (index, person) in population.people.iter().take(portraits).enumerate() {
        let age = PartialDate::from_date(person.birth).age_on(population.as_of);
        let jpeg = photo::portrait(population.truth_id(index).seed(), person.sex, age.clamp(0, 120) as u8);
        bytes += jpeg.len();
        if index < 12 {
            std::fs::write(directory.join(format!("portrait-{index:02}.jpg")), jpeg)?;
        }
    }
    let each_ms = started.elapsed().as_secs_f64() * 1000.0 / portraits as f64;
    println!("{portraits} portraits, {each_ms:.2} ms and {} bytes each", bytes / portraits);
    Ok(())
}
