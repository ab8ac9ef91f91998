//! How the lines of a job's attempts follow each other.

use model::JobId;
use store::PgConnection;
use store::log::Extent;

use crate::error::Result;

/// The lines of one attempt: those after `before`, so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) attempt: i32,
    pub(crate) before: u64,
    pub(crate) lines: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    blocks: Vec<Block>,
}

impl Layout {
    pub(crate) async fn read(conn: &mut PgConnection, job: JobId, ended: bool) -> Result<Self> {
        Ok(Self::of(&store::log::extents(conn, job).await?, ended))
    }

    /// What stands behind the last line end is a line once nothing can be added to it.
    fn of(extents: &[Extent], ended: bool) -> Self {
        let mut before = 0;
        let blocks = extents.iter().enumerate().map(|(at, extent)| {
            let whole = u64::try_from(extent.line_ends).unwrap_or(0);
            let is_last = at + 1 == extents.len();
            let rest = u64::from(extent.open && (ended || !is_last));
            let block = Block { attempt: extent.attempt, before, lines: whole + rest };
            before += block.lines;
            block
        });
        Self { blocks: blocks.collect() }
    }

    pub(crate) fn total(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.before + block.lines)
    }

    pub(crate) fn of_attempt(&self, attempt: i32) -> Option<Block> {
        self.blocks.iter().find(|block| block.attempt == attempt).copied()
    }

    pub(crate) fn is_last(&self, attempt: i32) -> bool {
        self.blocks.last().is_some_and(|block| block.attempt == attempt)
    }

    /// The attempt that line `number` is of, or would be of.
    pub(super) fn at(&self, number: u64) -> Option<Block> {
        self.blocks.iter().rev().find(|block| block.before < number).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(attempt: i32, line_ends: i64, open: bool) -> Extent {
        Extent { attempt, line_ends, open }
    }

    #[test]
    fn what_a_lost_worker_left_unfinished_is_a_line_and_what_may_go_on_is_none() {
        let extents = [extent(1, 3, true), extent(3, 2, true)];
        let running = Layout::of(&extents, false);
        assert_eq!(running.total(), 6);
        assert_eq!(running.of_attempt(3), Some(Block { attempt: 3, before: 4, lines: 2 }));
        assert_eq!(Layout::of(&extents, true).total(), 7);
        assert_eq!(Layout::of(&[], true).total(), 0);
    }

    #[test]
    fn a_line_is_of_the_attempt_that_wrote_it() {
        let layout =
            Layout::of(&[extent(1, 3, false), extent(2, 0, false), extent(4, 9, false)], true);
        let attempts: Vec<i32> =
            [1, 3, 4, 12, 99].iter().map(|line| layout.at(*line).unwrap().attempt).collect();
        assert_eq!(attempts, [1, 1, 4, 4, 4]);
        assert_eq!(layout.at(0), None);
        assert!(layout.is_last(4) && !layout.is_last(1));
    }
}
