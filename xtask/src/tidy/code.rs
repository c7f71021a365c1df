//! Rust source without its comments, strings and characters, so that a word found is a word of code.
//!
//! No parser: it only knows where the things that are not code begin and end.

/// `source` with every comment and literal replaced by blanks. Lines keep their numbers.
pub(super) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = noise_bytes(rest);
        let (noise, after) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 {
            code.push(first);
        } else {
            code.extend(noise.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// How many bytes of comment or literal `text` begins with; 0 when it begins with code.
fn noise_bytes(text: &str) -> usize {
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment_bytes(text)
    } else if text.starts_with('"') {
        quoted_bytes(text, '"')
    } else if text.starts_with('\'') {
        character_bytes(text)
    } else if text.starts_with('r') {
        raw_string_bytes(text)
    } else {
        0
    }
}

fn block_comment_bytes(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// `text` begins with `quote`; a backslash hides what follows it.
fn quoted_bytes(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character, unless the quote begins a lifetime.
fn character_bytes(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_bytes(text, '\''),
        _ => 0,
    }
}

/// `r"…"` or `r#"…"#`, unless it is a word that begins with r.
fn raw_string_bytes(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|&c| c == '#').count();
    let open = 1 + hashes + 1;
    match text.get(open - 1..).filter(|rest| rest.starts_with('"')) {
        None => 0,
        Some(_) => {
            let end = format!("\"{}", "#".repeat(hashes));
            text[open..]
                .find(&end)
                .map_or(text.len(), |at| open + at + end.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let blank = |noise: &str| " ".repeat(noise.len());
        for (before, noise, after) in [
            ("a ", "// unsafe", "\nb"),
            ("a ", "/* unsafe /* unsafe */ unsafe */", " b"),
            ("f(", r#""unsafe \" unsafe""#, ", b)"),
            ("f(b", r#""unsafe""#, ")"),
            ("f(", r##"r"unsafe\""##, ", b)"),
            ("f(", r###"r#"unsafe " unsafe"#"###, ", b)"),
            ("f(", r"'\''", ", 'a)"),
            ("f(", "'\"'", ", b)"),
            ("fn f<'a>(x: &'a str) { r#type } ", "// '", ""),
        ] {
            let source = format!("{before}{noise}{after}");
            assert_eq!(
                code_only(&source),
                format!("{before}{}{after}", blank(noise)),
                "{source}"
            );
        }
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_text() {
        for source in ["\"abc", "/* abc", "r#\"abc\"", "'\\"] {
            assert_eq!(code_only(source).trim(), "", "{source}");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        assert_eq!(code_only("/*\n\n*/ a \"\n\" b").lines().count(), 4);
    }
}
