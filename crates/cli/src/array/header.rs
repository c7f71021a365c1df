//! The header: a Python dictionary written as text.
//!
//! NumPy reads it with Python's own parser. This one knows the three keys that NumPy writes, strings without escapes, `True`
//! and `False`, and tuples of integers; whatever else is there is an error at its byte. Nothing is allocated that the header
//! does not spell out, and a header is at most 64 KiB: longer ones exist only for structured types.

use super::Problem;
use super::bytes::Bytes;

/// The first bytes of every .npy file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// A problem and its offset in the file.
pub(super) type Found = (u64, Problem);

/// What the header says, as it says it.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
    /// Offset of the first element.
    pub(super) data_at: u64,
    /// Bytes before the elements of each row: 4 with their number, or none.
    pub(super) row_prefix: usize,
}

/// Types of elements that can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dtype {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Dtype {
    /// Bytes of one element.
    pub(super) fn width(self) -> usize {
        match self {
            Dtype::I8 | Dtype::U8 => 1,
            Dtype::F16 | Dtype::I16 | Dtype::U16 => 2,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F64 | Dtype::I64 | Dtype::U64 => 8,
        }
    }

    /// The type and whether it is big-endian, from a code such as `<f4`.
    fn parse(descr: &str) -> Option<(Dtype, bool)> {
        let code = descr.trim_start_matches(['<', '>', '|']);
        let dtype = match code {
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            "i1" => Dtype::I8,
            "i2" => Dtype::I16,
            "i4" => Dtype::I32,
            "i8" => Dtype::I64,
            "u1" => Dtype::U8,
            "u2" => Dtype::U16,
            "u4" => Dtype::U32,
            "u8" => Dtype::U64,
            _ => return None,
        };
        match descr.strip_suffix(code)? {
            "<" => Some((dtype, false)),
            ">" => Some((dtype, true)),
            "|" if dtype.width() == 1 => Some((dtype, false)),
            _ => None,
        }
    }
}

/// Reads and checks the header; the array's length is for the caller to compare.
pub(super) fn read(bytes: &Bytes) -> Result<Header, Found> {
    let mut start = [0; 12];
    let present = bytes.len().min(start.len() as u64);
    read_at(bytes, 0, &mut start[..present as usize])?;
    if !start.starts_with(MAGIC) {
        return Err((0, Problem::NotNpy));
    }
    let [.., major, minor, a, b, c, d] = start;
    let (text_at, text_bytes) = match (major, minor) {
        (1, 0) => (10, u64::from(u16::from_le_bytes([a, b]))),
        (2 | 3, 0) => (12, u64::from(u32::from_le_bytes([a, b, c, d]))),
        _ => return Err((6, Problem::Version { major, minor })),
    };
    if text_bytes > HEADER_BYTES_MAX {
        let limit = HEADER_BYTES_MAX;
        return Err((
            8,
            Problem::HeaderLength {
                bytes: text_bytes,
                limit,
            },
        ));
    }
    let data_at = text_at + text_bytes;
    if data_at > bytes.len() {
        return Err((bytes.len(), Problem::EndsInHeader));
    }
    let mut text = vec![0; text_bytes as usize];
    read_at(bytes, text_at, &mut text)?;

    let mut parser = Parser { text: &text, at: 0 };
    let fields = parser
        .dictionary()
        .map_err(|expected| (text_at + parser.at as u64, Problem::Header { expected }))?;
    let (dtype, big_endian) = Dtype::parse(&fields.descr).ok_or_else(|| {
        (
            text_at,
            Problem::Dtype {
                descr: fields.descr.clone(),
            },
        )
    })?;
    Ok(Header {
        dtype,
        big_endian,
        fortran_order: fields.fortran_order,
        shape: fields.shape,
        data_at,
        row_prefix: 0,
    })
}

pub(super) fn read_at(bytes: &Bytes, offset: u64, out: &mut [u8]) -> Result<(), Found> {
    bytes
        .read_at(offset, out)
        .map_err(|e| (offset, Problem::Read(e)))
}

/// The dictionary's values.
struct Fields {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// What should have been at the place where the parser stopped.
type Expected = &'static str;

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn dictionary(&mut self) -> Result<Fields, Expected> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.need("{")?;
        while !self.eat("}") {
            let key = self.string()?;
            self.need(":")?;
            match key.as_str() {
                "descr" => descr = Some(self.string()?),
                "fortran_order" => fortran_order = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                _ => return Err("a colon after descr, fortran_order or shape, and no other key"),
            }
            if !self.eat(",") {
                self.need("}")?;
                break;
            }
        }
        self.skip_space();
        if self.at < self.text.len() {
            return Err("nothing after the dictionary");
        }
        Ok(Fields {
            descr: descr.ok_or("a key descr")?,
            fortran_order: fortran_order.ok_or("a key fortran_order")?,
            shape: shape.ok_or("a key shape")?,
        })
    }

    fn string(&mut self) -> Result<String, Expected> {
        let quote = if self.eat("'") {
            b'\''
        } else if self.eat("\"") {
            b'"'
        } else {
            return Err("a plain string in quotes");
        };
        let rest = self.rest();
        let len = rest
            .iter()
            .position(|&c| c == quote)
            .ok_or("a closing quote")?;
        let text = &rest[..len];
        if !text.iter().all(|c| c.is_ascii_graphic() && *c != b'\\') {
            return Err("a plain string in quotes");
        }
        self.at += len + 1;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn boolean(&mut self) -> Result<bool, Expected> {
        if self.eat("True") {
            Ok(true)
        } else if self.eat("False") {
            Ok(false)
        } else {
            Err("True or False")
        }
    }

    /// Integers in parentheses. A trailing comma is optional, even where Python needs it: other writers leave it out.
    fn tuple(&mut self) -> Result<Vec<u64>, Expected> {
        let mut numbers = Vec::new();
        self.need("(")?;
        while !self.eat(")") {
            numbers.push(self.integer()?);
            if !self.eat(",") {
                self.need(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    /// Decimal digits, with the `L` that Python 2 wrote after a long.
    fn integer(&mut self) -> Result<u64, Expected> {
        self.skip_space();
        let digits = self
            .rest()
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        let text = String::from_utf8_lossy(&self.rest()[..digits]);
        let number = text.parse().map_err(|_| "an unsigned number of 64 bits")?;
        self.at += digits;
        self.eat("L");
        Ok(number)
    }

    fn need(&mut self, token: &'static str) -> Result<(), Expected> {
        if self.eat(token) { Ok(()) } else { Err(token) }
    }

    /// Steps over `token`, and space before it, if it is next.
    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(token.as_bytes());
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn skip_space(&mut self) {
        self.at += self
            .rest()
            .iter()
            .take_while(|c| c.is_ascii_whitespace())
            .count();
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }
}
