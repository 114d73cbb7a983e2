//! What all requests share, and how it ends.

use crate::{origin, prometheus, routes};
use prometheus_client::registry::Registry;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use xfetch_core::{Cache, ConfigError, Metrics, SystemClock, Waiting, With, WorkerPool};

/// Prices by symbol.
pub type Prices = Cache<String, Price, With<SystemClock, Arc<Metrics>, WorkerPool>>;

/// What the origin said, and when.
#[derive(Debug)]
pub struct Price {
    /// The price.
    pub cents: u64,
    /// When the origin had said so.
    pub at: Instant,
}

/// The service. Clones share everything.
#[derive(Clone, Debug)]
pub struct App {
    /// The prices.
    pub prices: Prices,
    /// What has happened to them.
    pub metrics: Arc<Metrics>,
    pub(crate) registry: Arc<Registry>,
    pool: WorkerPool,
}

impl App {
    /// A service whose prices are fresh for `fresh`, kept for `kept`, and asked of `origin`.
    ///
    /// # Errors
    ///
    /// What the cache says of the two lifetimes, or that there is no thread for a refresh.
    pub fn new(
        (fresh, kept): (Duration, Duration),
        origin: impl Fn(&str) -> Result<u64, origin::Down> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let (metrics, pool) = (Arc::new(Metrics::new()), WorkerPool::new(4, 1_024)?);
        let prices = Cache::builder(fresh, kept)
            .capacity(10_000)
            .sweep_every(Duration::from_secs(60))
            .wait_timeout(Duration::from_secs(5))
            .observer(Arc::clone(&metrics))
            .executor(pool.clone())
            .try_refresh(move |symbol: &String| {
                origin(symbol).map(|cents| Price { cents, at: Instant::now() })
            })
            .build()?;
        let registry = Arc::new(prometheus::registry(&prices, &metrics));
        Ok(Self { prices, metrics, registry, pool })
    }

    /// Serves until `stop`. Then it accepts nothing more, and waits for the requests that are there and
    /// for the refreshes that the pool has, those that run and those that wait for a thread.
    ///
    /// It waits as long as they take: an origin needs a time-out of its own.
    ///
    /// # Errors
    ///
    /// What the system says of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(listener, self.routes()).with_graceful_shutdown(stop).await?;
        // Only now: a request that was still there could have sent a refresh.
        Ok(spawn_blocking(move || self.pool.shut_down(Waiting::Run)).await?)
    }

    /// The service without a listener.
    pub fn routes(&self) -> axum::Router {
        routes::all(self.clone())
    }
}
