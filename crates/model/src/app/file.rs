//! The app file as written, read and checked whole: every problem is found, not only the first.

use std::collections::BTreeMap;

use super::parameter::{Parameters, parameters};
use super::rules::rules;
use super::safeguard::safeguards;
use super::warnings::warnings;
use super::written;
use super::{Problem, Profile, SecretInput, Settings, StageSettings};
use crate::document::{Cursor, Fields, Node, from_json, from_yaml, read};
use crate::stage::same_stage;
use crate::{ParameterKey, ProfileName, StageName};

/// An app file that holds together.
#[derive(Debug, Clone)]
pub struct AppFile {
    pub settings: Settings,
    /// One entry for every parameter that the settings show as secret.
    pub secrets: BTreeMap<(ProfileName, ParameterKey), SecretInput>,
    /// What the file asks for and this version keeps without acting on it.
    pub warnings: Vec<Problem>,
}

/// Reads `config/apps/<app>.yml`.
pub fn parse_yaml(text: &str) -> Result<AppFile, Vec<Problem>> {
    parse(&from_yaml(text)?)
}

/// Reads the body of `PUT /api/v1/apps/{app}`; what settings serialise to is such a body.
pub fn parse_json(value: &serde_json::Value) -> Result<AppFile, Vec<Problem>> {
    parse(&from_json(value))
}

fn parse(node: &Node) -> Result<AppFile, Vec<Problem>> {
    read(node, |root| {
        if root.is_null() {
            root.problem("the file is empty; it needs at least app, repository, default_profile and profiles");
            return None;
        }
        let fields =
            root.fields(&["app", "repository", "default_profile", "profiles", "stages", "rules"])?;
        app_file(&fields, node)
    })
}

/// Every part is read before any of them is missed, so that all problems are noted.
fn app_file(fields: &Fields<'_>, node: &Node) -> Option<AppFile> {
    let app = fields.required("app", "name the app, like workshop").and_then(Cursor::parse);
    let repository = fields
        .required("repository", "write it as owner/name, as GitHub shows it")
        .and_then(Cursor::parse);
    let mut secrets = BTreeMap::new();
    let profiles = fields
        .required("profiles", "describe at least one, with its role_arn and region")
        .map(|place| profiles(place, node, &mut secrets))
        .unwrap_or_default();
    let default_profile = fields
        .required("default_profile", "name the profile of every stage that is not configured")
        .and_then(|place| known_profile(place, &profiles));
    let stages =
        fields.optional("stages").map(|place| stages(place, &profiles)).unwrap_or_default();
    let rules = fields
        .optional("rules")
        .map(|place| rules(place, |stage| stages.contains_key(stage)))
        .unwrap_or_default();
    let settings = Settings {
        app: app?,
        repository: repository?,
        default_profile: default_profile?,
        profiles: right(profiles),
        stages: right(stages),
        rules,
    };
    let warnings = warnings(node, &settings);
    Some(AppFile { settings, secrets, warnings })
}

/// A part that is not right has left a problem behind, so the file it is missing from is not taken.
fn right<K: Ord, V>(parts: BTreeMap<K, Option<V>>) -> BTreeMap<K, V> {
    parts.into_iter().filter_map(|(name, part)| Some((name, part?))).collect()
}

/// The profiles by name; `None` for one that is there but not right, so that what names it is not
/// called wrong as well.
type Profiles = BTreeMap<ProfileName, Option<Profile>>;

/// `file` is the whole of what was written.
fn profiles(
    cursor: &Cursor<'_>,
    file: &Node,
    secrets: &mut BTreeMap<(ProfileName, ParameterKey), SecretInput>,
) -> Profiles {
    let mut found = Profiles::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<ProfileName>(entry.key);
        let safeguards = written::find(file, &["profiles", entry.key, "safeguards"]);
        let profile = profile(&entry.value, safeguards.map(|pair| &pair.value));
        let Some(name) = name else { continue };
        let profile = profile.map(|(profile, given)| {
            secrets.extend(given.into_iter().map(|(key, secret)| ((name.clone(), key), secret)));
            profile
        });
        found.insert(name, profile);
    }
    found
}

/// `written` is the value of the key `safeguards`.
fn profile(
    cursor: &Cursor<'_>,
    written: Option<&Node>,
) -> Option<(Profile, Vec<(ParameterKey, SecretInput)>)> {
    let fields =
        cursor.fields(&["role_arn", "external_id", "region", "parameters", "safeguards"])?;
    let role_arn = fields
        .required("role_arn", "write it like arn:aws:iam::123456789012:role/greenroom-deploy")
        .and_then(Cursor::parse);
    let region = fields.required("region", "write it like us-east-1").and_then(Cursor::parse);
    let safeguards = match fields.optional("safeguards").zip(written) {
        Some((place, node)) => safeguards(place, node),
        None => Some(Vec::new()),
    };
    let external_id = match fields.optional("external_id") {
        Some(place) => Some(external_id(place)?),
        None => None,
    };
    let parameters = match fields.optional("parameters") {
        Some(place) => parameters(place)?,
        None => Parameters { values: BTreeMap::new(), secrets: Vec::new() },
    };
    let profile = Profile {
        role_arn: role_arn?,
        external_id,
        region: region?,
        parameters: parameters.values,
        safeguards: safeguards?,
    };
    Some((profile, parameters.secrets))
}

/// The rule of the parameter `ExternalId` of STS's `AssumeRole`.
fn external_id(place: &Cursor<'_>) -> Option<String> {
    let id = place.scalar().filter(|id| {
        (2..=1224).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c))
    });
    if id.is_none() {
        place.problem(
            "this must be 2 to 1224 letters, digits and characters of _+=,.@:/- as AWS takes them",
        );
    }
    id.map(str::to_owned)
}

fn known_profile(place: &Cursor<'_>, profiles: &Profiles) -> Option<ProfileName> {
    let name = place.parse::<ProfileName>()?;
    if !profiles.contains_key(&name) {
        place.problem(format!(
            "there is no profile {name}; add it below `profiles`, or correct the name"
        ));
        return None;
    }
    Some(name)
}

/// The stages by name; `None` for one that is there but not right.
type Stages = BTreeMap<StageName, Option<StageSettings>>;

fn stages(cursor: &Cursor<'_>, profiles: &Profiles) -> Stages {
    let mut found = Stages::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<StageName>(entry.key);
        let stage = stage(&entry.value, profiles);
        let Some(name) = name else { continue };
        if let Some(other) = found.keys().find(|other| same_stage(other, &name)) {
            entry.value.problem(format!(
                "the stage {other} has the same name but for upper and lower case, and AWS takes both for one; rename one"
            ));
        }
        found.insert(name, stage);
    }
    found
}

fn stage(cursor: &Cursor<'_>, profiles: &Profiles) -> Option<StageSettings> {
    let fields = cursor.fields(&["profile", "approvers"])?;
    let profile = fields
        .required("profile", "name the profile whose role deploys this stage")
        .and_then(|place| known_profile(place, profiles));
    let approvers = match fields.optional("approvers") {
        Some(place) => place
            .items()?
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    Some(StageSettings { profile: profile?, approvers })
}

#[cfg(test)]
mod tests;
