//! What safety costs: a durable row beside the disk's own append and sync, rows of several writers that share syncs, and opening
//! a large store beside reading its bytes.
//!
//! Run by `cargo xtask bench durable`. Everything that is compared takes turns in one run, and medians are printed. The page
//! cache is emptied of a store's files before they are read cold.
#![expect(clippy::print_stdout, reason = "a report is what it is for")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use proxime::{
    Batch, Collection, CollectionConfig, Database, Key, Metric, OpenOptions, SearchOptions,
    VectorSource, Verify,
};
use rustix::fs::{Advice, fadvise};

/// That of the front doors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DIM: usize = 768;
/// Writes before it is the other's turn.
const BLOCK: usize = 50;

/// Costs of durable writes and of opening.
#[derive(Parser)]
struct Args {
    /// A folder on the disk that is measured; a store of these rows is made there and left for the next run
    dir: PathBuf,
    /// Turns of everything
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Rows of the store that is opened
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// What cargo tells every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    fs::create_dir_all(&args.dir)?;
    let scratch = tempfile::tempdir_in(&args.dir)?;
    one_row(scratch.path(), args.rounds)?;
    writers(scratch.path(), args.rounds)?;
    let store = args.dir.join(format!("rows-{}", args.rows));
    if !store.exists() {
        make(&store, args.rows)?;
    }
    opening(&store, args.rows, args.rounds)
}

/// Rows that follow from their numbers, around a thousand centres.
struct Synthetic {
    rows: usize,
}

impl VectorSource for Synthetic {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn read(&self, first_row: usize, out: &mut [f32]) -> proxime::Result<()> {
        for (i, row) in out.chunks_exact_mut(DIM).enumerate() {
            let (row_number, centre) = (first_row + i, (first_row + i) % 1000);
            let (mut own, mut shared) = (random(row_number as u64), random(!(centre as u64)));
            for x in row {
                *x = 2.0 * shared() + own();
            }
        }
        Ok(())
    }
}

/// Numbers in -0.5..0.5.
fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let outcome = work()?;
    Ok((start.elapsed(), outcome))
}

fn create(path: &Path) -> Result<(Database, Collection)> {
    let db = Database::open(path)?;
    let config = CollectionConfig::new(DIM).metric(Metric::L2);
    let collection = db.create_collection("c", config)?;
    Ok((db, collection))
}

fn upsert_one(collection: &Collection, id: i64) -> Result<()> {
    let row = Synthetic { rows: 1 };
    Ok(collection.upsert(Batch::new(vec![Key::Int(id)], &row))?)
}

fn bytes_of(store: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(store)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// One row at a time, each on the disk before the next, and as many bytes appended and synced.
fn one_row(scratch: &Path, rounds: usize) -> Result<()> {
    let store = scratch.join("one");
    let (db, collection) = create(&store)?;
    let before = bytes_of(&store)?;
    upsert_one(&collection, 0)?;
    let frame = vec![1; usize::try_from(bytes_of(&store)? - before)?];
    let mut file = File::create(scratch.join("appended"))?;
    let (mut ours, mut disk) = (Vec::new(), Vec::new());
    let mut id = 0;
    for _ in 0..rounds * 4 {
        for _ in 0..BLOCK {
            id += 1;
            ours.push(timed(|| upsert_one(&collection, id))?.0);
        }
        for _ in 0..BLOCK {
            let append = || Ok((file.write_all(&frame)?, file.sync_data()?));
            disk.push(timed(append)?.0);
        }
    }
    let (ours, disk) = (median(ours), median(disk));
    println!(
        "one durable row of {DIM}: {:.0} us; {} bytes appended and synced: {:.0} us; ratio {:.2}",
        ours * 1e6,
        frame.len(),
        disk * 1e6,
        ours / disk
    );
    Ok(db.close()?)
}

/// Rows/s of threads that write one row at a time to one collection.
fn writers(scratch: &Path, rounds: usize) -> Result<()> {
    const THREADS: [usize; 3] = [1, 2, 4];
    const ROWS: usize = 400;
    let (db, collection) = create(&scratch.join("writers"))?;
    let mut times = THREADS.map(|_| Vec::new());
    for round in 0..rounds {
        for (of, &threads) in times.iter_mut().zip(&THREADS) {
            let write = |thread: usize| -> Result<()> {
                for i in 0..ROWS / threads {
                    let id = (round * THREADS.len() + threads) * ROWS + thread * ROWS + i;
                    upsert_one(&collection, id as i64)?;
                }
                Ok(())
            };
            let all = || {
                std::thread::scope(|scope| {
                    let started: Vec<_> = (0..threads)
                        .map(|thread| scope.spawn(move || write(thread)))
                        .collect();
                    started
                        .into_iter()
                        .try_for_each(|writer| writer.join().unwrap_or_else(|e| resume_unwind(e)))
                })
            };
            of.push(timed(all)?.0);
        }
    }
    let rates = times.map(|of| ROWS as f64 / median(of));
    for (threads, rate) in THREADS.iter().zip(rates) {
        println!(
            "{threads} writers of durable rows: {rate:.0} rows/s; {:.2} times one",
            rate / rates[0]
        );
    }
    Ok(db.close()?)
}

fn make(store: &Path, rows: usize) -> Result<()> {
    let (db, collection) = create(store)?;
    let ids = (0..rows as i64).map(Key::Int).collect();
    let batch = || Ok(collection.upsert(Batch::new(ids, &Synthetic { rows }))?);
    let (time, ()) = timed(batch)?;
    println!("made {rows} rows of {DIM} in {:.1} s", time.as_secs_f64());
    Ok(db.close()?)
}

fn open(store: &Path, verify: Verify) -> Result<Database> {
    let options = OpenOptions {
        read_only: true,
        verify,
        ..OpenOptions::default()
    };
    let db = Database::open_with(store, &options)?;
    ensure!(db.collection("c")?.name() == "c", "not what was made");
    Ok(db)
}

/// Out of the page cache, so that the disk is read.
fn evict(store: &Path) -> Result<()> {
    for entry in fs::read_dir(store)? {
        let file = File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed).context("the page cache is not ours")?;
    }
    Ok(())
}

fn read_all(store: &Path) -> Result<()> {
    let mut block = vec![0; 1 << 20];
    for entry in fs::read_dir(store)? {
        let mut file = File::open(entry?.path())?;
        while file.read(&mut block)? > 0 {}
    }
    Ok(())
}

/// Both ways to open, cold and warm, and the first search after it; beside reading the files from end to end.
fn opening(store: &Path, rows: usize, rounds: usize) -> Result<()> {
    println!("a store of {:.2} GB:", bytes_of(store)? as f64 / 1e9);
    let mut times: [Vec<Duration>; 6] = Default::default();
    let mut found = 0;
    for _ in 0..rounds {
        evict(store)?;
        times[0].push(timed(|| read_all(store))?.0);
        for (at, verify) in [(1, Verify::Full), (3, Verify::Lazy)] {
            evict(store)?;
            times[at].push(timed(|| open(store, verify))?.0);
            let (warm, db) = timed(|| open(store, verify))?;
            times[at + 1].push(warm);
            if verify == Verify::Lazy {
                times[5].push(timed(|| finds(&db, 0))?.0);
                found = (0..100)
                    .map(|row| finds(&db, row * 997 % rows))
                    .try_fold(0, |sum, found| {
                        Ok::<_, anyhow::Error>(sum + usize::from(found?))
                    })?;
            }
        }
    }
    let [read, full, full_warm, lazy, lazy_warm, search] = times.map(median);
    println!("  its bytes read, cold: {read:.3} s");
    println!(
        "  opened, cold: {full:.3} s, which is {:.3} s more; warm: {full_warm:.3} s",
        full - read
    );
    println!(
        "  opened lazily, cold: {:.1} ms; warm: {:.1} ms; the first search then: {search:.3} s",
        lazy * 1e3,
        lazy_warm * 1e3
    );
    println!("  of 100 stored rows {found} are their own nearest");
    Ok(())
}

/// The nearest of a stored row, by a search as most are; whether it is that row.
fn finds(db: &Database, row: usize) -> Result<bool> {
    let mut query = [0.0; DIM];
    Synthetic { rows: 1 }.read(row, &mut query)?;
    let rows = proxime::Rows::new(&query[..], DIM)?;
    let hits = db.collection("c")?.search(rows, &SearchOptions::k(1))?;
    let hit = hits.hits(0).next().context("nothing is found")?;
    Ok(hit.id() == Key::Int(row as i64))
}
