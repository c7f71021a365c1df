//! The caller's rows are read once for storing, whatever happens to them afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};

use proxime::{Batch, Error, Key, VectorSource};

use crate::support::{in_memory, int_ids};

/// Counts reads of each row, and gives another value each time.
struct Changing {
    reads: Vec<AtomicUsize>,
}

const DIM: usize = 16;

impl Changing {
    fn new(n: usize) -> Self {
        Changing {
            reads: (0..n).map(|_| AtomicUsize::new(0)).collect(),
        }
    }
}

impl VectorSource for Changing {
    fn rows(&self) -> usize {
        self.reads.len()
    }
    fn dim(&self) -> usize {
        DIM
    }
    fn read(&self, first_row: usize, out: &mut [f32]) -> proxime::Result<()> {
        for (row, out) in (first_row..).zip(out.chunks_mut(DIM)) {
            let read = self.reads[row].fetch_add(1, Ordering::Relaxed);
            out.fill(row as f32 + read as f32 / 4.0);
        }
        Ok(())
    }
}

#[test]
fn every_row() {
    for n in [1, 999, 1000, 30_000] {
        let (_db, c) = in_memory(DIM);
        let source = Changing::new(n);
        c.add(Batch::new(int_ids(n), &source)).unwrap();
        let reads: Vec<usize> = source
            .reads
            .iter()
            .map(|r| r.load(Ordering::Relaxed))
            .collect();
        let sampled = if n < 1000 { 0 } else { n.min(1024) };
        assert!(reads.iter().all(|&reads| (1..=2).contains(&reads)));
        assert_eq!(reads.iter().sum::<usize>(), n + sampled);
        // What is stored is what the last read saw, everywhere.
        for row in [0, n / 2, n - 1] {
            let expected = row as f32 + (reads[row] - 1) as f32 / 4.0;
            assert_eq!(
                c.get(&Key::Int(row as i64)).unwrap().unwrap().vector,
                [expected; DIM]
            );
        }
    }
}

#[test]
fn of_rows_with_the_same_id_only_the_last() {
    let (_db, c) = in_memory(DIM);
    let source = Changing::new(100);
    let ids: Vec<Key> = (0..100).map(|row| Key::Int(row % 60)).collect();
    c.upsert(Batch::new(ids, &source)).unwrap();
    let reads: Vec<usize> = source
        .reads
        .iter()
        .map(|r| r.load(Ordering::Relaxed))
        .collect();
    assert_eq!(reads, [vec![0; 40], vec![1; 60]].concat());
    assert_eq!(c.len().unwrap(), 60);
    assert_eq!(c.get(&Key::Int(3)).unwrap().unwrap().vector, [63.0; DIM]);
    assert_eq!(c.get(&Key::Int(50)).unwrap().unwrap().vector, [50.0; DIM]);
}

/// Fails from some row on.
struct Failing(usize);

impl VectorSource for Failing {
    fn rows(&self) -> usize {
        5000
    }
    fn dim(&self) -> usize {
        DIM
    }
    fn read(&self, first_row: usize, out: &mut [f32]) -> proxime::Result<()> {
        out.fill(1.0);
        match first_row + out.len() / DIM > self.0 {
            true => Err(Error::Source {
                row: first_row,
                source: "the disk is gone".into(),
            }),
            false => Ok(()),
        }
    }
}

#[test]
fn a_source_that_fails_stores_nothing() {
    let (_db, c) = in_memory(DIM);
    for from in [0, 4500] {
        let error = c
            .upsert(Batch::new(int_ids(5000), &Failing(from)))
            .unwrap_err();
        assert!(error.to_string().ends_with("the disk is gone"), "{error}");
        assert_eq!(c.stats().unwrap().segments, 0);
    }
}
