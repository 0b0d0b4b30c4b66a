#![doc = include_str!("../README.md")]

mod blanks;
mod cards;
mod chips;
mod events;
mod forms;
mod heads;
mod keys;
mod material;
mod messages;
mod profiles;
mod registers;
mod texts;
mod units;
mod verifiable;

/// One parser of outside bytes, and what must hold whatever it is given.
pub struct Target {
    pub name: &'static str,
    /// Panics when an invariant is broken. True when the input was accepted as valid.
    pub run: fn(&[u8]) -> bool,
    /// Valid inputs, from which a fuzzer finds its way into the depths of the parser.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target. `fuzz_targets/NAME.rs` and a `[[bin]]` belong to each.
pub const TARGETS: &[Target] = &[
    Target { name: "csv_form", run: forms::check, seeds: forms::csv_seeds },
    Target { name: "xml_form", run: forms::check, seeds: forms::xml_seeds },
    Target { name: "packet", run: messages::packet, seeds: messages::packet_seeds },
    Target { name: "packet_content", run: messages::content, seeds: messages::content_seeds },
    Target { name: "batch", run: messages::batch, seeds: messages::batch_seeds },
    Target { name: "receipt", run: messages::receipt, seeds: messages::receipt_seeds },
    Target { name: "desk", run: messages::desk, seeds: messages::desk_seeds },
    Target { name: "day_report", run: messages::day_report, seeds: messages::day_report_seeds },
    Target { name: "kit_status", run: messages::kit_status, seeds: messages::kit_status_seeds },
    Target { name: "audit_heads", run: heads::check, seeds: heads::seeds },
    Target { name: "finger_template", run: keys::template, seeds: material::template_seeds },
    Target { name: "mrz", run: cards::mrz, seeds: cards::mrz_seeds },
    Target { name: "qr", run: cards::qr, seeds: cards::qr_seeds },
    Target { name: "tlv", run: cards::tlv, seeds: cards::tlv_seeds },
    Target { name: "sod", run: cards::sod, seeds: || cards::file_seeds("EF.SOD") },
    Target { name: "com", run: cards::com, seeds: || cards::file_seeds("EF.COM") },
    Target { name: "dg1", run: cards::dg1, seeds: || cards::file_seeds("DG1") },
    Target { name: "dg2", run: cards::dg2, seeds: || cards::file_seeds("DG2") },
    Target { name: "dg13", run: cards::dg13, seeds: || cards::file_seeds("DG13") },
    Target { name: "dg3", run: chips::dg3, seeds: chips::dg3_seeds },
    Target { name: "dg14", run: chips::dg14, seeds: chips::dg14_seeds },
    Target { name: "dg15", run: chips::dg15, seeds: chips::dg15_seeds },
    Target { name: "card_access", run: chips::card_access, seeds: chips::card_access_seeds },
    Target { name: "apdu", run: chips::apdu, seeds: chips::apdu_seeds },
    Target { name: "chip_answers", run: chips::answers, seeds: chips::answers_seeds },
    Target { name: "vpcd", run: chips::vpcd, seeds: chips::vpcd_seeds },
    Target { name: "blank", run: blanks::blank, seeds: blanks::blank_seeds },
    Target { name: "chip_memory", run: blanks::memory, seeds: blanks::memory_seeds },
    Target { name: "certificate", run: keys::certificate, seeds: keys::certificate_seeds },
    Target { name: "cv_certificate", run: verifiable::certificate, seeds: verifiable::seeds },
    Target { name: "revocation_list", run: keys::revocation_list, seeds: keys::revocation_list_seeds },
    Target { name: "master_list", run: keys::master_list, seeds: keys::master_list_seeds },
    Target { name: "key_file", run: keys::key_file, seeds: keys::key_file_seeds },
    Target { name: "register", run: registers::check, seeds: registers::seeds },
    Target { name: "register_parquet", run: registers::parquet, seeds: registers::parquet_seeds },
    Target { name: "profile", run: profiles::check, seeds: profiles::seeds },
    Target { name: "unit_map", run: units::map, seeds: units::map_seeds },
    Target { name: "event_list", run: events::list, seeds: events::list_seeds },
    Target { name: "scan", run: events::scan, seeds: events::scan_seeds },
    Target { name: "names", run: texts::names, seeds: texts::names_seeds },
    Target { name: "short_texts", run: texts::short, seeds: texts::short_seeds },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// What a fuzzer calls.
pub fn run(name: &str, data: &[u8]) {
    (target(name).expect("each fuzz target names an entry of TARGETS").run)(data);
}

/// Calls `read` with a file that holds `data`, for parsers that take a path. In memory where the system has
/// such a place.
fn with_file<T>(data: &[u8], read: impl FnOnce(&std::path::Path) -> T) -> T {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("dancu-fuzz-{}-{number}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .expect("the folder for temporary files can be written");
    file.write_all(data).expect("the folder for temporary files has room");
    drop(file);
    let outcome = read(&path);
    // A file that is left behind is overwritten by the next run.
    let _ = std::fs::remove_file(&path);
    outcome
}
