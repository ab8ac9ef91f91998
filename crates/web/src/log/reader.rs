//! Numbered lines from a place on, shown as a terminal would.
//!
//! What always holds: what was read is not read again while the reader lives, so following a line
//! that grows for ever costs what comes and not what came.

use chrono::{DateTime, Utc};
use model::JobId;
use store::PgConnection;
use store::log::{LogChunk, LogCursor};

use super::{Layout, Place};
use crate::ansi::{Row, Terminal};
use crate::error::Result;

/// Read from the database at once.
const READ_BYTES: i64 = 512 * 1024;

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    /// When its beginning came.
    pub(crate) at: DateTime<Utc>,
    pub(crate) row: Row,
}

/// Some lines.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) lines: Vec<Line>,
    /// There is more to read at once.
    pub(crate) more: bool,
    /// Groups began or ended with what was read.
    pub(crate) grouped: bool,
}

/// What of the first chunk lies before the place where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Bytes(usize),
    LineEnds(u64),
}

pub(crate) struct Reader {
    job: JobId,
    /// Behind the last whole line.
    place: Place,
    /// All of it, and before it, was read.
    cursor: LogCursor,
    /// Of the chunk after the cursor, if that is the next of its attempt.
    skip: Skip,
    /// The terminal knows how the text looks at this place.
    primed: bool,
    terminal: Terminal,
    /// When the line under way began to come.
    began: Option<DateTime<Utc>>,
}

impl Reader {
    pub(crate) fn from(job: JobId, place: Place) -> Self {
        let cursor = LogCursor { attempt: place.attempt, seq: place.seq - 1 };
        Self::new(job, place, cursor, Skip::Bytes(place.offset))
    }

    /// Begins with line `number`, counted from 1.
    pub(crate) async fn at_line(
        conn: &mut PgConnection,
        job: JobId,
        layout: &Layout,
        number: u64,
    ) -> Result<Self> {
        let number = number.clamp(1, layout.total() + 1);
        let Some(block) = layout.at(number) else {
            return Ok(Self::from(job, Place::default()));
        };
        let attempt = block.attempt;
        let place = Place { attempt, line: number - 1, ..Place::default() };
        let first = LogCursor { attempt, seq: -1 };
        let line_ends = number - 1 - block.before;
        let wanted = i64::try_from(line_ends).unwrap_or(i64::MAX);
        Ok(match store::log::locate(conn, job, attempt, wanted).await? {
            Some(found) if line_ends > 0 => {
                let before = u64::try_from(found.before).unwrap_or(0);
                let cursor = LogCursor { attempt, seq: found.seq - 1 };
                Self::new(job, place, cursor, Skip::LineEnds(line_ends - before))
            }
            // behind the unfinished last line of an attempt: nothing of it is left
            None if line_ends > 0 => {
                let cursor = LogCursor { attempt, seq: i64::MAX };
                Self::new(job, place, cursor, Skip::Bytes(0))
            }
            Some(_) | None => Self::new(job, place, first, Skip::Bytes(0)),
        })
    }

    fn new(job: JobId, place: Place, cursor: LogCursor, skip: Skip) -> Self {
        let terminal = Terminal::default();
        Self { job, place, cursor, skip, primed: false, terminal, began: None }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// What stands on the line that has not ended.
    pub(crate) fn unfinished(&self) -> &Row {
        self.terminal.row()
    }

    /// At most `limit` lines more. `ended`: nothing will be added, so an unfinished last line is a
    /// line.
    pub(crate) async fn read(
        &mut self,
        conn: &mut PgConnection,
        limit: usize,
        ended: bool,
    ) -> Result<Read> {
        let mut read = Read::default();
        loop {
            let chunks = store::log::read(conn, self.job, self.cursor, READ_BYTES).await?;
            if chunks.is_empty() {
                if ended && self.began.is_some() {
                    let after = LogCursor { seq: self.cursor.seq + 1, ..self.cursor };
                    self.emit(after, 0, &mut read);
                }
                return Ok(read);
            }
            for chunk in chunks {
                read.grouped |= chunk.grouped;
                if self.take(&chunk, limit, &mut read) == Room::Full {
                    read.more = true;
                    return Ok(read);
                }
            }
        }
    }

    fn take(&mut self, chunk: &LogChunk, limit: usize, read: &mut Read) -> Room {
        let at = chunk.cursor();
        if at.attempt != self.cursor.attempt && self.primed {
            if self.began.is_some() {
                // the lost worker's last words
                self.emit(at, 0, read);
            }
            self.terminal.reset();
        }
        let mut begin = self.skipped(chunk);
        if !self.primed {
            self.terminal = Terminal::after(&chunk.prelude, &chunk.bytes[..begin]);
            self.primed = true;
        }
        while begin < chunk.bytes.len() {
            if read.lines.len() >= limit {
                // come back to this chunk
                self.cursor = LogCursor { attempt: at.attempt, seq: at.seq - 1 };
                self.skip = Skip::Bytes(begin);
                return Room::Full;
            }
            let rest = &chunk.bytes[begin..];
            self.began = self.began.or(Some(chunk.at));
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.terminal.feed(&rest[..end]);
                    begin += end + 1;
                    self.emit(at, begin, read);
                }
                None => {
                    self.terminal.feed(rest);
                    begin = chunk.bytes.len();
                }
            }
        }
        self.cursor = at;
        self.skip = Skip::Bytes(0);
        Room::Left
    }

    /// How many bytes of a chunk lie before the place.
    fn skipped(&self, chunk: &LogChunk) -> usize {
        let is_next = LogCursor { seq: self.cursor.seq.saturating_add(1), ..self.cursor };
        if chunk.cursor() != is_next {
            return 0;
        }
        match self.skip {
            Skip::Bytes(bytes) => bytes.min(chunk.bytes.len()),
            Skip::LineEnds(0) => 0,
            Skip::LineEnds(count) => {
                let ends = chunk.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                let nth = usize::try_from(count - 1).unwrap_or(usize::MAX);
                ends.map(|(end, _)| end + 1).nth(nth).unwrap_or(chunk.bytes.len())
            }
        }
    }

    fn emit(&mut self, at: LogCursor, offset: usize, read: &mut Read) {
        let number = self.place.line + 1;
        let began = self.began.take().unwrap_or(DateTime::UNIX_EPOCH);
        read.lines.push(Line { number, at: began, row: self.terminal.end_line() });
        self.place = Place { attempt: at.attempt, seq: at.seq, offset, line: number };
    }
}

#[derive(PartialEq, Eq)]
enum Room {
    Left,
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        Reader::from(JobId(uuid::Uuid::nil()), Place::default())
    }

    fn chunk(attempt: i32, seq: i64, bytes: &[u8]) -> LogChunk {
        let bytes = bytes.to_vec();
        let at = DateTime::UNIX_EPOCH;
        LogChunk { attempt, seq, bytes, prelude: String::new(), grouped: false, at }
    }

    fn text(read: &Read) -> Vec<(u64, String)> {
        read.lines.iter().map(|line| (line.number, line.row.text())).collect()
    }

    #[test]
    fn a_line_that_crosses_chunks_is_one_line_and_the_place_is_behind_the_last_whole_one() {
        let (mut reader, mut read) = (reader(), Read::default());
        reader.take(&chunk(1, 0, b"one\ntw"), 100, &mut read);
        assert_eq!(reader.place().to_string(), "1.0.4.1");
        assert_eq!(reader.unfinished().text(), "tw");
        reader.take(&chunk(1, 1, b"o\nthr"), 100, &mut read);
        assert_eq!(text(&read), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(reader.place().to_string(), "1.1.2.2");
    }

    #[test]
    fn a_new_attempt_begins_a_new_plain_line() {
        let (mut reader, mut read) = (reader(), Read::default());
        reader.take(&chunk(1, 0, b"\x1b[31mcut off"), 100, &mut read);
        reader.take(&chunk(2, 0, b"again\n"), 100, &mut read);
        assert_eq!(text(&read), [(1, "cut off".into()), (2, "again".into())]);
        assert_eq!(read.lines[1].row.html(100), "again");
    }

    #[test]
    fn reading_goes_on_in_the_middle_of_a_chunk() {
        let mut reader = reader();
        let long = chunk(1, 0, b"a\nb\nc\n");
        let mut read = Read::default();
        assert!(reader.take(&long, 2, &mut read) == Room::Full);
        assert_eq!(reader.place().to_string(), "1.0.4.2");
        let mut rest = Read::default();
        assert!(reader.take(&long, 2, &mut rest) == Room::Left);
        assert_eq!(text(&rest), [(3, "c".into())]);
    }

    #[test]
    fn a_resumed_reader_knows_how_the_text_looks() {
        let place: Place = "1.5.9.2".parse().unwrap();
        let mut reader = Reader::from(JobId(uuid::Uuid::nil()), place);
        let five = LogChunk { prelude: "\x1b[1m".into(), ..chunk(1, 5, b"\x1b[31mtwo\nthree\n") };
        let mut read = Read::default();
        reader.take(&five, 9, &mut read);
        assert_eq!(text(&read), [(3, "three".into())]);
        assert_eq!(read.lines[0].row.html(100), "<span class=\"f1 bold\">three</span>");
    }
}
