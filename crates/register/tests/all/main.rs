//! The tests of the stage, on a real database. One program, because each compiles once more all that it uses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod families;
mod quality;
