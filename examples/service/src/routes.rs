//! What can be asked.

use crate::{App, Price, prometheus};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_blocking};
use xfetch_core::{Error, Found};

type Refused = (StatusCode, String);

/// The longest symbol. The cache bounds how many keys there are, not how long they are.
const LONGEST: usize = 12;

pub(crate) fn all(app: App) -> Router {
    Router::new()
        .route("/price/{symbol}", get(price))
        .route("/price/{symbol}/invalidate", post(invalidate))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// `get_and_refresh` waits for nothing, so that this thread may call it. For an absent key somebody has to
/// wait for the origin, off the threads that serve everybody; such a request is counted as two misses.
async fn price(State(app): State<App>, Path(symbol): Path<String>) -> Result<Json<Value>, Refused> {
    let symbol = checked(symbol)?;
    let found = match app.prices.get_and_refresh(&symbol).map_err(refused)? {
        Some(found) => found,
        None => fetch(&app, &symbol).await.map_err(internal)?.map_err(refused)?,
    };
    Ok(described(&symbol, &found))
}

fn fetch(app: &App, symbol: &str) -> JoinHandle<Result<Found<String, Price>, Error>> {
    let (prices, key) = (app.prices.clone(), symbol.to_owned());
    spawn_blocking(move || prices.get_or_refresh(&key))
}

async fn invalidate(
    State(app): State<App>,
    Path(symbol): Path<String>,
) -> Result<StatusCode, Refused> {
    app.prices.invalidate(&checked(symbol)?);
    Ok(StatusCode::NO_CONTENT)
}

async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Refused> {
    let text = prometheus::text(&app.registry).map_err(internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus::CONTENT_TYPE)], text))
}

fn checked(symbol: String) -> Result<String, Refused> {
    let is_one = (1..=LONGEST).contains(&symbol.len())
        && symbol.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let why = || format!("a symbol has 1 to {LONGEST} letters and digits, not {symbol:?}\n");
    if is_one { Ok(symbol) } else { Err((StatusCode::BAD_REQUEST, why())) }
}

fn described(symbol: &str, found: &Found<String, Price>) -> Json<Value> {
    Json(json!({
        "symbol": symbol,
        "cents": found.cents,
        "freshness": if found.is_stale() { "stale" } else { "fresh" },
        "version": found.version().map(|version| version.get()),
        "age_ms": u64::try_from(found.at.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

fn refused(error: Error) -> Refused {
    let status = match &error {
        Error::Failed(_) => StatusCode::BAD_GATEWAY,
        Error::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n"))
}

fn internal(error: impl std::error::Error) -> Refused {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}
