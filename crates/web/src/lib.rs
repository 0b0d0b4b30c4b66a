#![doc = include_str!("../README.md")]

pub mod accounts;
mod address;
mod api;
mod checking;
mod error;
mod extract;
mod failures;
mod form;
mod frame;
mod gate;
mod kept;
mod keyholder;
mod kit_door;
mod lapse;
mod layers;
mod looked;
mod multipart;
mod paced;
mod pages;
pub mod routes;
mod serve;
mod session;
mod state;
mod static_files;
mod throttle;
mod tls;

pub use error::Error;
pub use gate::Limits;
pub use keyholder::Keyholder;
pub use looked::Quota;
pub use routes::router;
pub use serve::{Entrance, ServeError, Server, listen, listen_on};
pub use session::Role;
pub use state::{AppState, Parts, Settings};
pub use tls::{TlsError, TlsFiles};
