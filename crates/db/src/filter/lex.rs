//! The words of a filter's text, with their places.

use std::str::CharIndices;

use super::{FilterError, FilterProblem};

/// A word, a sign or a literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A plain name or keyword.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// In single quotes.
    Text(String),
    Int(i64),
    Float(f64),
    /// `:name`
    Parameter(String),
    /// One of `( ) , . = != < <= > >=`; `==` and `<>` are read as `=` and `!=`.
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [(&str, &str); 12] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("(", "("),
    (")", ")"),
    (",", ","),
    (".", "."),
];

const KEYWORDS: [&str; 10] = [
    "AND", "OR", "NOT", "IN", "IS", "NULL", "MISSING", "CONTAINS", "TRUE", "FALSE",
];

/// Whether a name needs no quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts_word)
        && chars.all(continues_word)
        && !KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
}

fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The tokens of a text, each with the byte it starts at.
///
/// Errors: a character or a number that none starts with, quotes that do not end; with the place.
pub(crate) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(found);
        };
        let (token, bytes) =
            token(first, rest).map_err(|problem| FilterError::at_byte(at, problem))?;
        found.push((at, token));
        rest = rest.get(bytes..).unwrap_or_default();
    }
}

/// The token that `text` starts with, and its length.
fn token(first: char, text: &str) -> Result<(Token, usize), FilterProblem> {
    if first == '\'' || first == '"' {
        let (inner, bytes) = quoted(first, text)?;
        let token = if first == '"' {
            Token::Quoted(inner)
        } else {
            Token::Text(inner)
        };
        return Ok((token, bytes));
    }
    if first.is_ascii_digit() || matches!(first, '+' | '-') {
        return number(text);
    }
    if starts_word(first) {
        let word = word(text);
        return Ok((Token::Word(word.to_owned()), word.len()));
    }
    if let Some(name) = text
        .strip_prefix(':')
        .map(word)
        .filter(|name| !name.is_empty())
    {
        return Ok((Token::Parameter(name.to_owned()), 1 + name.len()));
    }
    let sign = SIGNS.iter().find(|(sign, _)| text.starts_with(sign));
    sign.map(|&(sign, meaning)| (Token::Sign(meaning), sign.len()))
        .ok_or_else(|| FilterProblem::Needed {
            needed: "a field, a value or an operator",
            got: format!("{first:?}"),
        })
}

fn word(text: &str) -> &str {
    let end = text.find(|c| !continues_word(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// What is between quotes, a doubled one standing for one, and how many bytes it takes with them.
fn quoted(quote: char, text: &str) -> Result<(String, usize), FilterProblem> {
    let mut inner = String::new();
    let mut chars: CharIndices<'_> = text.char_indices();
    chars.next();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            inner.push(c);
        } else if chars.clone().next().is_some_and(|(_, next)| next == quote) {
            inner.push(quote);
            chars.next();
        } else {
            return Ok((inner, at + quote.len_utf8()));
        }
    }
    Err(FilterProblem::Needed {
        needed: "a closing quote",
        got: "the end".to_owned(),
    })
}

fn number(text: &str) -> Result<(Token, usize), FilterProblem> {
    let mut last = ' ';
    let end = text.find(|c: char| {
        let sign = matches!(c, '+' | '-') && matches!(last, ' ' | 'e' | 'E');
        last = c;
        !(sign || c.is_ascii_alphanumeric() || c == '.')
    });
    let digits = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    let integral = !digits.contains(['.', 'e', 'E']);
    let token = match (integral, digits.parse::<i64>(), digits.parse::<f64>()) {
        (true, Ok(value), _) => Token::Int(value),
        (true, Err(_), Ok(value)) if value.is_finite() => {
            return Err(FilterProblem::IntegerRange(digits.to_owned()));
        }
        (false, _, Ok(value)) if value.is_finite() => Token::Float(value),
        (_, _, Ok(value)) => return Err(FilterProblem::NotFinite(value)),
        (_, _, Err(_)) => {
            return Err(FilterProblem::Needed {
                needed: "a number",
                got: format!("{digits:?}"),
            });
        }
    };
    Ok((token, digits.len()))
}
