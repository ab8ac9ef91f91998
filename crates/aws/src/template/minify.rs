//! JSON without the blanks between its parts. Pure.
//!
//! What always holds: every text and number stays as it was written, letter by letter; reading
//! and writing the tree anew would not keep large numbers.

/// `text` must be valid JSON.
pub(super) fn json(text: &str) -> String {
    let mut small = String::with_capacity(text.len());
    let mut place = Place::Outside;
    for c in text.chars() {
        let (kept, next) = match (place, c) {
            (Place::Outside, ' ' | '\n' | '\r' | '\t') => (false, Place::Outside),
            (Place::Outside, '"') => (true, Place::Text),
            (Place::Outside, _) => (true, Place::Outside),
            (Place::Text, '"') => (true, Place::Outside),
            (Place::Text, '\\') => (true, Place::Escape),
            (Place::Text | Place::Escape, _) => (true, Place::Text),
        };
        if kept {
            small.push(c);
        }
        place = next;
    }
    small
}

#[derive(Clone, Copy)]
enum Place {
    Outside,
    Text,
    /// Behind a backslash.
    Escape,
}

#[cfg(test)]
mod tests {
    #[test]
    fn blanks_go_and_texts_and_numbers_stay() {
        let text =
            "{\n\t\"a b\" : [ 1.0e10 , 12345678901234567890123 ],\r\n \"c\\\" d\\\\\" : \" e \" }";
        assert_eq!(
            super::json(text),
            r#"{"a b":[1.0e10,12345678901234567890123],"c\" d\\":" e "}"#
        );
    }
}
