//! A log's groups and lines as HTML: what is shown now, and for the rest where it is.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use model::worker_api::{GroupKind, GroupOutcome};

use super::super::view::{Badge, duration};
use super::render;
use super::window::{LINES, Range};
use crate::error::Result;
use crate::log::{Group, GroupState, Line, Node};

/// So many groups stand on a page that are neither shown nor of interest by their state.
const GROUPS_BESIDES: usize = 40;

#[derive(Template)]
#[template(path = "log_group.html")]
struct GroupView<'a> {
    id: &'a str,
    name: &'a str,
    first: u64,
    last: u64,
    inner: bool,
    open: bool,
    badge: Option<Badge>,
    took: String,
    count: String,
    inside: String,
}

/// Lines that are not on the page: those of its two ends behind links.
#[derive(Template)]
#[template(path = "log_gap.html")]
struct GapView<'a> {
    from: u64,
    to: u64,
    name: String,
    /// The lines next to what is shown come first.
    links: Vec<(Range, String)>,
    page: &'a str,
}

/// What a page shows of a log.
pub(super) struct Shown<'a> {
    /// Lines that follow each other.
    pub(super) lines: &'a [Line],
    pub(super) longest: usize,
    /// The address of the log's page, to which a range is added.
    pub(super) page: &'a str,
    pub(super) job_ended: bool,
    /// A line that was asked for: its groups are open.
    pub(super) wanted: Option<Range>,
}

impl Shown<'_> {
    pub(super) fn html(&self, nodes: &[Node<'_>]) -> Result<String> {
        let mut out = String::new();
        for node in nodes {
            match node {
                Node::Lines { from, to } => self.stretch(*from, *to, &mut out)?,
                Node::Group { group, inside } => {
                    let inside = self.html(inside)?;
                    let wanted = self
                        .wanted
                        .is_some_and(|range| range.from <= group.last && range.to >= group.first);
                    let open = wanted || group.is_open(self.job_ended);
                    out.push_str(&group_html(group, open, inside)?);
                }
            }
        }
        Ok(out)
    }

    fn stretch(&self, from: u64, to: u64, out: &mut String) -> Result<()> {
        let first = self.lines.first().map_or(0, |line| line.number);
        let last = self.lines.last().map_or(0, |line| line.number);
        if self.lines.is_empty() || last < from || first > to {
            return self.gap(Range { from, to }, out);
        }
        let (begin, end) = (first.max(from), last.min(to));
        if from < begin {
            self.gap(Range { from, to: begin - 1 }, out)?;
        }
        let index = |number: u64| usize::try_from(number - first).unwrap_or(usize::MAX);
        let lines = self.lines.get(index(begin)..=index(end)).unwrap_or_default();
        out.push_str(&segment(begin, end, &render(lines, self.longest)?));
        if end < to {
            self.gap(Range { from: end + 1, to }, out)?;
        }
        Ok(())
    }

    fn gap(&self, range: Range, out: &mut String) -> Result<()> {
        let Range { from, to } = range;
        let links = if to - from < LINES {
            vec![range]
        } else {
            vec![Range { from, to: from + LINES - 1 }, Range { from: to + 1 - LINES, to }]
        };
        let links = links.into_iter().map(|range| (range, words(range))).collect();
        let gap = GapView { from, to, name: words(range), links, page: self.page };
        out.push_str(&gap.render()?);
        Ok(())
    }
}

/// Lines that are shown; the script lets go of them by whole segments.
pub(super) fn segment(from: u64, to: u64, html: &str) -> String {
    format!("<div class=\"seg\" data-from=\"{from}\" data-to=\"{to}\">{html}</div>\n")
}

pub(super) fn group_html(group: &Group, open: bool, inside: String) -> Result<String> {
    let badge = match (group.state, group.kind) {
        (GroupState::Running, _) => Some(Badge::new("run", "running")),
        (GroupState::CutOff, _) => Some(Badge::new("off", "cut off")),
        (GroupState::Ended { outcome: GroupOutcome::Failed, .. }, _) => {
            Some(Badge::new("bad", "failed"))
        }
        (GroupState::Ended { outcome: GroupOutcome::Canceled, .. }, _) => {
            Some(Badge::new("off", "canceled"))
        }
        (GroupState::Ended { outcome: GroupOutcome::Succeeded, .. }, GroupKind::Step) => {
            Some(Badge::new("ok", "succeeded"))
        }
        // a step says it for them
        (GroupState::Ended { outcome: GroupOutcome::Succeeded, .. }, GroupKind::Inner) => None,
    };
    let count = group.last - group.first;
    let view = GroupView {
        id: &group.id,
        name: &group.name,
        first: group.first,
        last: group.last,
        inner: match group.kind {
            GroupKind::Step => false,
            GroupKind::Inner => true,
        },
        open,
        badge,
        took: match group.state {
            GroupState::Running | GroupState::CutOff => String::new(),
            GroupState::Ended { took_ms, .. } => took(group.began_at, took_ms),
        },
        count: match (group.state, count) {
            // it grows
            (GroupState::Running, _) => String::new(),
            (_, 1) => "1 line".into(),
            (_, count) => format!("{} lines", thousands(count)),
        },
        inside,
    };
    Ok(view.render()?)
}

fn took(began: DateTime<Utc>, took_ms: u64) -> String {
    let took = TimeDelta::milliseconds(i64::try_from(took_ms).unwrap_or(0));
    began
        .checked_add_signed(took)
        .map_or_else(String::new, |end| duration(Some(began), Some(end), end))
}

fn words(range: Range) -> String {
    if range.from == range.to {
        format!("line {}", thousands(range.from))
    } else {
        format!("lines {}–{}", thousands(range.from), thousands(range.to))
    }
}

pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The groups that stand on the page; the lines of the others are lines like all.
pub(super) fn prune(groups: Vec<Group>, shown: &[Line]) -> Vec<Group> {
    let first = shown.first().map_or(0, |line| line.number);
    let last = shown.last().map_or(0, |line| line.number);
    let mut besides = 0;
    groups
        .into_iter()
        .filter(|group| {
            let is_shown = group.first <= last && group.last >= first;
            let counts = is_shown || group.has_failed() || group.state == GroupState::Running;
            besides += usize::from(!counts);
            counts || besides <= GROUPS_BESIDES
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_thousands() {
        assert_eq!(thousands(1), "1");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(200_000), "200,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
