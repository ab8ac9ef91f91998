//! Reads commits without checking them out: what the plan needs.

use std::collections::BTreeMap;

use model::CommitSha;

use super::command::Invocation;
use super::{GitError, Mirror};

/// What a path is in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Executable,
    Symlink,
    Submodule,
}

/// One path of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    object: String,
}

/// Every path of a commit. Paths are relative, with `/`; those that are not UTF-8 are left out.
#[derive(Debug, Clone)]
pub struct Tree {
    commit: CommitSha,
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    pub fn commit(&self) -> &CommitSha {
        &self.commit
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Whether some file lies below `directory` (`""` is the root).
    pub fn has_directory(&self, directory: &str) -> bool {
        if directory.is_empty() {
            return !self.entries.is_empty();
        }
        let prefix = format!("{directory}/");
        self.entries
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&prefix))
    }
}

/// A file of a commit with its path and size.
type SizedEntry<'a> = (&'a str, &'a Entry, u64);

impl Mirror {
    /// Lists the files of a commit.
    pub async fn tree(&self, commit: &CommitSha) -> Result<Tree, GitError> {
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit.as_str()];
        let output = self.git.run(Invocation::new("ls-tree", &self.path, arguments)).await?;
        if !output.success {
            return Err(missing_or_failed("ls-tree", commit, output.stderr));
        }
        let entries = records(&output.stdout)
            .filter_map(|record| {
                let (meta, path) = std::str::from_utf8(record).ok()?.split_once('\t')?;
                let mut fields = meta.split(' ');
                let kind = match fields.next()? {
                    "100755" => EntryKind::Executable,
                    "120000" => EntryKind::Symlink,
                    "160000" => EntryKind::Submodule,
                    _ => EntryKind::File,
                };
                let object = fields.nth(1)?.to_owned();
                Some((path.to_owned(), Entry { kind, object }))
            })
            .collect();
        Ok(Tree { commit: commit.clone(), entries })
    }

    /// Reads files of a commit, by path, in one run of git. A path that is no file there, or a
    /// symbolic link, is left out.
    pub async fn read(
        &self,
        tree: &Tree,
        paths: &[&str],
        max_bytes: u64,
    ) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let sized = self.sizes(tree, paths).await?;
        if let Some((path, _, _)) = sized.iter().find(|(_, _, size)| *size > max_bytes) {
            let (path, commit) = ((*path).to_owned(), tree.commit.to_string());
            return Err(GitError::TooLarge { path, commit, limit: max_bytes });
        }
        self.contents(&sized).await
    }

    /// As [`Mirror::read`], but what is larger is left out: for files that are only looked into.
    pub async fn glance(
        &self,
        tree: &Tree,
        paths: &[&str],
        max_bytes: u64,
    ) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let mut sized = self.sizes(tree, paths).await?;
        sized.retain(|(_, _, size)| *size <= max_bytes);
        self.contents(&sized).await
    }

    async fn sizes<'a>(
        &self,
        tree: &'a Tree,
        paths: &[&'a str],
    ) -> Result<Vec<SizedEntry<'a>>, GitError> {
        let wanted: Vec<(&str, &Entry)> = paths
            .iter()
            .filter_map(|path| Some((*path, tree.get(path)?)))
            .filter(|(_, entry)| matches!(entry.kind, EntryKind::File | EntryKind::Executable))
            .collect();
        let objects = wanted.iter().map(|(_, entry)| *entry);
        let sizes = self.batch("--batch-check=%(objectsize)", objects).await?;
        let sizes = sizes.split(|byte| *byte == b'\n').map(|size| {
            let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
            // what has no size cannot be read
            size.unwrap_or(u64::MAX)
        });
        Ok(wanted.into_iter().zip(sizes).map(|((path, entry), size)| (path, entry, size)).collect())
    }

    async fn contents(
        &self,
        sized: &[SizedEntry<'_>],
    ) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let objects = sized.iter().map(|(_, entry, _)| *entry);
        let contents = self.batch("--batch=%(objectsize)", objects).await?;
        let mut rest = contents.as_slice();
        let mut files = BTreeMap::new();
        for (path, _, _) in sized {
            let (content, after) = next_object(rest).ok_or_else(|| GitError::Failed {
                action: "cat-file",
                detail: format!("its answer about {path} is not understood"),
            })?;
            files.insert((*path).to_owned(), content.to_vec());
            rest = after;
        }
        Ok(files)
    }

    async fn batch<'a>(
        &self,
        mode: &str,
        wanted: impl Iterator<Item = &'a Entry>,
    ) -> Result<Vec<u8>, GitError> {
        let input: Vec<u8> =
            wanted.flat_map(|entry| format!("{}\n", entry.object).into_bytes()).collect();
        if input.is_empty() {
            return Ok(Vec::new());
        }
        let mut invocation = Invocation::new("cat-file", &self.path, ["cat-file", mode]);
        invocation.input = input;
        self.git.expect(invocation).await
    }

    /// The paths that differ between two commits; a renamed file counts under both names.
    pub async fn changed_files(
        &self,
        from: &CommitSha,
        to: &CommitSha,
    ) -> Result<Vec<String>, GitError> {
        let arguments = [
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            "--end-of-options",
            from.as_str(),
            to.as_str(),
        ];
        let output = self.git.run(Invocation::new("diff-tree", &self.path, arguments)).await?;
        if !output.success {
            return Err(missing_or_failed("diff-tree", from, output.stderr));
        }
        Ok(records(&output.stdout).map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }
}

/// `SIZE\nCONTENT\nREST` into content and rest.
fn next_object(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let size: usize = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    let content = bytes.get(end + 1..end + 1 + size)?;
    Some((content, bytes.get(end + 2 + size..)?))
}

fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

fn missing_or_failed(action: &'static str, commit: &CommitSha, detail: String) -> GitError {
    let missing =
        ["Not a valid object name", "not a tree object", "bad object", "unknown revision"];
    if missing.iter().any(|phrase| detail.contains(phrase)) {
        GitError::NotInMirror(commit.to_string())
    } else {
        GitError::Failed { action, detail }
    }
}
