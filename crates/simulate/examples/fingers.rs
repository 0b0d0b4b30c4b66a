//! Draws fingers into a directory, to be looked at, and measures: `fingers DIRECTORY [COUNT]`.

use std::path::PathBuf;
use std::time::Instant;

use simulate::finger;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory shall the images go to?")?);
    let count: u64 = arguments.next().as_deref().unwrap_or("5000").parse()?;
    std::fs::create_dir_all(&directory)?;
    for seed in 0..12 {
        std::fs::write(directory.join(format!("finger-{seed:02}.jpg")), finger::image(seed, 2))?;
    }
    let started = Instant::now();
    let mut bytes = 0;
    for seed in 0..count {
        bytes += finger::image(seed, 2).len() + finger::image(seed, 7).len();
    }
    let each_ms = started.elapsed().as_secs_f64() * 1000.0 / count as f64;
    println!("two fingers of {count} people, {each_ms:.3} ms and {} bytes each pair", bytes as u64 / count);
    Ok(())
}
