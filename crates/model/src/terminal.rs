//! The part of a terminal's language that logs speak: escape sequences, and the looks they set.
//!
//! What always holds: any bytes are understood, in pieces cut anywhere, with a bounded memory; a
//! line end ends whatever was unfinished, so no sequence swallows more than its line. What a
//! [`Tracker`] has seen fits into a few bytes ([`Tracker::prelude`]) that bring a fresh one to the
//! same place: that is how a log is read from its middle.

mod look;
mod parser;

pub use look::{Colour, Look, Weight};
pub use parser::{Parser, Screen};

/// Follows a stream only for how its next text would look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracker {
    parser: Parser,
    look: Look,
}

impl Tracker {
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.parser.is_in_text() && !bytes.contains(&parser::ESCAPE) {
            return;
        }
        self.parser.feed(bytes, &mut Skim(&mut self.look));
    }

    /// What a fresh one must see to stand where this one does: often nothing.
    pub fn prelude(&self) -> String {
        let mut prelude = self.look.sequence();
        prelude.push_str(&self.parser.unfinished());
        prelude
    }

    /// Whether text that came now would be plain text.
    pub fn is_plain(&self) -> bool {
        self.parser.is_in_text() && self.look == Look::default()
    }

    pub fn into_parts(self) -> (Parser, Look) {
        (self.parser, self.look)
    }
}

/// Sees nothing but looks.
struct Skim<'a>(&'a mut Look);

impl Screen for Skim<'_> {
    fn text(&mut self, _: &[u8]) {}

    fn control(&mut self, _: u8) {}

    fn sequence(&mut self, parameters: &[u8], last: u8) {
        if last == b'm' {
            self.0.set(parameters);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tracker(bytes: &[u8]) -> Tracker {
        let mut tracker = Tracker::default();
        tracker.feed(bytes);
        tracker
    }

    #[test]
    fn most_streams_need_no_prelude() {
        assert_eq!(tracker(b"plain\n\x1b[31mred\x1b[0m\n\x1b]0;title\x07").prelude(), "");
        assert!(tracker(b"plain").is_plain());
    }

    #[test]
    fn a_prelude_says_the_look_and_what_was_begun() {
        let cut = tracker(b"\x1b[1;38;5;196mred\n\x1b[4");
        assert_eq!(cut.prelude(), "\x1b[1;38;2;255;0;0m\x1b[4");
        assert_eq!(tracker(cut.prelude().as_bytes()), cut);
        assert!(!cut.is_plain());
    }

    proptest! {
        #[test]
        fn reading_on_from_a_prelude_is_reading_on(
            pieces in prop::collection::vec(
                prop_oneof![
                    "\\PC{0,4}".prop_map(String::into_bytes),
                    prop::collection::vec(any::<u8>(), 0..6),
                    "\x1b\\[[0-9;:?]{0,70}[mKGq]?".prop_map(String::into_bytes),
                    "\x1b[\\]P_^][a-z;]{0,4}(\x07|\x1b|\x1b\\\\)?".prop_map(String::into_bytes),
                    "[0-9;m\n]{0,5}".prop_map(String::into_bytes),
                ],
                0..12,
            ),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes: Vec<u8> = pieces.concat();
            let (before, after) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut resumed = tracker(tracker(before).prelude().as_bytes());
            resumed.feed(after);
            let whole = tracker(&bytes);
            prop_assert_eq!(&resumed.prelude(), &whole.prelude());
            prop_assert!(whole.prelude().len() < 200);
        }
    }
}
