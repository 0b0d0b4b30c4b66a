//! The kits' messages: bounded bytes in, signed bytes out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::address::Address;
use crate::error::{BUSY, Error};
use crate::state::AppState;
use crate::throttle::Guess;
use enrol::desks::KitAnswer;
use packet::wire::COSE_TYPE;

/// A batch of sealed packets; the answer is the centre's signed receipt, with a line for each packet in the
/// same order.
pub(crate) async fn packets(
    State(state): State<AppState>,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    let guess = let_in(&state, address)?;
    Ok(answer(&state, &guess, state.kits.packets(body.to_vec()).await))
}

/// A kit's signed end-of-day report; the answer is the centre's signed receipt.
pub(crate) async fn day_report(
    State(state): State<AppState>,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    let guess = let_in(&state, address)?;
    Ok(answer(&state, &guess, state.kits.day_report(body.to_vec()).await))
}

fn let_in(state: &AppState, address: Address) -> Result<Guess, Error> {
    let (guess, now) = (Guess::KitMessageFrom(address.0), state.clock.now());
    match state.guesses.wait(&guess, now) {
        None => Ok(guess),
        Some(wait) => Err(Error::TooMany { wait }),
    }
}

/// A receipt is one COSE_Sign1 message. Of any other answer a kit reads the status alone; the sentence is for
/// whoever looks at the line.
fn answer(state: &AppState, guess: &Guess, answer: KitAnswer) -> Response {
    // Who is on this machine can do worse than send rubbish; a demonstration's kits are.
    let refused = if guess.is_from_here() { 0 } else { answer.refused };
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
