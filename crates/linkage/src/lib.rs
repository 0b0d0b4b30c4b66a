#![doc = include_str!("../README.md")]

pub mod batch;
mod birth;
mod compare;
mod decide;
mod dedupe;
mod hash;
mod index;
mod keys;
mod legacy;
mod level;
mod model;
mod name;
mod names;
mod params;
mod postings;
mod record;
mod row;
mod statistics;
mod token;
mod train;

pub use decide::{Caution, Decision, Thresholds, decide};
pub use dedupe::{Dedupe, Pair, dedupe};
pub use index::{BLOCK_LIMIT_DEDUPE, BLOCK_LIMIT_NUMBER, BLOCK_LIMIT_SEARCH, Candidate, Index};
pub use level::{
    BirthLevel, EqualityLevel, Field, Levels, NameLevel, NumberLevel, ParentLevel, PlaceLevel, SexLevel,
};
pub use model::{Explanation, FieldWeight, explain};
pub use params::{Params, Prior, Rates, VERSION};
pub use record::{Place, PlaceError, Record, Sex};
pub use train::{Training, train};
