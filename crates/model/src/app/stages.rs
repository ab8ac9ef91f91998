//! The `stages:` of an app file: its long-lived copies, and what they have of their own.

use std::collections::BTreeMap;

use super::file::{Parts, Secrets};
use super::freeze::freeze;
use super::parameter::{Parameters, parameters};
use super::profiles::known_profile;
use super::services::services;
use super::{Profile, SecretPlace, StageSettings};
use crate::document::Cursor;
use crate::stage::same_stage;
use crate::{ProfileName, StageName};

const KEYS: [&str; 8] = [
    "profile",
    "approvers",
    "approval_expires_after",
    "freeze",
    "drift_every",
    "promote_from",
    "parameters",
    "services",
];

pub(super) fn stages(
    cursor: &Cursor<'_>,
    profiles: &Parts<ProfileName, Profile>,
    secrets: &mut Secrets,
) -> Parts<StageName, StageSettings> {
    let entries = cursor.entries().unwrap_or_default();
    // a stage may name one that stands below it
    let names: Vec<StageName> = entries.iter().filter_map(|entry| entry.key.parse().ok()).collect();
    let mut found = Parts::new();
    for entry in entries {
        let name = entry.value.parsed::<StageName>(entry.key);
        let stage = stage(&entry.value, name.as_ref(), &names, profiles);
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

/// A stage that the file configures; `is_stage` says whether it does.
pub(super) fn known_stage(
    place: &Cursor<'_>,
    is_stage: impl Fn(&StageName) -> bool,
) -> Option<StageName> {
    let stage = place.parse::<StageName>()?;
    if !is_stage(&stage) {
        place.problem(format!(
            "there is no stage {stage}; add it below `stages`, or correct the name"
        ));
        return None;
    }
    Some(stage)
}

/// The stage, still without its parameters.
fn stage(
    cursor: &Cursor<'_>,
    own: Option<&StageName>,
    names: &[StageName],
    profiles: &Parts<ProfileName, Profile>,
) -> Option<(StageSettings, Parameters)> {
    let fields = cursor.fields(&KEYS)?;
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
    // each is read before one is missed, so that all problems are noted
    let approvers = fields.optional("approvers").map_or(Some(Vec::new()), approvers);
    let approval_expires_after = fields.optional("approval_expires_after").map(Cursor::parse);
    let freeze = fields.optional("freeze").map_or(Some(Vec::new()), freeze);
    let drift_every = fields.optional("drift_every").map(Cursor::parse);
    let promote_from =
        fields.optional("promote_from").map(|place| promoted_from(place, own, names));
    let stage = StageSettings {
        profile: profile?,
        approvers: approvers?,
        approval_expires_after: right(approval_expires_after)?,
        freeze: freeze?,
        drift_every: right(drift_every)?,
        promote_from: right(promote_from)?,
        parameters: BTreeMap::new(),
        services,
    };
    Some((stage, parameters?))
}

/// What a key that may be missing is; the outer `None` where it is there and not right.
#[expect(clippy::option_option, reason = "not right is told from not given, as everywhere here")]
fn right<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        Some(value) => value.map(Some),
        None => Some(None),
    }
}

fn approvers(place: &Cursor<'_>) -> Option<Vec<String>> {
    let name = |item: &Cursor<'_>| {
        let name = item.text()?.trim();
        if name.is_empty() {
            item.problem("the name is empty; name who may approve, or remove it");
            return None;
        }
        Some(name.to_owned())
    };
    let names: Vec<Option<String>> = place.items()?.iter().map(name).collect();
    names.into_iter().collect()
}

fn promoted_from(
    place: &Cursor<'_>,
    own: Option<&StageName>,
    names: &[StageName],
) -> Option<StageName> {
    let from = known_stage(place, |stage| names.contains(stage))?;
    if own == Some(&from) {
        place.problem("this is the stage itself; name the one whose commit it is to get");
        return None;
    }
    Some(from)
}
