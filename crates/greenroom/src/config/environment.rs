//! The process environment as settings: read once, at start, and checked for misspelt names.

use std::collections::BTreeMap;

use anyhow::Context;

/// Every variable that the program reads.
const KNOWN: &[&str] = &[
    "GREENROOM_LISTEN",
    "GREENROOM_PUBLIC_URL",
    "GREENROOM_DATA_DIR",
    "GREENROOM_DATABASE_URL",
    "GREENROOM_GITHUB_API_URL",
    "GREENROOM_GITHUB_GIT_URL",
    "GREENROOM_GITHUB_WEBHOOK_SECRET",
    "GREENROOM_GITHUB_TOKEN",
    "GREENROOM_GITHUB_APP_ID",
    "GREENROOM_GITHUB_PRIVATE_KEY_FILE",
    "GREENROOM_LOGIN_CLIENT_ID",
    "GREENROOM_LOGIN_CLIENT_SECRET",
    "GREENROOM_LOGIN_ADMINS",
    "GREENROOM_LOGIN_DEPLOYERS",
    "GREENROOM_LOGIN_VIEWERS",
    "GREENROOM_LOGIN_ANONYMOUS_READ",
    "GREENROOM_NOTIFY_ALLOW",
    "GREENROOM_NOTIFY_SLACK_URL",
    "GREENROOM_SMTP_HOST",
    "GREENROOM_SMTP_PORT",
    "GREENROOM_SMTP_TLS",
    "GREENROOM_SMTP_USERNAME",
    "GREENROOM_SMTP_PASSWORD",
    "GREENROOM_SMTP_FROM",
    "GREENROOM_SECRET_KEY_FILE",
    "GREENROOM_OBJECT_STORE",
    "GREENROOM_WORKER_COUNT",
    "GREENROOM_WORKER_EXECUTOR",
    "GREENROOM_WORKER_CACHE_DIR",
    "GREENROOM_WORKER_LEASE_SECONDS",
    "GREENROOM_RECONCILE_EVERY",
    "GREENROOM_RECONCILE_SWEEP_EVERY",
    // of the client and worker commands
    "GREENROOM_CONFIG",
    "GREENROOM_URL",
    "GREENROOM_TOKEN",
    "GREENROOM_APP",
    "GREENROOM_LOG",
    "GREENROOM_LOG_FORMAT",
];

/// The `GREENROOM_…` variables of the process.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("GREENROOM_"))
            .collect();
        Self { variables }
    }

    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self { variables }
    }

    /// The value of a variable; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        debug_assert!(KNOWN.contains(&name), "{name} is missing in KNOWN");
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(crate) fn number<N>(&self, name: &str) -> anyhow::Result<Option<N>>
    where
        N: std::str::FromStr,
        N::Err: std::error::Error + Send + Sync + 'static,
    {
        self.get(name)
            .map(|text| text.parse().with_context(|| format!("{name} is {text:?}; write a number")))
            .transpose()
    }

    /// Variables that look like ours and are not: a misspelt name leaves a default in force, so
    /// the server warns of it. It is no error, since others set such names too (Kubernetes gives
    /// every service called `greenroom` a `GREENROOM_PORT`).
    pub(crate) fn unknown(&self) -> Vec<&str> {
        self.variables
            .keys()
            .map(String::as_str)
            .filter(|name| !KNOWN.contains(name) && !name.starts_with("GREENROOM_TEST_"))
            .collect()
    }
}
