//! `export`: records to files, in the order of their ids, a page at a time.
//!
//! A table is written in a second pass over the records, after a first one that finds its columns. A file is written beside its place and moved there when it is whole: whoever sees it sees all of it.

mod table;

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proxime::{Collection, Key, Record};
use serde::Serialize;
use tempfile::NamedTempFile;

use self::table::{Layout, TableWriter};
use crate::args::Export;
use crate::cmd::{open_read_only, tell_unknown};
use crate::error::{Error, Exit};
use crate::format::Format;
use crate::print::{self, Clean};
use crate::typed;

/// Components of the records of a page: 64 MiB. Each page costs a look at every id, so it is large.
const PAGE_COMPONENTS: usize = 1 << 24;

#[derive(Serialize)]
struct Report<'a> {
    collection: &'a str,
    rows: usize,
    seconds: f64,
    rows_per_s: f64,
}

pub(crate) fn run(args: &Export, out: &mut impl Write) -> Result<Exit, Error> {
    let started = Instant::now();
    let to_stdout = args.file == Path::new("-");
    let suffix = args.file.extension().and_then(|suffix| suffix.to_str());
    let format = match suffix.and_then(Format::by_suffix) {
        _ if to_stdout => Format::Jsonl,
        Some(format @ (Format::Jsonl | Format::Npy | Format::Parquet | Format::Arrow)) => format,
        _ => {
            let file = args.file.clone();
            return Err(Error::ExportFormat { file });
        }
    };
    if format != Format::Npy && (args.ids.is_some() || args.metadata.is_some()) {
        let wrong = "--ids and --metadata go with .npy; other files have them in it";
        return Err(Error::Usage(wrong.to_owned()));
    }
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    tell_unknown(&collection, &args.filter)?;
    let rows = match format {
        Format::Npy => arrays(args, &collection)?,
        Format::Parquet | Format::Arrow => table(args, format, &collection)?,
        _ if to_stdout => each_page(args, &collection, |records| {
            Ok(write_lines(out, records, typed::record_to_json)?)
        })?,
        _ => {
            let mut file = Pending::create(&args.file)?;
            let rows = each_page(args, &collection, |records| {
                file.write(|out| write_lines(out, records, typed::record_to_json))
            })?;
            file.finish()?;
            rows
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let report = Report {
        collection: &args.collection,
        rows,
        seconds,
        rows_per_s: rows as f64 / seconds,
    };
    match to_stdout {
        true => {
            out.flush()?;
            write_report(&report, args.json, &mut io::stderr().lock())?;
        }
        false => write_report(&report, args.json, out)?,
    }
    Ok(Exit::Ok)
}

fn write_report(report: &Report<'_>, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        return print::json(out, report);
    }
    let rows = print::count(report.rows, "record");
    let (name, seconds) = (Clean(report.collection), report.seconds);
    writeln!(out, "{rows} of {name} in {seconds:.2} s")
}

/// Parquet or Arrow. Returns the number of rows.
fn table(args: &Export, format: Format, collection: &Collection) -> Result<usize, Error> {
    let failed = |reason| Error::Table {
        file: args.file.clone(),
        reason,
    };
    let mut layout = Layout::default();
    each_page(args, collection, |records| {
        layout.look(records).map_err(failed)
    })?;
    let mut file = Pending::create(&args.file)?;
    let dim = collection.config().dim;
    let mut table = TableWriter::new(&mut file.file, format, layout, dim).map_err(failed)?;
    let rows = each_page(args, collection, |records| {
        table.write(records).map_err(failed)
    })?;
    table.finish().map_err(failed)?;
    file.finish()?;
    Ok(rows)
}

/// Vectors, ids and metadata in files of their own. Returns the number of rows.
fn arrays(args: &Export, collection: &Collection) -> Result<usize, Error> {
    let rows = match &args.filter {
        None => collection.len()?,
        Some(filter) => collection.count(filter)?,
    };
    let mut vectors = Pending::create(&args.file)?;
    let mut ids = args.ids.as_deref().map(Pending::create).transpose()?;
    let mut metadata = args.metadata.as_deref().map(Pending::create).transpose()?;
    vectors.write(|out| out.write_all(&npy_header(rows, collection.config().dim)))?;
    let written = each_page(args, collection, |records| {
        vectors.write(|out| {
            let mut components = records.iter().flat_map(|record| &record.vector);
            components.try_for_each(|x| out.write_all(&x.to_le_bytes()))
        })?;
        if let Some(file) = &mut ids {
            let lines: Result<String, Error> = records.iter().map(|r| line(&r.id)).collect();
            let lines = lines?;
            file.write(|out| out.write_all(lines.as_bytes()))?;
        }
        if let Some(file) = &mut metadata {
            let json = |record: &Record| typed::metadata_to_json(&record.metadata);
            file.write(|out| write_lines(out, records, json))?;
        }
        Ok(())
    })?;
    vectors.finish()?;
    ids.map(Pending::finish).transpose()?;
    metadata.map(Pending::finish).transpose()?;
    Ok(written)
}

/// An id on a line of its own, as import reads it.
fn line(id: &Key) -> Result<String, Error> {
    match id {
        Key::Text(text) if text.is_empty() || text.contains(['\n', '\r']) => {
            Err(Error::IdLine { id: id.clone() })
        }
        Key::Text(text) => Ok(format!("{text}\n")),
        id => Ok(format!("{id}\n")),
    }
}

/// Version 1.0, float32, in C order.
fn npy_header(rows: usize, dim: usize) -> Vec<u8> {
    let mut text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    // Elements begin at a multiple of 64 bytes; 10 come before the text, and a line's end behind it.
    let padding = (text.len() + 11).next_multiple_of(64) - text.len() - 11;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
}

fn each_page(
    args: &Export,
    collection: &Collection,
    mut write: impl FnMut(&[Record]) -> Result<(), Error>,
) -> Result<usize, Error> {
    let page = (PAGE_COMPONENTS / collection.config().dim).max(1);
    let (mut after, mut rows) = (None, 0);
    loop {
        let records = collection.scroll(after.as_ref(), page, args.filter.as_ref())?;
        write(&records)?;
        rows += records.len();
        match records.last() {
            Some(last) if records.len() == page => after = Some(last.id.clone()),
            _ => return Ok(rows),
        }
    }
}

fn write_lines<'a, T: Serialize + 'a>(
    out: &mut impl Write,
    records: &'a [Record],
    json: impl Fn(&'a Record) -> T,
) -> io::Result<()> {
    let mut records = records.iter();
    records.try_for_each(|record| print::json(out, &json(record)))
}

/// A file on its way.
struct Pending {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Pending {
    fn create(path: &Path) -> Result<Pending, Error> {
        let dir = path.parent().filter(|dir| *dir != Path::new(""));
        let file = tempfile::Builder::new()
            // As of any file that a program makes; the umask takes away.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(dir.unwrap_or(Path::new(".")));
        let file = file.map_err(|e| Error::open(path, e))?;
        Ok(Pending {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
        })
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let written = write(&mut self.file);
        written.map_err(|e| self.failed(e))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.write(Write::flush)?;
        let Pending { path, file } = self;
        let failed = |source| Error::Write {
            file: path.clone(),
            source,
        };
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Write {
            file: self.path.clone(),
            source,
        }
    }
}
