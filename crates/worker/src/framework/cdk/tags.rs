//! Greenroom's tags in a cloud assembly: `cdk deploy` gives a stack those that its manifest has.
//!
//! What always holds: the tags that the app gives its stacks stay. They would not with `--tags`,
//! which takes their place (`deploy` of aws-cdk: "overrides tags from Cloud Assembly"). Nothing
//! but tags is changed.

use std::collections::BTreeMap;

use model::job::Failure;
use serde_json::{Map, Value, json};

use super::assembly::{DEPTH_MAX, FILE, NESTED, STACK};
use crate::detect::configuration;
use crate::framework::{Amended, FILE_MAX_BYTES, StackTags};
use crate::git::Workspace;

/// Where apps of older versions of CDK have a stack's tags.
const IN_METADATA: &str = "aws:cdk:stack-tags";

/// The manifests of the assembly, and of those nested in it, with these tags.
pub(super) fn into_assembly(files: &Workspace, tags: &StackTags) -> Result<Vec<Amended>, Failure> {
    let mut amended = Vec::new();
    amend(files, "", tags, &mut amended, 0)?;
    Ok(amended)
}

fn amend(
    files: &Workspace,
    directory: &str,
    tags: &StackTags,
    amended: &mut Vec<Amended>,
    depth: usize,
) -> Result<(), Failure> {
    let name = format!("{directory}{FILE}");
    let text = files
        .read(&name, FILE_MAX_BYTES)
        .map_err(|error| configuration(format!("{name} of the package: {error}")))?;
    let mut manifest: Value = serde_json::from_slice(&text).map_err(|error| {
        configuration(format!("{name} of the package is not what CDK 2 writes: {error}"))
    })?;
    let artifacts = manifest.get_mut("artifacts").and_then(Value::as_object_mut);
    for (id, artifact) in artifacts.into_iter().flatten() {
        let text = |pointer: &str| artifact.pointer(pointer)?.as_str().map(str::to_owned);
        match (text("/type").as_deref(), text("/properties/directoryName")) {
            (Some(STACK), _) => {
                let stack = text("/properties/stackName").unwrap_or_else(|| id.clone());
                give(artifact, &tags.of(&stack));
            }
            (Some(NESTED), Some(inner)) if depth < DEPTH_MAX => {
                amend(files, &format!("{directory}{inner}/"), tags, amended, depth + 1)?;
            }
            (Some(_) | None, _) => {}
        }
    }
    let content = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| configuration(format!("{name} of the package: {error}")))?;
    amended.push(Amended { name, content });
    Ok(())
}

fn give(artifact: &mut Value, tags: &BTreeMap<String, String>) {
    let Some(artifact) = artifact.as_object_mut() else { return };
    let noted = in_metadata(artifact);
    let properties = artifact.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    let own = properties.entry("tags").or_insert_with(|| Value::Object(noted));
    if let Some(own) = own.as_object_mut() {
        own.extend(tags.iter().map(|(key, value)| (key.clone(), json!(value))));
    }
}

/// CDK looks there only where the properties have none.
fn in_metadata(artifact: &Map<String, Value>) -> Map<String, Value> {
    let entries = artifact.get("metadata").and_then(Value::as_object).into_iter().flatten();
    entries
        .flat_map(|(_, entries)| entries.as_array().into_iter().flatten())
        .filter(|entry| entry.get("type").and_then(Value::as_str) == Some(IN_METADATA))
        .flat_map(|entry| entry.get("data").and_then(Value::as_array).into_iter().flatten())
        .filter_map(|tag| {
            let of = |key: &str, old: &str| tag.get(key).or_else(|| tag.get(old))?.as_str();
            Some((of("key", "Key")?.to_owned(), json!(of("value", "Value")?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amended(manifests: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let root = tempfile::tempdir().expect("a directory");
        for (name, content) in manifests {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, content.to_string()).expect("a file");
        }
        let ours = BTreeMap::from([("greenroom:app".to_owned(), "shop".to_owned())]);
        let tags = StackTags(
            [("a-dev", ours.clone()), ("b-dev", ours)]
                .map(|(name, tags)| (name.to_owned(), tags))
                .into(),
        );
        let files = Workspace::new(root.path().to_owned());
        let amended = into_assembly(&files, &tags).expect("an assembly");
        amended
            .into_iter()
            .map(|file| (file.name, serde_json::from_slice(&file.content).expect("JSON")))
            .collect()
    }

    fn stack(name: &str, more: &Value) -> Value {
        let mut stack = json!({
            "type": STACK, "properties": { "stackName": name, "templateFile": "t.json" },
        });
        for (key, value) in more.as_object().expect("an object") {
            stack[key] = value.clone();
        }
        stack
    }

    #[test]
    fn a_stack_gets_our_tags_beside_those_of_its_app() {
        let own = json!({ "properties": { "stackName": "a-dev", "tags": { "team": "blue" } } });
        let files = amended(&[(
            "manifest.json",
            json!({ "version": "48.0.0", "artifacts": {
                "A": stack("a-dev", &own),
                "B": stack("b-dev", &json!({})),
                "Other": stack("other", &json!({})),
                "Tree": { "type": "cdk:tree" },
            } }),
        )]);
        let manifest = &files["manifest.json"];
        let tags = |id: &str| manifest["artifacts"][id]["properties"]["tags"].clone();
        assert_eq!(tags("A"), json!({ "team": "blue", "greenroom:app": "shop" }));
        assert_eq!(tags("B"), json!({ "greenroom:app": "shop" }));
        assert_eq!(tags("Other"), json!({}));
        assert_eq!(manifest["version"], "48.0.0");
        assert_eq!(manifest["artifacts"]["Tree"], json!({ "type": "cdk:tree" }));
    }

    #[test]
    fn tags_that_stand_in_the_metadata_are_not_lost() {
        let noted = json!({ "metadata": { "/a-dev": [
            { "type": "aws:cdk:stack-tags", "data": [{ "Key": "team", "Value": "blue" }] },
            { "type": "aws:cdk:logicalId", "data": "X" },
        ] } });
        let files =
            amended(&[("manifest.json", json!({ "artifacts": { "A": stack("a-dev", &noted) } }))]);
        let tags = &files["manifest.json"]["artifacts"]["A"]["properties"]["tags"];
        assert_eq!(*tags, json!({ "team": "blue", "greenroom:app": "shop" }));
    }

    #[test]
    fn stacks_of_nested_assemblies_get_them_too() {
        let outer = json!({ "artifacts": { "s": {
            "type": NESTED, "properties": { "directoryName": "assembly-s" },
        } } });
        let inner = json!({ "artifacts": { "A": stack("a-dev", &json!({})) } });
        let files = amended(&[("manifest.json", outer), ("assembly-s/manifest.json", inner)]);
        let tags = &files["assembly-s/manifest.json"]["artifacts"]["A"]["properties"]["tags"];
        assert_eq!(*tags, json!({ "greenroom:app": "shop" }));
    }
}
