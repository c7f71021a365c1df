//! `import`: records of a file into a collection.
//!
//! An array is one batch (`whole.rs`); other files, and arrays of which more is asked, are read record by record and stored in batches
//! (`stream.rs`).

mod stream;
mod whole;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use proxime::{CollectionConfig, Database, OpenOptions};
use serde::Serialize;

use crate::args::Import;
use crate::array::Array;
use crate::error::{Error, Exit};
use crate::format::Format;
use crate::print::{self, Clean};
use crate::rows::array::ArrayRows;
use crate::rows::csv::Csv;
use crate::rows::jsonl::Jsonl;
use crate::rows::table::{self, Batches, Table};
use crate::rows::{Columns, Source};

/// What became of the rows of a file.
#[derive(Default)]
struct Counts {
    rows: usize,
    stored: usize,
    rejected: usize,
    passed_over: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    /// Rows read from the file.
    rows: usize,
    /// Records in the collection now.
    records: usize,
    /// Rows that could not be stored, and are in the reject file.
    rejected: usize,
    /// Rows that an import before this one had stored.
    passed_over: usize,
    seconds: f64,
    rows_per_s: f64,
}

pub(crate) fn run(args: &Import, out: &mut impl Write) -> Result<Exit, Error> {
    let started = Instant::now();
    let format = format(args)?;
    check_options(args, format)?;
    let (db, counts) = match format.has_columns() {
        true => stream_columns(args, format)?,
        false => import_array(args, format)?,
    };
    let records = match db.collection(&args.collection) {
        Ok(collection) => collection.len()?,
        // Nothing could be stored, so nothing was made.
        Err(proxime::Error::CollectionNotFound { .. }) => 0,
        Err(e) => return Err(e.into()),
    };
    db.close()?;
    let seconds = started.elapsed().as_secs_f64();
    let report = Report {
        collection: &args.collection,
        rows: counts.rows,
        records,
        rejected: counts.rejected,
        passed_over: counts.passed_over,
        seconds,
        rows_per_s: counts.rows as f64 / seconds,
    };
    write_report(&report, args.json, out)?;
    Ok(Exit::Ok)
}

/// What was asked for, or what the name says. stdin has none.
fn format(args: &Import) -> Result<Format, Error> {
    let suffix = args.file.extension().and_then(|suffix| suffix.to_str());
    let named = suffix.and_then(Format::by_suffix);
    match args.format.or(named) {
        Some(format) => Ok(format),
        None if is_stdin(args) => Err(Error::Usage("stdin has no name: say --format".to_owned())),
        None => {
            // What is not there, or no file, is another mistake.
            regular(&args.file)?;
            Err(Error::UnknownFormat {
                file: args.file.clone(),
            })
        }
    }
}

/// Options that would be ignored.
fn check_options(args: &Import, format: Format) -> Result<(), Error> {
    format.check_member(args.array.as_deref())?;
    let is_array = !format.has_columns();
    let beside = args.ids.is_some() || args.metadata.is_some();
    let columns = args.id_column.is_some() || args.vector_columns.is_some();
    let wrong = match () {
        () if !is_array && beside => "--ids and --metadata go with arrays; here they are columns",
        () if is_array && columns => "an array has no columns; --ids names a file of ids",
        () if format != Format::Csv && !args.text_columns.is_empty() => {
            "--text-columns is for CSV; in other formats a text is one already"
        }
        () if is_stdin(args)
            && (is_array || format == Format::Parquet)
            && format != Format::Npy =>
        {
            "only npy, jsonl, csv and arrow can come from stdin"
        }
        () => return Ok(()),
    };
    Err(Error::Usage(wrong.to_owned()))
}

fn is_stdin(args: &Import) -> bool {
    args.file == Path::new("-")
}

fn import_array(args: &Import, format: Format) -> Result<(Database, Counts), Error> {
    let array = match is_stdin(args) {
        true => Array::from_stdin()?,
        false => Array::open_as(&args.file, format, args.array.as_deref())?,
    };
    if args.rejects.is_none() && args.batch_rows.is_none() && !args.resume {
        let (db, rows) = whole::import(args, &array)?;
        let counts = Counts {
            rows,
            stored: rows,
            ..Counts::default()
        };
        return Ok((db, counts));
    }
    let (ids, metadata) = whole::beside(args, &array)?;
    let name = array.name().to_owned();
    let source = ArrayRows {
        array,
        ids,
        metadata,
        row: 0,
    };
    let bar = ProgressBar::new_spinner();
    stream(args, Path::new(&name), Box::new(source), bar)
}

fn stream_columns(args: &Import, format: Format) -> Result<(Database, Counts), Error> {
    let columns = Columns {
        id: args.id_column.clone(),
        vector: args.vector_columns.clone().unwrap_or("vector".to_owned()),
        id_type: args.id_type,
        text: args.text_columns.clone(),
    };
    let (name, source, bar) = match is_stdin(args) {
        true => {
            let bar = ProgressBar::new_spinner();
            let reader = bar.wrap_read(io::stdin());
            let source = source(reader, format, columns, table::arrow_stream);
            (Path::new("stdin"), source, bar)
        }
        false => {
            let (file, bytes) = regular(&args.file)?;
            let bar = ProgressBar::new(bytes).with_style(style());
            let source = match format {
                // Read from the end on, and here and there.
                Format::Parquet => boxed(table::parquet(file), &columns),
                _ => source(bar.wrap_read(file), format, columns, table::arrow),
            };
            (args.file.as_path(), source, bar)
        }
    };
    let source = source.map_err(|reason| Error::Header {
        file: name.to_owned(),
        reason,
    })?;
    stream(args, name, source, bar)
}

/// The records of what is read from front to back; `arrow` opens that format.
fn source<R: Read + 'static>(
    reader: R,
    format: Format,
    columns: Columns,
    arrow: impl FnOnce(BufReader<R>) -> Result<Batches, String>,
) -> Result<Box<dyn Source>, String> {
    let reader = BufReader::with_capacity(1 << 16, reader);
    match format {
        Format::Csv => Ok(Box::new(Csv::new(reader, columns)?)),
        Format::Arrow => boxed(arrow(reader), &columns),
        _ => Ok(Box::new(Jsonl::new(reader, columns))),
    }
}

fn boxed(batches: Result<Batches, String>, columns: &Columns) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(Table::new(batches?, columns)?))
}

fn style() -> ProgressStyle {
    let template = "[{bar:32}] {bytes}/{total_bytes}  {msg}  {bytes_per_sec}  {eta} left";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn stream(
    args: &Import,
    name: &Path,
    source: Box<dyn Source>,
    bar: ProgressBar,
) -> Result<(Database, Counts), Error> {
    let db = open(args)?;
    let counts = stream::import(args, &db, name, source, &bar);
    bar.finish_and_clear();
    Ok((db, counts?))
}

/// The file and its length.
fn regular(file: &Path) -> Result<(File, u64), Error> {
    let metadata = std::fs::metadata(file).map_err(|e| Error::open(file, e))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            file: file.to_owned(),
        });
    }
    let opened = File::open(file).map_err(|e| Error::open(file, e))?;
    Ok((opened, metadata.len()))
}

fn open(args: &Import) -> Result<Database, Error> {
    let options = OpenOptions {
        threads: args.threads.map(NonZeroUsize::get),
        ..OpenOptions::default()
    };
    Ok(Database::open_with(&args.db, &options)?)
}

fn new_config(args: &Import, dim: usize) -> CollectionConfig {
    let mut config = CollectionConfig::new(dim);
    if let Some(metric) = args.metric {
        config.metric = metric;
    }
    if let Some(dtype) = args.dtype {
        config.dtype = dtype;
    }
    if let Some(preset) = args.preset {
        config.params = config.params.with_preset(preset);
    }
    config
}

/// Whether a collection is what was asked for, where something was.
fn check_config(args: &Import, config: &CollectionConfig) -> Result<(), Error> {
    let collection = args.collection.clone();
    let stored = config.params.preset();
    match (args.metric, args.dtype, args.preset) {
        (Some(asked), ..) if asked != config.metric => Err(Error::Metric {
            collection,
            stored: config.metric,
            asked,
        }),
        (_, Some(asked), _) if asked != config.dtype => Err(Error::Dtype {
            collection,
            stored: config.dtype,
            asked,
        }),
        (.., Some(asked)) if asked != stored => Err(Error::Preset {
            collection,
            stored,
            asked,
        }),
        _ => Ok(()),
    }
}

fn write_report(report: &Report<'_>, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        return print::json(out, report);
    }
    let stored = report.rows - report.passed_over - report.rejected;
    write!(
        out,
        "{} into {} in {:.2} s; it holds {}",
        print::count(stored, "row"),
        Clean(report.collection),
        report.seconds,
        print::count(report.records, "record"),
    )?;
    if report.passed_over > 0 {
        let rows = print::count(report.passed_over, "row");
        write!(out, "; {rows} stored already")?;
    }
    if report.rejected > 0 {
        let rows = print::count(report.rejected, "row");
        write!(out, "; {rows} rejected")?;
    }
    writeln!(out)
}
