//! Names that come from outside, parsed once at the edge.
//!
//! What always holds: a value of these types has passed its rule, however it was made
//! (`FromStr`, serde, a database row). None of them can be read as a command-line option or climb
//! out of a directory.

use std::fmt;

/// Why a text is not a name of the wanted kind, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}: {rule}")]
pub struct InvalidName {
    pub kind: &'static str,
    pub value: String,
    pub rule: &'static str,
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr);+ $(;)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) {
                    Ok(Self(value))
                } else {
                    Err(InvalidName { kind: $kind, value, rule: $rule })
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

fn slug(text: &str, max: usize) -> bool {
    text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn identifier(text: &str, max: usize) -> bool {
    text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !text.contains("..")
}

/// `git check-ref-format`'s rules for what may follow `refs/heads/` (git's documentation of that
/// command), and nothing that begins with a dash.
fn ref_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && text != "@"
        && !["..", "//", "@{", "/."].iter().any(|bad| text.contains(bad))
        && !text.split('/').any(|part| part.ends_with(".lock"))
        && !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
}

fn repository(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && !part.starts_with('-')
            && part != "."
            && part != ".."
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

fn region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    text.len() <= 32
        && parts.len() >= 3
        && parts.iter().all(|p| {
            !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
        && parts.last().is_some_and(|p| p.chars().all(|c| c.is_ascii_digit()))
}

fn role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else {
        return false;
    };
    arn == "arn"
        && ["aws", "aws-cn", "aws-us-gov"].contains(&partition)
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|path| {
            !path.is_empty()
                && path.len() <= 576
                && path.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c))
        })
}

fn account(text: &str, also: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn parameter_key(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.')
}

name! {
    /// What the server calls a registered repository.
    AppName, "app name", "use 1 to 50 lowercase letters, digits and dashes, beginning with a letter or digit",
        |text| slug(text, 50);
    /// A deployable directory of an app.
    ServiceName, "service name", "use 1 to 64 letters, digits, dashes, dots and underscores, beginning with a letter or digit",
        |text| identifier(text, 64);
    /// A named copy of the app. Letters, digits and dashes are all that the Serverless Framework takes.
    StageName, "stage name", "use 1 to 40 letters, digits and dashes, beginning with a letter or digit",
        |text| text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    /// A deployment profile of an app.
    ProfileName, "profile name", "use 1 to 50 letters, digits, dashes, dots and underscores, beginning with a letter or digit",
        |text| identifier(text, 50);
    /// Who is told of what happens to an app.
    ReceiverName, "receiver name", "use 1 to 50 letters, digits, dashes, dots and underscores, beginning with a letter or digit",
        |text| identifier(text, 50);
    /// `owner/name` on GitHub.
    RepositoryName, "repository", "write it as owner/name, as GitHub shows it", repository;
    /// A branch, without `refs/heads/`.
    BranchName, "branch name", "git does not allow it (see git check-ref-format), or it begins with a dash", ref_name;
    /// A tag, without `refs/tags/`.
    TagName, "tag name", "git does not allow it (see git check-ref-format), or it begins with a dash", ref_name;
    /// A commit, by its full SHA-1 or SHA-256 name.
    CommitSha, "commit", "write all 40 (or 64) hexadecimal digits, in lowercase",
        |text| (text.len() == 40 || text.len() == 64)
            && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    /// An AWS region.
    Region, "AWS region", "write it like us-east-1", region;
    /// The role a profile's jobs assume.
    RoleArn, "role ARN", "write it like arn:aws:iam::123456789012:role/greenroom-deploy", role_arn;
    /// Whom GitHub knows by this name. Case does not matter: compare by [`Login::key`].
    Login, "GitHub login", "write it as GitHub shows it, without an @",
        |text| account(text, "-_");
    /// `org/team` on GitHub, the team as its address writes it. Case does not matter.
    TeamName, "team", "write it as org/team, the team as its address on GitHub ends",
        |text| text.split_once('/').is_some_and(|(org, team)| account(org, "-_") && account(team, "-_."));
    /// What a bearer token is called. Who approves is named by it, and a team is not to be feigned.
    TokenName, "token name", "use 1 to 100 characters, none of them a slash or invisible, and no space at the ends",
        |text| (1..=100).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(|c| c == '/' || c.is_control());
    /// A parameter's key: `${param:key}`.
    ParameterKey, "parameter key", "use 1 to 100 letters, digits, underscores, dashes and dots, beginning with a letter or underscore",
        parameter_key;
}

impl CommitSha {
    /// The first seven digits, as people write them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// GitHub writes forty zeros where a ref has no commit (created or deleted).
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|digit| digit == b'0')
    }
}

impl RepositoryName {
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The same for every spelling that GitHub takes for this repository.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The repository of the same owner that is called `name`.
    pub fn with_name(&self, name: &str) -> Result<Self, InvalidName> {
        format!("{}/{name}", self.owner()).parse()
    }

    /// The repository of the same name that belongs to `owner`.
    pub fn with_owner(&self, owner: &str) -> Result<Self, InvalidName> {
        format!("{owner}/{}", self.name()).parse()
    }
}

impl Login {
    /// The same for every spelling that GitHub takes for this person.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl TeamName {
    pub fn org(&self) -> &str {
        self.0.split_once('/').map_or("", |(org, _)| org)
    }

    pub fn slug(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, slug)| slug)
    }

    /// The same for every spelling that GitHub takes for this team.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl ParameterKey {
    /// The name under which steps see this parameter: an environment variable cannot hold `-` or `.`.
    pub fn variable(&self) -> String {
        self.0.replace(['-', '.'], "_")
    }
}

impl RoleArn {
    /// The account the role belongs to.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("feature/ph-api", true)]
    #[case("--upload-pack=evil", false)]
    #[case("a..b", false)]
    #[case("a/.b", false)]
    #[case("x.lock", false)]
    #[case("a b", false)]
    #[case("", false)]
    #[case("日本", true)]
    fn a_branch_name_is_what_git_allows_and_never_an_option(
        #[case] text: &str,
        #[case] valid: bool,
    ) {
        assert_eq!(text.parse::<BranchName>().is_ok(), valid);
    }

    #[rstest]
    #[case("arn:aws:iam::111111111111:role/greenroom-deploy", true)]
    #[case("arn:aws:iam::111111111111:role/path/greenroom", true)]
    #[case("arn:aws:iam::1111:role/greenroom-deploy", false)]
    #[case("arn:aws:iam::111111111111:user/x", false)]
    #[case("greenroom-deploy", false)]
    fn a_role_arn_names_an_account_and_a_role(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<RoleArn>().is_ok(), valid);
    }

    #[test]
    fn a_name_that_breaks_its_rule_says_what_would_do() {
        let error = "Work Shop".parse::<AppName>().expect_err("it has a space");
        assert!(error.to_string().contains("lowercase letters"), "{error}");
    }

    #[rstest]
    #[case("acme/workshop", true)]
    #[case("acme", false)]
    #[case("acme/..", false)]
    #[case("-acme/x", false)]
    #[case("acme/x/y", false)]
    fn a_repository_is_owner_and_name(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<RepositoryName>().is_ok(), valid);
    }
}
