//! Groups of lines as a tree over the whole log.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use model::JobId;
use model::worker_api::{GroupKind, GroupOutcome};
use store::PgConnection;

use super::Layout;
use crate::error::Result;

/// Lines that belong together, counted in the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Of the page's element.
    pub(crate) id: String,
    pub(crate) kind: GroupKind,
    pub(crate) name: String,
    /// The line that names it.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) state: GroupState,
    pub(crate) began_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    Running,
    /// Its worker was lost.
    CutOff,
    Ended {
        outcome: GroupOutcome,
        took_ms: u64,
    },
}

impl Group {
    /// What a reader most likely came for.
    pub(crate) fn is_open(&self, job_ended: bool) -> bool {
        match self.state {
            GroupState::Running | GroupState::CutOff => true,
            GroupState::Ended { outcome: GroupOutcome::Failed, .. } => true,
            GroupState::Ended { outcome: GroupOutcome::Canceled, .. } => {
                self.kind == GroupKind::Step
            }
            GroupState::Ended { outcome: GroupOutcome::Succeeded, .. } => {
                !job_ended && self.kind == GroupKind::Step
            }
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state, GroupState::Ended { outcome: GroupOutcome::Failed, .. })
    }
}

/// The groups of a log, in the order of their lines.
pub(crate) async fn outline(
    conn: &mut PgConnection,
    job: JobId,
    layout: &Layout,
    ended: bool,
) -> Result<Vec<Group>> {
    let rows = store::log::groups(conn, job).await?;
    Ok(rows.into_iter().filter_map(|row| group(row, layout, ended)).collect())
}

/// A group whose lines did not come (the log is over its limit) is none.
fn group(row: store::log::Group, layout: &Layout, ended: bool) -> Option<Group> {
    let block = layout.of_attempt(row.attempt)?;
    let end = block.before + block.lines;
    let first = block.before.checked_add(row.first_line).filter(|first| *first <= end)?;
    let last = row.end.map_or(end, |told| block.before.saturating_add(told.last_line).min(end));
    Some(Group {
        id: format!("g{}-{}", row.attempt, row.ordinal),
        kind: row.kind,
        name: row.name,
        first,
        last: last.max(first),
        state: match row.end {
            Some(told) => GroupState::Ended { outcome: told.outcome, took_ms: told.took_ms },
            None if !ended && layout.is_last(row.attempt) => GroupState::Running,
            None => GroupState::CutOff,
        },
        began_at: row.began_at,
    })
}

/// A stretch of lines, or a group with what is in it besides its first line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    Lines { from: u64, to: u64 },
    Group { group: &'a Group, inside: Vec<Self> },
}

/// All lines from 1 to `total`, each once. Groups that do not lie inside each other as they should
/// are cut to fit.
pub(crate) fn arrange(groups: &[Group], total: u64) -> Vec<Node<'_>> {
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by_key(|group| (group.first, Reverse(group.last)));
    let mut rest = sorted.as_slice();
    stretch(&mut rest, 1, total)
}

fn stretch<'a>(rest: &mut &[&'a Group], from: u64, to: u64) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    let mut line = from;
    while let Some((group, after)) = rest.split_first() {
        if group.first > to {
            break;
        }
        *rest = after;
        if group.first < line {
            continue;
        }
        if line < group.first {
            nodes.push(Node::Lines { from: line, to: group.first - 1 });
        }
        let last = group.last.min(to);
        let inside = stretch(rest, group.first + 1, last);
        nodes.push(Node::Group { group, inside });
        line = last + 1;
    }
    if line <= to {
        nodes.push(Node::Lines { from: line, to });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(first: u64, last: u64) -> Group {
        Group {
            id: format!("g1-{first}"),
            kind: GroupKind::Step,
            name: "npm test".into(),
            first,
            last,
            state: GroupState::Running,
            began_at: DateTime::UNIX_EPOCH,
        }
    }

    fn told(nodes: &[Node<'_>]) -> String {
        let words: Vec<String> = nodes
            .iter()
            .map(|node| match node {
                Node::Lines { from, to } => format!("{from}-{to}"),
                Node::Group { group, inside } => format!("{}({})", group.first, told(inside)),
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn groups_hold_their_lines_and_the_groups_inside() {
        let groups = [group(2, 9), group(4, 6), group(10, 10), group(12, 20)];
        assert_eq!(told(&arrange(&groups, 20)), "1-1 2(3-3 4(5-6) 7-9) 10() 11-11 12(13-20)");
        assert_eq!(told(&arrange(&[], 3)), "1-3");
        assert_eq!(told(&arrange(&[], 0)), "");
    }

    fn lines(nodes: &[Node<'_>], seen: &mut Vec<u64>) {
        for node in nodes {
            match node {
                Node::Lines { from, to } => seen.extend(*from..=*to),
                Node::Group { group, inside } => {
                    seen.push(group.first);
                    lines(inside, seen);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_groups_each_line_stands_once_and_in_order(
            ranges in prop::collection::vec((1_u64..40, 0_u64..20), 0..8),
            total in 0_u64..45,
        ) {
            let groups: Vec<Group> =
                ranges.into_iter().map(|(first, more)| group(first, first + more)).collect();
            let mut seen = Vec::new();
            lines(&arrange(&groups, total), &mut seen);
            prop_assert_eq!(seen, (1..=total).collect::<Vec<_>>());
        }
    }
}
