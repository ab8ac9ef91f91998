//! What credentials look like.
//!
//! The kinds are those of the plugin (which has them from truffleHog) as far as the value alone
//! tells them, and the prefixed tokens that GitHub, GitLab, npm, Stripe, SendGrid and Google have
//! brought in since, as each of them documents them.

use std::sync::LazyLock;

use regex::RegexSet;

const FORMATS: [(&str, &str); 21] = [
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("a Slack token", r"xox[abeoprs](?:-[0-9a-zA-Z]{8,64}){2,}"),
    ("a Slack webhook", r"https://hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{24}"),
    ("a GitHub token", r"\bgh[opsur]_[0-9a-zA-Z]{36}"),
    ("a GitHub token", r"\bgithub_pat_[0-9a-zA-Z_]{60,}"),
    ("a GitLab token", r"\bglpat-[0-9a-zA-Z_-]{20}"),
    ("an npm token", r"\bnpm_[0-9a-zA-Z]{36}"),
    ("a Stripe key", r"\b[rs]k_live_[0-9a-zA-Z]{20,}"),
    ("a SendGrid key", r"\bSG\.[0-9a-zA-Z_-]{20,}\.[0-9a-zA-Z_-]{40,}"),
    ("a Google API key", r"\bAIza[0-9a-zA-Z_-]{35}"),
    ("a Google OAuth secret", r#""client_secret" ?: ?"[a-zA-Z0-9_-]{24,}""#),
    ("a Google service account", r#""type" ?: ?"service_account""#),
    ("a Twilio key", r"\bSK[0-9a-f]{32}\b"),
    (
        "a Heroku key",
        r"(?i)heroku[^\n]*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    ("a Facebook secret", r#"(?i)facebook[^\n]*['"][0-9a-f]{32}['"]"#),
    ("a Twitter secret", r#"(?i)twitter[^\n]*['"][0-9a-z]{35,44}['"]"#),
    ("a GitHub secret", r#"(?i)github[^\n]*['"][0-9a-z]{35,40}['"]"#),
    ("a secret", r#"(?i)secret[^\n]*['"][0-9a-z]{32,45}['"]"#),
    ("an API key", r#"(?i)api_?key[^\n]*['"][0-9a-z]{32,45}['"]"#),
    ("a URL with a password", r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^/\s:@]*:[^/\s:@]{3,}@"),
];

static EXPRESSIONS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(FORMATS.map(|(_, expression)| expression))
        .expect("the expressions are constants, and every one is tested")
});

/// The kind of credential that a value contains.
pub(super) fn credential(value: &str) -> Option<&'static str> {
    let first = EXPRESSIONS.matches(value).into_iter().next()?;
    FORMATS.get(first).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Pieces are joined at run time, so that no scanner takes the test for a leak.
    #[rstest]
    #[case(&["AKIA", "IOSFODNN7EXAMPLE"], "an AWS access key")]
    #[case(&["-----BEGIN ", "RSA PRIVATE KEY-----\nMII"], "a private key")]
    #[case(&["-----BEGIN ", "PRIVATE KEY-----"], "a private key")]
    #[case(&["-----BEGIN ", "PGP PRIVATE KEY BLOCK-----"], "a private key")]
    #[case(&["xoxb-", "123456789012-123456789012-abcdefghijklmnop"], "a Slack token")]
    #[case(&["https://hooks.slack.com/services/", "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"], "a Slack webhook")]
    #[case(&["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"], "a GitHub token")]
    #[case(&["glpat-", "0123456789abcdefghij"], "a GitLab token")]
    #[case(&["npm_", "0123456789abcdefghijABCDEFGHIJ012345"], "an npm token")]
    #[case(&["sk_", "live_0123456789abcdefghij"], "a Stripe key")]
    #[case(&["AIza", "SyA0123456789abcdefghijABCDEFGHIJ01"], "a Google API key")]
    #[case(&["{\"type\": \"service", "_account\"}"], "a Google service account")]
    #[case(&["SK", "0123456789abcdef0123456789abcdef"], "a Twilio key")]
    #[case(&["{\"apiKey\": \"", "0123456789abcdef0123456789abcdef\"}"], "an API key")]
    #[case(&["postgres://shop:", "hunter2@db.example.com/shop"], "a URL with a password")]
    #[case(&["redis://:", "hunter2@cache:6379"], "a URL with a password")]
    fn a_credential_is_recognised(#[case] pieces: &[&str], #[case] kind: &str) {
        assert_eq!(credential(&pieces.concat()), Some(kind));
    }

    #[rstest]
    #[case("submissions-dev")]
    #[case("https://dev.example.com:8443/path?x=1")]
    #[case("arn:aws:sns:us-east-1:111111111111:dead-letters")]
    #[case("https://user@example.com")]
    #[case("postgres://shop:{{resolve:ssm-secure:/shop/password}}@db/shop")]
    #[case("postgres://shop:\n@db/shop")]
    #[case("secret")]
    #[case("1e6f2c9e-7a55-4f0e-9d3c-0a7d7a0f4f5e")]
    #[case("")]
    fn an_ordinary_value_is_no_credential(#[case] value: &str) {
        assert_eq!(credential(value), None);
    }
}
