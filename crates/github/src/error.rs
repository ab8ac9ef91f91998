//! What can go wrong when GitHub is asked, told apart by what helps.
//!
//! What always holds: no error says a token. Nothing is retried below this type: the caller
//! decides, by [`Error::is_transient`] and [`Error::retry_after`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use model::RepositoryName;

/// GitHub's primary windows last one hour, so no answer can mean a longer wait than that.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// What GitHub asks for when a secondary limit comes without a time.
const SECONDARY_WAIT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "GitHub does not accept our credentials ({message}): check `github.token`, or \
         `github.app_id` with `github.private_key_file` and this machine's clock"
    )]
    Unauthorized { message: String },
    #[error(
        "GitHub forbids this ({message}): the token or GitHub App needs commit statuses, pull \
         requests and deployments: read and write; contents: read, and write to promote; webhooks: \
         read and write where a repository has a webhook of its own"
    )]
    Forbidden { message: String },
    #[error("{viewer} cannot see {repo}: {}", viewer.remedy(repo))]
    NotVisible { repo: RepositoryName, viewer: Viewer },
    #[error("GitHub's rate limit is reached: next try in {} s", retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    #[error("GitHub cannot be reached: {problem}")]
    Unavailable { problem: Problem, retry_after: Option<Duration> },
    /// The same request will be refused again.
    #[error("GitHub refuses the request ({status}): {message}")]
    Rejected { status: u16, message: String },
    /// Something between us and GitHub answers, or the wrong `github.api_url` does.
    #[error(
        "the answer to {call} is not what GitHub's API says ({problem}): check `github.api_url`"
    )]
    Garbled { call: String, problem: String },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("it answers {0}")]
    Status(u16),
    #[error("{0}")]
    Transport(String),
}

/// As whom we look: the remedy for not seeing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    Token,
    App,
}

impl Viewer {
    fn remedy(self, repo: &RepositoryName) -> String {
        match self {
            Self::Token => format!(
                "check the spelling, and give `github.token` access to it (for organizations: \
                 allow the token in {}'s settings)",
                repo.owner()
            ),
            Self::App => format!(
                "check the spelling, and install the GitHub App on it (as an owner of {}, in the \
                 App's settings under \"Install App\")",
                repo.owner()
            ),
        }
    }
}

impl std::fmt::Display for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token => "the token",
            Self::App => "the GitHub App",
        })
    }
}

impl Error {
    /// True if the same request may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Garbled { .. } => true,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotVisible { .. }
            | Self::Rejected { .. } => false,
        }
    }

    /// How long GitHub wants to be left alone, when it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotVisible { .. }
            | Self::Rejected { .. }
            | Self::Garbled { .. } => None,
        }
    }

    pub(crate) fn transport(problem: impl Into<String>) -> Self {
        Self::Unavailable { problem: Problem::Transport(problem.into()), retry_after: None }
    }

    /// The error that an answer other than a success stands for. `404` stays
    /// [`Error::Rejected`] here; only the caller knows what was not found.
    pub(crate) fn from_answer(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Self {
        let message = message(status, body);
        let retry_after = retry_after(headers, now);
        match status.as_u16() {
            401 => Self::Unauthorized { message },
            403 | 429 => match retry_after.or_else(|| window_end(headers, now)) {
                Some(retry_after) => Self::RateLimited { retry_after },
                None if status == StatusCode::TOO_MANY_REQUESTS || is_secondary(&message) => {
                    Self::RateLimited { retry_after: SECONDARY_WAIT }
                }
                None => Self::Forbidden { message },
            },
            408 | 500..=599 => {
                Self::Unavailable { problem: Problem::Status(status.as_u16()), retry_after }
            }
            status => Self::Rejected { status, message },
        }
    }
}

/// `retry-after`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => until(DateTime::parse_from_rfc2822(value).ok()?.with_timezone(&Utc), now),
    };
    Some(wait.min(LONGEST_WAIT))
}

/// `x-ratelimit-reset`, which says something only when nothing remains.
fn window_end(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    if number("x-ratelimit-remaining")? > 0 {
        return None;
    }
    let reset = DateTime::from_timestamp(number("x-ratelimit-reset")?, 0)?;
    // one second more: the clocks are not the same
    Some((until(reset, now) + Duration::from_secs(1)).min(LONGEST_WAIT))
}

fn until(then: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (then - now).to_std().unwrap_or(Duration::ZERO)
}

fn is_secondary(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("secondary rate limit") || message.contains("abuse detection")
}

/// GitHub's own words, if the answer is GitHub's: a proxy's page of HTML helps nobody.
fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        message: String,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let text = match serde_json::from_slice::<Body>(body) {
        Ok(body) => body
            .errors
            .iter()
            .map(|error| match (error.as_str(), error["message"].as_str()) {
                (Some(text), _) | (None, Some(text)) => text.to_owned(),
                (None, None) => error.to_string(),
            })
            .fold(body.message, |all, error| format!("{all}; {error}")),
        Err(_) => status.canonical_reason().unwrap_or("no message").to_owned(),
    };
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Error {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        Error::from_answer(status, &headers, body.as_bytes(), now())
    }

    fn limited(seconds: u64) -> Error {
        Error::RateLimited { retry_after: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_retry_after_makes_a_403_or_429_a_rate_limit() {
        assert_eq!(answer(403, &[("retry-after", "30")], ""), limited(30));
        assert_eq!(answer(429, &[("retry-after", "7")], ""), limited(7));
        let date = (now() + chrono::TimeDelta::seconds(90)).to_rfc2822();
        assert_eq!(answer(403, &[("retry-after", &date)], ""), limited(90));
    }

    #[test]
    fn an_empty_window_waits_for_its_end() {
        let reset = (now().timestamp() + 120).to_string();
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
        assert_eq!(answer(403, &headers, ""), limited(121));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000")];
        assert_eq!(answer(429, &past, ""), limited(1));
    }

    #[test]
    fn a_secondary_limit_without_a_time_waits_a_minute() {
        let body = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(answer(403, &[], body), limited(60));
        assert_eq!(answer(429, &[], ""), limited(60));
    }

    #[test]
    fn no_answer_can_stop_us_for_more_than_an_hour() {
        let huge = u64::MAX.to_string();
        assert_eq!(answer(403, &[("retry-after", &huge)], ""), limited(3600));
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4000000000")];
        assert_eq!(answer(403, &headers, ""), limited(3600));
    }

    #[test]
    fn a_plain_403_is_forbidden_and_stays_so() {
        let reset = (now().timestamp() + 120).to_string();
        let headers = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", reset.as_str())];
        let error =
            answer(403, &headers, r#"{"message":"Resource not accessible by integration"}"#);
        assert_eq!(
            error,
            Error::Forbidden { message: "Resource not accessible by integration".to_owned() }
        );
        assert!(!error.is_transient());
    }

    #[test]
    fn a_server_error_is_transient_and_keeps_its_wait() {
        let error = answer(502, &[], "<html>Bad gateway</html>");
        assert!(error.is_transient());
        assert_eq!(error.retry_after(), None);
        assert_eq!(error.to_string(), "GitHub cannot be reached: it answers 502");
        let error = answer(503, &[("retry-after", "5")], "");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_422_is_final_and_says_why() {
        let error = answer(
            422,
            &[],
            r#"{"message":"Validation Failed","errors":[{"message":"No commit found for SHA: x"},"y"]}"#,
        );
        assert!(!error.is_transient());
        assert_eq!(
            error.to_string(),
            "GitHub refuses the request (422): Validation Failed; No commit found for SHA: x; y"
        );
    }

    #[test]
    fn an_unseen_repository_comes_with_its_remedy() {
        let error =
            |viewer| Error::NotVisible { repo: "acme/x".parse().unwrap(), viewer }.to_string();
        assert!(error(Viewer::Token).starts_with("the token cannot see acme/x: check"));
        assert!(error(Viewer::App).contains("install the GitHub App on it"));
    }
}
