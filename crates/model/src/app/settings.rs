//! The app file, checked, as it is stored and shown; and what it says of a stage.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::remote::{self, RemoteParameter};
use super::{
    Concurrency, DriftEvery, FreezeWindow, Lifetime, PreviewLimit, PreviewRule, PreviewStageName,
    Rule, Safeguard,
};
use crate::notification::Receiver;
use crate::permission::Role;
use crate::stage::same_stage;
use crate::{
    AppName, ParameterKey, ProfileName, ReceiverName, Region, RepositoryName, RoleArn, ServiceName,
    StageName,
};

/// The app file, checked. It serialises to the JSON that `PUT /api/v1/apps/{app}` takes and
/// `GET` answers; secret values never stand in it (see [`Value`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub app: AppName,
    pub repository: RepositoryName,
    pub default_profile: ProfileName,
    /// How many jobs of this app run at once; `None`: as many as the workers take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How many previews live at once; `None`: one for every pull request that gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_limit: Option<PreviewLimit>,
    /// What holds of the stages that people have of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<PersonalSettings>,
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// What the server decides about single services, in every stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<ServiceName, ServiceSettings>,
    pub stages: BTreeMap<StageName, StageSettings>,
    pub rules: Vec<Rule>,
    /// Who is told of what happens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notifications: BTreeMap<ReceiverName, Receiver>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub role_arn: RoleArn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    pub region: Region,
    /// The roles that may work in its long-lived stages from their own machine; empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub laptop: Vec<Role>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<ParameterKey, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safeguards: Vec<Safeguard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalSettings {
    /// How long one lives that nobody uses.
    pub expires_after: Lifetime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// Where the service is deployed: at least one region, none twice.
    pub regions: Vec<Region>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSettings {
    pub profile: ProfileName,
    /// Who may approve a deploy to it, beside admins; nobody is asked where the list is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// As written; see [`approval_lifetime`](Self::approval_lifetime).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_expires_after: Option<Lifetime>,
    /// When deploys to it wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<FreezeWindow>,
    /// As written; see [`drift_interval`](Self::drift_interval).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_every: Option<DriftEvery>,
    /// The stage whose commit is promoted to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote_from: Option<StageName>,
    /// These count before the profile's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<ParameterKey, Value>,
    /// These count before the app's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<ServiceName, ServiceSettings>,
}

impl StageSettings {
    /// How long an approval is waited for, and how long a given one counts.
    pub fn approval_lifetime(&self) -> Lifetime {
        self.approval_expires_after.unwrap_or(Lifetime::days(7))
    }

    /// How often its stacks are looked at for drift; `None`: never by itself.
    pub fn drift_interval(&self) -> Option<Lifetime> {
        match self.drift_every {
            None => Some(Lifetime::days(1)),
            Some(DriftEvery::Every(interval)) => Some(interval),
            Some(DriftEvery::Never) => None,
        }
    }
}

/// A parameter as the settings show it: a plain value, or where another one comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Plain(String),
    /// Stored, encrypted, when the file is applied.
    Secret(SecretSource),
    /// Read by the worker when the job runs.
    #[serde(with = "remote::as_written")]
    Remote(RemoteParameter),
}

/// Where a secret value is taken from when the file is applied. The value itself is stored
/// encrypted beside the settings, under its place and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// An environment variable of the process that applies the file.
    SecretEnv(String),
    /// Given in the file or the call itself, and shown as `{"secret": null}` ever after.
    #[serde(rename = "secret")]
    Given(()),
}

/// Whose secret one is. Shown as the path in the app file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretPlace {
    Profile(ProfileName),
    Stage(StageName),
    Receiver(ReceiverName),
}

impl SecretPlace {
    /// The path of one of its secrets in the app file.
    pub fn path(&self, key: &ParameterKey) -> String {
        match self {
            Self::Profile(_) | Self::Stage(_) => format!("{self}.parameters.{key}"),
            Self::Receiver(_) => format!("{self}.{key}"),
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(f, "profiles.{name}"),
            Self::Stage(name) => write!(f, "stages.{name}"),
            Self::Receiver(name) => write!(f, "notifications.{name}"),
        }
    }
}

/// A parameter as it holds in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageParameter<'a> {
    /// Where it was written: a secret's value is stored under this.
    pub place: SecretPlace,
    pub value: &'a Value,
}

impl Settings {
    /// What the file says of a stage, in whatever case its name is written.
    pub fn stage(&self, name: &StageName) -> Option<(&StageName, &StageSettings)> {
        self.stages.iter().find(|(stage, _)| same_stage(stage, name))
    }

    /// The profile of a stage; the default profile serves every stage that is not configured.
    pub fn profile_of(&self, stage: &StageName) -> (&ProfileName, &Profile) {
        let name = self.stage(stage).map_or(&self.default_profile, |(_, stage)| &stage.profile);
        self.profiles.get_key_value(name).expect("settings are whole: a stage's profile exists")
    }

    /// The profile of a stage that was made with the profile `kept`. A stage that is not
    /// configured keeps it for as long as there is such a profile: its stacks lie in that account.
    pub fn profile_kept(&self, stage: &StageName, kept: &ProfileName) -> (&ProfileName, &Profile) {
        let kept = self.profiles.get_key_value(kept).filter(|_| self.stage(stage).is_none());
        kept.unwrap_or_else(|| self.profile_of(stage))
    }

    /// Where a service is deployed in a stage: never empty, no region twice.
    pub fn regions_of(&self, stage: &StageName, service: &ServiceName) -> Vec<Region> {
        self.regions_with(self.profile_of(stage).0, stage, service)
    }

    /// The same under a profile that [`profile_kept`](Self::profile_kept) chose.
    pub fn regions_with(
        &self,
        profile: &ProfileName,
        stage: &StageName,
        service: &ServiceName,
    ) -> Vec<Region> {
        let own = self.stage(stage).and_then(|(_, stage)| stage.services.get(service));
        let named = own.or_else(|| self.services.get(service));
        let profile = self.profiles.get(profile).unwrap_or_else(|| self.profile_of(stage).1);
        match named {
            Some(service) if !service.regions.is_empty() => service.regions.clone(),
            Some(_) | None => vec![profile.region.clone()],
        }
    }

    /// The parameters of a stage: its own before those of its profile.
    pub fn parameters_of(&self, stage: &StageName) -> BTreeMap<&ParameterKey, StageParameter<'_>> {
        self.parameters_with(self.profile_of(stage).0, stage)
    }

    /// The same under a profile that [`profile_kept`](Self::profile_kept) chose.
    pub fn parameters_with(
        &self,
        profile: &ProfileName,
        stage: &StageName,
    ) -> BTreeMap<&ParameterKey, StageParameter<'_>> {
        let (profile, shared) =
            self.profiles.get_key_value(profile).unwrap_or_else(|| self.profile_of(stage));
        let place = SecretPlace::Profile(profile.clone());
        let mut found = placed(&place, &shared.parameters);
        if let Some((name, own)) = self.stage(stage) {
            found.extend(placed(&SecretPlace::Stage(name.clone()), &own.parameters));
        }
        found
    }

    /// The names that no preview may have, nor one that differs from them in case alone.
    pub fn long_lived(&self) -> impl Iterator<Item = &StageName> {
        self.stages.keys()
    }

    pub fn preview_rules(&self) -> impl Iterator<Item = &PreviewRule> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Preview { preview } => Some(preview),
            Rule::Branch { .. } | Rule::Tag { .. } => None,
        })
    }

    /// The stages that all pull requests of a preview rule share: no branch's preview gets such a
    /// name either.
    pub fn shared_previews(&self) -> impl Iterator<Item = &StageName> {
        self.preview_rules().filter_map(|rule| match &rule.stage_name {
            PreviewStageName::Branch => None,
            PreviewStageName::Fixed(name) => Some(name),
        })
    }
}

fn placed<'a>(
    place: &SecretPlace,
    parameters: &'a BTreeMap<ParameterKey, Value>,
) -> BTreeMap<&'a ParameterKey, StageParameter<'a>> {
    let with = |value| StageParameter { place: place.clone(), value };
    parameters.iter().map(|(key, value)| (key, with(value))).collect()
}

#[cfg(test)]
mod tests;
