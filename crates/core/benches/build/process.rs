//! What the system says of this process: memory and processor time. Linux only.

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc`, on every processor that Linux is built for here.
const TICKS_S: f64 = 100.0;

/// Forgets the peak of resident memory so far; the bytes resident now.
pub(crate) fn reset_peak() -> Result<usize> {
    fs::write("/proc/self/clear_refs", "5").context("the peak cannot be reset")?;
    status_bytes("VmRSS:")
}

/// The most bytes that were resident since.
pub(crate) fn peak_bytes() -> Result<usize> {
    status_bytes("VmHWM:")
}

fn status_bytes(field: &str) -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes: usize = line
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {field} in /proc/self/status"))?
        .parse()?;
    Ok(kibibytes << 10)
}

/// Time on processors so far, of all threads.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name, in brackets, may hold anything; user and system time are the 12th and 13th fields behind it.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("no name in /proc/self/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_S)
}
