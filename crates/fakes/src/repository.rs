//! A handle on one repository for tests: commits, branches, tags and pull requests, made with git
//! plumbing in the bare repository. Each change sends the webhooks of a real push.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::now;
use crate::comments;
use crate::error::Error;
use crate::fast_import;
use crate::git::{git, git_with};
use crate::pulls::{self, MergeMethod, NewPull};
use crate::record::{Comment, Deployment, Reaction, Status};
use crate::refs;
use crate::state::{DEVELOPER, Pull, Repo, Stand};

/// One repository of the stand-in. It need not exist yet.
#[derive(Clone)]
pub struct Repository {
    stand: Stand,
    full_name: String,
}

impl Repository {
    pub(crate) fn new(stand: &Stand, full_name: &str) -> Self {
        Self { stand: Arc::clone(stand), full_name: full_name.to_owned() }
    }

    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// GitHub's number for it.
    pub fn id(&self) -> Result<u64, Error> {
        Ok(self.stand.repo(&self.full_name)?.id)
    }

    /// Where git clones it from, without a token.
    pub fn clone_url(&self) -> String {
        format!("{}/{}.git", self.stand.url, self.full_name)
    }

    /// The same with a token in it.
    pub fn clone_url_with(&self, token: &str) -> String {
        let host = self.stand.url.trim_start_matches("http://");
        format!("http://x-access-token:{token}@{host}/{}.git", self.full_name)
    }

    /// Creates it, private and without a commit.
    pub async fn create(&self, default_branch: &str) -> Result<(), Error> {
        self.register(default_branch, true, None)?;
        git(
            &self.stand.root,
            &[
                "init",
                "--quiet",
                "--bare",
                &format!("--initial-branch={default_branch}"),
                &format!("{}.git", self.full_name),
            ],
        )
        .await?;
        Ok(())
    }

    /// Creates it with the files of a directory (what its `.gitignore` lets through) as the first
    /// commit on `branch`, which becomes the default branch; that commit.
    pub async fn create_from_dir(&self, dir: &Path, branch: &str) -> Result<String, Error> {
        existing(dir)?;
        self.create(branch).await?;
        self.commit_dir(branch, dir, "Initial commit").await
    }

    /// Commits a directory's files as the whole tree of `branch`; the commit.
    pub async fn commit_dir(
        &self,
        branch: &str,
        dir: &Path,
        message: &str,
    ) -> Result<String, Error> {
        let git_dir = self.stand.git_dir(&self.full_name);
        let dir = existing(dir)?;
        let scratch = tempfile::tempdir().map_err(Error::io("make a temporary directory"))?;
        let index = scratch.path().join("index");
        let env = [
            ("GIT_DIR", git_dir.as_os_str()),
            ("GIT_WORK_TREE", dir.as_os_str()),
            ("GIT_INDEX_FILE", index.as_os_str()),
        ];
        git_with(&dir, &["add", "--all", "."], &env, b"").await?;
        let tree = git_with(&dir, &["write-tree"], &env, b"").await?;
        let tree = String::from_utf8_lossy(&tree).trim().to_owned();
        let parent = self.head(branch).await.ok();
        let mut args = vec!["commit-tree", &tree, "-m", message];
        if let Some(parent) = &parent {
            args.extend(["-p", parent]);
        }
        let commit = git(&git_dir, &args).await?;
        let full_ref = format!("refs/heads/{branch}");
        git(&git_dir, &["update-ref", &full_ref, &commit]).await?;
        self.announce().await?;
        Ok(commit)
    }

    /// Forks it to another owner. The App is not installed on the fork.
    pub async fn fork(&self, full_name: &str) -> Result<Self, Error> {
        let original = self.stand.repo(&self.full_name)?;
        let fork = Self::new(&self.stand, full_name);
        fork.register(&original.default_branch, false, Some(self.full_name.clone()))?;
        git(
            &self.stand.root,
            &[
                "clone",
                "--quiet",
                "--bare",
                &format!("{}.git", self.full_name),
                &format!("{full_name}.git"),
            ],
        )
        .await?;
        fork.announce().await?;
        Ok(fork)
    }

    fn register(
        &self,
        default_branch: &str,
        private: bool,
        fork_of: Option<String>,
    ) -> Result<(), Error> {
        let (owner, name) = parse_full_name(&self.full_name)?;
        let mut state = self.stand.state();
        if state.repositories.contains_key(&self.full_name) {
            let text = format!("repository `{}` exists already", self.full_name);
            return Err(Error::Refused(text));
        }
        let repo = Repo {
            id: state.next_id(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            private,
            default_branch: default_branch.to_owned(),
            granted: fork_of.is_none(),
            fork_of,
            created_at: now(),
            pushed_at: now(),
            announced: std::collections::BTreeMap::new(),
            pulls: Vec::new(),
            protected: Vec::new(),
        };
        state.repositories.insert(self.full_name.clone(), repo);
        Ok(())
    }

    /// Grants or takes away what the App's installation and the personal tokens see of it.
    pub fn set_granted(&self, granted: bool) -> Result<(), Error> {
        self.stand.state().repo_mut(&self.full_name)?.granted = granted;
        Ok(())
    }

    /// Whether everybody may read it, or only who was given access.
    pub fn set_private(&self, private: bool) -> Result<(), Error> {
        self.stand.state().repo_mut(&self.full_name)?.private = private;
        Ok(())
    }

    async fn announce(&self) -> Result<(), Error> {
        refs::announce(&self.stand, &self.full_name, DEVELOPER, None).await
    }

    /// Writes files on a branch and pushes; the commit. A branch that does not exist yet starts at
    /// the default branch.
    pub async fn commit(
        &self,
        branch: &str,
        files: &[(&str, &str)],
        message: &str,
    ) -> Result<String, Error> {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        self.commit_on(branch, None, &files, message).await
    }

    /// As [`Self::commit`]; a new branch starts at `base` (a branch, tag or commit), and a file
    /// without content is removed.
    pub async fn commit_on(
        &self,
        branch: &str,
        base: Option<&str>,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> Result<String, Error> {
        let parent = match self.head(branch).await {
            Ok(head) => Some(head),
            Err(_) => self.start_of_branch(base).await?,
        };
        self.write(branch, parent.as_deref(), files, message).await
    }

    /// Replaces the last commit of a branch by another one and force-pushes; the new commit.
    pub async fn push_force(
        &self,
        branch: &str,
        files: &[(&str, &str)],
        message: &str,
    ) -> Result<String, Error> {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        self.push_force_on(branch, &files, message).await
    }

    pub(crate) async fn push_force_on(
        &self,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> Result<String, Error> {
        let parent = format!("{}^", self.head(branch).await?);
        let dir = self.stand.git_dir(&self.full_name);
        let args = ["rev-parse", "--verify", "--quiet", parent.as_str()];
        let parent = git(&dir, &args).await.ok();
        self.write(branch, parent.as_deref(), files, message).await
    }

    async fn start_of_branch(&self, base: Option<&str>) -> Result<Option<String>, Error> {
        let dir = self.stand.git_dir(&self.full_name);
        match base {
            Some(base) => {
                let found = crate::git::resolve(&dir, base).await;
                found.map(Some).ok_or_else(|| Error::not_found("commit", base))
            }
            None => {
                let default = self.stand.repo(&self.full_name)?.default_branch;
                Ok(self.head(&default).await.ok())
            }
        }
    }

    async fn write(
        &self,
        branch: &str,
        parent: Option<&str>,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> Result<String, Error> {
        let full_ref = format!("refs/heads/{branch}");
        let dir = self.stand.git_dir(&self.full_name);
        git(&dir, &["check-ref-format", &full_ref])
            .await
            .map_err(|_| Error::Refused(format!("`{branch}` is no branch name")))?;
        let stream = fast_import::stream(&full_ref, parent, files, message)?;
        git_with(&dir, &["fast-import", "--quiet", "--force"], &[], &stream).await?;
        self.announce().await?;
        self.head(branch).await
    }

    /// Points a branch at a commit, whatever it was before, and pushes.
    pub async fn set_branch(&self, branch: &str, sha: &str) -> Result<(), Error> {
        self.update_ref(&["update-ref", &format!("refs/heads/{branch}"), sha]).await
    }

    /// Forbids to move a branch over REST, as a branch protection or a ruleset does.
    pub fn protect(&self, branch: &str) -> Result<(), Error> {
        self.stand.state().repo_mut(&self.full_name)?.protected.push(branch.to_owned());
        Ok(())
    }

    pub async fn delete_branch(&self, branch: &str) -> Result<(), Error> {
        self.head(branch).await?;
        self.update_ref(&["update-ref", "-d", &format!("refs/heads/{branch}")]).await
    }

    /// Points a tag at a commit and pushes.
    pub async fn tag(&self, name: &str, sha: &str) -> Result<(), Error> {
        self.update_ref(&["update-ref", &format!("refs/tags/{name}"), sha]).await
    }

    /// Makes an annotated tag, a tag object of its own, and pushes. `object` may be another tag.
    pub async fn annotated_tag(&self, name: &str, object: &str) -> Result<(), Error> {
        let dir = self.stand.git_dir(&self.full_name);
        git(&dir, &["tag", "--annotate", "--message=Release", "--", name, object]).await?;
        self.announce().await
    }

    pub async fn delete_tag(&self, name: &str) -> Result<(), Error> {
        self.update_ref(&["update-ref", "-d", &format!("refs/tags/{name}")]).await
    }

    async fn update_ref(&self, args: &[&str]) -> Result<(), Error> {
        git(&self.stand.git_dir(&self.full_name), args).await?;
        self.announce().await
    }

    /// The commit that a branch is at.
    pub async fn head(&self, branch: &str) -> Result<String, Error> {
        let full_ref = format!("refs/heads/{branch}");
        let args = ["rev-parse", "--verify", "--quiet", full_ref.as_str()];
        git(&self.stand.git_dir(&self.full_name), &args)
            .await
            .map_err(|_| Error::not_found("branch", branch))
    }

    /// Opens a pull request; its number.
    pub async fn open_pr(&self, head: &str, base: &str, title: &str) -> Result<u64, Error> {
        self.open(NewPull {
            head: head.to_owned(),
            base: base.to_owned(),
            title: title.to_owned(),
            body: None,
            draft: false,
            head_repo: None,
        })
        .await
    }

    /// Opens a pull request worded in full: a draft, or one from a fork; its number.
    pub async fn open(&self, new: NewPull) -> Result<u64, Error> {
        pulls::open(&self.stand, &self.full_name, new, DEVELOPER).await
    }

    /// Merges a pull request; the commit that it made on the base branch.
    pub async fn merge_pr(&self, number: u64) -> Result<String, Error> {
        self.merge_pr_by(number, MergeMethod::Merge).await
    }

    pub async fn merge_pr_by(&self, number: u64, method: MergeMethod) -> Result<String, Error> {
        pulls::merge(&self.stand, &self.full_name, number, method, DEVELOPER).await
    }

    pub async fn close_pr(&self, number: u64) -> Result<(), Error> {
        pulls::close(&self.stand, &self.full_name, number, DEVELOPER).await
    }

    pub async fn reopen_pr(&self, number: u64) -> Result<(), Error> {
        pulls::reopen(&self.stand, &self.full_name, number, DEVELOPER).await
    }

    pub async fn edit_pr_base(&self, number: u64, base: &str) -> Result<(), Error> {
        pulls::edit_base(&self.stand, &self.full_name, number, base, DEVELOPER).await
    }

    pub async fn edit_pr_title(&self, number: u64, title: &str) -> Result<(), Error> {
        pulls::edit_title(&self.stand, &self.full_name, number, title, DEVELOPER).await
    }

    pub async fn set_pr_draft(&self, number: u64, draft: bool) -> Result<(), Error> {
        pulls::set_draft(&self.stand, &self.full_name, number, draft, DEVELOPER).await
    }

    pub fn pulls(&self) -> Result<Vec<Pull>, Error> {
        Ok(self.stand.repo(&self.full_name)?.pulls)
    }

    /// Every status posted for a commit, in order of arrival.
    pub fn statuses(&self, sha: &str) -> Vec<Status> {
        let state = self.stand.state();
        let of_it = |status: &&Status| status.repository == self.full_name && status.sha == sha;
        state.statuses.iter().filter(of_it).cloned().collect()
    }

    /// The comments on a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        let state = self.stand.state();
        let of_it =
            |comment: &&Comment| comment.repository == self.full_name && comment.number == number;
        state.comments.iter().filter(of_it).cloned().collect()
    }

    /// Somebody writes a comment on a pull request, and GitHub tells of it; its id.
    pub fn comment_by(&self, login: &str, number: u64, body: &str) -> Result<u64, Error> {
        comments::write(&self.stand, &self.full_name, number, login, body)
    }

    /// Somebody edits a comment, and GitHub tells of it.
    pub fn edit_comment_by(&self, login: &str, id: u64, body: &str) -> Result<(), Error> {
        comments::edit(&self.stand, &self.full_name, id, login, body)
    }

    /// The reactions to a comment, oldest first.
    pub fn reactions(&self, comment: u64) -> Vec<Reaction> {
        let state = self.stand.state();
        let of_it = |reaction: &&Reaction| {
            reaction.repository == self.full_name && reaction.comment == comment
        };
        state.reactions.iter().filter(of_it).cloned().collect()
    }

    /// Writes a comment as `user`, and tells nobody; its id.
    pub fn comment_as(&self, user: &str, number: u64, body: &str) -> Result<u64, Error> {
        let mut state = self.stand.state();
        state.repo(&self.full_name)?.pull(number)?;
        let id = state.next_id();
        state.comments.push(Comment {
            id,
            repository: self.full_name.clone(),
            number,
            body: body.to_owned(),
            earlier_bodies: Vec::new(),
            user: user.to_owned(),
            created_at: now(),
            updated_at: now(),
        });
        Ok(id)
    }

    /// Deletes a comment, as a person does on the page.
    pub fn delete_comment(&self, id: u64) {
        let mut state = self.stand.state();
        state.comments.retain(|comment| comment.id != id || comment.repository != self.full_name);
    }

    /// The deployments with their statuses, oldest first.
    pub fn deployments(&self) -> Vec<Deployment> {
        let state = self.stand.state();
        let of_it = |deployment: &&Deployment| deployment.repository == self.full_name;
        state.deployments.iter().filter(of_it).cloned().collect()
    }
}

fn existing(dir: &Path) -> Result<PathBuf, Error> {
    let dir = std::path::absolute(dir).map_err(Error::io("find the directory to commit"))?;
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(Error::not_found("directory", dir.display().to_string()))
}

fn parse_full_name(full_name: &str) -> Result<(&str, &str), Error> {
    let fits = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    full_name
        .split_once('/')
        .filter(|(owner, name)| fits(owner) && fits(name))
        .ok_or_else(|| Error::Refused(format!("`{full_name}` is not `owner/name`")))
}
