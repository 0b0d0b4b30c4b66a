//! The tests of the stage, on a real database. One program, because each test program compiles once more all
//! that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod cases;
mod effects;
mod events;
mod families;
mod faults;
mod papers;
mod property;
mod quality;
mod scope;
mod units;
mod world;
