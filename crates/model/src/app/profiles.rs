//! The `profiles:` of an app file: as whom, where and with what its stages are deployed.

use std::collections::BTreeMap;

use super::file::{Parts, Secrets};
use super::parameter::{Parameters, parameters};
use super::personal::laptop;
use super::safeguard::safeguards;
use super::{Profile, SecretPlace};
use crate::ProfileName;
use crate::document::Cursor;

const KEYS: [&str; 6] = ["role_arn", "external_id", "region", "laptop", "parameters", "safeguards"];

pub(super) fn profiles(cursor: &Cursor<'_>, secrets: &mut Secrets) -> Parts<ProfileName, Profile> {
    let mut found = Parts::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<ProfileName>(entry.key);
        let profile = profile(&entry.value);
        let Some(name) = name else { continue };
        let profile = profile.map(|(profile, parameters)| {
            let place = SecretPlace::Profile(name.clone());
            secrets.extend(parameters.secrets_at(&place));
            Profile { parameters: parameters.values, ..profile }
        });
        found.insert(name, profile);
    }
    found
}

pub(super) fn known_profile(
    place: &Cursor<'_>,
    profiles: &Parts<ProfileName, Profile>,
) -> Option<ProfileName> {
    let name = place.parse::<ProfileName>()?;
    if !profiles.contains_key(&name) {
        place.problem(format!(
            "there is no profile {name}; add it below `profiles`, or correct the name"
        ));
        return None;
    }
    Some(name)
}

/// The profile, still without its parameters.
fn profile(cursor: &Cursor<'_>) -> Option<(Profile, Parameters)> {
    let fields = cursor.fields(&KEYS)?;
    let role_arn = fields
        .required("role_arn", "write it like arn:aws:iam::123456789012:role/greenroom-deploy")
        .and_then(Cursor::parse);
    let region = fields.required("region", "write it like us-east-1").and_then(Cursor::parse);
    let safeguards = match fields.optional("safeguards") {
        Some(place) => safeguards(place),
        None => Some(Vec::new()),
    };
    let parameters = match fields.optional("parameters") {
        Some(place) => parameters(place, &BTreeMap::new()),
        None => Some(Parameters::default()),
    };
    let laptop = fields.optional("laptop").map_or(Some(Vec::new()), laptop);
    let external_id = match fields.optional("external_id") {
        Some(place) => Some(external_id(place)?),
        None => None,
    };
    let profile = Profile {
        role_arn: role_arn?,
        external_id,
        region: region?,
        laptop: laptop?,
        parameters: BTreeMap::new(),
        safeguards: safeguards?,
    };
    Some((profile, parameters?))
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
