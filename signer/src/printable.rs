//! Text of strangers, for a terminal.

/// The same text with control characters, and others that do more than appear,
/// written out: `\u{1b}` for an escape.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // These appear, and are escaped in Rust.
            '\\' | '\'' | '"' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appears_stays_and_the_rest_is_written_out() {
        for text in ["it's \"a\\b\" \u{e4}\u{4e16}", ""] {
            assert_eq!(printable(text), text);
        }
        let rest = "\u{1b}[2K\r\n\u{7f}\u{9b}\u{202e}";
        let written = r"\u{1b}[2K\r\n\u{7f}\u{9b}\u{202e}";
        assert_eq!(printable(rest), written);
    }
}
