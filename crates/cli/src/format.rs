//! The formats of files that are read, and how their names end.

use clap::ValueEnum;

use crate::error::Error;

/// What a file of records or vectors holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// NumPy's array: float16, float32, float64 or integers
    Npy,
    /// NumPy's archive of arrays
    Npz,
    /// HDF5 as benchmarks have it
    Hdf5,
    /// float32, each row behind its length
    Fvecs,
    /// uint8, each row behind its length
    Bvecs,
    /// int32, each row behind its length
    Ivecs,
    /// float32 behind the shape
    Fbin,
    /// uint8 behind the shape
    U8bin,
    /// int8 behind the shape
    I8bin,
    /// int32 behind the shape
    Ibin,
    /// A JSON object per line
    Jsonl,
    /// Cells separated by commas, below a header
    Csv,
    /// Apache Parquet
    Parquet,
    /// Arrow's own, for files or for pipes; the former is Feather, too
    Arrow,
}

impl Format {
    /// Whether there is a column for ids and for each field; otherwise it is an array.
    pub(crate) fn has_columns(self) -> bool {
        use Format::{Arrow, Csv, Jsonl, Parquet};
        matches!(self, Jsonl | Csv | Parquet | Arrow)
    }

    /// Errors: one of several arrays is named, and there is only one.
    pub(crate) fn check_member(self, member: Option<&str>) -> Result<(), Error> {
        match (self, member) {
            (Format::Npz | Format::Hdf5, _) | (_, None) => Ok(()),
            _ => Err(Error::Usage("--array is for .npz and .hdf5".to_owned())),
        }
    }

    /// By what a file's name ends in.
    pub(crate) fn by_suffix(suffix: &str) -> Option<Format> {
        match suffix {
            "h5" => Some(Format::Hdf5),
            "ndjson" => Some(Format::Jsonl),
            "feather" | "ipc" | "arrows" => Some(Format::Arrow),
            suffix => Format::from_str(suffix, true).ok(),
        }
    }
}
