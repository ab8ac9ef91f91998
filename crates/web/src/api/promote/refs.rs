//! The part of a promotion that GitHub does: whether one commit contains another, and the move of
//! the branch or the new tag.

use github::{FastForward, GitHub, NewRef, Relation};
use model::promotion::Way;
use model::{BranchName, CommitSha, RepositoryName, TagName};

use super::Done;
use super::look::{Movement, Outlook, Rows};
use crate::error::{Error, Result};
use crate::state::State;

fn github(state: &State) -> Result<GitHub> {
    state.github.get().ok_or_else(|| {
        Error::Conflict(
            "the server has no identity on GitHub to move a branch or make a tag with: set \
             `github.token`, or `github.app_id` and `github.private_key_file`"
                .into(),
        )
    })
}

/// Whether all that is deployed is of the stage's one commit: what stands at another has to be
/// contained in it, else the branch would bring something else than the stage has.
pub(super) async fn is_of_one_commit(state: &State, rows: &Rows) -> Result<()> {
    if rows.others.is_empty() {
        return Ok(());
    }
    let (github, repository) = (github(state)?, &rows.app.repository);
    for (service, at) in &rows.others {
        let found = github.compare(repository, at, &rows.commit).await?;
        match found.map(|found| found.relation) {
            Some(Relation::Identical | Relation::Ahead { .. }) => {}
            Some(Relation::Behind { .. } | Relation::Diverged { .. }) | None => {
                return Err(Error::Conflict(format!(
                    "{} is of no one commit: {service} stands at {}, which {}, the commit of its \
                     last whole build, does not contain; build it anew first",
                    rows.from,
                    at.short(),
                    rows.commit.short()
                )));
            }
        }
    }
    Ok(())
}

/// What is to be done to the branch or tag, or why it cannot be.
pub(super) async fn movement(state: &State, rows: &Rows) -> Result<Movement> {
    match &rows.way {
        Way::Branch { branch, .. } => of_branch(state, rows, branch).await,
        Way::Tag { tag, .. } => of_tag(state, rows, tag).await,
    }
}

async fn of_branch(state: &State, rows: &Rows, branch: &BranchName) -> Result<Movement> {
    let (github, repository) = (github(state)?, &rows.app.repository);
    let Some(head) = github.branch_head(repository, branch.as_str()).await? else {
        return Ok(Movement::Create);
    };
    if head == rows.commit {
        return Ok(Movement::None);
    }
    let found = github.compare(repository, &head, &rows.commit).await?;
    let short = rows.commit.short();
    let why = match found.map(|found| found.relation) {
        Some(Relation::Identical) => return Ok(Movement::None),
        Some(Relation::Ahead { by }) => return Ok(Movement::Forward { head, by }),
        Some(Relation::Behind { by }) => format!(
            "it contains {short} already and is {} ahead of it: a branch is not moved back. To \
             take {} back, roll it back or revert",
            commits(by),
            rows.to
        ),
        Some(Relation::Diverged { ahead_by, behind_by }) => format!(
            "it has {} that {short} lacks, and lacks {}: merge the branch back first",
            commits(behind_by),
            commits(ahead_by)
        ),
        None => format!("GitHub knows no history that it shares with {short}"),
    };
    Err(Error::Conflict(format!(
        "{branch} cannot be moved forward to {short}, which {} runs: {why}",
        rows.from
    )))
}

async fn of_tag(state: &State, rows: &Rows, tag: &TagName) -> Result<Movement> {
    match github(state)?.tag_commit(&rows.app.repository, tag).await? {
        None => Ok(Movement::Create),
        Some(at) if at == rows.commit => Ok(Movement::None),
        Some(at) => Err(Error::Conflict(format!(
            "there is a tag {tag} already, at {}: choose another name",
            at.short()
        ))),
    }
}

fn commits(number: u64) -> String {
    match number {
        1 => "1 commit".to_owned(),
        number => format!("{number} commits"),
    }
}

/// Moves the branch or makes the tag.
pub(super) async fn carry_out(state: &State, outlook: &Outlook) -> Result<Done> {
    let (repository, commit) = (&outlook.app.repository, &outlook.commit);
    match (&outlook.movement, &outlook.way) {
        (Movement::None, _) => {}
        (Movement::Forward { .. }, Way::Branch { branch, .. }) => {
            forward(&github(state)?, repository, branch, commit).await?;
        }
        (Movement::Create, Way::Branch { branch, .. }) => {
            let made = github(state)?.create_branch(repository, branch, commit).await;
            created(made, repository, &format!("branch {branch}"))?;
        }
        (Movement::Create | Movement::Forward { .. }, Way::Tag { tag, .. }) => {
            let made = github(state)?.create_tag(repository, tag, commit).await;
            created(made, repository, &format!("tag {tag}"))?;
        }
    }
    Ok(Done::from(&outlook.movement))
}

async fn forward(
    github: &GitHub,
    repository: &RepositoryName,
    branch: &BranchName,
    commit: &CommitSha,
) -> Result<()> {
    let moved = github.fast_forward(repository, branch, commit).await;
    match moved.map_err(|error| not_allowed(error, repository))? {
        FastForward::Done => Ok(()),
        FastForward::NotAFastForward => Err(Error::Conflict(format!(
            "somebody pushed to {branch} meanwhile, and {} does not contain it: look again",
            commit.short()
        ))),
        FastForward::NoSuchBranch => {
            Err(Error::Conflict(format!("{branch} was deleted meanwhile: look again")))
        }
        FastForward::Forbidden { reason } => Err(Error::Conflict(format!(
            "{repository} does not let {branch} be moved ({reason}): allow the token or the GitHub \
             App to push to it, in the rules of the branch"
        ))),
    }
}

fn created(
    made: std::result::Result<NewRef, github::Error>,
    repository: &RepositoryName,
    what: &str,
) -> Result<()> {
    match made.map_err(|error| not_allowed(error, repository))? {
        NewRef::Created => Ok(()),
        NewRef::Exists => {
            Err(Error::Conflict(format!("somebody made the {what} meanwhile: look again")))
        }
        NewRef::Forbidden { reason } => Err(Error::Conflict(format!(
            "{repository} does not let the {what} be made ({reason}): allow the token or the \
             GitHub App to make it, in the repository's rules"
        ))),
    }
}

/// Moving a ref takes a right that nothing else here needs: a refusal names it.
fn not_allowed(error: github::Error, repository: &RepositoryName) -> Error {
    match error {
        github::Error::Forbidden { message } => Error::Conflict(format!(
            "GitHub does not let the server move branches or make tags of {repository} \
             ({message}): give the token or the GitHub App the permission contents: write"
        )),
        error @ (github::Error::Unauthorized { .. }
        | github::Error::NotVisible { .. }
        | github::Error::RateLimited { .. }
        | github::Error::Unavailable { .. }
        | github::Error::Rejected { .. }
        | github::Error::Garbled { .. }) => error.into(),
    }
}
