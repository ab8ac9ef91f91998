//! The app file as written, read and checked whole: every problem is found, not only the first.

use std::collections::BTreeMap;

use super::notifications::notifications;
use super::personal::personal;
use super::profiles::{known_profile, profiles};
use super::rules::rules;
use super::services::services;
use super::stages::stages;
use super::warnings::warnings;
use super::{Problem, SecretInput, SecretPlace, Settings};
use crate::ParameterKey;
use crate::document::{Cursor, Fields, Node, from_json, from_yaml, read};

/// What the file says about secrets, by their places.
pub type Secrets = BTreeMap<(SecretPlace, ParameterKey), SecretInput>;

/// An app file that holds together.
#[derive(Debug, Clone)]
pub struct AppFile {
    pub settings: Settings,
    /// One entry for everything that the settings show as secret.
    pub secrets: Secrets,
    /// What the file asks for and this version keeps without acting on it.
    pub warnings: Vec<Problem>,
}

/// Parts of a file by their names; `None` for one that is there but not right, so that what names
/// it is not called wrong as well.
pub(super) type Parts<K, V> = BTreeMap<K, Option<V>>;

const KEYS: [&str; 11] = [
    "app",
    "repository",
    "default_profile",
    "concurrency",
    "preview_limit",
    "personal",
    "profiles",
    "services",
    "stages",
    "rules",
    "notifications",
];

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
        app_file(&root.fields(&KEYS)?, node)
    })
}

/// Every part is read before any of them is missed, so that all problems are noted.
fn app_file(fields: &Fields<'_>, node: &Node) -> Option<AppFile> {
    let app = fields.required("app", "name the app, like workshop").and_then(Cursor::parse);
    let repository = fields
        .required("repository", "write it as owner/name, as GitHub shows it")
        .and_then(Cursor::parse);
    let concurrency = fields
        .optional("concurrency")
        .map(|place| place.parsed(place.scalar().unwrap_or_default()));
    let preview_limit = fields
        .optional("preview_limit")
        .map(|place| place.parsed(place.scalar().unwrap_or_default()));
    let personal = fields.optional("personal").map(personal);
    let mut secrets = Secrets::new();
    let profiles = fields
        .required("profiles", "describe at least one, with its role_arn and region")
        .map(|place| profiles(place, &mut secrets))
        .unwrap_or_default();
    let default_profile = fields
        .required("default_profile", "name the profile of every stage that is not configured")
        .and_then(|place| known_profile(place, &profiles));
    let services = fields.optional("services").map(services).unwrap_or_default();
    let stages = fields
        .optional("stages")
        .map(|place| stages(place, &profiles, &mut secrets))
        .unwrap_or_default();
    let rules = fields
        .optional("rules")
        .map(|place| rules(place, &stages.keys().collect::<Vec<_>>()))
        .unwrap_or_default();
    let notifications = fields
        .optional("notifications")
        .map(|place| notifications(place, &mut secrets))
        .unwrap_or_default();
    let settings = Settings {
        app: app?,
        repository: repository?,
        default_profile: default_profile?,
        concurrency: match concurrency {
            Some(concurrency) => Some(concurrency?),
            None => None,
        },
        preview_limit: match preview_limit {
            Some(limit) => Some(limit?),
            None => None,
        },
        personal: match personal {
            Some(personal) => Some(personal?),
            None => None,
        },
        profiles: right(profiles),
        services,
        stages: right(stages),
        rules,
        notifications: right(notifications),
    };
    let warnings = warnings(node, &settings);
    Some(AppFile { settings, secrets, warnings })
}

/// A part that is not right has left a problem behind, so the file it is missing from is not taken.
fn right<K: Ord, V>(parts: Parts<K, V>) -> BTreeMap<K, V> {
    parts.into_iter().filter_map(|(name, part)| Some((name, part?))).collect()
}

#[cfg(test)]
mod tests;
