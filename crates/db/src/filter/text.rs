//! Filters as text, the way the WHERE clause of SQL has them.
//!
//! ```text
//! filter     = and { OR and }
//! and        = not { AND not }
//! not        = NOT not | ( filter ) | condition
//! condition  = field ( = | != | < | <= | > | >= ) value
//!            | field [NOT] IN ( value, ... )  |  field [NOT] IN :list
//!            | field [NOT] CONTAINS value  |  field IS [NOT] NULL  |  field IS [NOT] MISSING
//! field      = name { . name }          name: a word, or anything in double quotes
//! value      = 'text' | number | TRUE | FALSE | NULL | :parameter
//! ```
//!
//! Keywords in any case. Other than in SQL every condition is true or false: `year != 2020` is true where there is no year.

use std::collections::BTreeSet;

use super::lex::{Token, tokens};
use super::{BYTES_MAX, Condition, DEPTH_MAX, Field, Filter, FilterError, FilterProblem};
use crate::{Metadata, Value};

impl Filter {
    /// From a text such as `lang = :l AND year >= 2020`, with values for its parameters.
    ///
    /// Errors: a text that is no filter, with the place; a parameter that is missing or not used; anything too large.
    pub fn parse(text: &str, parameters: &Metadata) -> Result<Filter, FilterError> {
        if text.len() > BYTES_MAX {
            return Err(FilterProblem::Bytes(text.len()).into());
        }
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Err(FilterProblem::Empty.into());
        }
        let mut parser = Parser {
            tokens: &tokens,
            end: text.len(),
            parameters,
            used: BTreeSet::new(),
        };
        let filter = parser.any(1)?;
        if !parser.tokens.is_empty() {
            return Err(parser.needed("AND, OR or the end"));
        }
        match parameters
            .keys()
            .find(|name| !parser.used.contains(name.as_str()))
        {
            Some(name) => Err(FilterProblem::Unused(name.clone()).into()),
            None => filter.checked(),
        }
    }
}

struct Parser<'a> {
    /// Those that are not read yet.
    tokens: &'a [(usize, Token)],
    /// Where the text ends.
    end: usize,
    parameters: &'a Metadata,
    used: BTreeSet<&'a str>,
}

impl<'a> Parser<'a> {
    fn any(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut filters = vec![self.all(depth)?];
        while self.word("OR") {
            filters.push(self.all(depth)?);
        }
        Filter::any(filters).checked()
    }

    fn all(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut filters = vec![self.not(depth)?];
        while self.word("AND") {
            filters.push(self.not(depth)?);
        }
        Filter::all(filters).checked()
    }

    fn not(&mut self, depth: usize) -> Result<Filter, FilterError> {
        if depth > DEPTH_MAX {
            return Err(FilterError::at_byte(self.at(), FilterProblem::Depth));
        }
        if self.word("NOT") {
            return (!self.not(depth + 1)?).checked();
        }
        if !self.sign("(") {
            let at = self.at();
            let condition = self.condition()?.checked();
            return condition.map_err(|error| match error.at.is_empty() {
                true => FilterError::at_byte(at, error.problem),
                false => error,
            });
        }
        let inner = self.any(depth + 1)?;
        match self.sign(")") {
            true => Ok(inner),
            false => Err(self.needed("AND, OR or )")),
        }
    }

    fn condition(&mut self) -> Result<Filter, FilterError> {
        let field = self.field()?;
        if self.word("IS") {
            return self.is(field);
        }
        let negated = self.word("NOT");
        let filter = if self.word("IN") {
            field.is_in(self.list()?)
        } else if self.word("CONTAINS") {
            field.contains(self.value()?)
        } else if negated {
            return Err(self.needed("IN or CONTAINS"));
        } else {
            return self.comparison(field);
        };
        Ok(if negated { !filter } else { filter })
    }

    fn is(&mut self, field: Condition) -> Result<Filter, FilterError> {
        let negated = self.word("NOT");
        let null = self.word("NULL");
        match (null, !null && self.word("MISSING")) {
            (true, _) if negated => Ok(field.ne(Value::Null)),
            (true, _) => Ok(field.eq(Value::Null)),
            (false, true) if negated => Ok(field.exists()),
            (false, true) => Ok(!field.exists()),
            (false, false) => Err(self.needed("NULL or MISSING")),
        }
    }

    fn comparison(&mut self, field: Condition) -> Result<Filter, FilterError> {
        let compare: fn(Condition, Value) -> Filter = match self.tokens.first() {
            Some((_, Token::Sign("="))) => Condition::eq,
            Some((_, Token::Sign("!="))) => Condition::ne,
            Some((_, Token::Sign("<"))) => Condition::lt,
            Some((_, Token::Sign("<="))) => Condition::le,
            Some((_, Token::Sign(">"))) => Condition::gt,
            Some((_, Token::Sign(">="))) => Condition::ge,
            _ => return Err(self.needed("an operator")),
        };
        self.next();
        Ok(compare(field, self.value()?))
    }

    fn field(&mut self) -> Result<Condition, FilterError> {
        let mut names = Vec::new();
        loop {
            match self.tokens.first() {
                Some((_, Token::Word(name))) if super::lex::is_plain(name) => names.push(name),
                Some((_, Token::Quoted(name))) => names.push(name),
                _ => return Err(self.needed("a field")),
            }
            self.next();
            if !self.sign(".") {
                let names = names.into_iter().cloned().collect();
                return Ok(Condition(Ok(Field::from_names(names))));
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, FilterError> {
        if let Some((at, Token::Parameter(name))) = self.tokens.first() {
            self.next();
            return match self.parameter(*at, name)? {
                Value::List(list) => Ok(list),
                other => Err(FilterError::at_byte(
                    *at,
                    FilterProblem::Needed {
                        needed: "a list",
                        got: super::scalar::kind(&other).to_owned(),
                    },
                )),
            };
        }
        if !self.sign("(") {
            return Err(self.needed("( or a parameter"));
        }
        let mut values = Vec::new();
        if self.sign(")") {
            return Ok(values);
        }
        loop {
            values.push(self.value()?);
            if self.sign(")") {
                return Ok(values);
            }
            if !self.sign(",") {
                return Err(self.needed(", or )"));
            }
        }
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        let Some((at, token)) = self.tokens.first() else {
            return Err(self.needed("a value"));
        };
        let value = match token {
            Token::Text(text) => Value::Text(text.clone()),
            Token::Int(value) => Value::Int(*value),
            Token::Float(value) => Value::Float(*value),
            Token::Word(word) if word.eq_ignore_ascii_case("TRUE") => Value::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("FALSE") => Value::Bool(false),
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => Value::Null,
            Token::Parameter(name) => self.parameter(*at, name)?,
            _ => return Err(self.needed("a value")),
        };
        self.next();
        Ok(value)
    }

    fn parameter(&mut self, at: usize, name: &str) -> Result<Value, FilterError> {
        let Some((name, value)) = self.parameters.get_key_value(name) else {
            let problem = FilterProblem::Parameter(name.to_owned());
            return Err(FilterError::at_byte(at, problem));
        };
        self.used.insert(name);
        Ok(value.clone())
    }

    /// Reads this keyword, if it comes next.
    fn word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.tokens.first(), Some((_, Token::Word(word))) if word.eq_ignore_ascii_case(keyword));
        found && self.next()
    }

    /// Reads this sign, if it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some((_, Token::Sign(next))) if *next == sign);
        found && self.next()
    }

    fn next(&mut self) -> bool {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
        true
    }

    fn at(&self) -> usize {
        self.tokens.first().map_or(self.end, |(at, _)| *at)
    }

    fn needed(&self, needed: &'static str) -> FilterError {
        let got = match self.tokens.first() {
            None => "the end".to_owned(),
            Some((_, Token::Word(text) | Token::Quoted(text))) => format!("{text:?}"),
            Some((_, Token::Text(text))) => format!("the text {text:?}"),
            Some((_, Token::Int(value))) => value.to_string(),
            Some((_, Token::Float(value))) => value.to_string(),
            Some((_, Token::Parameter(name))) => format!(":{name}"),
            Some((_, Token::Sign(sign))) => (*sign).to_owned(),
        };
        FilterError::at_byte(self.at(), FilterProblem::Needed { needed, got })
    }
}
