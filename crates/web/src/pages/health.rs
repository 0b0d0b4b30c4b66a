//! For the supervisor of the process: is it alive, and can it serve.

use axum::extract::State;
use axum::http::StatusCode;

use crate::pages::ping;
use crate::state::AppState;

/// The process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers too, with the schema of this program.
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    let answers = async {
        let mut conn = state.db.read().await?;
        ping(&mut conn).await?;
        drop(conn);
        Ok::<(), crate::error::Error>(state.db.check_schema().await?)
    };
    match answers.await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}
