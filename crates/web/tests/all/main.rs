//! The tests of the pages, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod checking;
mod corrections;
mod door;
mod events;
mod lapse;
mod looking;
mod pages;
mod quality;
mod rearranged;
mod site;
mod supervision;
#[path = "../support/mod.rs"]
mod support;
mod words;
mod work;
