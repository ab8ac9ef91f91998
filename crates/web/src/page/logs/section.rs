//! The log on a build's page: the lines that matter most, where the others are, and what was looked
//! for.

use model::JobId;
use model::job::JobState;
use serde::Deserialize;
use store::PgConnection;
use store::job::Job;

use super::super::graph;
use super::super::view::Badge;
use super::tree::{Shown, prune, thousands};
use super::window::{Range, Window, choose};
use crate::error::Result;
use crate::extract::{escape, value};
use crate::log::{self, Layout, Line, Needle, Reader, arrange, outline};

/// What the lines of a page may take, so that the page stays small.
const HTML_BYTES: usize = 22 * 1024;
/// A line takes no more than this of it.
const LONGEST_LINE_BYTES: usize = 6 * 1024;
/// A line's element, besides what it says.
const LINE_BYTES: usize = 80;
const HITS: usize = 50;
const HIT_CHARS: usize = 160;
/// A longer log is read page by page: browsers do not scroll that far.
const LONGEST_SCROLLED_LINES: u64 = 500_000;

/// What the address asks of the log.
#[derive(Debug, Default, Deserialize)]
pub(in crate::page) struct Wanted {
    lines: Option<String>,
    #[serde(default)]
    find: String,
    /// The search goes on after this line.
    found: Option<u64>,
    #[serde(default)]
    times: String,
}

pub(in crate::page) struct LogView {
    pub(in crate::page) job: JobId,
    pub(in crate::page) name: String,
    pub(in crate::page) badge: Badge,
    pub(in crate::page) reason: Option<String>,
    pub(in crate::page) attempt: i32,
    pub(in crate::page) ended: bool,
    pub(in crate::page) html: String,
    /// The line that has not ended.
    pub(in crate::page) tail: String,
    /// How many lines there are; the stream goes on after them.
    pub(in crate::page) total: u64,
    pub(in crate::page) total_words: String,
    /// The script may show all of it in one place.
    pub(in crate::page) scrolled: bool,
    /// The page without what is looked for.
    pub(in crate::page) url: String,
    /// The build's page, where forms lead.
    pub(in crate::page) build_url: String,
    pub(in crate::page) find: String,
    pub(in crate::page) found: Option<FoundView>,
    pub(in crate::page) times: bool,
}

pub(in crate::page) struct FoundView {
    pub(in crate::page) words: String,
    pub(in crate::page) hits: Vec<HitView>,
    /// The line after which the search goes on.
    pub(in crate::page) more: Option<u64>,
}

pub(in crate::page) struct HitView {
    pub(in crate::page) number: u64,
    pub(in crate::page) text: String,
}

pub(in crate::page) async fn section(
    conn: &mut PgConnection,
    build_url: &str,
    job: &Job,
    name: String,
    wanted: &Wanted,
) -> Result<LogView> {
    let ended = matches!(job.state, JobState::Finished(_));
    let range: Option<Range> = match wanted.lines.as_deref() {
        None | Some("") => None,
        Some(text) => Some(value("lines", text)?),
    };
    let layout = Layout::read(conn, job.id, ended).await?;
    let groups = outline(conn, job.id, &layout, ended).await?;
    let total = layout.total();
    let window = choose(range, &groups, total);
    let (lines, tail) = read(conn, job.id, &layout, window, ended).await?;
    let groups = prune(groups, &lines);
    let times = !wanted.times.is_empty();
    let url = format!("{build_url}?job={}{}", job.id, if times { "&times=1" } else { "" });
    let find = wanted.find.trim().to_owned();
    let page = match find.as_str() {
        "" => url.clone(),
        find => format!("{url}&find={}", escape(find)),
    };
    let nodes = arrange(&groups, total);
    let shown = Shown {
        lines: &lines,
        longest: LONGEST_LINE_BYTES,
        page: &page,
        job_ended: ended,
        wanted: range,
    };
    let found = match Needle::new(&find) {
        Some(needle) => Some(found(conn, job.id, &needle, wanted.found.unwrap_or(0)).await?),
        None => None,
    };
    Ok(LogView {
        html: shown.html(&nodes)?,
        tail,
        job: job.id,
        name,
        badge: Badge::of_job(&job.state),
        reason: graph::reason(job),
        attempt: job.attempt,
        ended,
        total,
        total_words: thousands(total),
        scrolled: total <= LONGEST_SCROLLED_LINES,
        url,
        build_url: build_url.to_owned(),
        find,
        found,
        times,
    })
}

/// The lines of the window that fit, and what stands behind the last line end.
async fn read(
    conn: &mut PgConnection,
    job: JobId,
    layout: &Layout,
    window: Window,
    ended: bool,
) -> Result<(Vec<Line>, String)> {
    let (range, from_the_end) = match window {
        Window::From(range) => (range, false),
        Window::To(range) => (range, true),
        Window::Nothing => (Range { from: 1, to: 0 }, true),
    };
    let mut reader = Reader::at_line(conn, job, layout, range.from).await?;
    let count = usize::try_from(range.to + 1 - range.from).unwrap_or(usize::MAX);
    // one more: behind the last of them stands what is being written
    let mut lines = reader.read(conn, count.saturating_add(1), ended).await?.lines;
    let tail = match !ended && range.to == layout.total() && lines.len() <= count {
        true => reader.unfinished().html(LONGEST_LINE_BYTES),
        false => String::new(),
    };
    lines.truncate(count);
    let sizes = lines.iter().map(|line| line.row.html(LONGEST_LINE_BYTES).len() + LINE_BYTES);
    let sizes: Vec<usize> = sizes.collect();
    if from_the_end {
        let fit = fitting(sizes.iter().rev());
        lines.drain(..lines.len() - fit);
    } else {
        lines.truncate(fitting(sizes.iter()));
    }
    Ok((lines, tail))
}

/// How many of them fit; one always does.
fn fitting<'a>(sizes: impl Iterator<Item = &'a usize>) -> usize {
    let mut sum = 0;
    let mut count = 0;
    for size in sizes {
        sum += size;
        if count > 0 && sum > HTML_BYTES {
            break;
        }
        count += 1;
    }
    count
}

async fn found(
    conn: &mut PgConnection,
    job: JobId,
    needle: &Needle,
    after: u64,
) -> Result<FoundView> {
    let found = log::find(conn, job, needle, after, HITS).await?;
    let words = match (found.hits.len(), found.more, after) {
        (0, _, 0) => "No line has it.".into(),
        (0, _, _) => "No further line has it.".into(),
        (1, false, 0) => "1 line has it.".into(),
        (count, false, 0) => format!("{count} lines have it."),
        (count, true, 0) => format!("The first {count} lines that have it."),
        (count, _, _) => format!("{count} further lines that have it."),
    };
    let more = found.hits.last().filter(|_| found.more).map(|hit| hit.number);
    let hits = found.hits.into_iter().map(|hit| HitView {
        number: hit.number,
        text: hit.text.trim().chars().take(HIT_CHARS).collect(),
    });
    Ok(FoundView { words, hits: hits.collect(), more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_shown_however_long_and_more_only_as_they_fit() {
        assert_eq!(fitting([HTML_BYTES * 2].iter()), 1);
        assert_eq!(fitting([HTML_BYTES / 2; 5].iter()), 2);
        assert_eq!(fitting([].iter()), 0);
    }
}
