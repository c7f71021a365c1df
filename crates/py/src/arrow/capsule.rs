//! Capsules of the Arrow C interface become arrays that own what they point to.
//!
//! The only unsafe code of this package: a capsule holds a bare pointer, and nothing but its name says to what. Whoever makes a
//! capsule is native code in this process and is trusted to follow the interface, as any extension module is; what the arrays
//! contain is not trusted (`vectors.rs`).
#![expect(
    unsafe_code,
    reason = "the interface is C structs behind bare pointers"
)]

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{ArrayRef, make_array};
use arrow_schema::ArrowError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// The stream in a capsule from `__arrow_c_stream__`, which is empty afterwards.
pub(super) fn stream(
    capsule: &Bound<'_, PyCapsule>,
) -> PyResult<Result<ArrayStreamReader, ArrowError>> {
    let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
    // SAFETY: the name says that this is an `ArrowArrayStream`. It is valid while the capsule is, and moved out of it here, which
    // the interface asks of whoever uses it; one that was moved out before is marked so, and refused by `try_new`.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.cast().as_ptr()) };
    Ok(ArrayStreamReader::try_new(stream))
}

/// The array in the two capsules from `__arrow_c_array__`, which are empty afterwards.
pub(super) fn array(
    schema: &Bound<'_, PyCapsule>,
    array: &Bound<'_, PyCapsule>,
) -> PyResult<Result<ArrayRef, ArrowError>> {
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?;
    let array = array.pointer_checked(Some(c"arrow_array"))?;
    // SAFETY: the names say that these are an `ArrowSchema` and an `ArrowArray`, valid while their capsules are; both are moved
    // out of them here, which the interface asks of whoever uses them.
    let (schema, array) = unsafe {
        (
            FFI_ArrowSchema::from_raw(schema.cast().as_ptr()),
            FFI_ArrowArray::from_raw(array.cast().as_ptr()),
        )
    };
    if array.is_released() {
        let used = "the array was taken out of its capsule before".to_owned();
        return Ok(Err(ArrowError::CDataInterface(used)));
    }
    // SAFETY: whoever made the capsules promises that the buffers are as long as length and type say.
    let data = unsafe { from_ffi(array, &schema) };
    Ok(data.map(make_array))
}
