//! The life of pull requests: opened, followed as branches move, merged, closed, reopened, edited.
//! Each step sends its `pull_request` event.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::now;
use crate::error::Error;
use crate::git::{git, succeeds};
use crate::payload::pull_request::{self, Action, Size};
use crate::refs::{self, Change, Merging};
use crate::state::{Pull, PullState, Repo, Shared};

/// A pull request to open.
#[derive(Clone, Debug, Deserialize)]
pub struct NewPull {
    /// The branch with the work.
    pub head: String,
    pub base: String,
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub draft: bool,
    /// Full name of the repository that the head is in, when it is a fork.
    #[serde(default)]
    pub head_repo: Option<String>,
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeMethod {
    #[default]
    Merge,
    Squash,
}

/// The JSON of a pull request as it stands.
pub(crate) async fn to_json(stand: &Shared, base: &Repo, pull: &Pull) -> Value {
    let size = size(stand, &base.full_name(), pull).await.unwrap_or_default();
    let head = stand.repo(&pull.head_repo).ok();
    pull_request::pull_request(&stand.url, base, head.as_ref(), pull, size)
}

async fn size(stand: &Shared, full_name: &str, pull: &Pull) -> Result<Size, Error> {
    let dir = stand.git_dir(full_name);
    let range = format!("{}..{}", pull.base_sha, pull.head_sha);
    let commits = git(&dir, &["rev-list", "--count", &range]).await?;
    let range = format!("{}...{}", pull.base_sha, pull.head_sha);
    let files = git(&dir, &["diff", "--numstat", &range]).await?;
    let mut size = Size { commits: commits.parse().unwrap_or_default(), ..Size::default() };
    for line in files.lines() {
        let mut numbers = line.split('\t').map(|word| word.parse().unwrap_or(0));
        size.changed_files += 1;
        size.additions += numbers.next().unwrap_or(0);
        size.deletions += numbers.next().unwrap_or(0);
    }
    Ok(size)
}

async fn emit(
    stand: &Shared,
    full_name: &str,
    number: u64,
    action: Action,
    by: &str,
) -> Result<(), Error> {
    let base = stand.repo(full_name)?;
    let request = to_json(stand, &base, base.pull(number)?).await;
    let event = pull_request::event(&stand.url, &base, number, &request, action, by);
    stand.emit("pull_request", event, &base);
    Ok(())
}

fn update(
    stand: &Shared,
    full_name: &str,
    number: u64,
    change: impl FnOnce(&mut Pull),
) -> Result<(), Error> {
    let mut state = stand.state();
    let pull = state
        .repo_mut(full_name)?
        .pulls
        .iter_mut()
        .find(|pull| pull.number == number)
        .ok_or_else(|| Error::not_found("pull request", format!("{full_name}#{number}")))?;
    change(pull);
    pull.updated_at = now();
    Ok(())
}

async fn branch_head(stand: &Shared, full_name: &str, branch: &str) -> Result<String, Error> {
    let full_ref = format!("refs/heads/{branch}^{{commit}}");
    let args = ["rev-parse", "--verify", "--quiet", &full_ref];
    git(&stand.git_dir(full_name), &args)
        .await
        .map_err(|_| Error::not_found("branch", format!("{full_name}:{branch}")))
}

/// Keeps `refs/pull/N/head` in the base repository, with the commits of a fork.
async fn keep_head(stand: &Shared, full_name: &str, pull: &Pull) -> Result<(), Error> {
    let dir = stand.git_dir(full_name);
    let kept = format!("refs/pull/{}/head", pull.number);
    if pull.head_repo == full_name {
        git(&dir, &["update-ref", &kept, &pull.head_sha]).await?;
        return Ok(());
    }
    let fork = stand.git_dir(&pull.head_repo);
    let fork = fork.to_string_lossy();
    let refspec = format!("+{}:{kept}", pull.head_sha);
    git(&dir, &["fetch", "--quiet", "--no-tags", &fork, &refspec]).await?;
    Ok(())
}

/// Opens a pull request; its number.
pub(crate) async fn open(
    stand: &Shared,
    full_name: &str,
    new: NewPull,
    by: &str,
) -> Result<u64, Error> {
    let head_repo = new.head_repo.unwrap_or_else(|| full_name.to_owned());
    let head_sha = branch_head(stand, &head_repo, &new.head).await?;
    let base_sha = branch_head(stand, full_name, &new.base).await?;
    let pull = {
        let mut state = stand.state();
        let id = state.next_id();
        let repo = state.repo_mut(full_name)?;
        let same = |pull: &&Pull| {
            pull.is_open()
                && pull.head_repo == head_repo
                && pull.head_ref == new.head
                && pull.base_ref == new.base
        };
        if let Some(earlier) = repo.pulls.iter().find(same) {
            return Err(Error::Refused(format!(
                "a pull request already exists for {}: #{}",
                new.head, earlier.number
            )));
        }
        let pull = Pull {
            id,
            number: repo.pulls.len() as u64 + 1,
            title: new.title,
            body: new.body,
            user: by.to_owned(),
            draft: new.draft,
            state: PullState::Open,
            head_repo,
            head_ref: new.head,
            head_sha,
            base_ref: new.base,
            base_sha,
            created_at: now(),
            updated_at: now(),
        };
        repo.pulls.push(pull.clone());
        pull
    };
    keep_head(stand, full_name, &pull).await?;
    emit(stand, full_name, pull.number, Action::Opened, by).await?;
    Ok(pull.number)
}

/// Closes an open pull request without merging it.
pub(crate) async fn close(
    stand: &Shared,
    full_name: &str,
    number: u64,
    by: &str,
) -> Result<(), Error> {
    require_open(stand, full_name, number)?;
    update(stand, full_name, number, |pull| {
        pull.state = PullState::Closed { at: now() };
    })?;
    emit(stand, full_name, number, Action::Closed, by).await
}

/// Opens a closed pull request again, at its branch's head of now.
pub(crate) async fn reopen(
    stand: &Shared,
    full_name: &str,
    number: u64,
    by: &str,
) -> Result<(), Error> {
    let pull = stand.repo(full_name)?.pull(number)?.clone();
    match pull.state {
        PullState::Closed { .. } => {}
        PullState::Open | PullState::Merged { .. } => {
            return Err(Error::Refused(format!("#{number} is not closed unmerged")));
        }
    }
    let head_sha = branch_head(stand, &pull.head_repo, &pull.head_ref).await?;
    update(stand, full_name, number, |pull| {
        pull.state = PullState::Open;
        pull.head_sha = head_sha;
    })?;
    let pull = stand.repo(full_name)?.pull(number)?.clone();
    keep_head(stand, full_name, &pull).await?;
    emit(stand, full_name, number, Action::Reopened, by).await
}

/// Lets a pull request go into another branch.
pub(crate) async fn edit_base(
    stand: &Shared,
    full_name: &str,
    number: u64,
    base: &str,
    by: &str,
) -> Result<(), Error> {
    let earlier = require_open(stand, full_name, number)?;
    let base_sha = branch_head(stand, full_name, base).await?;
    update(stand, full_name, number, |pull| {
        base.clone_into(&mut pull.base_ref);
        pull.base_sha = base_sha;
    })?;
    let changes = json!({
        "base": { "ref": { "from": earlier.base_ref }, "sha": { "from": earlier.base_sha } },
    });
    emit(stand, full_name, number, Action::Edited { changes }, by).await
}

/// Gives a pull request another title.
pub(crate) async fn edit_title(
    stand: &Shared,
    full_name: &str,
    number: u64,
    title: &str,
    by: &str,
) -> Result<(), Error> {
    let earlier = stand.repo(full_name)?.pull(number)?.title.clone();
    update(stand, full_name, number, |pull| {
        title.clone_into(&mut pull.title);
    })?;
    let changes = json!({ "title": { "from": earlier } });
    emit(stand, full_name, number, Action::Edited { changes }, by).await
}

/// Makes a pull request a draft, or no draft any more.
pub(crate) async fn set_draft(
    stand: &Shared,
    full_name: &str,
    number: u64,
    draft: bool,
    by: &str,
) -> Result<(), Error> {
    update(stand, full_name, number, |pull| pull.draft = draft)?;
    let action = if draft { Action::ConvertedToDraft } else { Action::ReadyForReview };
    emit(stand, full_name, number, action, by).await
}

/// Merges a pull request; the new commit on the base branch.
pub(crate) async fn merge(
    stand: &Shared,
    full_name: &str,
    number: u64,
    method: MergeMethod,
    by: &str,
) -> Result<String, Error> {
    let pull = require_open(stand, full_name, number)?;
    let dir = stand.git_dir(full_name);
    let base = branch_head(stand, full_name, &pull.base_ref).await?;
    let tree = git(&dir, &["merge-tree", "--write-tree", &base, &pull.head_sha])
        .await
        .map_err(|error| Error::Refused(format!("#{number} cannot be merged: {error}")))?;
    let head = format!("{}/{}", owner_of(&pull.head_repo), pull.head_ref);
    let (title, body, parents) = match method {
        MergeMethod::Merge => (
            format!("Merge pull request #{number} from {head}"),
            pull.title.clone(),
            vec!["-p", &base, "-p", &pull.head_sha],
        ),
        MergeMethod::Squash => {
            (format!("{} (#{number})", pull.title), String::new(), vec!["-p", &base])
        }
    };
    let mut args = vec!["commit-tree", &tree, "-m", &title];
    if !body.is_empty() {
        args.extend(["-m", &body]);
    }
    args.extend(parents);
    let commit = git(&dir, &args).await?;
    let full_ref = format!("refs/heads/{}", pull.base_ref);
    git(&dir, &["update-ref", &full_ref, &commit, &base]).await?;
    refs::announce(stand, full_name, by, Some(Merging { number })).await?;
    Ok(commit)
}

fn owner_of(full_name: &str) -> &str {
    full_name.split_once('/').map_or(full_name, |(owner, _)| owner)
}

fn require_open(stand: &Shared, full_name: &str, number: u64) -> Result<Pull, Error> {
    let pull = stand.repo(full_name)?.pull(number)?.clone();
    if pull.is_open() {
        return Ok(pull);
    }
    Err(Error::Refused(format!("#{number} is not open")))
}

/// Carries a change of a branch over to the pull requests that it concerns.
pub(crate) async fn follow(
    stand: &Shared,
    full_name: &str,
    change: &Change,
    by: &str,
    merging: Option<Merging>,
) -> Result<(), Error> {
    let Some(branch) = change.full_ref.strip_prefix("refs/heads/") else {
        return Ok(());
    };
    let open: Vec<(String, Pull)> = stand
        .state()
        .repositories
        .values()
        .flat_map(|repo| repo.pulls.iter().map(|pull| (repo.full_name(), pull.clone())))
        .filter(|(_, pull)| pull.is_open())
        .collect();
    for (base_repo, pull) in open {
        let is_head = pull.head_repo == full_name && pull.head_ref == branch;
        let is_base = base_repo == full_name && pull.base_ref == branch;
        match &change.after {
            None if is_head || is_base => close(stand, &base_repo, pull.number, by).await?,
            Some(after) if is_head => {
                synchronize(stand, &base_repo, &pull, after, by).await?;
            }
            Some(after) if is_base => {
                let asked = merging.is_some_and(|merging| merging.number == pull.number);
                land(stand, &base_repo, &pull, after, asked, by).await?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// The head moved: the pull request moves with it.
async fn synchronize(
    stand: &Shared,
    base_repo: &str,
    pull: &Pull,
    after: &str,
    by: &str,
) -> Result<(), Error> {
    if pull.head_sha == after {
        return Ok(());
    }
    let base_sha = branch_head(stand, base_repo, &pull.base_ref).await?;
    update(stand, base_repo, pull.number, |pull| {
        after.clone_into(&mut pull.head_sha);
        pull.base_sha = base_sha;
    })?;
    let moved = stand.repo(base_repo)?.pull(pull.number)?.clone();
    keep_head(stand, base_repo, &moved).await?;
    let action = Action::Synchronize { before: pull.head_sha.clone(), after: after.to_owned() };
    emit(stand, base_repo, pull.number, action, by).await
}

/// The base moved: when it now contains the head, the pull request is merged, as on GitHub.
async fn land(
    stand: &Shared,
    base_repo: &str,
    pull: &Pull,
    after: &str,
    asked: bool,
    by: &str,
) -> Result<(), Error> {
    let dir = stand.git_dir(base_repo);
    let args = ["merge-base", "--is-ancestor", &pull.head_sha, after];
    if !asked && !succeeds(&dir, &args).await? {
        return Ok(());
    }
    update(stand, base_repo, pull.number, |pull| {
        pull.state = PullState::Merged { at: now(), commit: after.to_owned(), by: by.to_owned() };
    })?;
    emit(stand, base_repo, pull.number, Action::Closed, by).await
}
