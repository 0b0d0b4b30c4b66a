//! The kits' messages: bounded bytes in, signed bytes out.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::address::Address;
use crate::error::{BUSY, Error};
use crate::state::AppState;
use crate::throttle::Guess;
use crate::tls::KnownKit;
use domain::id::KitId;
use enrol::desks::{Answer, KitAnswer, KitDesk};
use packet::message::DayReport;
use packet::standing::KitStatus;
use packet::wire::{self, COSE_TYPE};

/// A batch of sealed packets; the answer is the centre's signed receipt, with a line for each packet in the
/// same order.
pub(crate) async fn packets(
    State(state): State<AppState>,
    address: Address,
    shown: Option<Extension<KnownKit>>,
    body: Bytes,
) -> Result<Response, Error> {
    take(&state, address, shown, body, kits_of_batch, |desk, body| desk.packets(body)).await
}

/// A kit's signed end-of-day report; the answer is the centre's signed receipt.
pub(crate) async fn day_report(
    State(state): State<AppState>,
    address: Address,
    shown: Option<Extension<KnownKit>>,
    body: Bytes,
) -> Result<Response, Error> {
    let claimed = |body: &[u8]| vec![DayReport::claimed_kit(body).ok()];
    take(&state, address, shown, body, claimed, |desk, body| desk.day_report(body)).await
}

/// A kit's signed question what the centre has of its packets; the answer is the centre's signed receipt.
pub(crate) async fn status(
    State(state): State<AppState>,
    address: Address,
    shown: Option<Extension<KnownKit>>,
    body: Bytes,
) -> Result<Response, Error> {
    let claimed = |body: &[u8]| vec![KitStatus::claimed_kit(body).ok()];
    take(&state, address, shown, body, claimed, |desk, body| desk.status(body)).await
}

/// Hands what a kit sent to its desk, if the kit speaks for itself. `claimed` reads in whose name it is.
async fn take(
    state: &AppState,
    address: Address,
    shown: Option<Extension<KnownKit>>,
    body: Bytes,
    claimed: fn(&[u8]) -> Vec<Option<KitId>>,
    ask: for<'a> fn(&'a dyn KitDesk, Vec<u8>) -> Answer<'a, KitAnswer>,
) -> Result<Response, Error> {
    let guess = let_in(state, address)?;
    let outcome = if is_of_kit(state, shown, || claimed(&body)) {
        ask(&*state.kits, body.to_vec()).await
    } else {
        stranger()
    };
    Ok(answer(state, &guess, outcome))
}

/// Whether the kit whose certificate was shown speaks for itself: what it sends bears its own name. Where
/// kits show no certificates, their signatures alone tell who they are.
fn is_of_kit(
    state: &AppState,
    shown: Option<Extension<KnownKit>>,
    claimed: impl FnOnce() -> Vec<Option<KitId>>,
) -> bool {
    if !state.settings.kits_show_certificates {
        return true;
    }
    let Some(Extension(KnownKit(kit))) = shown else { return false };
    // What bears no name at all is refused by the desk, with a receipt that says why.
    claimed().into_iter().flatten().all(|claimed| claimed == kit)
}

/// Whose packets a batch claims to hold.
fn kits_of_batch(body: &[u8]) -> Vec<Option<KitId>> {
    let packets = wire::decode_batch(body).unwrap_or_default();
    packets.into_iter().map(|bytes| Some(packet::parse(bytes).ok()?.claimed().kit_id)).collect()
}

/// The answer to whoever shows no certificate of the kits' authority, or another kit's.
fn stranger() -> KitAnswer {
    let body = b"this door is for kits: show the certificate of the kit whose messages these are".to_vec();
    KitAnswer { status: 403, body, refused: 1 }
}

fn let_in(state: &AppState, address: Address) -> Result<Guess, Error> {
    let (guess, now) = (Guess::KitMessage(address.0), state.clock.now());
    match state.guesses.wait(&guess, now) {
        None => Ok(guess),
        Some(wait) => Err(Error::TooMany { wait }),
    }
}

/// A receipt is one COSE_Sign1 message. Of any other answer a kit reads the status alone; the sentence is for
/// whoever looks at the line.
fn answer(state: &AppState, guess: &Guess, answer: KitAnswer) -> Response {
    let refused = if state.settings.kits_are_here { 0 } else { answer.refused };
    for _ in 0..refused {
        if !state.guesses.take(guess, state.clock.now()) {
            break;
        }
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if status == StatusCode::OK { COSE_TYPE } else { "text/plain; charset=utf-8" };
    let mut response = (status, [(header::CONTENT_TYPE, content_type)], answer.body).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(BUSY.whole_seconds()));
    }
    response
}
