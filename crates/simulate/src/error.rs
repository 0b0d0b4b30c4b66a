//! What can go wrong while a simulation is prepared.

use std::path::PathBuf;

use domain::UnitCode;

/// Why a world cannot be made as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error(
        "unit {unit} is not in the unit table of 2021; give the code of a province, district or commune of \
         that list"
    )]
    UnknownUnit { unit: UnitCode },
    #[error(
        "{people} people is not possible below unit {unit}: give at least two for each of its {leaves} \
         communes, and at most {most} in all"
    )]
    PeopleOutOfRange { unit: UnitCode, people: usize, leaves: usize, most: usize },
    #[error(
        "the model's {name} is {value}; a share lies between 0 and 1, and shares of the same people add up \
         to at most 1"
    )]
    Share { name: &'static str, value: f64 },
    #[error("all numbers with place {place} for one sex and birth year are taken; ask for fewer people")]
    NumbersExhausted { place: u16 },
    #[error("cannot write {path}; check that the directory exists and has room")]
    Write { path: PathBuf, source: std::io::Error },
}
