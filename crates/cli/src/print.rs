//! Words for a terminal, JSON for a program.
//!
//! Everything goes through `writeln!` on a writer, never `println!`: a reader that closes the pipe is an error value here,
//! not a panic. Text that came from a file may hold escape sequences; [`Clean`] shows them instead of sending them.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

use serde::Serialize;

/// One JSON value on one line.
pub(crate) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Reports a failure on stderr. If that is closed there is nobody left to tell.
pub(crate) fn complain(problem: &impl Display) {
    let _ = writeln!(io::stderr(), "proxime: {}", Clean(problem));
}

/// Says something beside the answer, on stderr.
pub(crate) fn note(said: &impl Display) {
    complain(&format_args!("note: {said}"));
}

/// Shows `T` with control characters escaped, so that no stored name or id can drive the terminal.
pub(crate) struct Clean<T>(pub(crate) T);

impl<T: Display> Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// "1 segment", "2 segments".
pub(crate) fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", indicatif::HumanCount(n as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_sent() {
        let hostile = "a\u{1b}[2Jb\u{9b}c\u{7f}d é";
        assert_eq!(Clean(hostile).to_string(), "a\\u{1b}[2Jb\\u{9b}c\\u{7f}d é");
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(12_345, "row"), "12,345 rows");
    }
}
