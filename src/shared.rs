//! What all handles of a cache share.

use crate::entry::Lifetimes;
use crate::key_lock::LeaseTable;
use crate::store::Store;
use crate::sync::Arc;
use crate::world::{Parts, World};
use std::time::Duration;

/// The insides of a cache.
#[doc(hidden)]
pub struct Shared<W: World> {
    pub(crate) store: Store<W::Key, W::Value>,
    pub(crate) leases: Arc<LeaseTable<W::Key>>,
    pub(crate) clock: <W::Parts as Parts>::Clock,
    pub(crate) observer: <W::Parts as Parts>::Observer,
    pub(crate) executor: <W::Parts as Parts>::Executor,
    pub(crate) hasher: <W::Parts as Parts>::Hasher,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) wait_timeout: Duration,
}
