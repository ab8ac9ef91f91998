//! Which repository of GitHub the working directory is a clone of.

use std::path::Path;
use std::process::{Command, Stdio};

use model::RepositoryName;

/// The repositories of its remotes, `origin` first, then `upstream`, then the others.
pub(crate) fn repositories(directory: &Path) -> Vec<RepositoryName> {
    let mut git = Command::new("git");
    git.args(["config", "--get-regexp", r"^remote\..*\.url$"]).current_dir(directory);
    let Some(text) = answer(git) else { return Vec::new() };
    in_order(&text)
}

/// The branch that is checked out.
pub(crate) fn branch(directory: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["symbolic-ref", "--quiet", "--short", "HEAD"]).current_dir(directory);
    answer(git).map(|text| text.trim().to_owned()).filter(|name| !name.is_empty())
}

fn answer(mut git: Command) -> Option<String> {
    // no git, no clone, nothing to say: then the app is to be named
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn in_order(text: &str) -> Vec<RepositoryName> {
    let mut found: Vec<(u8, RepositoryName)> = text
        .lines()
        .filter_map(|line| {
            let (key, url) = line.split_once(' ')?;
            let rank = match key {
                "remote.origin.url" => 0,
                "remote.upstream.url" => 1,
                _ => 2,
            };
            Some((rank, repository(url.trim())?))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    let mut names: Vec<RepositoryName> = found.into_iter().map(|(_, name)| name).collect();
    names.dedup();
    names
}

/// `owner/name`, out of any way to write the address of a repository.
fn repository(url: &str) -> Option<RepositoryName> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        // git@github.com:owner/name
        None => url.split_once(':')?.1,
    };
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_any_of_its_addresses() {
        for url in [
            "https://github.com/acme/workshop.git",
            "https://github.com/acme/workshop",
            "https://token@github.com/acme/workshop/",
            "git@github.com:acme/workshop.git",
            "ssh://git@github.com:22/acme/workshop.git",
            "http://127.0.0.1:4000/acme/workshop.git",
        ] {
            let name = repository(url).map(String::from);
            assert_eq!(name.as_deref(), Some("acme/workshop"), "{url}");
        }
        for url in ["/srv/git/workshop", "../workshop", "https://github.com/", "nothing"] {
            assert_eq!(repository(url), None, "{url}");
        }
    }

    #[test]
    fn the_origin_goes_before_the_upstream_and_that_before_the_others() {
        let text = "\
remote.mine.url git@github.com:ada/workshop.git
remote.upstream.url https://github.com/acme/workshop
remote.origin.url https://github.com/grace/workshop
";
        let names: Vec<String> = in_order(text).into_iter().map(String::from).collect();
        assert_eq!(names, ["grace/workshop", "acme/workshop", "ada/workshop"]);
    }
}
