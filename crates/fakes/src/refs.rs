//! Notices that branches and tags of a repository have changed, whoever changed them, and sends
//! what GitHub sends: `create`, `push`, `delete`, and what follows for pull requests.
//!
//! It compares the refs on disk with those last announced, so it may be called at any time: what
//! was announced is never announced again.

use std::collections::BTreeMap;
use std::path::Path;

use crate::clock::now;
use crate::error::Error;
use crate::git::{git, git_with, succeeds};
use crate::payload;
use crate::payload::push::{Commit, Push};
use crate::pulls;
use crate::state::Shared;

/// GitHub sends no events for a push of more tags than this.
const TAGS_ANNOUNCED_AT_ONCE: usize = 3;
/// GitHub lists at most this many commits in a push event.
const COMMITS_LISTED: usize = 2_048;

/// One ref that is not what it was.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) full_ref: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// A merge that is being made by the stand-in: closes the pull request even when the new commit
/// does not contain its head (a squash).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merging {
    pub(crate) number: u64,
}

/// Sends the events of every change since the last call.
pub(crate) async fn announce(
    stand: &Shared,
    full_name: &str,
    by: &str,
    merging: Option<Merging>,
) -> Result<(), Error> {
    let _one_at_a_time = stand.refs.lock().await;
    let dir = stand.git_dir(full_name);
    let before = stand.repo(full_name)?.announced;
    let after = read(&dir).await?;
    let changes = differences(&before, &after);
    if changes.is_empty() {
        return Ok(());
    }
    let repo = {
        let mut state = stand.state();
        let repo = state.repo_mut(full_name)?;
        repo.announced.clone_from(&after);
        repo.pushed_at = now();
        repo.clone()
    };
    let tags = changes.iter().filter(|change| change.full_ref.starts_with("refs/tags/")).count();
    for change in &changes {
        if change.full_ref.starts_with("refs/tags/") && tags > TAGS_ANNOUNCED_AT_ONCE {
            continue;
        }
        let push = describe(&dir, change, &before, &after).await?;
        if change.before.is_none() {
            let create = payload::refs::create(&stand.url, &repo, &change.full_ref, by);
            stand.emit("create", create, &repo);
        }
        let event = payload::push::push(&stand.url, &repo, &push, by);
        stand.emit("push", event, &repo);
        if change.after.is_none() {
            let delete = payload::refs::delete(&stand.url, &repo, &change.full_ref, by);
            stand.emit("delete", delete, &repo);
        }
    }
    for change in &changes {
        pulls::follow(stand, full_name, change, by, merging).await?;
    }
    Ok(())
}

/// Branches and tags with what they point at.
pub(crate) async fn read(dir: &Path) -> Result<BTreeMap<String, String>, Error> {
    let listing =
        git(dir, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"])
            .await?;
    Ok(listing
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(sha, full_ref)| (full_ref.to_owned(), sha.to_owned()))
        .collect())
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let gone = before.keys().filter(|full_ref| !after.contains_key(*full_ref));
    after
        .keys()
        .chain(gone)
        .map(|full_ref| Change {
            full_ref: full_ref.clone(),
            before: before.get(full_ref).cloned(),
            after: after.get(full_ref).cloned(),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

async fn describe(
    dir: &Path,
    change: &Change,
    all_before: &BTreeMap<String, String>,
    all_after: &BTreeMap<String, String>,
) -> Result<Push, Error> {
    let mut push = Push {
        full_ref: change.full_ref.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        forced: false,
        base_ref: None,
        commits: Vec::new(),
        head_commit: None,
    };
    let Some(after) = &change.after else {
        return Ok(push);
    };
    push.head_commit = log(dir, &["-1", after], &[]).await?.pop();
    match &change.before {
        Some(before) => {
            push.forced = !succeeds(dir, &["merge-base", "--is-ancestor", before, after]).await?;
            push.commits = log(dir, &[after], std::slice::from_ref(before)).await?;
        }
        None => {
            push.base_ref = all_after
                .iter()
                .find(|(full_ref, sha)| {
                    *full_ref != &change.full_ref
                        && *sha == after
                        && full_ref.starts_with("refs/heads/")
                })
                .map(|(full_ref, _)| full_ref.clone());
            let known: Vec<String> = all_before.values().cloned().collect();
            push.commits = log(dir, &[after], &known).await?;
        }
    }
    Ok(push)
}

/// Commits that `of` reaches and `not` does not, oldest first, with the files they touch.
async fn log(dir: &Path, of: &[&str], not: &[String]) -> Result<Vec<Commit>, Error> {
    let limit = format!("--max-count={COMMITS_LISTED}");
    let mut args = vec![
        "log",
        "-z",
        "--reverse",
        "--name-status",
        "--no-renames",
        "--diff-merges=first-parent",
        "--format=%x1e%H%x1f%T%x1f%an%x1f%ae%x1f%cn%x1f%ce%x1f%cI%x1f%B%x1f",
        &limit,
    ];
    args.extend(of);
    if !not.is_empty() {
        args.push("--not");
        args.extend(not.iter().map(String::as_str));
    }
    let output = git_with(dir, &args, &[], b"").await?;
    let text = String::from_utf8_lossy(&output);
    Ok(text.split('\u{1e}').skip(1).map(commit).collect())
}

fn commit(entry: &str) -> Commit {
    let mut fields = entry.split('\u{1f}').map(str::to_owned);
    let mut next = || fields.next().unwrap_or_default();
    let mut commit = Commit {
        id: next(),
        tree: next(),
        author: (next(), next()),
        committer: (next(), next()),
        timestamp: next(),
        message: next().trim_end().to_owned(),
        ..Commit::default()
    };
    let files = next();
    let mut words =
        files.split('\0').map(|word| word.trim_start_matches('\n')).filter(|word| !word.is_empty());
    while let (Some(letter), Some(path)) = (words.next(), words.next()) {
        let list = match letter {
            "A" => &mut commit.added,
            "D" => &mut commit.removed,
            _ => &mut commit.modified,
        };
        list.push(path.to_owned());
    }
    commit
}
