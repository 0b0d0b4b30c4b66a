//! What people decide about a case: one proposes, another confirms, and then it is carried out. What may be
//! proposed is what would be carried out now ([`choices`]); [`act`] judges it again under the lock that
//! deciding takes. The rules are in `docs/decisions/0024-deciding-a-case.md`.

mod acts;
mod decision;
mod facts;
mod refusal;
mod rules;
mod sheet;

pub use acts::{Command, Done, act};
pub use decision::{Act, ActKind, Decision};
pub use facts::Facts;
pub use refusal::{Obstacle, Refusal};
pub use rules::{Choice, Stage, Standing, choices, fold};
pub use sheet::{Sheet, read};
