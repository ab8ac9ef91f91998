//! A log on somebody's terminal: its colours, and nothing else that a terminal would obey.
//!
//! What always holds: what a build prints cannot move the cursor, rename the window or answer in
//! the person's name. Into a file or a pipe a log goes as it is.

use model::terminal::{Parser, Screen};

#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    parser: Parser,
}

impl Cleaner {
    pub(crate) fn clean(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Kept(Vec::with_capacity(bytes.len()));
        self.parser.feed(bytes, &mut kept);
        kept.0
    }
}

struct Kept(Vec<u8>);

impl Screen for Kept {
    fn text(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn control(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\t') {
            self.0.push(byte);
        }
    }

    fn sequence(&mut self, parameters: &[u8], last: u8) {
        if last == b'm' {
            self.0.extend_from_slice(b"\x1b[");
            self.0.extend_from_slice(parameters);
            self.0.push(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_commands_to_the_terminal_go() {
        let text = b"\x1b[31mred\x1b[0m \x1b]0;owned\x07plain\x1b[2J\x1b[10;10H\ttab\r\n";
        let mut cleaner = Cleaner::default();
        let clean: Vec<u8> = text.chunks(3).flat_map(|piece| cleaner.clean(piece)).collect();
        assert_eq!(String::from_utf8(clean).unwrap(), "\x1b[31mred\x1b[0m plain\ttab\n");
    }
}
