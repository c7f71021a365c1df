//! Where in the metadata a condition looks: names from the outside in.

use std::fmt;

use super::FilterProblem;

/// A field of the metadata, possibly of an object within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Field(Box<[Box<str>]>);

impl Field {
    /// From `outer.inner`. A backslash takes the next character as it is: `a\.b` is one name.
    ///
    /// Errors: a backslash at the end.
    pub(crate) fn from_path(path: &str) -> Result<Field, FilterProblem> {
        let mut names = vec![String::new()];
        let mut chars = path.chars();
        while let Some(c) = chars.next() {
            let taken = match c {
                '.' => {
                    names.push(String::new());
                    continue;
                }
                '\\' => chars
                    .next()
                    .ok_or_else(|| FilterProblem::Field(path.to_owned()))?,
                c => c,
            };
            names
                .last_mut()
                .into_iter()
                .for_each(|name| name.push(taken));
        }
        Ok(Field::from_names(names))
    }

    pub(crate) fn from_names(names: Vec<String>) -> Field {
        Field(names.into_iter().map(String::into_boxed_str).collect())
    }

    /// From the outside in.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|name| name.len()).sum()
    }
}

/// As the text form has it: names that are no words in double quotes.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if super::lex::is_plain(name) {
                f.write_str(name)?;
            } else {
                write!(f, "\"{}\"", name.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}
