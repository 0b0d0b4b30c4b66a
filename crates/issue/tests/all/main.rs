//! The tests of issuing cards, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod authority;
mod card_validity;
#[path = "../common/mod.rs"]
mod common;
mod corrections;
mod fingers;
mod issuing;
mod life;
mod personalising;
