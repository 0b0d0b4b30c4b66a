//! The tests of what the database holds, one program: each test program compiles once more all that it polls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod accounts;
mod application;
mod audit;
mod card_actions;
mod card_names;
mod cases;
mod cluster;
mod columns;
mod copy;
mod database;
mod distribution;
mod forward_only;
mod full_disk;
mod jobs;
mod migrations;
mod network;
mod people;
mod recordings;
mod register;
mod register_property;
mod roles;
mod scope_columns;
mod shown;
mod sole_writer;
