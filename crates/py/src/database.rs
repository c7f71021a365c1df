//! The class `Database` and the function `open`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use proxime::{CollectionConfig, Durability, Level, OpenOptions, Params, Preset, Verify};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{IntoPyDict, PyString, PyTuple};

use crate::collection::{self, Collection};
use crate::origin::Origin;
use crate::progress::Listener;
use crate::transaction::Transaction;
use crate::{args, call, error, text};

/// The path that stands for a database in memory.
const IN_MEMORY: &str = ":memory:";

/// Whether indexes were replaced, for who interrupts.
const REBUILT: [&str; 2] = ["the indexes were replaced already", "nothing was replaced"];

/// How far salvaging came, for who interrupts.
const SALVAGED: [&str; 2] = [
    "everything that can be read was written already",
    "what was written is not everything that can be read",
];

/// Whether there is a copy, for who interrupts.
const COPIED: [&str; 2] = ["the copy was complete already", "there is no copy"];

/// Open the database at `path`, a directory; it is created if nothing is there.
///
/// `":memory:"` is a database in memory, gone with its last handle. One handle at a time can write to a database; any
/// number, in any process, can read with `read_only=True`. `threads` defaults to the variable PROXIME_THREADS, else to every
/// core.
///
/// `durability` says when a write returns: `"always"`, when it is on the disk; `"batch"`, when the operating system has it, and it is
/// on the disk within about 50 ms; `"os"`, when the operating system has it. The end of the process loses nothing at any level; a loss
/// of power loses at most what came after the last sync, and never half a batch. Large batches are always on the disk.
///
/// `verify` says when stored bytes are compared with their checksums, which they always are before they are used: `"full"`, all of
/// them while opening; `"lazy"`, ids when a collection is first used, its graphs at the first search, vectors and metadata in blocks as they
/// are read. Opening lazily takes milliseconds whatever the size; damage is then an error of the call that meets it.
///
/// An address such as `"s3://bucket/notes"` is opened by `proxime.s3.open`, for reading.
///
/// >>> import proxime
/// >>> db = proxime.open(":memory:")
/// >>> db.create_collection("docs", dim=3)
/// Collection('docs', 0 × 3 f32, cosine)
#[pyfunction]
#[pyo3(signature = (path, threads=None, read_only=false, *, durability="always", verify="full"))]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
    read_only: bool,
    durability: &str,
    verify: &str,
) -> PyResult<Bound<'py, Database>> {
    if is_address(path) {
        if durability != "always" {
            let message =
                format!("durability = {durability:?}; a snapshot is only read: it has none");
            return Err(error::plain(py, "ParameterError", &message));
        }
        let options = [("verify", verify.into_pyobject(py)?.into_any())];
        let options = options
            .into_iter()
            .chain(threads.map(|n| ("threads", n.clone())));
        let options = options.into_py_dict(py)?;
        let opened = py
            .import("proxime.s3")?
            .getattr("open")?
            .call((path,), Some(&options))?;
        return Ok(opened.cast_into()?);
    }
    if let Err(error) = Level::from_env() {
        let message = format!("PROXIME_ISA: {error}");
        return Err(error::plain(py, "ParameterError", &message));
    }
    let options = OpenOptions {
        threads: args::optional_count("threads", threads)?,
        read_only,
        durability: level(py, durability)?,
        verify: verification(py, verify)?,
        ..OpenOptions::default()
    };
    let place = args::path("path", path)?;
    let in_memory = place == OsStr::new(IN_MEMORY);
    if in_memory && read_only {
        return Err(args::out_of_range(
            "path",
            path,
            "a directory if read_only is True",
        ));
    }
    let inner = call::detached(py, || match in_memory {
        true => proxime::Database::in_memory_with(&options),
        false => proxime::Database::open_with(&place, &options),
    })?;
    let origin = Origin::new((!in_memory).then_some(place), options.threads);
    Bound::new(py, Database { inner, origin })
}

/// Whether it leads to object storage.
fn is_address(path: &Bound<'_, PyAny>) -> bool {
    path.extract::<PyBackedStr>()
        .is_ok_and(|text| text.contains("://"))
}

fn level(py: Python<'_>, name: &str) -> PyResult<Durability> {
    match name {
        "always" => Ok(Durability::Always),
        "batch" => Ok(Durability::BATCH),
        "os" => Ok(Durability::Os),
        _ => {
            let message =
                format!("durability = {name:?}; it must be \"always\", \"batch\" or \"os\"");
            Err(error::plain(py, "ParameterError", &message))
        }
    }
}

fn verification(py: Python<'_>, name: &str) -> PyResult<Verify> {
    match name {
        "full" => Ok(Verify::Full),
        "lazy" => Ok(Verify::Lazy),
        _ => {
            let message = format!("verify = {name:?}; it must be \"full\" or \"lazy\"");
            Err(error::plain(py, "ParameterError", &message))
        }
    }
}

/// Copy the backup in directory `backup`, which is only read, to directory `dest`, which must be empty or new.
///
/// Every block is checked on the way; what was copied is removed if that fails. `progress`: as for `Collection.upsert`, in bytes.
#[pyfunction]
#[pyo3(signature = (backup, dest, *, progress=None))]
pub(crate) fn restore(
    py: Python<'_>,
    backup: &Bound<'_, PyAny>,
    dest: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let listener = Listener::from_py(progress)?;
    let (backup, dest) = (args::path("backup", backup)?, args::path("dest", dest)?);
    call::interruptible(py, listener, COPIED, |progress| {
        proxime::Database::restore(backup, dest, Some(progress))
    })
}

/// Write what can be read of the damaged database in directory `source`, which is not changed, to a new one in directory `dest`.
///
/// `progress`: as for `Collection.upsert`, for each batch anew.
///
/// Returns a dict: whether it is "complete", and for each of the "collections" the rows that are "lost", by id where the id
/// can be read.
#[pyfunction]
#[pyo3(signature = (source, dest, *, progress=None))]
pub(crate) fn salvage<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    dest: &Bound<'py, PyAny>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let listener = Listener::from_py(progress)?;
    let (source, dest) = (args::path("source", source)?, args::path("dest", dest)?);
    let report = call::interruptible(py, listener, SALVAGED, |progress| {
        proxime::Database::salvage(source, dest, Some(progress))
    })?;
    text::from_json(py, serde_json::to_string(&report))
}

/// An open database: collections by name. Made by `proxime.open`; can be used from several threads, and in a `with` block.
///
/// Pickled, as by `multiprocessing`, it and its collections are the path alone; unpickled, they have opened it again, with `read_only=True`
/// and `verify="lazy"`, and see what is stored by then. A forked child can go on reading through the handles that it has.
#[pyclass(frozen, module = "proxime")]
pub(crate) struct Database {
    inner: proxime::Database,
    origin: Origin,
}

#[pymethods]
impl Database {
    /// Create a collection of vectors with `dim` components, compared by `metric`: "cosine", "l2" or "dot".
    ///
    /// `dtype` is what components are stored as: "f32", "f16" (half the bytes; each is rounded to three digits) or "int8" (a quarter, for
    /// vectors that were quantized before: integers from -128 to 127, stored as they are; other numbers are refused).
    /// Vectors come in as any type and go out as float32 whatever is stored, and all searches compare with what is stored.
    ///
    /// `preset` is how much to spend on building graphs: "fast", "default" or "high". `m` (links per node),
    /// `ef_construction` and `ef_search` (how widely to look while inserting and searching) trade speed for recall, too; the
    /// defaults suit most data.
    ///
    /// `schema`: what metadata must be like, a dict of fields, each with its type ("bool", "int", "float", "text", "time", "bytes", "list" or
    /// "object"), or with a dict of "type" and "required". Every write is checked, and nothing converted; what does not fit is a
    /// `SchemaError`. Fields that it does not name may hold anything, and None is allowed where nothing is required.
    ///
    /// >>> import proxime
    /// >>> db = proxime.open(":memory:")
    /// >>> docs = db.create_collection("docs", dim=2, schema={"year": "int", "lang": {"type": "text", "required": True}})
    /// >>> docs.upsert(["a"], [[1, 0]], {"lang": ["en"], "year": ["2020"]})
    /// Traceback (most recent call last):
    /// proxime.SchemaError: row 0, metadata.year: is of type text; this collection's schema says int
    #[pyo3(
        signature = (name, dim, metric=None, *, dtype=None, schema=None, preset=None, m=None, ef_construction=None, ef_search=None),
        text_signature = "($self, name, dim, metric='cosine', *, dtype='f32', schema=None, preset='default', m=None, ef_construction=None, ef_search=None)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one of Python's keywords"
    )]
    fn create_collection(
        &self,
        name: &Bound<'_, PyAny>,
        dim: &Bound<'_, PyAny>,
        metric: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        schema: Option<&Bound<'_, PyAny>>,
        preset: Option<&Bound<'_, PyAny>>,
        m: Option<&Bound<'_, PyAny>>,
        ef_construction: Option<&Bound<'_, PyAny>>,
        ef_search: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Collection> {
        let py = name.py();
        let name = args::text("name", name)?;
        let mut config = CollectionConfig::new(args::count("dim", dim)?);
        if let Some(metric) = metric {
            config.metric = args::metric(metric)?;
        }
        if let Some(dtype) = dtype {
            config.dtype = args::dtype(dtype)?;
        }
        if let Some(schema) = schema {
            config.schema = args::schema(schema)?;
        }
        let preset = preset.map(args::preset).transpose()?.unwrap_or_default();
        let m = args::optional_count("m", m)?;
        let ef_construction = args::optional_count("ef_construction", ef_construction)?;
        let ef_search = args::optional_count("ef_search", ef_search)?;
        let inner = call::detached(py, || {
            config.params = params(preset, m, ef_construction, ef_search)?;
            self.inner.create_collection(&name, config)
        })?;
        Ok(Collection::new(inner, self.origin.clone()))
    }

    /// The collection of that name, or that it is an alias of.
    fn collection(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Collection> {
        let name = args::text("name", name)?;
        let inner = call::detached(py, || self.inner.collection(&name))?;
        Ok(Collection::new(inner, self.origin.clone()))
    }

    /// Give a collection another name, durably. Handles to it stay good.
    fn rename_collection(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        new_name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (name, new_name) = (args::text("name", name)?, args::text("new_name", new_name)?);
        call::detached(py, || self.inner.rename_collection(&name, &new_name))
    }

    /// Remove a collection and its files, durably. Handles to it raise `NotFoundError` from then on; what they have found stays good.
    fn drop_collection(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = args::text("name", name)?;
        call::detached(py, || self.inner.drop_collection(&name))
    }

    /// The names of all collections, in order of creation.
    fn collections(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        call::detached(py, || self.inner.collections())
    }

    /// Let `alias` stand for a collection, durably: `collection(alias)` gives it from then on. If it stood for another one it moves, from
    /// one moment to the next: so a collection that was built anew takes the place of an older one. Collections that were asked for by
    /// it before stay what they are.
    ///
    /// >>> import proxime
    /// >>> db = proxime.open(":memory:")
    /// >>> for name in ["docs-1", "docs-2"]:
    /// ...     _ = db.create_collection(name, dim=2)
    /// ...     db.set_alias("docs", name)
    /// >>> db.collection("docs").name
    /// 'docs-2'
    /// >>> db.aliases()
    /// {'docs': 'docs-2'}
    fn set_alias(
        &self,
        py: Python<'_>,
        alias: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (alias, name) = (args::text("alias", alias)?, args::text("name", name)?);
        call::detached(py, || self.inner.set_alias(&alias, &name))
    }

    /// Take an alias away, durably. The collection that it stood for stays.
    fn drop_alias(&self, py: Python<'_>, alias: &Bound<'_, PyAny>) -> PyResult<()> {
        let alias = args::text("alias", alias)?;
        call::detached(py, || self.inner.drop_alias(&alias))
    }

    /// The aliases, each with the name of the collection that it stands for.
    fn aliases(&self, py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
        let aliases = call::detached(py, || self.inner.aliases())?;
        Ok(aliases.into_iter().collect())
    }

    /// Begin writes that take place together, to any of the collections: at the end of the `with` block, or, if an exception leaves it,
    /// not at all.
    ///
    /// >>> import numpy as np, proxime
    /// >>> db = proxime.open(":memory:")
    /// >>> new, old = db.create_collection("new", dim=2), db.create_collection("old", dim=2)
    /// >>> old.upsert(["a"], [[1, 0]])
    /// >>> with db.transaction() as moving:
    /// ...     moving.add(new, ["a"], [old.get("a")["vector"]])
    /// ...     moving.delete(old, ["a"])
    /// >>> len(new), len(old)
    /// (1, 0)
    fn transaction(&self) -> Transaction {
        Transaction::new(self.inner.transaction())
    }

    /// Read everything again and check it; a dict whose "ok" says whether all is well, and what is not.
    ///
    /// With `deep`, codes are computed again from the vectors, and some of the vectors searched for, by graph and exactly: each
    /// collection's "deep" has the recall.
    #[pyo3(signature = (deep=false))]
    fn verify<'py>(&self, py: Python<'py>, deep: bool) -> PyResult<Bound<'py, PyAny>> {
        let report = call::detached(py, || match deep {
            true => self.inner.verify_deep(),
            false => self.inner.verify(),
        })?;
        text::from_json(py, serde_json::to_string(&report))
    }

    /// Write segments whose index is damaged anew, from their vectors; a dict whose "rebuilt" lists them. The rest stays as it is.
    /// `progress`: as for `Collection.upsert`, for each segment anew.
    #[pyo3(signature = (*, progress=None))]
    fn rebuild_index<'py>(
        &self,
        py: Python<'py>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let listener = Listener::from_py(progress)?;
        let report = call::interruptible(py, listener, REBUILT, |progress| {
            self.inner.rebuild_index(Some(progress))
        })?;
        text::from_json(py, serde_json::to_string(&report))
    }

    /// Copy the database, as it is now, to directory `dest`, which must be empty or new. The copy is opened like any database.
    ///
    /// Others can write meanwhile; what they write is not in the copy. Every block is checked on the way. `progress`: as for
    /// `Collection.upsert`, in bytes.
    #[pyo3(signature = (dest, *, progress=None))]
    fn backup(
        &self,
        py: Python<'_>,
        dest: &Bound<'_, PyAny>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let listener = Listener::from_py(progress)?;
        let dest = args::path("dest", dest)?;
        call::interruptible(py, listener, COPIED, |progress| {
            self.inner.backup(dest, Some(progress))
        })
    }

    /// Return when everything that was stored or deleted is on the disk; with `durability="always"` it is already.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        call::detached(py, || self.inner.flush())
    }

    /// Do at once what is otherwise done in the background when there is time: small batches become segments, and segments of which
    /// there are many, or of which much is replaced or deleted, are merged.
    fn maintain(&self, py: Python<'_>) -> PyResult<()> {
        call::detached(py, || self.inner.maintain())
    }

    /// Close the database and let others write to it. Later calls raise `ClosedError`; closing twice is fine.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        call::detached(py, || self.inner.close())
    }

    /// The directory, a `pathlib.Path`; None in memory.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.inner.path().map(Into::into)
    }

    /// Whether it was opened for reading only.
    #[getter]
    fn read_only(&self) -> bool {
        self.inner.read_only()
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        self.origin.reduce(py, None)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _type: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let place = match self.inner.path() {
            Some(path) => path.display().to_string(),
            None => IN_MEMORY.to_owned(),
        };
        let place = PyString::new(py, &place).repr()?;
        Ok(match self.inner.collections() {
            Ok(names) if names.len() == 1 => format!("Database({place}, 1 collection)"),
            Ok(names) => format!("Database({place}, {} collections)", names.len()),
            Err(_) => format!("Database({place}, closed)"),
        })
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let line = text::html_line(&self.__repr__(py)?);
        let names = self.inner.collections().unwrap_or_default();
        if names.is_empty() {
            return Ok(line);
        }
        // One that was dropped since then is left out.
        let described = |name| {
            self.inner
                .collection(name)
                .and_then(|c| Collection::row(&c))
        };
        let shown = names.iter().take(text::SHOWN);
        let rows: Vec<_> = shown.filter_map(|name| described(name).ok()).collect();
        Ok(line + &text::html_table(collection::ROW, &rows, names.len()))
    }
}

/// The default parameters, but for those given.
fn params(
    preset: Preset,
    m: Option<usize>,
    ef_construction: Option<usize>,
    ef_search: Option<usize>,
) -> proxime::Result<Params> {
    let mut params = Params::default().with_preset(preset);
    if let Some(m) = m {
        params = params.with_m(m)?;
    }
    if let Some(ef_construction) = ef_construction {
        params = params.with_ef_construction(ef_construction)?;
    }
    if let Some(ef_search) = ef_search {
        params = params.with_ef_search(ef_search)?;
    }
    Ok(params)
}
