//! How a thread drives an asynchronous peer: it polls once, and waits only if that was not enough.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, EnterGuard, Runtime};

/// The runtime on which the asynchronous peers run their refreshes. It has four threads, as many as a cache of ours.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(4).enable_time();
        builder.build().expect("the machine has room for four threads")
    })
}

/// A measured thread holds this, so that the peers find their runtime.
pub fn enter() -> EnterGuard<'static> {
    runtime().enter()
}

/// The output of a future. One that is ready at once costs one poll and no allocation.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => pollster::block_on(future),
    }
}
