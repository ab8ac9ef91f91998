//! The tags of a stack that SAM deploys: those that the service's `samconfig` has, and Greenroom's.
//! Pure but for reading the file.
//!
//! What always holds: tags on the command line take the place of all in the file, so those of the
//! file are said again, in the words of the file. A file that cannot be read here is left to SAM,
//! which says what is wrong with it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::detect::within;
use crate::framework::Site;

/// In the order in which SAM looks for them (its developer guide, "AWS SAM CLI configuration
/// file").
const FILES: [&str; 3] = ["samconfig.toml", "samconfig.yaml", "samconfig.yml"];
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// The option of `sam deploy`; nothing where there is nothing of ours to say.
pub(super) fn option(site: &Site<'_>, tags: &BTreeMap<String, String>) -> Vec<String> {
    if tags.is_empty() {
        return Vec::new();
    }
    let ours = tags.iter().map(|(key, value)| format!("{key}={value}"));
    std::iter::once("--tags".to_owned()).chain(own(site)).chain(ours).collect()
}

fn own(site: &Site<'_>) -> Vec<String> {
    FILES
        .iter()
        .find_map(|file| {
            let path = within(&site.service.path, file);
            let text = site.workspace.read(path, FILE_MAX_BYTES).ok()?;
            let text = String::from_utf8(text).ok()?;
            let config: Value = if file.ends_with(".toml") {
                toml::from_str(&text).ok()?
            } else {
                serde_saphyr::from_str(&text).ok()?
            };
            Some(written(&config))
        })
        .unwrap_or_default()
}

/// As the file has them for `deploy`, or for all commands.
fn written(config: &Value) -> Vec<String> {
    let of = |command: &str| config.pointer(&format!("/default/{command}/parameters/tags"));
    match of("deploy").or_else(|| of("global")) {
        Some(Value::String(text)) if !text.trim().is_empty() => vec![text.clone()],
        Some(Value::Array(tags)) => {
            tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(toml: &str) -> Vec<String> {
        written(&toml::from_str(toml).expect("TOML"))
    }

    #[test]
    fn tags_of_the_file_are_said_again_in_its_own_words() {
        let text =
            "version = 0.1\n[default.deploy.parameters]\ntags = \"team=\\\"the blue\\\" x=y\"";
        assert_eq!(tags(text), ["team=\"the blue\" x=y"]);
        let list = "[default.global.parameters]\ntags = [\"team=blue\", \"x=y\"]";
        assert_eq!(tags(list), ["team=blue", "x=y"]);
    }

    #[test]
    fn a_file_without_tags_adds_none() {
        assert!(tags("[default.deploy.parameters]\nregion = \"us-east-1\"").is_empty());
        assert!(tags("[prod.deploy.parameters]\ntags = \"a=b\"").is_empty());
    }
}
