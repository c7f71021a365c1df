//! The handle's own threads, and search scratch for them.
//!
//! Not rayon's global pool: its size would be everybody's, and in a forked child, where only the forking thread lives on, it
//! would wait for threads that are gone. Workers remember the process that made them; another process makes its own at the
//! first use and leaves the old ones untouched, without running their destructors.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use proxime_core::ScratchPool;

use crate::{Error, Result};

/// How far threads in the background step back: to a third of the share of others, so that they are not starved either.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;
/// More threads than any machine has use for.
const THREADS_MAX: usize = 1024;

/// A pool that is started when it is first needed.
#[derive(Debug)]
pub(crate) struct Pool {
    threads: usize,
    /// For work that others must not feel.
    background: bool,
    workers: ArcSwapOption<Workers>,
}

/// Threads and what they work with.
#[derive(Debug)]
pub(crate) struct Workers {
    pid: u32,
    pub(crate) threads: rayon::ThreadPool,
    pub(crate) scratches: ScratchPool,
}

impl Pool {
    /// `threads`, or what `PROXIME_THREADS` says, or one for every core.
    ///
    /// Errors: a number of threads that makes no sense.
    pub(crate) fn new(threads: Option<usize>) -> Result<Pool> {
        let (name, asked) = match (threads, std::env::var("PROXIME_THREADS")) {
            (Some(threads), _) => ("threads", threads.to_string()),
            (None, Ok(text)) if !text.is_empty() => ("PROXIME_THREADS", text),
            (None, _) => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                ("threads", cores.min(THREADS_MAX).to_string())
            }
        };
        match asked.parse() {
            Ok(threads @ 1..=THREADS_MAX) => Ok(Pool {
                threads,
                background: false,
                workers: ArcSwapOption::empty(),
            }),
            _ => Err(Error::Parameter {
                name,
                value: asked,
                limit: format!("between 1 and {THREADS_MAX}"),
            }),
        }
    }

    /// One whose threads step back behind those that somebody waits for.
    pub(crate) fn of_background(threads: usize) -> Result<Pool> {
        let mut pool = Pool::new(Some(threads))?;
        pool.background = true;
        Ok(pool)
    }

    /// How many threads there are, or will be.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// The workers of this process.
    ///
    /// Errors: the system gives no threads.
    pub(crate) fn workers(&self) -> Result<Arc<Workers>> {
        if let Some(workers) = self.workers.load_full() {
            if workers.pid == std::process::id() {
                return Ok(workers);
            }
            std::mem::forget(workers);
        }
        let workers = Arc::new(Workers::start(self.threads, self.background)?);
        drop_own(self.workers.swap(Some(Arc::clone(&workers))));
        Ok(workers)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop_own(self.workers.swap(None));
    }
}

/// Drops workers of this process and forgets those of another: ending those would wait for threads that are not there.
fn drop_own(workers: Option<Arc<Workers>>) {
    if workers
        .as_ref()
        .is_some_and(|workers| workers.pid != std::process::id())
    {
        std::mem::forget(workers);
    }
}

/// Lets other threads go first, the calling thread and those that it starts: where the system has priorities for threads.
pub(crate) fn step_back() {
    // To Linux a thread is a process here, and the main thread's number is the process's.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(Some(rustix::process::getpid())) {
        // What the system does not allow is no reason not to go on.
        rustix::process::setpriority_process(None, nice + NICE).ok();
    }
}

impl Workers {
    fn start(threads: usize, background: bool) -> Result<Workers> {
        let builder = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .start_handler(move |_| {
                if background {
                    step_back();
                }
            })
            .thread_name(|i| format!("proxime-{i}"));
        let threads = builder.build().map_err(|e| Error::Threads {
            reason: e.to_string(),
        })?;
        Ok(Workers {
            pid: std::process::id(),
            threads,
            scratches: ScratchPool::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_another_process_are_not_used() {
        let pool = Pool::new(Some(2)).unwrap();
        let own = pool.workers().unwrap();
        assert!(Arc::ptr_eq(&own, &pool.workers().unwrap()));
        let parents = Arc::new(Workers {
            pid: own.pid ^ 1,
            ..Workers::start(1, false).unwrap()
        });
        pool.workers.store(Some(Arc::clone(&parents)));
        assert_eq!(pool.workers().unwrap().pid, own.pid);
        assert_eq!(pool.workers().unwrap().threads.current_num_threads(), 2);
        assert!(Arc::strong_count(&parents) > 1, "forgotten, not dropped");
    }
}
