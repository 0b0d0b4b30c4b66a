//! The tests of the program as its users run it. One program, because each test program
//! compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod audit;
mod browser;
mod cases;
mod cli;
mod corrections;
mod demo;
mod desks;
mod died;
mod events;
mod faults;
mod keyholder;
mod keys;
mod network;
mod nothing_there;
#[path = "../../../chip/tests/common/other_reader.rs"]
mod other_reader;
#[path = "../../../chip/tests/common/pcscd.rs"]
mod pcscd;
mod personalise;
mod pki;
mod profile;
mod province;
#[path = "../support/mod.rs"]
mod support;
mod tour;
mod units;
