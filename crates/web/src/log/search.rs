//! Search in a whole log, by what its lines say and not by how they look: case does not matter,
//! colours are not seen.
//!
//! What always holds: it reads chunk by chunk, and answers with a bounded number of lines.

use model::JobId;
use store::PgConnection;
use store::log::LogCursor;

use crate::ansi::Terminal;
use crate::error::Result;

const READ_BYTES: i64 = 1024 * 1024;
/// Of a line this much is searched.
const LONGEST_LINE_BYTES: usize = 1024 * 1024;
const LONGEST_NEEDLE_CHARS: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needle {
    lower: String,
}

impl Needle {
    /// None: nothing is looked for.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let lower = text.chars().take(LONGEST_NEEDLE_CHARS).collect::<String>().to_lowercase();
        (!lower.trim().is_empty()).then_some(Self { lower })
    }

    fn is_in(&self, line: &[u8]) -> bool {
        if line.iter().any(|byte| matches!(byte, 0x1b | b'\r' | 0x08)) {
            return self.is_in_text(text(line).as_bytes());
        }
        self.is_in_text(line)
    }

    fn is_in_text(&self, text: &[u8]) -> bool {
        let needle = self.lower.as_bytes();
        if self.lower.is_ascii() {
            let Some(first) = needle.first() else { return false };
            return text.windows(needle.len()).any(|part| {
                part[0].eq_ignore_ascii_case(first) && part.eq_ignore_ascii_case(needle)
            });
        }
        String::from_utf8_lossy(text).to_lowercase().contains(&self.lower)
    }
}

fn text(line: &[u8]) -> String {
    let mut terminal = Terminal::default();
    terminal.feed(line);
    terminal.end_line().text()
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// There are more than these.
    pub(crate) more: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// The first `limit` lines after line `after` that hold the needle.
pub(crate) async fn find(
    conn: &mut PgConnection,
    job: JobId,
    needle: &Needle,
    after: u64,
    limit: usize,
) -> Result<Found> {
    let mut search =
        Search { needle, after, limit, number: 0, partial: Vec::new(), found: Found::default() };
    let mut cursor = LogCursor::default();
    loop {
        let chunks = store::log::read(conn, job, cursor, READ_BYTES).await?;
        let Some(last) = chunks.last() else {
            search.end_line();
            return Ok(search.found);
        };
        let next = last.cursor();
        for chunk in &chunks {
            if chunk.attempt != cursor.attempt {
                search.end_line();
            }
            cursor.attempt = chunk.attempt;
            search.take(&chunk.bytes);
            if search.found.more {
                return Ok(search.found);
            }
        }
        cursor = next;
    }
}

struct Search<'a> {
    needle: &'a Needle,
    after: u64,
    limit: usize,
    number: u64,
    partial: Vec<u8>,
    found: Found,
}

impl Search<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for line in lines {
            if self.partial.is_empty() {
                self.look(line);
            } else {
                self.keep(line);
                let whole = std::mem::take(&mut self.partial);
                self.look(&whole);
            }
        }
        self.keep(last);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE_BYTES - self.partial.len().min(LONGEST_LINE_BYTES);
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        if !self.partial.is_empty() {
            let whole = std::mem::take(&mut self.partial);
            self.look(&whole);
        }
    }

    fn look(&mut self, line: &[u8]) {
        self.number += 1;
        if self.found.more || self.number <= self.after || !self.needle.is_in(line) {
            return;
        }
        if self.found.hits.len() == self.limit {
            self.found.more = true;
        } else {
            self.found.hits.push(Hit { number: self.number, text: text(line) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(wanted: &str, chunks: &[&[u8]], after: u64, limit: usize) -> (Vec<u64>, bool) {
        let needle = Needle::new(wanted).unwrap();
        let mut search = Search {
            needle: &needle,
            after,
            limit,
            number: 0,
            partial: Vec::new(),
            found: Found::default(),
        };
        chunks.iter().for_each(|chunk| search.take(chunk));
        search.end_line();
        (search.found.hits.iter().map(|hit| hit.number).collect(), search.found.more)
    }

    #[test]
    fn a_word_is_found_whatever_its_case_colour_and_chunk() {
        let chunks: [&[u8]; 3] =
            [b"an error\nno\nEr\x1b[31mROR\x1b[0m\ner", b"ror\nl\xc3\x84rm\nerro\rx\n", b"error"];
        assert_eq!(numbers("error", &chunks, 0, 10), (vec![1, 3, 4, 7], false));
        assert_eq!(numbers("l\u{e4}RM", &chunks, 0, 10), (vec![5], false));
        assert_eq!(numbers("nothing", &chunks, 0, 10), (vec![], false));
    }

    #[test]
    fn hits_are_counted_up_to_a_limit_and_read_on_after_it() {
        let chunks: [&[u8]; 1] = [b"x\nx\nx\nx\n"];
        assert_eq!(numbers("x", &chunks, 0, 2), (vec![1, 2], true));
        assert_eq!(numbers("x", &chunks, 2, 2), (vec![3, 4], false));
    }

    #[test]
    fn blanks_are_nothing_to_look_for() {
        assert_eq!(Needle::new("  "), None);
        assert!(Needle::new("a b").is_some());
    }
}
