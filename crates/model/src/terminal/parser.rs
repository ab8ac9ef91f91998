//! Takes a stream apart: text, control characters, sequences. After the ECMA-48 grammar, as the
//! DEC parser reads it (Williams, "A parser for DEC's ANSI-compatible video terminals"), without
//! C1 controls: those bytes are parts of characters here.

pub(super) const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
const DELETE: u8 = 0x7f;

/// A sequence with longer parameters means nothing.
const LONGEST_PARAMETERS: usize = 64;

/// What a stream is made of.
pub trait Screen {
    /// Printable bytes; a character may be cut in two calls.
    fn text(&mut self, bytes: &[u8]);

    /// A control character, such as a line end.
    fn control(&mut self, byte: u8);

    /// `ESC [ parameters last`.
    fn sequence(&mut self, parameters: &[u8], last: u8);
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC (` and the like: a character set, two or more characters long.
    Charset,
    Sequence,
    /// Of too many parameters.
    Overlong,
    /// A title, a link, an image: up to BEL or ST.
    String,
    StringEscape,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parser {
    state: State,
    parameters: Vec<u8>,
}

impl Parser {
    pub fn is_in_text(&self) -> bool {
        self.state == State::Text
    }

    pub fn feed(&mut self, bytes: &[u8], screen: &mut impl Screen) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Text {
                let run = rest.iter().position(|byte| is_control(*byte)).unwrap_or(rest.len());
                if run > 0 {
                    screen.text(&rest[..run]);
                    rest = &rest[run..];
                    continue;
                }
                match byte {
                    ESCAPE => self.state = State::Escape,
                    byte => screen.control(byte),
                }
                rest = after;
                continue;
            }
            if self.takes(byte, screen) {
                rest = after;
            } else {
                // no part of a sequence: read again as text
                self.state = State::Text;
            }
        }
    }

    /// Takes a byte of a sequence, or says that the sequence is broken off before it.
    fn takes(&mut self, byte: u8, screen: &mut impl Screen) -> bool {
        match (&self.state, byte) {
            (State::Text, _) | (_, b'\n') => return false,
            (State::String, ESCAPE) => self.state = State::StringEscape,
            (_, ESCAPE) => self.state = State::Escape,
            (State::String, BELL) | (State::StringEscape, b'\\') | (_, CANCEL | SUBSTITUTE) => {
                self.state = State::Text;
            }
            (State::String, _) => {}
            (State::Escape | State::StringEscape, b'[') => {
                self.parameters.clear();
                self.state = State::Sequence;
            }
            (State::Escape | State::StringEscape, b']' | b'P' | b'X' | b'^' | b'_') => {
                self.state = State::String;
            }
            (State::Escape | State::StringEscape | State::Charset, 0x20..=0x2f) => {
                self.state = State::Charset;
            }
            (State::Escape | State::StringEscape | State::Charset, 0x30..=0x7e) => {
                self.state = State::Text;
            }
            (State::Sequence, 0x20..=0x3f) if self.parameters.len() < LONGEST_PARAMETERS => {
                self.parameters.push(byte);
            }
            (State::Sequence | State::Overlong, 0x20..=0x3f) => self.state = State::Overlong,
            (State::Sequence, 0x40..=0x7e) => {
                self.state = State::Text;
                screen.sequence(&self.parameters, byte);
            }
            (State::Overlong, 0x40..=0x7e) => self.state = State::Text,
            (
                State::Escape
                | State::StringEscape
                | State::Charset
                | State::Sequence
                | State::Overlong,
                _,
            ) => return false,
        }
        true
    }

    /// The beginning of a sequence whose rest has not come, in few bytes.
    pub(super) fn unfinished(&self) -> String {
        let parameters = String::from_utf8_lossy(&self.parameters);
        match self.state {
            State::Text => String::new(),
            State::Escape => "\x1b".into(),
            State::Charset => "\x1b ".into(),
            State::Sequence => format!("\x1b[{parameters}"),
            State::Overlong => format!("\x1b[{parameters}0"),
            State::String => "\x1b]".into(),
            State::StringEscape => "\x1b]\x1b".into(),
        }
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == DELETE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(String);

    impl Screen for Told {
        fn text(&mut self, bytes: &[u8]) {
            self.0.push_str(&String::from_utf8_lossy(bytes));
        }

        fn control(&mut self, byte: u8) {
            self.0.push_str(&format!("<{byte:02x}>"));
        }

        fn sequence(&mut self, parameters: &[u8], last: u8) {
            let parameters = String::from_utf8_lossy(parameters);
            self.0.push_str(&format!("<{parameters}{}>", char::from(last)));
        }
    }

    fn told(bytes: &[u8]) -> String {
        let (mut parser, mut told) = (Parser::default(), Told::default());
        parser.feed(bytes, &mut told);
        let mut bytewise = Told::default();
        let mut parser = Parser::default();
        for byte in bytes {
            parser.feed(&[*byte], &mut bytewise);
        }
        if bytes.is_ascii() {
            assert_eq!(told.0, bytewise.0, "cut into bytes");
        }
        told.0
    }

    #[test]
    fn text_controls_and_sequences_are_told_apart() {
        assert_eq!(told(b"a\x1b[1;31mb\x1b[Kc\r\nd"), "a<1;31m>b<K>c<0d><0a>d");
    }

    #[test]
    fn titles_links_and_character_sets_are_dropped() {
        assert_eq!(
            told(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b(Bc\x1b=d\x1bPq\x1b\\e"),
            "abcde"
        );
    }

    #[test]
    fn a_line_end_ends_what_is_unfinished() {
        assert_eq!(told(b"\x1b]0;never closed\nnext"), "<0a>next");
        assert_eq!(told(b"\x1b[31\nnext\x1b"), "<0a>next");
        assert_eq!(told(b"\x1b[3\xc3\xa4"), "\u{e4}");
    }

    #[test]
    fn a_sequence_without_measure_means_nothing() {
        let long = format!("\x1b[{}mx", "1;".repeat(500));
        assert_eq!(told(long.as_bytes()), "x");
    }
}
