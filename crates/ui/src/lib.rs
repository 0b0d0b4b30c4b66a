#![doc = include_str!("../README.md")]

pub mod assets;
pub mod chart;
pub mod checks;
pub mod format;
pub mod frame;
pub mod i18n;
pub mod place;
pub mod record;
pub mod terminal;
