//! Vectors in: whatever NumPy can hold, read in place.
//!
//! A C-contiguous native float32 batch is borrowed as it is. Any other layout or number is converted while rows are read,
//! chunk by chunk and without the interpreter lock: there is never a second copy of the batch. The same goes for whatever lends
//! its memory: by the buffer protocol, `__array_interface__`, DLPack, or as Arrow columns (`arrow/vectors.rs`). Copied whole are only
//! lists (`lists.rs`), what has nothing but `__array__`, arrays whose numbers are not aligned in memory (fields of packed records), and queries, which are few and
//! which nobody may change during the search.

use half::f16;
use numpy::ndarray::Array2;
use numpy::{
    Element, PyArray2, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArray2,
    PyUntypedArray, PyUntypedArrayMethods,
};
use proxime::{Input, Rows, VectorSource};
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

use crate::convert::{Component, Converted};
use crate::lists::{self, Flat};
use crate::{arrow, error};

/// From 64 MB on, the system is asked for memory first.
const COMPONENTS_ASK: usize = 1 << 24;

/// The vectors of a batch, readable for as long as this lives.
pub(crate) trait Vectors {
    /// What any thread may read them through.
    fn source(&self) -> Box<dyn VectorSource + '_>;
}

/// The vectors of a batch, and whether they are used as they lie in the caller's memory.
pub(crate) struct Given<'py> {
    vectors: Box<dyn Vectors + 'py>,
    /// Why not.
    pub(crate) why_copied: Option<String>,
}

impl Given<'_> {
    pub(crate) fn source(&self) -> Box<dyn VectorSource + '_> {
        self.vectors.source()
    }
}

/// The vectors of a batch for a collection of `dim` components.
pub(crate) fn batch<'py>(vectors: &Bound<'py, PyAny>, dim: usize) -> PyResult<Given<'py>> {
    let py = vectors.py();
    let (why_copied, vectors) = match Form::of(vectors, Input::Row, dim)? {
        Form::List(Flat::One(row)) => return Err(one_dimensional(py, row.len())),
        Form::List(Flat::Rows(data)) => (
            (!data.is_empty()).then(|| "they are in a list".to_owned()),
            Owned::vectors(py, data, dim)?,
        ),
        Form::Columns(columns) => (columns.why_copied(), Box::new(columns) as Box<_>),
        Form::Array { array, lent } => {
            let rows = match *array.shape() {
                [] => return Err(error::wrong_type("vectors", "an array of rows", vectors)),
                [0] => Owned::vectors(py, Vec::new(), dim)?,
                [components] => return Err(one_dimensional(py, components)),
                _ => matrix(&array, Input::Row, dim, 0)?,
            };
            (why_copied(&array, lent), rows)
        }
    };
    Ok(Given {
        vectors,
        why_copied,
    })
}

/// Queries of a search.
pub(crate) struct Queries {
    /// All components, query after query.
    pub(crate) data: Vec<f32>,
    /// They came as one vector, not as an array of rows.
    pub(crate) single: bool,
}

impl Queries {
    /// As rows of `dim` components.
    pub(crate) fn rows(&self, py: Python<'_>, dim: usize) -> PyResult<Rows<'_, f32>> {
        Rows::new(&self.data, dim).map_err(|error| error::from_db(py, &error.into()))
    }
}

/// The queries to a collection of `dim` components.
pub(crate) fn queries(queries: &Bound<'_, PyAny>, dim: usize) -> PyResult<Queries> {
    let (data, single) = match Form::of(queries, Input::Query, dim)? {
        Form::List(Flat::Rows(data)) => (data, false),
        Form::List(Flat::One(data)) => {
            error::check_dim(queries.py(), Input::Query, dim, data.len())?;
            (data, true)
        }
        Form::Columns(columns) => (columns.to_vec(queries.py())?, false),
        Form::Array { array, .. } => {
            if array.ndim() == 0 {
                let needed = "a vector or an array of rows";
                return Err(error::wrong_type("queries", needed, queries));
            }
            let mut data = Vec::new();
            append(&array, Input::Query, dim, 0, &mut data)?;
            (data, array.ndim() == 1 && !array.is_empty())
        }
    };
    Ok(Queries { data, single })
}

/// Appends the components of an array of rows, or of one row, to `out`; `row` is the number of the first, for messages.
pub(crate) fn append(
    array: &Bound<'_, PyUntypedArray>,
    input: Input,
    dim: usize,
    row: usize,
    out: &mut Vec<f32>,
) -> PyResult<()> {
    let py = array.py();
    let shape = array.shape();
    // The common case first, and without a detour: this is on the path of every single query.
    if shape.len() <= 2
        && shape.last() == Some(&dim)
        && array.is_c_contiguous()
        && array.is_aligned()
        && let Ok(plain) = array.cast::<PyArrayDyn<f32>>()
        && let Ok(plain) = plain.try_readonly()
        && let Ok(plain) = plain.as_slice()
    {
        out.extend_from_slice(plain);
        return Ok(());
    }
    if *shape == [0] {
        return Ok(());
    }
    let rows = match shape.len() {
        1 => array.call_method1("reshape", (1, -1))?.cast_into()?,
        _ => array.clone(),
    };
    let vectors = matrix(&rows, input, dim, row)?;
    let source = vectors.source();
    let start = out.len();
    // An array that repeats one row has as many as it likes.
    let components = source.rows().saturating_mul(dim);
    if !fits(py, components) || out.try_reserve_exact(components).is_err() {
        let message = format!(
            "{input}: {} rows of {dim} do not fit into memory",
            source.rows()
        );
        return Err(error::plain(py, "ParameterError", &message));
    }
    out.resize(start + components, 0.0);
    let read = source.read(0, out.get_mut(start..).unwrap_or_default());
    read.map_err(|error| error::from_db(py, &error))
}

/// Whether the system has memory for so many components. It is asked through NumPy: our own allocator reserves any number of bytes,
/// and the process is killed when it fills them.
fn fits(py: Python<'_>, components: usize) -> bool {
    components < COMPONENTS_ASK
        || (py.import("numpy"))
            .and_then(|numpy| numpy.call_method1("empty", (components, f32::get_dtype(py))))
            .is_ok()
}

/// What vectors come in.
enum Form<'py> {
    List(Flat),
    Columns(arrow::Columns),
    Array {
        array: Bound<'py, PyUntypedArray>,
        /// It is the caller's memory, by a protocol that lends it.
        lent: bool,
    },
}

impl<'py> Form<'py> {
    fn of(object: &Bound<'py, PyAny>, input: Input, dim: usize) -> PyResult<Self> {
        if let Ok(array) = object.cast::<PyUntypedArray>() {
            refuse_masked(array)?;
            let array = array.clone();
            return Ok(Form::Array { array, lent: true });
        }
        if let Some(list) = lists::flatten(object, input, dim)? {
            return Ok(Form::List(list));
        }
        if let Some(columns) = arrow::from_py(object, input, dim)? {
            return Ok(Form::Columns(columns));
        }
        let (array, lent) = borrow(object)?;
        Ok(Form::Array { array, lent })
    }
}

/// The object as an array.
pub(crate) fn to_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        refuse_masked(array)?;
        return Ok(array.clone());
    }
    Ok(borrow(object)?.0)
}

/// What is no array, as one, and whether that is the same memory: it is, unless `__array__` is all there is.
fn borrow<'py>(object: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyUntypedArray>, bool)> {
    let numpy = object.py().import("numpy")?;
    let lends = object.hasattr("__array_interface__")?
        || object.hasattr("__array_struct__")?
        || PyMemoryView::from(object).is_ok();
    if !lends && object.hasattr("__dlpack__")? {
        // What lies on another device, say, is refused here, and may yet have an `__array__` or a clearer message there.
        if let Ok(array) = numpy.call_method1("from_dlpack", (object,)) {
            return Ok((array.cast_into()?, true));
        }
    }
    let array = numpy.call_method1("asarray", (object,));
    let array = array.map_err(|cause| error::unreadable(object, cause))?;
    Ok((array.cast_into()?, lends))
}

/// Why an array cannot be used as it lies in memory.
fn why_copied(array: &Bound<'_, PyUntypedArray>, lent: bool) -> Option<String> {
    let dtype = array.dtype();
    if array.is_empty() {
        None
    } else if !lent {
        Some("only `__array__` gives them, and may copy".to_owned())
    } else if !dtype.is_equiv_to(&f32::get_dtype(array.py())) {
        Some(format!("their dtype is {dtype}"))
    } else if !array.is_aligned() {
        Some("they are not aligned in memory".to_owned())
    } else if !array.is_c_contiguous() {
        Some("they do not lie one after another in memory".to_owned())
    } else {
        None
    }
}

/// Masked arrays are arrays, and would hand out what is masked as if it were there.
fn refuse_masked(array: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
    if !array.is_exact_instance_of::<PyUntypedArray>()
        && let Some(mask) = array.getattr_opt("mask")?
        && mask.call_method0("any")?.is_truthy()?
    {
        let message = "vectors with masked components cannot be used; `.filled(value)` fills them";
        return Err(error::plain(array.py(), "ParameterError", message));
    }
    Ok(())
}

/// An array of rows, borrowed, of which the first is row `row`.
fn matrix<'py>(
    array: &Bound<'py, PyUntypedArray>,
    input: Input,
    dim: usize,
    row: usize,
) -> PyResult<Box<dyn Vectors + 'py>> {
    let py = array.py();
    let &[_, got] = array.shape() else {
        let message = format!(
            "an array of rows has 2 dimensions, not {}: its shape is {}",
            array.ndim(),
            array.getattr("shape")?
        );
        return Err(error::plain(py, "DimensionError", &message));
    };
    error::check_dim(py, input, dim, got)?;
    if array.is_empty() {
        return Owned::vectors(py, Vec::new(), dim);
    }
    let mut array = array.clone();
    if !array.is_aligned() {
        array = array.call_method0("copy")?.cast_into()?;
    }
    let dtype = array.dtype();
    let swapped = dtype.is_native_byteorder() == Some(false);
    if swapped {
        // The same bytes under a native type: what is read has its bytes the wrong way round.
        let native = dtype.call_method1("newbyteorder", ("=",))?;
        array = array.call_method1("view", (native,))?.cast_into()?;
    }
    typed(&array, swapped, row)?.ok_or_else(|| dtype_error(&array))
}

/// The array, borrowed under its type; nothing if that is no type for vectors.
fn typed<'py>(
    array: &Bound<'py, PyUntypedArray>,
    swapped: bool,
    row: usize,
) -> PyResult<Option<Box<dyn Vectors + 'py>>> {
    macro_rules! first_of {
        ($($component:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArray2<$component>>() {
                let array = array.try_readonly().map_err(|_| in_use(array.py()))?;
                return Ok(Some(Box::new(Borrowed { array, swapped, row })));
            })*
        };
    }
    first_of!(f32, f64, f16, i8, i16, i32, i64, u8, u16, u32, u64);
    Ok(None)
}

struct Owned(Array2<f32>);

impl Owned {
    /// `data` is a whole number of rows of `dim` components.
    fn vectors<'py>(
        py: Python<'py>,
        data: Vec<f32>,
        dim: usize,
    ) -> PyResult<Box<dyn Vectors + 'py>> {
        match Array2::from_shape_vec((data.len() / dim.max(1), dim), data) {
            Ok(rows) => Ok(Box::new(Owned(rows))),
            Err(error) => Err(error::plain(py, "InternalError", &error.to_string())),
        }
    }
}

impl Vectors for Owned {
    fn source(&self) -> Box<dyn VectorSource + '_> {
        Box::new(Converted::new(self.0.view(), false))
    }
}

struct Borrowed<'py, T: Component> {
    array: PyReadonlyArray2<'py, T>,
    swapped: bool,
    row: usize,
}

impl<T: Component> Vectors for Borrowed<'_, T> {
    fn source(&self) -> Box<dyn VectorSource + '_> {
        Box::new(Converted::new(self.array.as_array(), self.swapped).at_row(self.row))
    }
}

fn one_dimensional(py: Python<'_>, components: usize) -> PyErr {
    let message = format!(
        "vectors has 1 dimension ({components} components), but an array of rows is needed; \
         a single vector is written `vectors[None, :]`"
    );
    error::plain(py, "DimensionError", &message)
}

fn dtype_error(array: &Bound<'_, PyUntypedArray>) -> PyErr {
    let dtype = array.dtype();
    let hint = match dtype.kind() {
        b'O' => "rows of different lengths, or something that is not a number, make such arrays",
        b'c' => "complex numbers have no order of nearness here",
        _ => "floats and integers of up to 64 bits can; convert with `.astype(\"float32\")`",
    };
    let message = format!("vectors of dtype {dtype} cannot be used: {hint}");
    error::plain(array.py(), "ArgumentTypeError", &message)
}

fn in_use(py: Python<'_>) -> PyErr {
    let message = "another extension module is writing to this array";
    error::plain(py, "ParameterError", message)
}
