//! Which lines of a log belong together: steps, and the groups that steps make themselves with
//! `::group::name` and `::endgroup::` (GitHub's workflow commands, which many tools print).
//!
//! What always holds: only [`Outline::begin`] makes a step; what a step prints can at most make a
//! group inside it. Groups do not overlap. The stream is counted as it was accepted, however it is
//! cut into pieces, and no more of a line is kept than a group's name may need.

use std::collections::VecDeque;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use chrono::{DateTime, Utc};
use model::worker_api::{GroupEnd, GroupKind, GroupOutcome, LogGroup, MAX_LOG_GROUPS};

const BEGIN: &[u8] = b"::group::";
const END: &[u8] = b"::endgroup::";
/// What is kept of a line that has not ended.
const LINE_START_BYTES: usize = 1024;

/// Finds lines that may be commands without reading line by line.
static COMMANDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new([BEGIN, END]).ok());

#[derive(Default)]
pub(super) struct Outline {
    line_ends: u64,
    /// The beginning of the line that has not ended.
    line_start: Vec<u8>,
    /// A step and a group in it, at most.
    step: Option<Open>,
    inner: Option<Open>,
    next: u32,
    /// What changed, and at which byte of the log: to be told with it.
    told: VecDeque<(u64, LogGroup)>,
}

struct Open {
    group: LogGroup,
    began: DateTime<Utc>,
}

/// A whole line that is a command.
enum Command<'a> {
    Begin(&'a [u8]),
    End,
}

impl Outline {
    /// The next line is a step's heading. `at`: how many bytes the log has.
    pub(super) fn begin(&mut self, name: &str, at: u64, now: DateTime<Utc>) {
        self.end(GroupOutcome::Canceled, at, now);
        let group = self.open(GroupKind::Step, name, self.line_ends + 1, at);
        self.step = group.map(|group| Open { group, began: now });
    }

    /// The step that is open has ended with the last whole line.
    pub(super) fn end(&mut self, outcome: GroupOutcome, at: u64, now: DateTime<Utc>) {
        if self.step.is_some() {
            let last = self.line_ends;
            self.close_inner(last, outcome, at, now);
            if let Some(open) = self.step.take() {
                self.close(open, last, outcome, at, now);
            }
        }
    }

    /// Counts what was accepted; in what a step printed, commands are followed. `at`: how many
    /// bytes the log had before.
    pub(super) fn take(&mut self, bytes: &[u8], at: u64, now: DateTime<Utc>) {
        let Some(first) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.keep(bytes);
            return;
        };
        self.keep(&bytes[..first]);
        let line = std::mem::take(&mut self.line_start);
        self.line_ends += 1;
        self.follow(&line, self.line_ends, at, now);
        let last = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(first);
        self.lines(&bytes[first + 1..last.max(first) + 1], at, now);
        self.keep(&bytes[last + 1..]);
    }

    /// Whole lines.
    fn lines(&mut self, bytes: &[u8], at: u64, now: DateTime<Utc>) {
        let mut counted = 0;
        if let (Some(commands), true) = (&*COMMANDS, self.step.is_some()) {
            for found in commands.find_iter(bytes) {
                let before = &bytes[..found.start()];
                let spaces = before.iter().rev().take_while(|byte| is_blank(**byte)).count();
                let begin = before.len() - spaces;
                if begin > 0 && bytes[begin - 1] != b'\n' {
                    continue;
                }
                let rest = &bytes[begin..];
                let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                self.line_ends += count(&bytes[counted..begin]);
                counted = begin;
                self.follow(&rest[..length.min(LINE_START_BYTES)], self.line_ends + 1, at, now);
            }
        }
        self.line_ends += count(&bytes[counted..]);
    }

    fn follow(&mut self, line: &[u8], number: u64, at: u64, now: DateTime<Utc>) {
        if self.step.is_none() {
            return;
        }
        match command(line) {
            Some(Command::Begin(name)) => {
                self.close_inner(number - 1, GroupOutcome::Succeeded, at, now);
                let name = String::from_utf8_lossy(name);
                let group = self.open(GroupKind::Inner, &name, number, at);
                self.inner = group.map(|group| Open { group, began: now });
            }
            Some(Command::End) => self.close_inner(number, GroupOutcome::Succeeded, at, now),
            None => {}
        }
    }

    fn open(&mut self, kind: GroupKind, name: &str, first_line: u64, at: u64) -> Option<LogGroup> {
        if self.next == MAX_LOG_GROUPS {
            return None;
        }
        let name = name.to_owned().into();
        let group = LogGroup { ordinal: self.next, kind, name, first_line, end: None };
        self.next += 1;
        self.told.push_back((at, group.clone()));
        Some(group)
    }

    fn close_inner(&mut self, last: u64, outcome: GroupOutcome, at: u64, now: DateTime<Utc>) {
        if let Some(open) = self.inner.take() {
            self.close(open, last, outcome, at, now);
        }
    }

    fn close(&mut self, open: Open, last: u64, outcome: GroupOutcome, at: u64, now: DateTime<Utc>) {
        let took = (now - open.began).num_milliseconds();
        let end = GroupEnd {
            last_line: last.max(open.group.first_line),
            outcome,
            took_ms: u64::try_from(took).unwrap_or(0),
        };
        self.told.push_back((at, LogGroup { end: Some(end), ..open.group }));
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_START_BYTES - self.line_start.len().min(LINE_START_BYTES);
        self.line_start.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// What changed before this byte of the log.
    pub(super) fn tell(&mut self, before: u64) -> Vec<LogGroup> {
        let ready = self.told.iter().take_while(|(at, _)| *at < before).count();
        self.told.drain(..ready).map(|(_, group)| group).collect()
    }

    pub(super) fn has_news(&self) -> bool {
        !self.told.is_empty()
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn command(line: &[u8]) -> Option<Command<'_>> {
    let line = line.trim_ascii();
    match line.strip_prefix(BEGIN) {
        Some(name) => Some(Command::Begin(name)),
        None => line.starts_with(END).then_some(Command::End),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    /// Which group it is, its name, its first line and its end.
    type Told = (u32, String, u64, Option<(u64, GroupOutcome)>);

    /// A step that prints these pieces and ends so.
    fn outline(pieces: &[&[u8]], outcome: GroupOutcome) -> Vec<Told> {
        let mut outline = Outline::default();
        let mut at = 0;
        outline.take(b"before\n", at, now());
        outline.begin("npm test", at, now());
        for piece in [b"heading\n".as_slice()].iter().chain(pieces) {
            outline.take(piece, at, now());
            at += piece.len() as u64;
        }
        outline.end(outcome, at, now());
        let told = outline.tell(u64::MAX).into_iter();
        told.map(|group| {
            let end = group.end.map(|end| (end.last_line, end.outcome));
            (group.ordinal, group.name.as_str().to_owned(), group.first_line, end)
        })
        .filter(|(_, _, _, end)| end.is_some())
        .collect()
    }

    #[test]
    fn a_step_holds_its_heading_and_all_it_printed() {
        let groups = outline(&[b"one\ntw", b"o\n"], GroupOutcome::Succeeded);
        assert_eq!(groups, [(0, "npm test".into(), 2, Some((4, GroupOutcome::Succeeded)))]);
    }

    #[test]
    fn a_steps_own_groups_lie_inside_it_and_one_that_was_open_failed_with_it() {
        let text = b"::group::Install\nadded\n::endgroup::\n::group::Build\nerror\n";
        let groups = outline(&[text], GroupOutcome::Failed);
        assert_eq!(
            groups,
            [
                (1, "Install".into(), 3, Some((5, GroupOutcome::Succeeded))),
                (2, "Build".into(), 6, Some((7, GroupOutcome::Failed))),
                (0, "npm test".into(), 2, Some((7, GroupOutcome::Failed))),
            ]
        );
    }

    #[test]
    fn only_the_beginning_of_a_line_is_a_command() {
        let text = b"echo ::group::no\n  ::group::yes\nx ::endgroup::\n";
        let groups = outline(&[text], GroupOutcome::Succeeded);
        assert_eq!(groups[0], (1, "yes".into(), 4, Some((5, GroupOutcome::Succeeded))));
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn groups_without_end_are_told_up_to_a_limit() {
        let text = "::group::x\n".repeat(3 * MAX_LOG_GROUPS as usize);
        let groups = outline(&[text.as_bytes()], GroupOutcome::Succeeded);
        assert_eq!(groups.len(), MAX_LOG_GROUPS as usize);
    }

    proptest! {
        #[test]
        fn what_is_told_does_not_depend_on_where_the_stream_is_cut(
            lines in prop::collection::vec(
                prop_oneof![
                    Just("::group::a\n"), Just(" ::group::b c\r\n"), Just("::endgroup::\n"),
                    Just("text\n"), Just("\n"), Just("x::group::\n"), Just("::gro\n"),
                ],
                0..20,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let text = lines.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let whole = outline(&[text.as_bytes()], GroupOutcome::Failed);
            prop_assert_eq!(outline(&pieces, GroupOutcome::Failed), whole);
        }
    }
}
