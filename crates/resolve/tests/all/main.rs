//! The tests of resolving, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod cases;
mod fingers;
mod judge;
mod officers;
mod rounds;
mod side_by_side;
mod stolen_kit;
#[path = "../support/mod.rs"]
mod support;
