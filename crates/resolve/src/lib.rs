#![doc = include_str!("../README.md")]

pub mod apply;
pub mod cases;
pub mod decide;
pub mod dedupe;
mod error;
pub mod evidence;
pub mod fingers;
mod identities;
pub mod kind;
pub mod officers;
mod record;
pub mod shift;

pub use apply::{Opened, Ready, ResolveSummary, make_ready, resolve_batch, resolve_ready, waiting};
pub use dedupe::{DedupeSummary, Extent, dedupe, dedupe_new, dedupe_register, merge, split, was_deduped};
pub use error::Error;
pub use identities::{FingerSource, Fingers, Identities};
pub use kind::CaseKind;
