//! Prices that a slow origin knows, served stale-while-revalidate over HTTP.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /price/{symbol}` | the price, how old it is, and whether it is stale |
//! | `POST /price/{symbol}/invalidate` | forgets it; a refresh that began before is discarded |
//! | `GET /metrics` | counters and gauges, for Prometheus |

mod app;
pub mod origin;
mod prometheus;
mod routes;

pub use app::{App, Price, Prices};
