//! Reading a job's log: as the bytes it is, and as numbered lines, from any of them on.
//!
//! What always holds: a [`Place`] says all there is to go on from, so a reader that was cut off
//! resumes exactly there, whatever process answers it. A line is what a line end ends, and is shown
//! when it is whole, or when the job has ended; the log of a later attempt begins a new line. Line
//! N is the same line to all who count: pages, links, groups and the search.

mod layout;
mod outline;
mod reader;
mod search;

use std::fmt;
use std::str::FromStr;

pub(crate) use layout::Layout;
pub(crate) use outline::{Group, GroupState, Node, arrange, outline};
pub(crate) use reader::{Line, Reader};
pub(crate) use search::{Needle, find};

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

    fn from_str(text: &str) -> Result<Self, BadPlace> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_place_of_ours_is_a_place() {
        assert_eq!("1.2.3.4".parse::<Place>().unwrap().to_string(), "1.2.3.4");
        for bad in ["", "1.2.3", "1.2.3.4.5", "1.-2.3.4", "a.b.c.d"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
