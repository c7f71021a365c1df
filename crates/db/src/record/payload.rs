//! Metadata as bytes: bincode of a flat list of tokens.
//!
//! A nested value is written as its parts in order, each list and object announcing its length. Flat, because a decoder of
//! nested values recurses as deep as the bytes tell it to, and bytes from disk must not be able to exhaust the stack. The
//! encoding is fixed for good by the configuration below and the test at the end: little-endian, integers at full width.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::{Deserialize, Serialize};

use crate::filter::Field;
use crate::value::{DEPTH_MAX, Problem, TIMES, ValueError};
use crate::{Metadata, Value};

/// The most bytes that the metadata of one record may take.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16 << 20;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<PAYLOAD_BYTES_MAX>> =
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<PAYLOAD_BYTES_MAX>();

/// Numbered by position: the order is part of the file format.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Token<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// So many values follow.
    List(u32),
    /// So many pairs of a name, as `Text`, and a value follow.
    Object(u32),
    /// Microseconds since 1970.
    Time(i64),
    Bytes(&'a [u8]),
}

impl Token<'_> {
    /// How many values follow that are parts of this one.
    pub(crate) fn inside(&self) -> u64 {
        match self {
            Token::List(len) => u64::from(*len),
            Token::Object(len) => 2 * u64::from(*len),
            _ => 0,
        }
    }
}

/// Why stored bytes are not metadata.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PayloadError {
    #[error("metadata does not decode: {0}")]
    Bincode(#[from] bincode::error::DecodeError),
    #[error("metadata is not an object of values at most {DEPTH_MAX} deep")]
    Shape,
}

/// Appends the metadata's bytes; none for none.
///
/// Errors: a float that is not finite, too deep, too large.
pub(crate) fn encode(metadata: &Metadata, out: &mut Vec<u8>) -> Result<(), ValueError> {
    if metadata.is_empty() {
        return Ok(());
    }
    let too_large = || ValueError {
        path: String::new(),
        problem: Problem::Size(PAYLOAD_BYTES_MAX),
    };
    let mut tokens = Vec::new();
    flatten_object(metadata, 1, &mut tokens)?;
    let start = out.len();
    bincode::serde::encode_into_std_write(&tokens, out, CONFIG).map_err(|_| too_large())?;
    if out.len() - start > PAYLOAD_BYTES_MAX {
        Err(too_large())
    } else {
        Ok(())
    }
}

/// Errors: bytes that [`encode`] does not write.
pub(crate) fn decode(bytes: &[u8]) -> Result<Metadata, PayloadError> {
    if bytes.is_empty() {
        return Ok(Metadata::new());
    }
    let (tokens, used): (Vec<Token<'_>>, usize) =
        bincode::serde::borrow_decode_from_slice(bytes, CONFIG)?;
    let mut tokens = tokens.into_iter();
    match (build(&mut tokens, 1), tokens.next(), used == bytes.len()) {
        (Some(Value::Object(metadata)), None, true) => Ok(metadata),
        _ => Err(PayloadError::Shape),
    }
}

/// Encoded metadata, read token by token.
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// From the value of a field on; `None` if the metadata has no such field. Nothing else is decoded.
    ///
    /// Errors: bytes that [`encode`] does not write, as far as they are read.
    pub(crate) fn at(bytes: &'a [u8], field: &Field) -> Result<Option<Self>, PayloadError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let count = size_of::<u64>();
        let rest = bytes.get(count..).ok_or(PayloadError::Shape)?;
        let mut tokens = Tokens { rest };
        for name in field.names() {
            if !tokens.enter(name)? {
                return Ok(None);
            }
        }
        Ok(Some(tokens))
    }

    /// Into the object that comes next, to the value of that name; whether there is one.
    fn enter(&mut self, name: &str) -> Result<bool, PayloadError> {
        let Token::Object(fields) = self.next()? else {
            return Ok(false);
        };
        for _ in 0..fields {
            match self.next()? {
                Token::Text(found) if found == name => return Ok(true),
                Token::Text(_) => self.skip(1)?,
                _ => return Err(PayloadError::Shape),
            }
        }
        Ok(false)
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, PayloadError> {
        let (token, used) = bincode::serde::borrow_decode_from_slice(self.rest, CONFIG)?;
        self.rest = self.rest.get(used..).unwrap_or_default();
        Ok(token)
    }

    /// Passes over so many values with all that is in them.
    pub(crate) fn skip(&mut self, values: u64) -> Result<(), PayloadError> {
        let mut left = values;
        while left > 0 {
            left = (left - 1).saturating_add(self.next()?.inside());
        }
        Ok(())
    }
}

fn length(len: usize) -> Result<u32, ValueError> {
    u32::try_from(len).map_err(|_| ValueError {
        path: String::new(),
        problem: Problem::Size(PAYLOAD_BYTES_MAX),
    })
}

fn flatten_object<'a>(
    object: &'a Metadata,
    depth: usize,
    tokens: &mut Vec<Token<'a>>,
) -> Result<(), ValueError> {
    if depth > DEPTH_MAX {
        return Err(ValueError {
            path: String::new(),
            problem: Problem::Depth,
        });
    }
    tokens.push(Token::Object(length(object.len())?));
    for (name, value) in object {
        tokens.push(Token::Text(name));
        flatten(value, depth + 1, tokens).map_err(|e| e.inside(&format!(".{name}")))?;
    }
    Ok(())
}

fn flatten<'a>(
    value: &'a Value,
    depth: usize,
    tokens: &mut Vec<Token<'a>>,
) -> Result<(), ValueError> {
    tokens.push(match value {
        Value::Null => Token::Null,
        Value::Bool(value) => Token::Bool(*value),
        Value::Int(value) => Token::Int(*value),
        Value::Float(value) if value.is_finite() => Token::Float(*value),
        Value::Float(value) => {
            return Err(ValueError {
                path: String::new(),
                problem: Problem::NotFinite(*value),
            });
        }
        Value::Text(value) => Token::Text(value),
        Value::Time(micros) if TIMES.contains(micros) => Token::Time(*micros),
        Value::Time(micros) => {
            return Err(ValueError {
                path: String::new(),
                problem: Problem::TimeRange(*micros),
            });
        }
        Value::Bytes(bytes) => Token::Bytes(bytes),
        Value::Object(object) => return flatten_object(object, depth, tokens),
        Value::List(_) if depth > DEPTH_MAX => {
            return Err(ValueError {
                path: String::new(),
                problem: Problem::Depth,
            });
        }
        Value::List(list) => {
            tokens.push(Token::List(length(list.len())?));
            for (i, value) in list.iter().enumerate() {
                flatten(value, depth + 1, tokens).map_err(|e| e.inside(&format!("[{i}]")))?;
            }
            return Ok(());
        }
    });
    Ok(())
}

/// The next value; `None` if there is none or it is nested too deep. Lengths are only believed token by token.
fn build<'a>(tokens: &mut impl Iterator<Item = Token<'a>>, depth: usize) -> Option<Value> {
    Some(match tokens.next()? {
        Token::Null => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Int(value) => Value::Int(value),
        Token::Float(value) => Value::Float(value),
        Token::Text(value) => Value::Text(value.to_owned()),
        Token::Time(micros) if TIMES.contains(&micros) => Value::Time(micros),
        Token::Time(_) => return None,
        Token::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Token::List(_) | Token::Object(_) if depth > DEPTH_MAX => return None,
        Token::List(len) => Value::List(
            (0..len)
                .map(|_| build(tokens, depth + 1))
                .collect::<Option<_>>()?,
        ),
        Token::Object(len) => {
            let field = |_| match tokens.next()? {
                Token::Text(name) => Some((name.to_owned(), build(tokens, depth + 1)?)),
                _ => None,
            };
            Value::Object((0..len).map(field).collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(metadata: &Metadata) -> Vec<u8> {
        let mut out = Vec::new();
        encode(metadata, &mut out).unwrap();
        out
    }

    fn nested(depth: usize) -> Metadata {
        let value = (1..depth).fold(Value::Null, |value, i| match i % 2 {
            0 => Value::List(vec![Value::Bool(true), value]),
            _ => Value::Object([("x".to_owned(), value)].into()),
        });
        [("deep".to_owned(), value)].into()
    }

    #[test]
    fn what_is_stored_keeps_its_bytes() {
        let metadata: Metadata = [
            ("b".to_owned(), Value::Bool(true)),
            ("f".to_owned(), Value::Float(1.5)),
            ("i".to_owned(), Value::Int(-2)),
            (
                "l".to_owned(),
                Value::List(vec![Value::Null, Value::Text("é".into())]),
            ),
        ]
        .into();
        let text = |s: &str| {
            [
                &[4, 0, 0, 0][..],
                &(s.len() as u64).to_le_bytes(),
                s.as_bytes(),
            ]
            .concat()
        };
        let golden = [
            vec![11, 0, 0, 0, 0, 0, 0, 0], // tokens
            vec![6, 0, 0, 0, 4, 0, 0, 0],
            text("b"),
            vec![1, 0, 0, 0, 1],
            text("f"),
            vec![3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
            text("i"),
            vec![2, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            text("l"),
            vec![5, 0, 0, 0, 2, 0, 0, 0],
            vec![0, 0, 0, 0],
            text("é"),
        ]
        .concat();
        assert_eq!(bytes(&metadata), golden);
        assert_eq!(decode(&golden).unwrap(), metadata);
        assert_eq!(
            (bytes(&Metadata::new()), decode(&[]).unwrap()),
            (vec![], Metadata::new())
        );
    }

    #[test]
    fn depth_is_bounded_on_both_ways() {
        let deepest = nested(DEPTH_MAX);
        assert_eq!(decode(&bytes(&deepest)).unwrap(), deepest);
        let error = encode(&nested(DEPTH_MAX + 1), &mut Vec::new()).unwrap_err();
        assert_eq!(error.problem, Problem::Depth);
        assert!(error.path.starts_with(".deep"), "{}", error.path);

        let tokens: Vec<Token<'_>> = (0..100_000).map(|_| Token::List(1)).collect();
        let hostile = bincode::serde::encode_to_vec(tokens, CONFIG).unwrap();
        assert!(matches!(decode(&hostile), Err(PayloadError::Shape)));
    }

    #[test]
    fn errors_say_where() {
        let list = Value::List(vec![Value::Int(1), Value::Float(f64::NAN)]);
        let metadata = [(
            "a".to_owned(),
            Value::Object([("b".to_owned(), list)].into()),
        )]
        .into();
        let error = encode(&metadata, &mut Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "metadata.a.b[1]: NaN is not a finite number"
        );
    }

    #[test]
    fn announced_lengths_are_not_believed() {
        let announced = bincode::serde::encode_to_vec(
            [Token::Object(1), Token::Text("x"), Token::List(u32::MAX)].as_slice(),
            CONFIG,
        );
        assert!(matches!(
            decode(&announced.unwrap()),
            Err(PayloadError::Shape)
        ));
        assert!(decode(&u64::MAX.to_le_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_do_not(bytes in prop::collection::vec(0..8u8, 0..64)) {
            if let Ok(metadata) = decode(&bytes) {
                let mut again = Vec::new();
                prop_assert!(encode(&metadata, &mut again).is_ok());
            }
        }
    }
}
