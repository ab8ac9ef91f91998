//! A terminal that shows one line at a time: text overwrites, carriage returns and erasures do what
//! they do in a terminal, so that a progress bar ends as it was seen last. Movements to other lines
//! are dropped.
//!
//! What always holds: a line needs a bounded memory, however long it is and wherever it moves; the
//! look of the text carries over to the next line.

use model::terminal::{Colour, Look, Parser, Screen, Tracker, Weight};

/// What of a line is beyond is counted, and not shown.
const LONGEST_LINE_CHARS: usize = 16 * 1024;
/// A movement to the right makes at most so long a line, as a wide terminal would.
const WIDEST: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) char: char,
    pub(super) look: Look,
}

const BLANK: Cell = Cell { char: ' ', look: PLAIN };
const PLAIN: Look = Look::PLAIN;

/// A line as it was left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(super) cells: Vec<Cell>,
    /// How many characters did not fit.
    pub(super) beyond: usize,
}

impl Row {
    pub(crate) fn text(&self) -> String {
        self.cells.iter().map(|cell| cell.char).collect()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Terminal {
    parser: Parser,
    canvas: Canvas,
}

#[derive(Debug, Default)]
struct Canvas {
    look: Look,
    row: Row,
    column: usize,
    /// The beginning of a character whose end has not come.
    cut: Vec<u8>,
}

impl Terminal {
    /// A terminal that has seen this, at the beginning of a line.
    pub(crate) fn after(prelude: &str, seen: &[u8]) -> Self {
        let mut tracker = Tracker::default();
        tracker.feed(prelude.as_bytes());
        tracker.feed(seen);
        let (parser, look) = tracker.into_parts();
        Self { parser, canvas: Canvas { look, ..Canvas::default() } }
    }

    /// Shows what comes on this line.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.parser.feed(bytes, &mut self.canvas);
    }

    /// What stands on the line now.
    pub(crate) fn row(&self) -> &Row {
        &self.canvas.row
    }

    pub(crate) fn end_line(&mut self) -> Row {
        self.feed(b"\n");
        self.canvas.column = 0;
        std::mem::take(&mut self.canvas.row)
    }

    /// What was begun is over, as when another process writes: no sequence, no look goes on.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Canvas {
    fn put(&mut self, char: char) {
        if self.column >= LONGEST_LINE_CHARS {
            self.row.beyond += 1;
            return;
        }
        self.pad();
        let cell = Cell { char, look: self.look };
        match self.row.cells.get_mut(self.column) {
            Some(there) => *there = cell,
            None => self.row.cells.push(cell),
        }
        self.column += 1;
    }

    fn pad(&mut self) {
        while self.row.cells.len() < self.column {
            self.row.cells.push(BLANK);
        }
    }

    fn move_to(&mut self, column: usize) {
        self.column = column.min(WIDEST.max(self.row.cells.len()));
    }

    /// Whatever came of a character is no character.
    fn flush(&mut self) {
        if !self.cut.is_empty() {
            self.cut.clear();
            self.put(char::REPLACEMENT_CHARACTER);
        }
    }

    fn erase(&mut self, mode: usize) {
        let cells = &mut self.row.cells;
        match mode {
            0 => cells.truncate(self.column),
            1 => {
                let end = cells.len().min(self.column + 1);
                cells[..end].fill(BLANK);
            }
            2 => cells.clear(),
            _ => return,
        }
        if mode != 1 {
            self.row.beyond = 0;
        }
    }

    fn show(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                // would show what follows in another order than it was printed
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    self.put(char::REPLACEMENT_CHARACTER);
                }
                char if char.is_control() => {}
                char => self.put(char),
            }
        }
    }
}

impl Screen for Canvas {
    fn text(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.cut.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.cut).as_slice(), bytes].concat();
            joined.as_slice()
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return self.show(text),
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.show(&String::from_utf8_lossy(good));
                    let Some(length) = error.error_len() else {
                        self.cut = bad.to_vec();
                        return;
                    };
                    self.put(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
    }

    fn control(&mut self, byte: u8) {
        self.flush();
        match byte {
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.put('\t'),
            _ => {}
        }
    }

    fn sequence(&mut self, parameters: &[u8], last: u8) {
        self.flush();
        if last == b'm' {
            return self.look.set(parameters);
        }
        let parameters = match parameters {
            b"" => Ok(0),
            digits => std::str::from_utf8(digits).unwrap_or("").parse::<usize>(),
        };
        // of more parameters, or of another language
        let Ok(n) = parameters else { return };
        match last {
            b'K' => self.erase(n),
            b'G' => self.move_to(n.saturating_sub(1)),
            b'C' => self.move_to(self.column.saturating_add(n.max(1))),
            b'D' => self.column = self.column.saturating_sub(n.max(1)),
            _ => {}
        }
    }
}

impl Cell {
    /// What it is written in and on, inversion done.
    pub(super) fn inks(self) -> (Ink, Ink) {
        let ink = |colour, own| match colour {
            Colour::Own => own,
            Colour::Named(n) => Ink::Named(n),
            Colour::Exact(r, g, b) => Ink::Exact(r, g, b),
        };
        let look = self.look;
        if look.has(Weight::Inverse) {
            (ink(look.background, Ink::Ground), ink(look.foreground, Ink::Text))
        } else {
            (ink(look.foreground, Ink::Text), ink(look.background, Ink::Ground))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// What text has by itself.
    Text,
    /// What lies behind it by itself.
    Ground,
    Named(u8),
    Exact(u8, u8, u8),
}
