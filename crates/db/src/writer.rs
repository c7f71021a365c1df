//! A batch becomes a segment: rows are read once, checked, encoded and written in one pass; the graph follows from the codes.
//!
//! The pass goes in waves of a few chunks that fit the cache. While one wave is written to the file, the next is read from the
//! caller, checked and encoded by the other threads. While the graph is built, all else goes to the file and to the disk. Nothing of the caller's memory is looked at twice, so what was checked is
//! what is stored. The sample on which the codebook is trained is read beforehand and kept apart; it decides only how well
//! codes fit, not what is stored.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proxime_core::{Done, Graph, break_if};
use proxime_quant::{Codes, CodesMut, ScalarI8};
use proxime_storage::column::ColumnBuilder;
use proxime_storage::{SectionKind, SegmentRef, SegmentWriter, Store};
use rayon::prelude::*;

use crate::pool::Workers;
use crate::record::ids::{Ids, Kept};
use crate::record::versions::{self, Versions};
use crate::segment::{GraphIndex, Index, Known, LoggedRows, Segment};
use crate::{
    CollectionConfig, Dtype, Error, Input, Metric, Progress, Result, Rows, Stage, VectorSource,
    config, frame,
};

/// Rows from which a graph pays: below, looking at every row takes as long.
pub(crate) const GRAPH_ROWS_MIN: u32 = 1000;
/// Rows the codebook is trained on.
const SAMPLE_ROWS: usize = 1024;
/// Bytes of vectors that one thread reads, checks and encodes at once. Two waves of these share a core's L2 cache.
const CHUNK_BYTES: usize = 256 << 10;
/// About what the graph has for a row, of the preset with the most links.
const GRAPH_BYTES: usize = 512;
/// Bytes of a section written between two looks for a stop.
const WRITE_BYTES: usize = 8 << 20;

/// A batch, checked but for its vectors.
pub(crate) struct Checked<'a> {
    pub(crate) kept: Kept,
    pub(crate) ids: Ids,
    /// Of the rows that are kept; of none before the write has a number.
    pub(crate) versions: Versions,
    pub(crate) payload: Option<ColumnBuilder>,
    /// Of all rows of the batch: the versions that their records must have.
    pub(crate) if_versions: Option<Vec<u64>>,
    /// Ids to be deleted from older segments.
    pub(crate) deleted: Option<Ids>,
    pub(crate) vectors: &'a dyn VectorSource,
    pub(crate) progress: Option<Progress<'a>>,
}

/// Writes the batch as a segment that no commit names yet.
///
/// Errors: a bad vector, by its row in the batch; interrupted; the storage's. Nothing is left behind.
pub(crate) fn write_segment(
    store: &Store,
    workers: &Workers,
    collection_id: u64,
    config: &CollectionConfig,
    batch: Checked<'_>,
) -> Result<(SegmentRef, Segment)> {
    let header = config::header(config, collection_id, batch.kept.len());
    let (pinned, known) = write_file(store.create_segment(header)?, workers, config, batch)?;
    let segment = open_written(store, config, &pinned, known)?;
    Ok((pinned, segment))
}

/// What [`write_file`] has written.
///
/// Errors: the storage's; then it is gone.
pub(crate) fn open_written(
    store: &Store,
    config: &CollectionConfig,
    pinned: &SegmentRef,
    known: Known,
) -> Result<Segment> {
    let file = store.open_segment(pinned).map_err(Error::from);
    let segment = file.and_then(|file| Segment::written(&file, pinned.bytes, config, known));
    segment.inspect_err(|_| store.discard([pinned.clone()]))
}

/// Writes the batch to a segment file that was made for it. Needs no store.
///
/// Errors: as [`write_segment`].
pub(crate) fn write_file(
    mut file: SegmentWriter,
    workers: &Workers,
    config: &CollectionConfig,
    batch: Checked<'_>,
) -> Result<(SegmentRef, Known)> {
    let rows = batch.kept.len();
    let mut codec = None;
    if rows >= GRAPH_ROWS_MIN {
        codec = Some(batch.train(config)?);
    }
    let mut codes = codec
        .as_ref()
        .map(|codec| Codes::zeroed(codec, rows as usize));
    let row_bytes = config.dtype.bytes() * config.dim;
    file.expect(batch.bytes(row_bytes + config.dim));
    file.begin(SectionKind::Vectors, row_bytes as u32)?;
    workers
        .threads
        .install(|| batch.stream(&mut file, config, codec.as_ref(), codes.as_mut()))?;

    let go_on = || batch.report(Stage::Commit, 0);
    let mut index = Index::Scan;
    if let (Some(codec), Some(codes)) = (codec, codes) {
        let build = || {
            let progress = |done: Done| batch.report(Stage::Build, done.rows);
            let graph = Graph::build(&codes, &config.params, &workers.threads, &progress);
            graph.map_err(Error::from)
        };
        let write = |mut file: Sections<'_>| {
            let code_bytes = (codes.as_bytes().len() / codes.n()) as u32;
            file.add(SectionKind::Codes, code_bytes, &[codes.as_bytes()])?;
            file.add(SectionKind::Codebook, 1, &[&codec.to_bytes()])?;
            batch.write_records(file)
        };
        let graph = beside(&mut file, write, build)?;
        let mut sections = Sections::new(&mut file, &go_on);
        sections.add(SectionKind::Graph, 1, &[&graph.to_bytes()])?;
        index = Index::Graph(Box::new(GraphIndex::new(codec, graph)));
    } else {
        batch.write_records(Sections::new(&mut file, &go_on))?;
    }
    if go_on().is_break() {
        return Err(Error::Interrupted);
    }
    let known = Known {
        ids: batch.ids,
        versions: batch.versions,
        deleted: batch.deleted,
        index,
    };
    Ok((file.finish()?, known))
}

/// Writes and syncs on threads of their own while `build` runs here: they wait for the disk while it computes. If it fails, as when it
/// is told to stop, the disk is not waited for.
fn beside<T>(
    file: &mut SegmentWriter,
    write: impl FnOnce(Sections<'_>) -> Result<()> + Send,
    build: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let given_up = AtomicBool::new(false);
    let go_on = || break_if(given_up.load(Ordering::Relaxed));
    let write_and_sync = || {
        write(Sections::new(file, &go_on))?;
        let sync = thread::Builder::new().name("proxime-sync".to_owned());
        sync.spawn(file.sync_apart()).map_err(no_thread)
    };
    let (syncing, built) = thread::scope(|scope| {
        let writing = thread::Builder::new()
            .name("proxime-write".to_owned())
            .spawn_scoped(scope, write_and_sync)
            .map_err(no_thread)?;
        let built = build();
        given_up.store(built.is_err(), Ordering::Relaxed);
        Ok::<_, Error>((joined(writing.join()), built))
    })?;
    let built = built?;
    joined(syncing?.join())?;
    Ok(built)
}

fn no_thread(error: std::io::Error) -> Error {
    let reason = error.to_string();
    Error::Threads { reason }
}

/// What a thread has returned; its panic goes on here.
fn joined<T>(outcome: thread::Result<T>) -> T {
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A segment file that gets sections as long as somebody wants them.
struct Sections<'a> {
    file: &'a mut SegmentWriter,
    go_on: &'a dyn Fn() -> ControlFlow<()>,
}

impl<'a> Sections<'a> {
    fn new(file: &'a mut SegmentWriter, go_on: &'a dyn Fn() -> ControlFlow<()>) -> Self {
        Self { file, go_on }
    }

    /// Errors: the storage's; interrupted.
    fn add(&mut self, kind: SectionKind, elem_bytes: u32, pieces: &[&[u8]]) -> Result<()> {
        self.file.begin(kind, elem_bytes)?;
        for part in pieces.iter().flat_map(|piece| piece.chunks(WRITE_BYTES)) {
            if (self.go_on)().is_break() {
                return Err(Error::Interrupted);
            }
            self.file.append(part)?;
        }
        Ok(())
    }
}

/// A run of stored rows and where their codes go.
struct Task<'a> {
    rows: Range<usize>,
    codes: Option<CodesMut<'a>>,
}

impl<'a> Checked<'a> {
    /// Nothing but deletions; `none` has no rows.
    pub(crate) fn deletions(deleted: Ids, none: &'a dyn VectorSource) -> Checked<'a> {
        Checked {
            kept: Kept::All(0),
            ids: Ids::none(),
            versions: Versions::default(),
            payload: None,
            if_versions: None,
            deleted: Some(deleted),
            vectors: none,
            progress: None,
        }
    }

    fn report(&self, stage: Stage, done: usize) -> ControlFlow<()> {
        match self.progress {
            Some(progress) => progress(stage, done, self.kept.len() as usize),
            None => ControlFlow::Continue(()),
        }
    }

    /// The same as the write of this number.
    pub(crate) fn numbered(mut self, version: u64) -> Self {
        self.versions = Versions::one(self.kept.len(), version);
        self
    }

    /// Bytes of its segment, roughly, with so many a row beside the graph.
    fn bytes(&self, row_bytes: usize) -> u64 {
        let rows = u64::from(self.kept.len()) * (row_bytes + GRAPH_BYTES) as u64;
        let payload = self.payload.as_ref().map(|payload| payload.parts());
        let payload: usize = payload.iter().flatten().map(|part| part.len()).sum();
        rows + (self.ids.as_bytes().len() + payload) as u64
    }

    /// Ids, versions, metadata and deletions.
    fn write_records(&self, mut file: Sections<'_>) -> Result<()> {
        file.add(SectionKind::Ids, 1, &[self.ids.as_bytes()])?;
        let (bytes, width) = (self.versions.as_bytes(), versions::ENTRY_BYTES);
        file.add(SectionKind::Versions, width, &[bytes])?;
        if let Some(payload) = &self.payload {
            file.add(SectionKind::Payload, 1, &payload.parts())?;
        }
        match &self.deleted {
            Some(deleted) => file.add(SectionKind::Deleted, 1, &[&deleted.to_counted()]),
            None => Ok(()),
        }
    }

    /// Whether it is better off in the log than in a segment of its own: without a graph, and not too much for a frame.
    pub(crate) fn is_small(&self) -> bool {
        let rows = self.kept.len() as usize;
        let payload = self
            .payload
            .as_ref()
            .map_or(0, |payload| payload.parts().map(<[u8]>::len).iter().sum());
        let vectors = rows.saturating_mul(4 * self.vectors.dim());
        let bytes = vectors
            .saturating_add(self.ids.as_bytes().len())
            .saturating_add(payload);
        self.kept.len() < GRAPH_ROWS_MIN && bytes <= frame::BYTES_MAX
    }

    /// The rows themselves, read and checked.
    ///
    /// Errors: a bad vector, by its row in the batch; interrupted.
    pub(crate) fn into_rows(self, config: &CollectionConfig) -> Result<LoggedRows> {
        let rows = self.kept.len() as usize;
        let mut vectors = vec![0.0; rows * config.dim];
        self.read(config.dtype, 0..rows, &mut vectors)?;
        check_vectors(
            Rows::new(&vectors, config.dim)?,
            config.metric,
            Input::Row,
            |i| self.kept.row(i),
        )?;
        if self.report(Stage::Write, rows).is_break() || self.report(Stage::Commit, 0).is_break() {
            return Err(Error::Interrupted);
        }
        Ok(LoggedRows {
            ids: self.ids,
            vectors,
            payload: self.payload.map(|payload| payload.parts().concat()),
            deleted: self.deleted,
        })
    }

    /// A codebook from rows spread evenly over the batch.
    fn train(&self, config: &CollectionConfig) -> Result<ScalarI8> {
        let n = self.kept.len() as usize;
        let sampled = n.min(SAMPLE_ROWS);
        let mut sample = vec![0.0; sampled * config.dim];
        let row = |i| i * n / sampled;
        for (i, out) in sample.chunks_exact_mut(config.dim).enumerate() {
            self.read(config.dtype, row(i)..row(i) + 1, out)?;
        }
        ScalarI8::train(Rows::new(&sample, config.dim)?, config.metric)
            .map_err(|e| self.vector_error(e, row))
    }

    /// The fused pass over all rows.
    fn stream(
        &self,
        file: &mut SegmentWriter,
        config: &CollectionConfig,
        codec: Option<&ScalarI8>,
        codes: Option<&mut Codes>,
    ) -> Result<()> {
        let chunk_rows = (CHUNK_BYTES / (4 * config.dim)).max(1);
        let wave_chunks = rayon::current_num_threads();
        let mut tasks = self.tasks(chunk_rows, codes);
        let wave_len = (wave_chunks * chunk_rows).min(self.kept.len() as usize) * config.dim;
        let (mut full, mut empty) = (vec![0.0; wave_len], vec![0.0; wave_len]);
        let mut narrow = Vec::new();
        let (mut ready, mut done) = (0, 0);
        loop {
            let wave: Vec<Task<'_>> = tasks.by_ref().take(wave_chunks).collect();
            if wave.is_empty() && ready == 0 {
                return Ok(());
            }
            let next = wave.iter().map(|task| task.rows.len()).sum();
            let written = full.get(..ready * config.dim).unwrap_or_default();
            let (written, filled) = rayon::join(
                || file.append(config.dtype.stored(written, &mut narrow)),
                || {
                    self.fill(
                        config,
                        codec,
                        wave,
                        empty.chunks_mut(chunk_rows * config.dim).collect(),
                    )
                },
            );
            written?;
            filled?;
            done += ready;
            ready = next;
            std::mem::swap(&mut full, &mut empty);
            if self.report(Stage::Write, done).is_break() {
                return Err(Error::Interrupted);
            }
        }
    }

    fn tasks<'c>(
        &self,
        chunk_rows: usize,
        codes: Option<&'c mut Codes>,
    ) -> impl Iterator<Item = Task<'c>> {
        let n = self.kept.len() as usize;
        let mut codes = codes.map(|codes| codes.chunks_mut(chunk_rows).into_iter());
        let starts = (0..n).step_by(chunk_rows);
        starts.map(move |start| Task {
            rows: start..n.min(start + chunk_rows),
            codes: codes.as_mut().and_then(Iterator::next),
        })
    }

    /// Reads, checks and encodes a wave. Of several bad rows the first is named, whoever finds it.
    fn fill(
        &self,
        config: &CollectionConfig,
        codec: Option<&ScalarI8>,
        wave: Vec<Task<'_>>,
        blocks: Vec<&mut [f32]>,
    ) -> Result<()> {
        let results: Vec<Result<()>> = wave
            .into_par_iter()
            .zip(blocks)
            .map(|(task, block)| {
                let block = block
                    .get_mut(..task.rows.len() * config.dim)
                    .unwrap_or_default();
                self.read(config.dtype, task.rows.clone(), block)?;
                let rows = Rows::new(&*block, config.dim)?;
                let row = |i| task.rows.start + i;
                match (codec, task.codes) {
                    (Some(codec), Some(mut codes)) => codec
                        .encode_rows(rows, &mut codes)
                        .map_err(|e| self.vector_error(e, row)),
                    _ => check_vectors(rows, config.metric, Input::Row, |i| self.kept.row(row(i))),
                }
            })
            .collect();
        results.into_iter().collect()
    }

    /// Stored rows `rows` from the caller, in runs of rows that are neighbours there too, with the values that are stored.
    ///
    /// Errors: those of the caller's source; a component that there is no value for.
    fn read(&self, dtype: Dtype, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        let dim = self.vectors.dim();
        let mut rest = &mut *out;
        let mut row = rows.start;
        while row < rows.end {
            let first = self.kept.row(row);
            let run = (row..rows.end)
                .take_while(|&next| self.kept.row(next) == first + (next - row))
                .count();
            let (now, later) = rest.split_at_mut_checked(run * dim).unwrap_or_default();
            self.vectors.read(first, now)?;
            rest = later;
            row += run;
        }
        dtype.round(out).map_err(|at| Error::Unstorable {
            row: self.kept.row(rows.start + at / dim),
            column: at % dim,
            value: out.get(at).copied().unwrap_or_default(),
            dtype,
            limit: dtype.limit(),
        })
    }

    /// `stored_row` turns the error's row into one of the segment.
    fn vector_error(
        &self,
        error: proxime_quant::Error,
        stored_row: impl Fn(usize) -> usize,
    ) -> Error {
        use proxime_quant::Error as E;
        let row = |row| self.kept.row(stored_row(row));
        let input = Input::Row;
        match error {
            E::NotFinite {
                row: at,
                column,
                value,
            } => Error::NotFinite {
                input,
                row: row(at),
                column,
                value,
            },
            E::ZeroVector { row: at } => Error::ZeroVector {
                input,
                row: row(at),
            },
            E::Dimension { expected, got } => Error::Dimension {
                input,
                expected,
                got,
            },
            other => Error::Damaged {
                file: "codebook".into(),
                what: other.to_string(),
            },
        }
    }
}

/// What every vector must be: finite, and under cosine not zero. `row` numbers the rows for the message.
pub(crate) fn check_vectors(
    rows: Rows<'_, f32>,
    metric: Metric,
    input: Input,
    row: impl Fn(usize) -> usize,
) -> Result<()> {
    for (i, vector) in rows.iter().enumerate() {
        // Without a branch per component: finite rows, which are nearly all, go at the speed of memory.
        let finite = vector.iter().fold(true, |all, x| all & x.is_finite());
        if !finite {
            let bad = vector.iter().enumerate().find(|(_, x)| !x.is_finite());
            let (column, &value) = bad.unwrap_or((0, &f32::NAN));
            return Err(Error::NotFinite {
                input,
                row: row(i),
                column,
                value,
            });
        }
        if metric == Metric::Cosine && vector.iter().all(|&x| x == 0.0) {
            return Err(Error::ZeroVector { input, row: row(i) });
        }
    }
    Ok(())
}
