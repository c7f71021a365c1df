//! Text from callers: filters, and the headers of NumPy's files.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use proxime::{Filter, Metadata, Value, VectorSource};

use crate::npy::Npy;

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
    Npy::open_ids(&path).ok();
    let Ok(npy) = Npy::open(&path) else { return };
    assert!(npy.rows() * npy.dim() <= data.len(), "more than there is");
    let mut row = vec![0.0; npy.dim()];
    for number in [0, npy.rows().wrapping_sub(1)] {
        if number < npy.rows() {
            npy.read_rows(number, &mut row).unwrap();
        }
    }
}
