//! The tests of the intake, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod flood;
mod fuzzed;
mod hostile;
mod intake;
mod kits;
mod officers;
mod recapture;
mod standing;
mod stolen_kit;
#[path = "../../../packet/tests/support/mod.rs"]
mod support;
