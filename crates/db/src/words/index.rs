//! The words of a part: for each, the rows whose texts have it and how often.
//!
//! Built from the encoded metadata when these fields are first searched. Rows are kept as differences and counts in one to five bytes
//! each, most of them in one: about two or three bytes for each different word of a text, less than the text itself.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use unicode_segmentation::UnicodeSegmentation;

use crate::filter::{Field, Payloads};
use crate::record::payload::{PayloadError, Token, Tokens};
use crate::{Result, derived};

/// Which fields of the metadata are one text, in any order and each once.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Errors: a path that is none.
    pub(crate) fn from_paths<S: AsRef<str>>(paths: &[S]) -> Result<Fields> {
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
    /// Errors: bytes that are no metadata. Cost: one pass over the encoded metadata, and a look-up for each word.
    pub(crate) fn build(fields: &Fields, part: &impl Payloads) -> Result<WordIndex> {
        let mut building = Building::default();
        for row in 0..part.rows() {
            let payload = part.metadata_bytes(row)?;
            building
                .add(fields, row, payload)
                .map_err(|e| part.damaged(row, &e.to_string()))?;
        }
        Ok(building.finish())
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
    use super::*;

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
