#![doc = include_str!("../README.md")]

pub mod identify;
pub mod params;
pub mod scan;
pub mod synthetic;

mod angle;
mod compact;
mod descriptor;
mod error;
mod format;
mod lanes;
mod person;
mod quality;
mod template;
mod verify;

pub use descriptor::Prepared;
pub use error::{Error, SnapshotError};
pub use format::{Format, detect, encode, encode_as, parse};
pub use identify::{Gallery, Hit, Probe};
pub use person::{PersonComparison, compare_person, false_match_rate, finger_threshold_for, threshold_for};
pub use quality::{is_searchable, quality};
pub use scan::{Positions, Scan, ScanQuery};
pub use template::{Capture, FingerPosition, Impression, Minutia, MinutiaKind, Template};
pub use verify::{Comparison, Pair, compare};
