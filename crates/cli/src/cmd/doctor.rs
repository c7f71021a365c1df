//! `doctor`: whether this machine, and this directory, are what the database needs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use proxime::{Level, self_test};
use serde::Serialize;

use crate::args::Doctor;
use crate::error::{Error, Exit};
use crate::print;

/// Appends are timed for so long, and so many at most.
const APPENDS_TIME: Duration = Duration::from_secs(2);
const APPENDS_MAX: usize = 500;
const APPEND_BYTES: usize = 4096;
const STREAM_BYTES: usize = 64 << 20;
/// A disk that has stored something sooner than this has not: it is memory, or has a battery.
const SYNC_US_MIN: f64 = 20.0;

/// What was looked at.
#[derive(Serialize)]
struct Finding {
    topic: &'static str,
    ok: bool,
    found: String,
    /// What to do, if something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Serialize)]
struct Report {
    /// The kernels compute what they should: without that, nothing can be relied on.
    ok: bool,
    version: &'static str,
    findings: Vec<Finding>,
}

pub(crate) fn run(args: &Doctor, out: &mut impl Write) -> Result<Exit, Error> {
    let kernels: Vec<Finding> = Level::available().into_iter().map(kernel).collect();
    let ok = kernels.iter().all(|finding| finding.ok);
    let mut findings = vec![processor()];
    findings.extend(kernels);
    findings.extend(environment());
    findings.extend([huge_pages(), memory()]);
    findings.extend(disk(&args.dir)?);
    let report = Report {
        ok,
        version: env!("CARGO_PKG_VERSION"),
        findings,
    };
    if args.json {
        print::json(out, &report)?;
    } else {
        for Finding {
            topic,
            ok,
            found,
            advice,
        } in &report.findings
        {
            writeln!(
                out,
                "{}  {topic:<11} {found}",
                if *ok { "ok  " } else { "LOOK" }
            )?;
            if let Some(advice) = advice {
                writeln!(out, "                  {advice}")?;
            }
        }
    }
    Ok(match ok {
        true => Exit::Ok,
        false => Exit::Other,
    })
}

fn fine(topic: &'static str, found: String) -> Finding {
    Finding {
        topic,
        ok: true,
        found,
        advice: None,
    }
}

fn look(topic: &'static str, found: String, advice: impl Into<String>) -> Finding {
    Finding {
        topic,
        ok: false,
        found,
        advice: Some(advice.into()),
    }
}

fn processor() -> Finding {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let chosen = Level::detect();
    let found = format!(
        "{name}, {}; kernels for {chosen}",
        print::count(cores, "core")
    );
    match chosen.name() {
        "scalar" => look(
            "processor",
            found,
            "no vector instructions are used: searches are many times slower",
        ),
        _ => fine("processor", found),
    }
}

fn kernel(level: Level) -> Finding {
    match self_test(level) {
        Ok(()) => fine("kernels", format!("{level}: as defined")),
        Err(problem) => look(
            "kernels",
            format!("{level}: {problem}"),
            "results cannot be trusted on this machine: set PROXIME_ISA to a tier that is as defined, and please report this",
        ),
    }
}

fn environment() -> Vec<Finding> {
    ["PROXIME_ISA", "PROXIME_THREADS"]
        .into_iter()
        .filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some(fine(
                "environment",
                format!("{name}={}", value.to_string_lossy()),
            ))
        })
        .collect()
}

fn huge_pages() -> Finding {
    let file = "/sys/kernel/mm/transparent_hugepage/enabled";
    let setting = fs::read_to_string(file).unwrap_or_default();
    let chosen = setting
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    match chosen.map(|(chosen, _)| chosen) {
        Some(chosen @ ("always" | "madvise")) => fine("huge pages", chosen.to_owned()),
        Some(chosen) => look(
            "huge pages",
            chosen.to_owned(),
            format!("write madvise to {file}: large collections are searched faster"),
        ),
        None => look(
            "huge pages",
            "unknown to this system".to_owned(),
            "large collections are searched faster with them",
        ),
    }
}

fn memory() -> Finding {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    let [all, free] = ["MemTotal:", "MemAvailable:"].map(|name| kib(name).unwrap_or(0) << 10);
    let mut found = format!("{} available of {}", HumanBytes(free), HumanBytes(all));
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max");
    if let Some(limit) = limit.ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        found += &format!(", at most {} for this container", HumanBytes(limit));
    }
    match free < all / 10 {
        true => look(
            "memory",
            found,
            "less than a tenth is available: builds may have to wait for the disk",
        ),
        false => fine("memory", found),
    }
}

/// Times what a durable write waits for, in a file that is gone afterwards.
fn disk(dir: &Path) -> Result<Vec<Finding>, Error> {
    let failed = |source| Error::Write {
        file: dir.to_owned(),
        source,
    };
    if !dir.is_dir() {
        return Err(Error::NotADirectory {
            dir: dir.to_owned(),
        });
    }
    let mut file = tempfile::tempfile_in(dir).map_err(failed)?;
    let times = append_times(&mut file).map_err(failed)?;
    let rate = stream_rate(&mut file).map_err(failed)?;
    let rate = format!(
        "{}/s written and synced, in one piece",
        HumanBytes(rate as u64)
    );
    Ok(vec![file_system(dir), sync(&times), fine("disk", rate)])
}

/// Microseconds of each append and its sync, sorted.
fn append_times(file: &mut File) -> io::Result<Vec<f64>> {
    let block = [1; APPEND_BYTES];
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < APPENDS_MAX && started.elapsed() < APPENDS_TIME {
        let before = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Bytes a second.
fn stream_rate(file: &mut File) -> io::Result<f64> {
    let block = vec![1; 1 << 20];
    let started = Instant::now();
    for _ in 0..STREAM_BYTES >> 20 {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    Ok(STREAM_BYTES as f64 / started.elapsed().as_secs_f64())
}

fn sync(times: &[f64]) -> Finding {
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    let (p50, p99) = (at(0.5), at(0.99));
    let found = format!(
        "4 KiB appended and synced in {p50:.0} us, 99 % in {p99:.0} us: {:.0} durable writes a second",
        1e6 / p50.max(1.0)
    );
    match p50 < SYNC_US_MIN {
        true => look(
            "sync",
            found,
            "no disk is that fast: a sync here does not reach one, and a loss of power loses writes",
        ),
        false => fine("sync", found),
    }
}

/// The kind of file system that the directory is on, by the mount that is nearest above it.
fn file_system(dir: &Path) -> Finding {
    let path = dir.canonicalize().unwrap_or(dir.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let nearest = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(mount, _)| path.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len());
    let (mount, kind) = nearest.unwrap_or(("?", "unknown"));
    let found = format!("{kind}, mounted on {mount}");
    match kind {
        "tmpfs" | "ramfs" => look(
            "file system",
            found,
            "this is memory: nothing survives a restart of the machine",
        ),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "fuse.sshfs" => look(
            "file system",
            found,
            "over a network, locks and syncs may not keep what they promise: keep databases on a local disk",
        ),
        _ => fine("file system", found),
    }
}
