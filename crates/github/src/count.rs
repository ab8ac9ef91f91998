//! Counts the calls, for the metrics: by what they are about and how they ended, and what is left
//! of GitHub's budgets.
//!
//! What always holds: a label is one of a few words of ours, or the owner of a repository that is
//! registered; never a branch, a commit or a repository's name.

use http::{HeaderMap, Method};

use crate::error::Error;

/// What follows `/repos/owner/name` in the calls that we make.
const RESOURCES: [&str; 13] = [
    "branches",
    "collaborators",
    "commits",
    "compare",
    "contents",
    "deployments",
    "git",
    "hooks",
    "installation",
    "issues",
    "pulls",
    "statuses",
    "teams",
];

pub(crate) fn class(method: &Method) -> &'static str {
    if method.is_safe() { "read" } else { "change" }
}

pub(crate) fn call<T>(class: &'static str, path: &str, outcome: &Result<T, Error>) {
    let outcome = match outcome {
        Ok(_) => "ok",
        Err(Error::RateLimited { .. }) => "limited",
        Err(Error::Unauthorized { .. } | Error::Forbidden { .. } | Error::NotVisible { .. }) => {
            "denied"
        }
        Err(Error::Rejected { .. }) => "refused",
        Err(Error::Unavailable { .. } | Error::Garbled { .. }) => "unavailable",
    };
    let labels = [("resource", resource(path)), ("class", class), ("outcome", outcome)];
    metrics::counter!("greenroom_github_requests_total", &labels).increment(1);
}

/// GitHub says with every answer how much of the hour's budget is left. An installation of the App
/// has one of its own, and there is one for each owner of repositories ("Rate limits for the REST
/// API", docs.github.com).
pub(crate) fn budget(path: &str, headers: &HeaderMap) {
    let Some(owner) = owner(path) else { return };
    let of_the_rest_api =
        headers.get("x-ratelimit-resource").is_none_or(|resource| resource == "core");
    let number = |name| headers.get(name)?.to_str().ok()?.parse::<u32>().ok();
    let budget = (number("x-ratelimit-limit"), number("x-ratelimit-remaining"));
    if let ((Some(limit), Some(left)), true) = (budget, of_the_rest_api) {
        let labels = [("owner", owner)];
        metrics::gauge!("greenroom_github_rate_limit", &labels).set(f64::from(limit));
        metrics::gauge!("greenroom_github_rate_limit_remaining", &labels).set(f64::from(left));
    }
}

/// Of the repository that a call is about; logins are the same without regard to case.
fn owner(path: &str) -> Option<String> {
    let owner = path.strip_prefix("/repos/")?.split('/').next()?;
    Some(owner.to_ascii_lowercase())
}

fn resource(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or(path);
    let mut parts = path.trim_start_matches('/').split('/');
    let word = match (parts.next(), parts.nth(1), parts.next()) {
        (Some("repos"), Some(_), None) => return "repository",
        (Some("repos"), _, Some(word)) => word,
        (Some("app" | "installation"), _, _) => return "installation",
        (Some("orgs" | "user" | "users"), _, _) => return "people",
        (_, _, _) => return "other",
    };
    RESOURCES.into_iter().find(|known| *known == word).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_by_what_it_is_about_and_never_by_a_name_of_the_users() {
        for (path, expected) in [
            ("/repos/acme/shop", "repository"),
            ("/repos/acme/shop/statuses/0123", "statuses"),
            ("/repos/acme/shop/branches?per_page=100&page=1", "branches"),
            ("/repos/acme/shop/something-new", "other"),
            ("/app/installations/7/access_tokens", "installation"),
            ("/orgs/acme/teams/shop/memberships/ada", "people"),
            ("/login/oauth/access_token", "other"),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }

    #[test]
    fn a_budget_is_that_of_the_owner_whose_repository_was_asked_about() {
        assert_eq!(owner("/repos/Acme/shop/statuses/0123").as_deref(), Some("acme"));
        assert_eq!(owner("/app/installations"), None);
    }
}
