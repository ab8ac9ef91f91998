//! Reading a job's log: as the bytes it is, and as numbered lines.
//!
//! What always holds: a [`Place`] says all there is to go on from, so a reader that was cut off
//! resumes exactly there, whatever process answers it. A line is shown when it is whole, or when
//! the job has ended.

use std::fmt;
use std::str::FromStr;

use model::JobId;
use store::PgConnection;
use store::log::LogCursor;

use crate::error::Result;

/// Read from the database at once.
const READ_BYTES: i64 = 512 * 1024;
/// A line that goes on for longer is broken here.
const LONGEST_LINE_BYTES: usize = 32 * 1024;

/// Where in a log to read on: a byte of a chunk, and how many lines came before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    attempt: i32,
    seq: i64,
    offset: usize,
    pub(crate) line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.attempt, self.seq, self.offset, self.line)
    }
}

/// A place that was not made here.
#[derive(Debug, thiserror::Error)]
#[error("this is no place in a log")]
pub(crate) struct BadPlace;

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> std::result::Result<Self, BadPlace> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(BadPlace);
        let place = Self {
            attempt: next()?.parse().map_err(|_| BadPlace)?,
            seq: next()?.parse().map_err(|_| BadPlace)?,
            offset: next()?.parse().map_err(|_| BadPlace)?,
            line: next()?.parse().map_err(|_| BadPlace)?,
        };
        let sane = place.seq >= 0 && parts.next().is_none();
        if sane { Ok(place) } else { Err(BadPlace) }
    }
}

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Some lines, and where to go on.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<Line>,
    pub(crate) next: Place,
    /// There is more to read at once.
    pub(crate) more: bool,
}

/// At most `limit` lines from `from` on. `ended`: nothing will be added, so an unfinished last line
/// is a line.
pub(crate) async fn lines(
    conn: &mut PgConnection,
    job: JobId,
    from: Place,
    limit: usize,
    ended: bool,
) -> Result<Lines> {
    let mut reader = Reader { lines: Vec::new(), next: from, partial: Vec::new(), limit };
    // what a line's beginning leaves unread
    let mut cursor = LogCursor { attempt: from.attempt, seq: from.seq - 1 };
    loop {
        let chunks = store::log::read(conn, job, cursor, READ_BYTES).await?;
        let Some(last) = chunks.last() else {
            reader.end(ended, cursor);
            return Ok(Lines { lines: reader.lines, next: reader.next, more: false });
        };
        let after = last.cursor();
        for chunk in chunks {
            let at = chunk.cursor();
            let skip =
                if (at.attempt, at.seq) == (from.attempt, from.seq) { from.offset } else { 0 };
            if reader.take(at, chunk.bytes.get(skip..).unwrap_or_default(), skip) == Room::Full {
                return Ok(Lines { lines: reader.lines, next: reader.next, more: true });
            }
        }
        cursor = after;
    }
}

#[derive(PartialEq, Eq)]
enum Room {
    Left,
    Full,
}

struct Reader {
    lines: Vec<Line>,
    next: Place,
    partial: Vec<u8>,
    limit: usize,
}

impl Reader {
    fn take(&mut self, at: LogCursor, bytes: &[u8], base: usize) -> Room {
        if at.attempt != self.next.attempt && !self.partial.is_empty() {
            // the lost worker's last words
            self.emit(at, 0);
        }
        let mut begin = 0;
        while begin < bytes.len() {
            if self.lines.len() >= self.limit {
                return Room::Full;
            }
            let rest = &bytes[begin..];
            let room = LONGEST_LINE_BYTES.saturating_sub(self.partial.len());
            let whole = rest.iter().take(room).position(|&byte| byte == b'\n');
            match whole {
                Some(end) => {
                    self.partial.extend_from_slice(&rest[..end]);
                    begin += end + 1;
                    self.emit(at, base + begin);
                }
                None if rest.len() >= room => {
                    self.partial.extend_from_slice(&rest[..room]);
                    begin += room;
                    self.emit(at, base + begin);
                }
                None => {
                    self.partial.extend_from_slice(rest);
                    begin = bytes.len();
                }
            }
        }
        Room::Left
    }

    fn emit(&mut self, at: LogCursor, offset: usize) {
        let number = self.next.line + 1;
        self.lines.push(Line { number, bytes: std::mem::take(&mut self.partial) });
        self.next = Place { attempt: at.attempt, seq: at.seq, offset, line: number };
    }

    fn end(&mut self, ended: bool, last: LogCursor) {
        if ended && !self.partial.is_empty() {
            self.emit(LogCursor { seq: last.seq + 1, ..last }, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(limit: usize) -> Reader {
        Reader { lines: Vec::new(), next: Place::default(), partial: Vec::new(), limit }
    }

    fn at(attempt: i32, seq: i64) -> LogCursor {
        LogCursor { attempt, seq }
    }

    fn text(reader: &Reader) -> Vec<(u64, String)> {
        let text = |line: &Line| (line.number, String::from_utf8_lossy(&line.bytes).into_owned());
        reader.lines.iter().map(text).collect()
    }

    #[test]
    fn a_line_that_crosses_chunks_is_one_line_and_the_place_is_behind_the_last_whole_one() {
        let mut reader = reader(100);
        reader.take(at(1, 0), b"one\ntw", 0);
        assert_eq!(reader.next.to_string(), "1.0.4.1");
        reader.take(at(1, 1), b"o\nthr", 0);
        assert_eq!(text(&reader), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(reader.next.to_string(), "1.1.2.2");
    }

    #[test]
    fn an_ended_jobs_last_line_needs_no_line_end() {
        let mut reader = reader(100);
        reader.take(at(1, 0), b"done", 0);
        reader.end(false, at(1, 0));
        assert_eq!(text(&reader), []);
        reader.end(true, at(1, 0));
        assert_eq!(text(&reader), [(1, "done".into())]);
        assert_eq!(reader.next.to_string(), "1.1.0.1");
    }

    #[test]
    fn a_new_attempt_begins_a_new_line() {
        let mut reader = reader(100);
        reader.take(at(1, 0), b"cut off", 0);
        reader.next.attempt = 1;
        reader.take(at(2, 0), b"again\n", 0);
        assert_eq!(text(&reader), [(1, "cut off".into()), (2, "again".into())]);
    }

    #[test]
    fn a_page_ends_at_its_limit_and_an_endless_line_is_broken() {
        let mut two = reader(2);
        assert!(two.take(at(1, 0), b"a\nb\nc\n", 0) == Room::Full);
        assert_eq!(two.next.to_string(), "1.0.4.2");
        let mut long = reader(100);
        long.take(at(1, 0), &vec![b'x'; LONGEST_LINE_BYTES + 10], 0);
        assert_eq!(long.lines.len(), 1);
    }

    #[test]
    fn only_a_place_of_ours_is_a_place() {
        assert_eq!("1.2.3.4".parse::<Place>().unwrap().to_string(), "1.2.3.4");
        for bad in ["", "1.2.3", "1.2.3.4.5", "1.-2.3.4", "a.b.c.d"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
