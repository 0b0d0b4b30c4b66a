//! The kits' messages: bounded bytes in, signed bytes out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use enrol::wire::COSE_TYPE;

use crate::state::{AppState, KitAnswer};

/// A batch of sealed packets; the answer is the centre's signed receipt, with a line for each packet in the same order.
pub(crate) async fn packets(State(state): State<AppState>, body: Bytes) -> Response {
    answer(state.kits.packets(body.to_vec()).await)
}

/// A kit's signed end-of-day report; the answer is the centre's signed receipt.
pub(crate) async fn day_report(State(state): State<AppState>, body: Bytes) -> Response {
    answer(state.kits.day_report(body.to_vec()).await)
}

/// A receipt is one COSE_Sign1 message; of any other answer a kit reads the status alone.
fn answer(answer: KitAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, COSE_TYPE)], answer.body).into_response()
}
