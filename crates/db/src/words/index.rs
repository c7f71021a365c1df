//! The words of a part: for each, the rows whose texts have it and how often.
//!
//! Built from the encoded metadata when these fields are first searched. Rows are kept as differences and counts in one to five bytes
//! each, most of them in one: about two or three bytes for each different word of a text, less than the text itself.
//!
//! Threads read runs of rows, each with a dictionary of its own; put together in the order of rows, they are what one thread would have made.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use crate::filter::{Field, Payloads};
use crate::pool::Workers;
use crate::record::payload::{PayloadError, Token, Tokens};
use crate::{Error, Progress, Result, Stage, derived};

/// Runs for each thread: some rows have longer texts than others.
const RUNS_PER_THREAD: usize = 4;
/// Rows of a run: with fewer, words that all runs have are looked up too often.
const RUN_ROWS_MIN: usize = 1024;
/// Rows between two words to the caller.
const ROWS_BETWEEN: u32 = 256;

/// Which fields of the metadata are one text, in any order and each once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fields(Box<[Field]>);

/// The words of a part's texts.
#[derive(Debug)]
pub(crate) struct WordIndex {
    /// How many words each row has.
    lengths: Vec<u32>,
    /// Rows that have any, and all their words.
    texts: u64,
    length: u64,
    words: Dictionary,
    /// Those of word `i` are the bytes from `starts[i]` to `starts[i + 1]`.
    starts: Vec<usize>,
    rows: Vec<u8>,
}

/// Calls `each` with the words of a text: as Unicode has them (UAX #29), in small letters. Nothing else is done to them: no stems, no
/// accents taken off.
pub(crate) fn split(text: &str, mut each: impl FnMut(&str)) {
    let mut small = String::new();
    for word in text.unicode_words() {
        if word.is_ascii() {
            small.clear();
            small.push_str(word);
            small.make_ascii_lowercase();
            each(&small);
        } else {
            each(&word.to_lowercase());
        }
    }
}

impl Fields {
    /// Errors: no path, or one that is none.
    pub(crate) fn from_paths<S: AsRef<str>>(paths: &[S]) -> Result<Fields> {
        if paths.is_empty() {
            return Err(Error::Parameter {
                name: "fields",
                value: "[]".to_owned(),
                limit: "at least one field".to_owned(),
            });
        }
        let fields = paths
            .iter()
            .map(|path| Ok(Field::from_path(path.as_ref())?));
        let mut fields = fields.collect::<Result<Vec<Field>>>()?;
        fields.sort_unstable();
        fields.dedup();
        Ok(Fields(fields.into()))
    }
}

impl WordIndex {
    /// Errors: bytes that are no metadata; interrupted. Cost: one pass over the encoded metadata, and a look-up for each word, over all threads.
    pub(crate) fn build<P: Payloads + Sync>(
        fields: &Fields,
        part: &P,
        workers: &Workers,
        progress: Option<Progress<'_>>,
    ) -> Result<WordIndex> {
        let rows = part.rows() as usize;
        let runs = RUNS_PER_THREAD * workers.threads.current_num_threads();
        let runs = Runs {
            fields,
            part,
            progress,
            rows_each: rows.div_ceil(runs).max(RUN_ROWS_MIN),
            done: AtomicUsize::new(0),
        };
        if rows <= runs.rows_each {
            return Ok(runs.read(0..rows)?.finish());
        }
        let all = || workers.threads.install(|| runs.read_all());
        // Whoever builds an index has its lock. A thread of another pool would do other work of that pool while it waits for this
        // one, and may meet the lock that it has itself; one that waits for a thread does nothing else.
        let read = thread::scope(|scope| scope.spawn(all).join());
        let read = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut whole = Building::default();
        for run in read {
            whole.append(run?);
        }
        Ok(whole.finish())
    }

    /// How many rows have words, and how many words there are, in all but the hidden rows.
    pub(crate) fn texts_and_words(&self, hidden: impl Iterator<Item = u32>) -> (u64, u64) {
        hidden.fold((self.texts, self.length), |(texts, words), row| {
            let length = self.length(row);
            (texts - u64::from(length > 0), words - u64::from(length))
        })
    }

    /// How many words a row has.
    pub(crate) fn length(&self, row: u32) -> u32 {
        self.lengths.get(row as usize).copied().unwrap_or_default()
    }

    /// Rows with this word, ascending, and how often they have it.
    pub(crate) fn rows_with<'a>(
        &'a self,
        word: &str,
    ) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let range = self.words.find(word).map(|at| {
            let at = at as usize;
            let end = self.starts.get(at + 1).copied();
            self.starts.get(at).copied().unwrap_or_default()..end.unwrap_or(self.rows.len())
        });
        let mut bytes = range.and_then(|r| self.rows.get(r)).unwrap_or_default();
        let mut row = 0;
        std::iter::from_fn(move || {
            row += take(&mut bytes)?;
            Some((row, take(&mut bytes)?))
        })
    }
}

impl derived::Index for WordIndex {
    fn bytes(&self) -> usize {
        let starts = size_of_val(&*self.starts);
        self.rows.len() + 4 * self.lengths.len() + starts + self.words.bytes()
    }
}

/// Different words, numbered as they came.
#[derive(Debug, Default)]
struct Dictionary {
    text: String,
    /// Where each word ends in `text`.
    ends: Vec<usize>,
    /// Numbers of words.
    table: HashTable<u32>,
}

impl Dictionary {
    fn word(&self, at: u32) -> &str {
        word(&self.text, &self.ends, at)
    }

    fn find(&self, wanted: &str) -> Option<u32> {
        let same = |&at: &u32| self.word(at) == wanted;
        self.table.find(hash(wanted), same).copied()
    }

    fn find_or_add(&mut self, wanted: &str) -> u32 {
        let (text, ends) = (&mut self.text, &mut self.ends);
        let same = |&at: &u32| word(text, ends, at) == wanted;
        let rehash = |&at: &u32| hash(word(text, ends, at));
        match self.table.entry(hash(wanted), same, rehash) {
            Entry::Occupied(at) => *at.get(),
            Entry::Vacant(place) => {
                let at = ends.len() as u32;
                place.insert(at);
                text.push_str(wanted);
                ends.push(text.len());
                at
            }
        }
    }

    fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends) + self.table.allocation_size()
    }
}

fn word<'a>(text: &'a str, ends: &[usize], at: u32) -> &'a str {
    let end = |at: usize| ends.get(at).copied().unwrap_or_default();
    let start = (at as usize).checked_sub(1).map_or(0, end);
    text.get(start..end(at as usize)).unwrap_or_default()
}

fn hash(word: &str) -> u64 {
    FixedState::with_seed(0).hash_one(word)
}

/// What threads read, some rows each.
struct Runs<'a, P> {
    fields: &'a Fields,
    part: &'a P,
    progress: Option<Progress<'a>>,
    rows_each: usize,
    done: AtomicUsize,
}

impl<P: Payloads + Sync> Runs<'_, P> {
    /// In the order of rows.
    fn read_all(&self) -> Vec<Result<Building>> {
        let rows = self.part.rows() as usize;
        let starts = (0..rows).into_par_iter().step_by(self.rows_each);
        let runs = starts.map(|start| self.read(start..rows.min(start + self.rows_each)));
        runs.collect()
    }

    fn read(&self, rows: Range<usize>) -> Result<Building> {
        let mut building = Building::default();
        for (row, at) in rows.zip(0u32..) {
            if at.is_multiple_of(ROWS_BETWEEN) {
                self.tell(ROWS_BETWEEN)?;
            }
            let row = row as u32;
            let payload = self.part.metadata_bytes(row)?;
            let added = building.add(self.fields, at, payload);
            added.map_err(|e| self.part.damaged(row, &e.to_string()))?;
        }
        Ok(building)
    }

    fn tell(&self, more: u32) -> Result<()> {
        let Some(progress) = self.progress else {
            return Ok(());
        };
        let rows = self.part.rows() as usize;
        let done = self.done.fetch_add(more as usize, Ordering::Relaxed);
        match progress(Stage::Index, done.min(rows), rows).is_break() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

#[derive(Default)]
struct Building {
    lengths: Vec<u32>,
    words: Dictionary,
    /// Of each word: the last row that has it, and the bytes of all.
    rows: Vec<(u32, Vec<u8>)>,
    /// The words of one row, as numbers.
    row: Vec<u32>,
}

impl Building {
    fn add(&mut self, fields: &Fields, row: u32, payload: &[u8]) -> Result<(), PayloadError> {
        self.row.clear();
        for field in &fields.0 {
            if let Some(tokens) = Tokens::at(payload, field)? {
                self.read(tokens)?;
            }
        }
        self.lengths.push(self.row.len() as u32);
        self.row.sort_unstable();
        self.rows
            .resize_with(self.words.ends.len(), Default::default);
        for same in self.row.chunk_by(|a, b| a == b) {
            let word = same.first().map(|&word| word as usize);
            if let Some((last, bytes)) = word.and_then(|word| self.rows.get_mut(word)) {
                put(bytes, row - *last);
                put(bytes, same.len() as u32);
                *last = row;
            }
        }
        Ok(())
    }

    /// The text that comes next, or those in the list that does.
    fn read(&mut self, mut tokens: Tokens<'_>) -> Result<(), PayloadError> {
        let (words, row) = (&mut self.words, &mut self.row);
        let mut add = |text: &str| split(text, |word| row.push(words.find_or_add(word)));
        match tokens.next()? {
            Token::Text(text) => add(text),
            Token::List(len) => {
                for _ in 0..len {
                    match tokens.next()? {
                        Token::Text(text) => add(text),
                        token => tokens.skip(token.inside())?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds the rows after these, numbered from 0.
    fn append(&mut self, later: Building) {
        let offset = self.lengths.len() as u32;
        self.lengths.extend(later.lengths);
        for ((last, bytes), at) in later.rows.into_iter().zip(0..) {
            let word = self.words.find_or_add(later.words.word(at)) as usize;
            if word == self.rows.len() {
                self.rows.push((0, Vec::new()));
            }
            let mut rest = &*bytes;
            if let (Some(own), Some(first)) = (self.rows.get_mut(word), take(&mut rest)) {
                put(&mut own.1, offset + first - own.0);
                own.1.extend(rest);
                own.0 = offset + last;
            }
        }
    }

    fn finish(self) -> WordIndex {
        let mut rows = Vec::with_capacity(self.rows.iter().map(|(_, bytes)| bytes.len()).sum());
        let starts = self.rows.into_iter().map(|(_, bytes)| {
            let start = rows.len();
            rows.extend(bytes);
            start
        });
        WordIndex {
            starts: starts.collect(),
            texts: self.lengths.iter().filter(|&&length| length > 0).count() as u64,
            length: self.lengths.iter().map(|&length| u64::from(length)).sum(),
            lengths: self.lengths,
            words: self.words,
            rows,
        }
    }
}

/// Appends a number, seven bits a byte, the lowest first; the top bit of a byte says that more follow.
fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes the next number off; `None` at the end.
fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proxime_core::break_if;

    use super::*;
    use crate::pool::Pool;
    use crate::record::payload;
    use crate::{Metadata, Value};

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        split(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_those_of_unicode_in_small_letters() {
        assert_eq!(
            words("The quick (“brown”) fox can't jump 32.3 feet, right?"),
            [
                "the", "quick", "brown", "fox", "can't", "jump", "32.3", "feet", "right"
            ]
        );
        assert_eq!(words("ΟΔΟΣ Straße ÉTÉ"), ["οδος", "straße", "été"]);
        assert_eq!(words("日本"), ["日", "本"]);
        assert!(words(" ... !?").is_empty());
    }

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, 1 << 28, u32::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|&number| put(&mut bytes, number));
        let mut rest = &*bytes;
        let back: Vec<u32> = std::iter::from_fn(|| take(&mut rest)).collect();
        assert_eq!(back, numbers);
    }

    /// Rows of a part, each as it is encoded.
    struct Texts(Vec<Vec<u8>>);

    impl Payloads for Texts {
        fn rows(&self) -> u32 {
            self.0.len() as u32
        }

        fn metadata_bytes(&self, row: u32) -> Result<&[u8]> {
            Ok(&self.0[row as usize])
        }

        fn damaged(&self, row: u32, _: &str) -> Error {
            Error::Parameter {
                name: "row",
                value: row.to_string(),
                limit: String::new(),
            }
        }
    }

    /// Row `i` has `i % 7` words, one of them its own.
    fn texts(rows: usize) -> Texts {
        let text = |i: usize| {
            let words = (0..i % 7).map(|j| {
                if j == 3 {
                    format!("own{i}")
                } else {
                    format!("w{}", i * j % 97)
                }
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let encoded = (0..rows).map(|i| {
            let row = Metadata::from([("text".to_owned(), Value::from(text(i)))]);
            let mut bytes = Vec::new();
            payload::encode(&row, &mut bytes).unwrap();
            bytes
        });
        Texts(encoded.collect())
    }

    fn build(part: &Texts, threads: usize, progress: Option<Progress<'_>>) -> Result<WordIndex> {
        let pool = Pool::new(Some(threads)).unwrap();
        let fields = Fields::from_paths(&["text"]).unwrap();
        WordIndex::build(&fields, part, &pool.workers().unwrap(), progress)
    }

    #[test]
    fn any_number_of_threads_makes_the_index_that_one_pass_makes() {
        let fields = Fields::from_paths(&["text"]).unwrap();
        for rows in [0, 1, RUN_ROWS_MIN, RUN_ROWS_MIN + 1, 10_000] {
            let part = texts(rows);
            let mut one = Building::default();
            for (row, payload) in (0..).zip(&part.0) {
                one.add(&fields, row, payload).unwrap();
            }
            let one = one.finish();
            for threads in [1, 2, 3, 8] {
                let many = build(&part, threads, None).unwrap();
                assert_eq!(many.lengths, one.lengths);
                assert_eq!((many.texts, many.length), (one.texts, one.length));
                assert_eq!(
                    (&many.words.text, &many.words.ends),
                    (&one.words.text, &one.words.ends)
                );
                assert!((many.starts, many.rows) == (one.starts.clone(), one.rows.clone()));
            }
        }
    }

    #[test]
    fn reading_texts_is_counted_and_can_be_stopped() {
        let part = texts(10_000);
        let told = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let stop_at = |at: usize| {
            let (told, stopped) = (&told, &stopped);
            move |stage, done, total| {
                assert_eq!((stage, total), (Stage::Index, 10_000));
                told.fetch_max(done, Ordering::Relaxed);
                stopped.fetch_or(done >= at, Ordering::Relaxed);
                break_if(stopped.load(Ordering::Relaxed))
            }
        };
        let found = build(&part, 2, Some(&stop_at(3_000)));
        assert!(matches!(found, Err(Error::Interrupted)));
        // Of each of the eight runs no more than it had begun to read.
        assert!((3_000..6_000).contains(&told.load(Ordering::Relaxed)));
        stopped.store(false, Ordering::Relaxed);
        build(&part, 2, Some(&stop_at(usize::MAX))).unwrap();
        assert!((9_000..=10_000).contains(&told.load(Ordering::Relaxed)));
    }

    #[test]
    fn of_several_damaged_rows_the_first_is_named() {
        let mut part = texts(10_000);
        for row in [2_500, 7_000, 9_999] {
            part.0[row].truncate(3);
        }
        let found = build(&part, 2, None).unwrap_err();
        assert!(matches!(found, Error::Parameter { value, .. } if value == "2500"));
    }

    /// Whoever builds an index has its lock, and waits for threads of the database on one of a caller's own, which must not begin the other search meanwhile.
    #[test]
    fn searches_from_the_threads_of_a_pool_do_not_wait_for_themselves() {
        let indexes = derived::Indexes::default();
        let fields = Fields::from_paths(&["text"]).unwrap();
        let part = texts(5_000);
        let own = Pool::new(Some(2)).unwrap();
        let workers = own.workers().unwrap();
        let callers = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap();
        let search = |_| {
            indexes.get(&fields, 0, None, || {
                WordIndex::build(&fields, &part, &workers, None)
            })
        };
        let found: Vec<_> = callers.install(|| (0..64).into_par_iter().map(search).collect());
        let first = found[0].as_ref().unwrap();
        assert!(
            found
                .iter()
                .all(|index| std::sync::Arc::ptr_eq(first, index.as_ref().unwrap()))
        );
    }

    #[test]
    fn words_are_found_again_and_only_these() {
        let mut words = Dictionary::default();
        let names: Vec<String> = (0..2000).map(|i| format!("w{i}")).collect();
        for (name, at) in names.iter().zip(0..) {
            assert_eq!(words.find(name), None);
            assert_eq!(words.find_or_add(name), at);
        }
        for (name, at) in names.iter().zip(0..) {
            assert_eq!((words.find(name), words.find_or_add(name)), (Some(at), at));
        }
    }
}
