//! The JSON interface for relying parties' programs: the same checks as the page (docs/verify-api.md).
//! `openapi.json` is kept by hand; tests hold it against the route table and against what is really answered.

pub(crate) mod problem;

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::address::Address;
use crate::checking::{self, Card};
use crate::error::Error;
use crate::state::AppState;
use problem::BadRequest;
use verify::{CardFiles, Verdict, Worded};

pub(crate) const OPENAPI: &str = include_str!("api/openapi.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChipRequest {
    /// The chip's files in base 64, by their names.
    files: BTreeMap<String, String>,
    qr: Option<String>,
    mrz: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QrRequest {
    qr: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MrzRequest {
    mrz: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
}

#[derive(Serialize)]
struct Answer<'a> {
    /// The moment for which the card was judged.
    at: String,
    #[serde(flatten)]
    verdict: Worded<'a>,
}

pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

pub(crate) async fn chip(
    State(state): State<AppState>,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    checking::admit(&state, &address.0)?;
    let request: ChipRequest = match parse(&body) {
        Ok(request) => request,
        Err(problem) => return Ok(problem.into_response()),
    };
    drop(body);
    let files = match decode(request.files) {
        Ok(files) => files,
        Err(problem) => return Ok(problem.into_response()),
    };
    let at = request.at.unwrap_or_else(|| state.campaign.now());
    let card = Card { files, qr: request.qr, mrz: request.mrz };
    let (verdict, _) = checking::chip(&state, card, at).await?;
    answer(verdict, at)
}

pub(crate) async fn qr(
    State(state): State<AppState>,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    checking::admit(&state, &address.0)?;
    match parse::<QrRequest>(&body) {
        Ok(QrRequest { qr, at }) => {
            let at = at.unwrap_or_else(|| state.campaign.now());
            answer(verify::check_qr(&qr, at, None), at)
        }
        Err(problem) => Ok(problem.into_response()),
    }
}

pub(crate) async fn mrz(
    State(state): State<AppState>,
    address: Address,
    body: Bytes,
) -> Result<Response, Error> {
    checking::admit(&state, &address.0)?;
    match parse::<MrzRequest>(&body) {
        Ok(MrzRequest { mrz, at }) => {
            let at = at.unwrap_or_else(|| state.campaign.now());
            answer(verify::check_mrz(&mrz, at, None), at)
        }
        Err(problem) => Ok(problem.into_response()),
    }
}

fn answer(verdict: Verdict, at: OffsetDateTime) -> Result<Response, Error> {
    let at = at.format(&Rfc3339).map_err(|_| Error::BadForm("a moment outside the years 0 to 9999"))?;
    let verdict = Worded { verdict: &verdict, words: ui::checks::both };
    Ok(Json(Answer { at, verdict }).into_response())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadRequest> {
    serde_json::from_slice(body).map_err(|error| BadRequest {
        code: "bad_json",
        // The place and the kind; the reader's own words may hold what was sent.
        detail: match error.classify() {
            serde_json::error::Category::Data => {
                format!(
                    "line {} column {}: the JSON is not of the form that openapi.json gives",
                    error.line(),
                    error.column()
                )
            }
            _ => format!("line {} column {}: this is not JSON", error.line(), error.column()),
        },
    })
}

fn decode(sent: BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<u8>>, BadRequest> {
    let bad = |detail| BadRequest { code: "bad_file", detail };
    let mut files = CardFiles::default();
    for (number, (name, text)) in sent.into_iter().enumerate() {
        let Some(canonical) = verify::elementary(&name) else {
            return Err(bad(format!(
                "file {}: its name is not that of a chip's file (EF.COM, DG1, …)",
                number + 1
            )));
        };
        let Ok(bytes) = Base64::decode_vec(&text) else {
            return Err(bad(format!("{canonical}: base 64 with padding is expected (RFC 4648 §4)")));
        };
        files.add(&name, bytes).map_err(|error| bad(error.to_string()))?;
    }
    files.named().map_err(|error| bad(error.to_string()))
}
