//! What was entered on the setup pages so far.
//!
//! What always holds: no secret is in it; it is read leniently (a field that a later version adds
//! is empty in an older draft), and what it says is checked again where it is put into force.

use model::ProfileName;
use model::{AppName, BranchName, CommitSha, RepositoryName};
use serde::{Deserialize, Serialize};
use store::PgConnection;

use super::door::Holder;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Draft {
    /// What the GitHub App is to be called.
    pub(crate) app_name: String,
    /// Whose it is to be; empty: the person's own.
    pub(crate) organization: String,
    /// Logins of those who are admins of this server.
    pub(crate) admins: Vec<String>,
    /// What GitHub has to bring back with the code of the App that it makes.
    pub(crate) state: Option<String>,
    /// What could not be done while GitHub was connected, in words.
    pub(crate) remarks: Vec<String>,
    pub(crate) repository: Option<Chosen>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) rules: Option<Rules>,
    /// The app file as it stands in the editor.
    pub(crate) file: Option<String>,
    /// The app, once it is applied.
    pub(crate) app: Option<AppName>,
    /// Its first build.
    pub(crate) build: Option<i64>,
}

/// The repository, and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chosen {
    pub(crate) name: RepositoryName,
    pub(crate) branch: BranchName,
    /// `None`: nothing was pushed yet.
    pub(crate) commit: Option<CommitSha>,
    pub(crate) found: Found,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Found {
    /// By what the services are known, in words.
    pub(crate) by: String,
    pub(crate) services: Vec<FoundService>,
    pub(crate) remarks: Vec<String>,
    /// Why they could not be told.
    pub(crate) problem: Option<String>,
    /// GitHub did not list all files.
    pub(crate) truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundService {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) framework: String,
    pub(crate) notes: Vec<String>,
}

/// A profile as it is written: it may be unfinished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) role_arn: String,
    pub(crate) region: String,
    pub(crate) external_id: String,
    /// Where the template of the role was put for CloudFormation's quick-create page.
    pub(crate) template_url: String,
    pub(crate) tried: Option<Tried>,
}

/// What came of trying a role out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) class: String,
    pub(crate) words: String,
    /// AWS's own.
    pub(crate) detail: String,
}

impl Profile {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role_arn: String::new(),
            region: "us-east-1".to_owned(),
            external_id: external_id(),
            template_url: String::new(),
            tried: None,
        }
    }

    /// Left out of the app's file: nobody has made a role for it yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.role_arn.trim().is_empty()
    }
}

/// Nobody else knows it, so nobody else can have this server assume a role that demands it ("The
/// confused deputy problem", IAM user guide).
pub(crate) fn external_id() -> String {
    let key = store::setup::key();
    let text = secrecy::ExposeSecret::expose_secret(&key);
    format!("greenroom-{}", &text[..32])
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    pub(crate) app: String,
    pub(crate) default_profile: String,
    pub(crate) branches: Vec<BranchRule>,
    /// Pull requests to the default branch get previews.
    pub(crate) previews: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BranchRule {
    pub(crate) branch: String,
    pub(crate) stage: String,
    pub(crate) profile: String,
}

impl Draft {
    pub(crate) async fn load(conn: &mut PgConnection, holder: &Holder) -> Result<Self> {
        let kept = store::setup::draft(conn, &holder.key()).await?;
        let draft = kept.map(serde_json::from_value).transpose().map_err(Error::internal)?;
        Ok(draft.unwrap_or_default())
    }

    pub(crate) async fn save(
        &self,
        state: &State,
        conn: &mut PgConnection,
        holder: &Holder,
    ) -> Result<()> {
        let value = serde_json::to_value(self).map_err(Error::internal)?;
        Ok(store::setup::put_draft(conn, &holder.key(), &value, state.now()).await?)
    }

    /// The profiles of the app's file.
    pub(crate) fn used_profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.iter().filter(|profile| !profile.is_empty())
    }

    /// The usual three.
    pub(crate) fn usual_profiles() -> Vec<Profile> {
        ["development", "staging", "production"].into_iter().map(Profile::new).collect()
    }

    /// The default branch goes to staging, `prod` to production, pull requests to previews.
    pub(crate) fn usual_rules(&self) -> Rules {
        let used: Vec<&str> = self.used_profiles().map(|profile| profile.name.as_str()).collect();
        let first = used.first().copied().unwrap_or_default();
        let one = |name: &str| used.iter().find(|used| **used == name).map_or(first, |used| *used);
        let (repository, branch) = self
            .repository
            .as_ref()
            .map(|chosen| (chosen.name.name().to_ascii_lowercase(), chosen.branch.to_string()))
            .unwrap_or_default();
        let rule = |branch: &str, stage: &str, profile: &str| BranchRule {
            branch: branch.to_owned(),
            stage: stage.to_owned(),
            profile: profile.to_owned(),
        };
        Rules {
            app: repository,
            default_profile: one("development").to_owned(),
            branches: vec![
                rule(&branch, "staging", one("staging")),
                rule("prod", "production", one("production")),
            ],
            previews: true,
        }
    }
}

/// A name that the app's file will take.
pub(crate) fn profile_name(text: &str) -> std::result::Result<ProfileName, String> {
    text.trim().parse().map_err(|error: model::name::InvalidName| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(profiles: &[&str]) -> Draft {
        let filled = |name: &&str| Profile {
            role_arn: "arn:aws:iam::111111111111:role/greenroom-deploy".into(),
            ..Profile::new(name)
        };
        Draft {
            repository: Some(Chosen {
                name: "acme/Workshop".parse().unwrap(),
                branch: "main".parse().unwrap(),
                commit: None,
                found: Found::default(),
            }),
            profiles: profiles.iter().map(filled).collect(),
            ..Draft::default()
        }
    }

    #[test]
    fn the_usual_rules_take_the_profiles_that_there_are() {
        let rules = draft(&["development", "production"]).usual_rules();
        assert_eq!(
            (rules.app.as_str(), rules.default_profile.as_str()),
            ("workshop", "development")
        );
        let profiles: Vec<&str> = rules.branches.iter().map(|rule| rule.profile.as_str()).collect();
        assert_eq!(profiles, ["development", "production"]);
        assert_eq!(rules.branches[0].branch, "main");
    }

    #[test]
    fn every_profile_gets_an_external_id_of_its_own() {
        let [one, other] = [external_id(), external_id()];
        assert!(one != other && one.len() > 30, "{one} {other}");
    }

    #[test]
    fn a_draft_of_another_version_is_read_as_far_as_it_goes() {
        let value = serde_json::json!({ "organization": "acme", "thing_of_the_future": 1 });
        let draft: Draft = serde_json::from_value(value).unwrap();
        assert_eq!(draft.organization, "acme");
    }
}
