#![doc = include_str!("../README.md")]
// A closed pipe ends a program quietly: `ui::say!`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod browser;
mod card;
mod desks;
mod fingerprint;
mod ingest;
mod linkage;
mod pipeline;
mod register;

use anyhow::Result;

use centre::Place;

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Complete chip images a second with each kind of key, against `openssl speed` and through SoftHSM2.
    Card(card::Options),
    /// Officers who search, list, open and decide at once through the pages, on a province's register.
    Desks(desks::Options),
    /// Error rates and speed of comparing fingers, beside bozorth3, and of searching 100,000 and a million
    /// people.
    Fingerprint(fingerprint::Options),
    /// Sealed applications a second that kits hand over at once, until they are receipted, opened and
    /// durable, beside the same checks and the same write alone.
    Ingest(ingest::Options),
    /// People per second of every stage of `dancu demo` at several sizes, and how the cost grows.
    Pipeline(pipeline::Options),
    /// A province's register: its import beside a bare COPY, events, questions as of a day, by number and by
    /// name, and the look at everybody's quality.
    Register(register::Options),
    /// Our linkage engine and Splink on the same registers with known truth, and search in a resident
    /// register.
    Linkage(linkage::Options),
}

/// Measures, and prints the figures.
///
/// # Errors
/// Whatever hinders a measurement; figures of another run in the way.
pub async fn run(place: &Place, command: &Command) -> Result<()> {
    match command {
        Command::Card(options) => tokio::task::block_in_place(|| card::run(options)),
        Command::Desks(options) => desks::run(place, options).await,
        Command::Fingerprint(options) => tokio::task::block_in_place(|| fingerprint::run(options)),
        Command::Ingest(options) => ingest::run(place, options).await,
        Command::Pipeline(options) => pipeline::run(place, options).await,
        Command::Register(options) => register::run(place, options).await,
        Command::Linkage(options) => linkage::run(&place.data, options),
    }
}
