//! What callers write: filters, and files of arrays.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use proxime::{Filter, Metadata, Value, VectorSource};

use crate::array::Array;
use crate::format::Format;

pub(crate) fn filter_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parameters = Metadata::from([
        ("a".to_owned(), Value::Int(7)),
        (
            "l".to_owned(),
            Value::List(vec![Value::Text("x".into()), Value::Null]),
        ),
    ]);
    for parameters in [Metadata::new(), parameters] {
        if let Ok(filter) = Filter::parse(text, &parameters) {
            shown_and_read_again(&filter);
        }
    }
}

pub(crate) fn filter_json(data: &[u8]) {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    if let Ok(filter) = Filter::from_json(&json) {
        shown_and_read_again(&filter);
    }
}

/// What is shown of a filter reads as the same filter.
fn shown_and_read_again(filter: &Filter) {
    filter.check().unwrap();
    let text = filter.to_string();
    match Filter::parse(&text, &Metadata::new()) {
        Ok(again) => assert_eq!(again.to_string(), text),
        Err(e) => panic!("{text}: {e}"),
    }
}

/// The command line's reader takes files only: this one is in memory.
pub(crate) fn npy(data: &[u8]) {
    let file =
        rustix::fs::memfd_create("npy", rustix::fs::MemfdFlags::CLOEXEC).map(std::fs::File::from);
    let Ok(mut file) = file else { return };
    if file.write_all(data).is_err() {
        return;
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Array::open_ids(&path).ok();
    let packed = [Format::Npz, Format::Hdf5];
    let formats = [Format::Npy, Format::Fvecs, Format::U8bin];
    for format in formats.into_iter().chain(packed) {
        let Ok(array) = Array::open_as(&path, format, None) else {
            continue;
        };
        // What was compressed is more than there is.
        let there = packed.contains(&format) || array.rows() * array.dim() <= data.len();
        assert!(there, "more than there is");
        let mut row = vec![0.0; array.dim()];
        for number in [0, array.rows().wrapping_sub(1)] {
            if number < array.rows() {
                // Rows that say how long they are may differ.
                let read = array.read_rows(number, &mut row);
                assert!(read.is_ok() || format == Format::Fvecs, "{read:?}");
            }
        }
    }
}
