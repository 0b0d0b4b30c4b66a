//! The tests of verifying cards, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod check_files;
#[path = "../support/mod.rs"]
mod support;
mod tampering;
mod words;
