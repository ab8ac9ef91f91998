//! What follows from a change of settings that nobody reads in the keys that change: stacks that
//! stay behind in another account, stages that nothing deploys any more, gates that open.
//!
//! What always holds: only what both settings say of a stage is compared, so a new app has none.

use std::fmt;

use super::{Settings, StageSettings};
use crate::{ProfileName, ReceiverName, Region, RepositoryName, StageName};

/// Something to know before such settings are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Builds come from another repository.
    Repository {
        from: RepositoryName,
        to: RepositoryName,
    },
    /// The next deploy goes to another account.
    Account {
        of: Whose,
        from: String,
        to: String,
    },
    /// The same account with another role.
    Role {
        of: Whose,
        to: String,
    },
    Region {
        of: Whose,
        from: Region,
        to: Region,
    },
    /// Previews that are made from now on have another profile.
    NewPreviews {
        profile: ProfileName,
        account: String,
    },
    /// The settings name it no more.
    Unconfigured(StageName),
    /// What waits for an approval is deployed.
    ApprovalsEnd(StageName),
    ApprovalsBegin(StageName),
    /// No rule leads to it any more.
    Unreached(StageName),
    /// Nobody of this name is told anything any more.
    Untold(ReceiverName),
}

/// Whose deploys go elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Stage(StageName),
    /// The stages that are not configured and were made with this profile: previews.
    Previews(ProfileName),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage) => write!(f, "{stage}"),
            Self::Previews(profile) => write!(f, "previews with the profile {profile}"),
        }
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { from, to } => write!(
                f,
                "Builds come from {to} from now on; pushes to {from} start nothing any more."
            ),
            Self::Account { of, from, to } => write!(
                f,
                "The next deploy of {of} goes to the account {to}. The stacks in {from} stay there, \
                 and nothing here removes them any more: remove them first if they are to go."
            ),
            Self::Role { of, to } => {
                write!(f, "Jobs of {of} run as {to} from now on, in the same account.")
            }
            Self::Region { of, from, to } => write!(
                f,
                "Services of {of} without regions of their own are deployed to {to} by the next \
                 build. Their stacks in {from} stay there."
            ),
            Self::NewPreviews { profile, account } => write!(
                f,
                "Previews that are made from now on have the profile {profile}, in the account \
                 {account}; those that stand keep theirs."
            ),
            Self::Unconfigured(stage) => write!(
                f,
                "{stage} is no long-lived stage any more: its approvals, freezes and parameters are \
                 gone. Its stacks stay as they are."
            ),
            Self::ApprovalsEnd(stage) => write!(
                f,
                "Nobody is asked before a deploy to {stage}: what waits there for an approval now \
                 is deployed at once."
            ),
            Self::ApprovalsBegin(stage) => write!(
                f,
                "Deploys to {stage} wait for an approval, also those that are being built and have \
                 not begun to deploy."
            ),
            Self::Unreached(stage) => {
                write!(f, "No rule leads to {stage} any more: no push builds it, only people do.")
            }
            Self::Untold(receiver) => {
                write!(f, "{receiver} is told nothing any more, not even what waits to be sent.")
            }
        }
    }
}

pub fn consequences(before: &Settings, after: &Settings) -> Vec<Consequence> {
    let mut found = Vec::new();
    if before.repository != after.repository {
        let (from, to) = (before.repository.clone(), after.repository.clone());
        found.push(Consequence::Repository { from, to });
    }
    for (name, was) in &before.stages {
        match after.stage(name) {
            None => found.push(Consequence::Unconfigured(name.clone())),
            Some((name, is)) => {
                let profiles = (&was.profile, &is.profile);
                found.extend(moved(Whose::Stage(name.clone()), before, after, profiles));
                found.extend(approvals(name, was, is));
                if is_reached(before, name) && !is_reached(after, name) {
                    found.push(Consequence::Unreached(name.clone()));
                }
            }
        }
    }
    let untold =
        before.notifications.keys().filter(|name| !after.notifications.contains_key(*name));
    found.extend(untold.cloned().map(Consequence::Untold));
    // a preview keeps the profile it was made with
    for profile in before.profiles.keys() {
        let of = Whose::Previews(profile.clone());
        if *profile == before.default_profile {
            found.extend(moved(of, before, after, (profile, profile)));
        }
    }
    let profile = &after.default_profile;
    if let Some(new) = after.profiles.get(profile).filter(|_| *profile != before.default_profile) {
        let account = new.role_arn.account().to_owned();
        found.push(Consequence::NewPreviews { profile: profile.clone(), account });
    }
    found
}

/// The place that deploys go to, by the profile before and the one after.
fn moved(
    of: Whose,
    before: &Settings,
    after: &Settings,
    (was, is): (&ProfileName, &ProfileName),
) -> Vec<Consequence> {
    let profiles = (before.profiles.get(was), after.profiles.get(is));
    // whose profile is gone takes the default one
    let (Some(was), Some(is)) =
        (profiles.0, profiles.1.or(after.profiles.get(&after.default_profile)))
    else {
        return Vec::new();
    };
    let (from, to) = (was.role_arn.account().to_owned(), is.role_arn.account().to_owned());
    if from != to {
        return vec![Consequence::Account { of, from, to }];
    }
    let role = (was.role_arn != is.role_arn)
        .then(|| Consequence::Role { of: of.clone(), to: is.role_arn.to_string() });
    let region = (was.region != is.region).then(|| Consequence::Region {
        of,
        from: was.region.clone(),
        to: is.region.clone(),
    });
    role.into_iter().chain(region).collect()
}

fn approvals(name: &StageName, was: &StageSettings, is: &StageSettings) -> Option<Consequence> {
    match (was.approvers.is_empty(), is.approvers.is_empty()) {
        (false, true) => Some(Consequence::ApprovalsEnd(name.clone())),
        (true, false) => Some(Consequence::ApprovalsBegin(name.clone())),
        (true, true) | (false, false) => None,
    }
}

fn is_reached(settings: &Settings, name: &StageName) -> bool {
    use super::Rule;
    settings.rules.iter().any(|rule| match rule {
        Rule::Branch { stage, .. } | Rule::Tag { stage, .. } => stage == name,
        Rule::Preview { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::app::parse_json;

    fn file() -> Value {
        json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "dev",
            "profiles": {
                "dev": { "role_arn": "arn:aws:iam::111111111111:role/r", "region": "us-east-1" },
                "prod": { "role_arn": "arn:aws:iam::222222222222:role/r", "region": "us-east-1" },
            },
            "stages": { "staging": { "profile": "dev" }, "prod": { "profile": "prod" } },
            "rules": [{ "branch": "master", "stage": "staging" }],
        })
    }

    fn told(change: impl FnOnce(&mut Value)) -> Vec<Consequence> {
        let settings = |value: &Value| parse_json(value).expect("a file").settings;
        let (before, mut after) = (file(), file());
        change(&mut after);
        consequences(&settings(&before), &settings(&after))
    }

    #[test]
    fn what_changes_nothing_has_no_consequence() {
        assert_eq!(told(|_| ()), []);
        assert_eq!(told(|file| file["concurrency"] = json!(3)), []);
        assert_eq!(told(|file| file["stages"]["new"] = json!({ "profile": "dev" })), []);
    }

    #[test]
    fn stacks_stay_behind_in_the_account_that_a_stage_leaves() {
        let found = told(|file| file["stages"]["staging"]["profile"] = json!("prod"));
        let of = Whose::Stage("staging".parse().unwrap());
        let (from, to) = ("111111111111".to_owned(), "222222222222".to_owned());
        assert_eq!(found, [Consequence::Account { of, from, to }]);
        assert!(found[0].to_string().contains("stacks in 111111111111 stay there"));
    }

    #[test]
    fn a_profile_takes_its_previews_along() {
        let arn = "arn:aws:iam::333333333333:role/r";
        let found = told(|file| file["profiles"]["dev"]["role_arn"] = json!(arn));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].to_string().contains("previews with the profile dev"), "{}", found[1]);
        let region = told(|file| file["profiles"]["prod"]["region"] = json!("eu-west-1"));
        assert!(region[0].to_string().contains("stacks in us-east-1 stay there"), "{}", region[0]);
    }

    #[test]
    fn another_default_profile_is_one_for_new_previews() {
        let found = told(|file| file["default_profile"] = json!("prod"));
        let profile = "prod".parse().unwrap();
        assert_eq!(found, [Consequence::NewPreviews { profile, account: "222222222222".into() }]);
    }

    #[test]
    fn a_gate_that_opens_or_closes_is_told() {
        let begin = told(|file| file["stages"]["prod"]["approvers"] = json!(["ann"]));
        assert_eq!(begin, [Consequence::ApprovalsBegin("prod".parse().unwrap())]);
    }

    #[test]
    fn a_stage_that_nothing_reaches_is_told() {
        let rules = told(|file| file["rules"] = json!([]));
        assert_eq!(rules, [Consequence::Unreached("staging".parse().unwrap())]);
        let gone = told(|file| {
            file["rules"] = json!([]);
            file["stages"] = json!({ "prod": { "profile": "prod" } });
        });
        assert_eq!(gone, [Consequence::Unconfigured("staging".parse().unwrap())]);
    }
}
