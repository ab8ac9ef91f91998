//! The JSON that GitHub writes, in webhooks and in REST answers: pure functions of what is known.

pub(crate) mod issue_comment;
pub(crate) mod pull_request;
pub(crate) mod push;
pub(crate) mod refs;

use serde_json::{Value, json};

use crate::state::{Repo, timestamp};

/// The kind of an account.
#[derive(Clone, Copy, Debug)]
enum Kind {
    User,
    Organization,
    Bot,
}

/// An account as GitHub shows it; the id follows from the name.
fn account(url: &str, login: &str, kind: Kind) -> Value {
    let id = login.bytes().fold(5_381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    let api = format!("{url}/users/{login}");
    let kind = match kind {
        Kind::User => "User",
        Kind::Organization => "Organization",
        Kind::Bot => "Bot",
    };
    json!({
        "login": login,
        "id": id,
        "node_id": format!("U_{id}"),
        "avatar_url": format!("{url}/avatars/u/{id}?v=4"),
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{url}/{login}"),
        "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "type": kind,
        "site_admin": false,
    })
}

/// Somebody who does things: a person, or the App.
pub(crate) fn actor(url: &str, login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { Kind::Bot } else { Kind::User };
    account(url, login, kind)
}

/// The owner of a repository: an organisation, or the person who forked.
pub(crate) fn owner(url: &str, repo: &Repo) -> Value {
    let kind = if repo.fork_of.is_some() { Kind::User } else { Kind::Organization };
    account(url, &repo.owner, kind)
}

/// A repository as GitHub shows it in REST and in most webhooks.
pub(crate) fn repository(url: &str, repo: &Repo) -> Value {
    let full_name = repo.full_name();
    let api = format!("{url}/repos/{full_name}");
    let html = format!("{url}/{full_name}");
    let host = url.trim_start_matches("http://");
    let open = repo.pulls.iter().filter(|pull| pull.is_open()).count();
    json!({
        "id": repo.id,
        "node_id": format!("R_{}", repo.id),
        "name": repo.name,
        "full_name": full_name,
        "private": repo.private,
        "owner": owner(url, repo),
        "html_url": html,
        "description": null,
        "fork": repo.fork_of.is_some(),
        "url": api,
        "archive_url": format!("{api}/{{archive_format}}{{/ref}}"),
        "branches_url": format!("{api}/branches{{/branch}}"),
        "comments_url": format!("{api}/comments{{/number}}"),
        "commits_url": format!("{api}/commits{{/sha}}"),
        "compare_url": format!("{api}/compare/{{base}}...{{head}}"),
        "contents_url": format!("{api}/contents/{{+path}}"),
        "deployments_url": format!("{api}/deployments"),
        "git_refs_url": format!("{api}/git/refs{{/sha}}"),
        "hooks_url": format!("{api}/hooks"),
        "issue_comment_url": format!("{api}/issues/comments{{/number}}"),
        "issues_url": format!("{api}/issues{{/number}}"),
        "pulls_url": format!("{api}/pulls{{/number}}"),
        "statuses_url": format!("{api}/statuses/{{sha}}"),
        "trees_url": format!("{api}/git/trees{{/sha}}"),
        "created_at": timestamp(repo.created_at),
        "updated_at": timestamp(repo.pushed_at),
        "pushed_at": timestamp(repo.pushed_at),
        "git_url": format!("git://{host}/{full_name}.git"),
        "ssh_url": format!("git@{host}:{full_name}.git"),
        "clone_url": format!("{html}.git"),
        "svn_url": html,
        "homepage": null,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": "JavaScript",
        "has_issues": true,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": true,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": 0,
        "mirror_url": null,
        "archived": false,
        "disabled": false,
        "open_issues_count": open,
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": [],
        "visibility": if repo.private { "private" } else { "public" },
        "forks": 0,
        "open_issues": open,
        "watchers": 0,
        "default_branch": repo.default_branch,
    })
}

/// What GitHub sends first when a hook is set up.
pub(crate) fn ping(url: &str, repo: &Repo, sender: &str, hook_url: &str) -> Value {
    let id = crate::webhook::HOOK_ID;
    json!({
        "zen": "Keep it logically awesome.",
        "hook_id": id,
        "hook": {
            "type": "Repository",
            "id": id,
            "name": "web",
            "active": true,
            "events": ["*"],
            "config": { "content_type": "json", "url": hook_url, "insecure_ssl": "0" },
            "created_at": timestamp(repo.created_at),
            "updated_at": timestamp(repo.created_at),
        },
        "repository": repository(url, repo),
        "sender": actor(url, sender),
    })
}
