//! The `stages:` of an app file: its long-lived copies, and what they have of their own.

use std::collections::BTreeMap;

use super::file::{Parts, Secrets};
use super::parameter::{Parameters, parameters};
use super::profiles::known_profile;
use super::services::services;
use super::{Profile, SecretPlace, StageSettings};
use crate::document::Cursor;
use crate::stage::same_stage;
use crate::{ProfileName, StageName};

pub(super) fn stages(
    cursor: &Cursor<'_>,
    profiles: &Parts<ProfileName, Profile>,
    secrets: &mut Secrets,
) -> Parts<StageName, StageSettings> {
    let mut found = Parts::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<StageName>(entry.key);
        let stage = stage(&entry.value, profiles);
        let Some(name) = name else { continue };
        if let Some(other) = found.keys().find(|other| same_stage(other, &name)) {
            entry.value.problem(format!(
                "the stage {other} has the same name but for upper and lower case, and AWS takes both for one; rename one"
            ));
        }
        let stage = stage.map(|(stage, parameters)| {
            let place = SecretPlace::Stage(name.clone());
            secrets.extend(parameters.secrets_at(&place));
            StageSettings { parameters: parameters.values, ..stage }
        });
        found.insert(name, stage);
    }
    found
}

/// The stage, still without its parameters.
fn stage(
    cursor: &Cursor<'_>,
    profiles: &Parts<ProfileName, Profile>,
) -> Option<(StageSettings, Parameters)> {
    let fields = cursor.fields(&["profile", "approvers", "parameters", "services"])?;
    let profile = fields
        .required("profile", "name the profile whose role deploys this stage")
        .and_then(|place| known_profile(place, profiles));
    let shared = profile.as_ref().and_then(|name| profiles.get(name)?.as_ref());
    let nothing = BTreeMap::new();
    let shared = shared.map_or(&nothing, |profile| &profile.parameters);
    let parameters = match fields.optional("parameters") {
        Some(place) => parameters(place, shared),
        None => Some(Parameters::default()),
    };
    let services = fields.optional("services").map(services).unwrap_or_default();
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
    let stage =
        StageSettings { profile: profile?, approvers, parameters: BTreeMap::new(), services };
    Some((stage, parameters?))
}
