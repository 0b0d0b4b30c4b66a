//! What the chip remembers between two commands of one protocol.

use zeroize::Zeroizing;

use crate::access::{CHALLENGE_LEN, Password};
use crate::agreement::Point;
use card::secure_messaging::SessionKeys;

/// A protocol that is under way, and what its next step needs.
#[derive(Default)]
pub(super) enum Pending {
    #[default]
    None,
    /// A challenge was given out.
    Challenge([u8; CHALLENGE_LEN]),
    PaceNonce(Password),
    PaceMapping(Zeroizing<[u8; 16]>),
    PaceAgreement(Point),
    /// Session keys, the reader's ephemeral key and ours.
    PaceConfirmation(SessionKeys, Point, Point),
    ChipAuthentication,
}
