#![doc = include_str!("../README.md")]

pub mod accounts;
mod address;
mod api;
mod checking;
mod error;
mod extract;
mod form;
mod frame;
mod kept;
mod keyholder;
mod kit_door;
mod lapse;
mod layers;
mod looked;
mod multipart;
mod pages;
pub mod routes;
mod serve;
mod session;
mod state;
mod static_files;
mod throttle;

pub use error::Error;
pub use keyholder::Keyholder;
pub use looked::Quota;
pub use routes::router;
pub use serve::{ServeError, Server, listen};
pub use session::Role;
pub use state::{AppState, Parts, Settings};
