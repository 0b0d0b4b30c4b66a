//! The tests of the centre, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod audit_heads;
mod gallery_snapshot;
mod handed;
mod hostile;
mod officers;
mod signers;
#[path = "../../../packet/tests/support/mod.rs"]
mod support;
mod upkeep;
