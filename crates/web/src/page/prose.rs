//! Sentences in which code stands between backticks, for templates (`prose` of `parts.html`).

/// A part of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    pub(crate) words: &'t str,
    /// What follows them; nothing at the end.
    pub(crate) code: &'t str,
}

/// A backtick without its other half is one of the words.
pub(crate) fn pieces<T: AsRef<str> + ?Sized>(text: &T) -> Vec<Piece<'_>> {
    let mut rest = text.as_ref();
    let mut pieces = Vec::new();
    while let Some((words, after)) = rest.split_once('`')
        && let Some((code, after)) = after.split_once('`')
    {
        pieces.push(Piece { words, code });
        rest = after;
    }
    pieces.push(Piece { words: rest, code: "" });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_two_backticks() {
        let read = |text: &'static str| -> Vec<(&str, &str)> {
            pieces(text).into_iter().map(|piece| (piece.words, piece.code)).collect()
        };
        assert_eq!(read("`a` or `b`."), [("", "a"), (" or ", "b"), (".", "")]);
        assert_eq!(read("one ` alone"), [("one ` alone", "")]);
        assert_eq!(read(""), [("", "")]);
    }
}
