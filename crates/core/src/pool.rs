//! Working memory lent to whoever computes, and kept.

use crossbeam::queue::SegQueue;

/// As many `T` as are ever in use at once; each is lent to one computation at a time.
#[derive(Debug, Default)]
pub struct Pool<T> {
    free: SegQueue<T>,
}

impl<T: Default> Pool<T> {
    /// Lends one to `f`.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut lent = self.free.pop().unwrap_or_default();
        let result = f(&mut lent);
        self.free.push(lent);
        result
    }
}
