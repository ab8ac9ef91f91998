//! What `cdk synth` wrote: the cloud assembly, its `manifest.json` and those of the assemblies
//! nested in it. Pure but for reading the package.
//!
//! What always holds: every stack of the assembly is told, a stack after those it depends on; one
//! whose name does not hold the stage, or that is for another region, is refused: it would be the
//! same stack in every stage.

use std::collections::{BTreeMap, BTreeSet};

use model::job::Failure;
use model::worker_api::Target;
use serde::Deserialize;

use crate::detect::configuration;
use crate::framework::{FILE_MAX_BYTES, Foresight, PackagedStack, not_packaged};
use crate::git::{Workspace, WorkspaceError};

pub(super) const FILE: &str = "manifest.json";
pub(super) const STACK: &str = "aws:cloudformation:stack";
pub(super) const NESTED: &str = "cdk:cloud-assembly";
/// CDK nests one assembly for each `Stage` in a `Stage`; deeper is a loop.
pub(super) const DEPTH_MAX: usize = 16;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    stack_name: Option<String>,
    #[serde(default)]
    template_file: Option<String>,
    #[serde(default)]
    directory_name: Option<String>,
    #[serde(default)]
    cloud_formation_execution_role_arn: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// The stacks of the assembly in the package directory.
pub(super) fn stacks(files: &Workspace, target: &Target) -> Result<Vec<PackagedStack>, Failure> {
    let mut stacks = Vec::new();
    collect(files, "", target, &mut stacks, 0)?;
    if stacks.is_empty() {
        return Err(configuration(
            "the app has no stacks: `cdk list` in the service's directory shows what CDK sees",
        ));
    }
    Ok(stacks)
}

fn collect(
    files: &Workspace,
    directory: &str,
    target: &Target,
    stacks: &mut Vec<PackagedStack>,
    depth: usize,
) -> Result<(), Failure> {
    let file = format!("{directory}{FILE}");
    let text = files.read(&file, FILE_MAX_BYTES).map_err(|error| match error {
        WorkspaceError::Missing(_) => {
            not_packaged(&file, "cdk synth --output \"$GREENROOM_PACKAGE_DIR\"")
        }
        error @ (WorkspaceError::Outside(_)
        | WorkspaceError::WrongKind { .. }
        | WorkspaceError::TooLarge { .. }
        | WorkspaceError::Io { .. }) => configuration(error.to_string()),
    })?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
        configuration(format!("{file} of the package is not what CDK 2 writes: {error}"))
    })?;
    for id in in_order(&manifest) {
        let Some(artifact) = manifest.artifacts.get(id) else { continue };
        match (artifact.kind.as_str(), &artifact.properties.directory_name) {
            (STACK, _) => stacks.push(stack(id, directory, artifact, target)?),
            (NESTED, Some(name)) if depth < DEPTH_MAX => {
                collect(files, &format!("{directory}{name}/"), target, stacks, depth + 1)?;
            }
            (NESTED, Some(_)) => {
                return Err(configuration(format!("{file}: assemblies are nested without end")));
            }
            (_, _) => {}
        }
    }
    Ok(())
}

fn stack(
    id: &str,
    directory: &str,
    artifact: &Artifact,
    target: &Target,
) -> Result<PackagedStack, Failure> {
    let name = artifact.properties.stack_name.as_deref().unwrap_or(id);
    let stage = target.stage.as_str();
    if !name.contains(stage) {
        return Err(configuration(format!(
            "the stack {name} does not have the stage in its name, so all stages would share it: name it by the stage, as in `new Stack(app, `name-${{process.env.GREENROOM_STAGE}}`)`"
        )));
    }
    let region = artifact.environment.as_deref().and_then(|place| place.rsplit_once('/'));
    match region {
        Some((_, region)) if region != "unknown-region" && region != target.region.as_str() => {
            return Err(configuration(format!(
                "the stack {name} is for region {region}, not {}: leave `env` out of the stack, or write `env: {{ region: process.env.GREENROOM_REGION }}`",
                target.region
            )));
        }
        Some(_) | None => {}
    }
    let Some(template) = &artifact.properties.template_file else {
        return Err(configuration(format!(
            "{FILE} names no template for stack {name}; is it of CDK 2?"
        )));
    };
    Ok(PackagedStack {
        deployment_role: artifact.properties.cloud_formation_execution_role_arn.clone(),
        tags: artifact.properties.tags.clone(),
        ..PackagedStack::new(name.to_owned(), format!("{directory}{template}"), Foresight::Ask)
    })
}

/// The artifacts, each after those it depends on. CDK refuses a circle itself.
fn in_order(manifest: &Manifest) -> Vec<&str> {
    fn visit<'a>(
        manifest: &'a Manifest,
        id: &'a str,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a str>,
    ) {
        if !seen.insert(id) {
            return;
        }
        let needed = manifest.artifacts.get(id).map(|artifact| artifact.dependencies.as_slice());
        for needed in needed.unwrap_or_default() {
            visit(manifest, needed, seen, order);
        }
        order.push(id);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for id in manifest.artifacts.keys() {
        visit(manifest, id, &mut seen, &mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::target;
    use serde_json::{Value, json};

    fn assembly(files: &[(&str, Value)]) -> Result<Vec<PackagedStack>, Failure> {
        let root = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, content.to_string()).expect("a file");
        }
        stacks(&Workspace::new(root.path().to_owned()), &target(&[]))
    }

    fn stack(name: &str, dependencies: &[&str]) -> Value {
        json!({
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": { "templateFile": format!("{name}.template.json"), "stackName": name },
            "dependencies": dependencies,
        })
    }

    fn refusal(files: &[(&str, Value)]) -> String {
        assembly(files).expect_err("refused").message
    }

    #[test]
    fn stacks_are_told_after_those_they_depend_on() {
        let manifest = json!({ "version": "48.0.0", "artifacts": {
            "A": stack("api-feature-x", &["B", "A.assets"]),
            "A.assets": { "type": "cdk:asset-manifest" },
            "B": stack("base-feature-x", &[]),
            "Tree": { "type": "cdk:tree" },
        } });
        let stacks = assembly(&[("manifest.json", manifest)]).expect("two stacks");
        let names: Vec<_> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        assert_eq!(names, ["base-feature-x", "api-feature-x"]);
        assert_eq!(stacks[0].template, "base-feature-x.template.json");
    }

    #[test]
    fn stacks_of_nested_assemblies_count_too() {
        let outer = json!({ "artifacts": { "assembly-s": {
            "type": "cdk:cloud-assembly", "properties": { "directoryName": "assembly-s" },
        } } });
        let inner = json!({ "artifacts": { "S": stack("api-feature-x", &[]) } });
        let found = assembly(&[("manifest.json", outer), ("assembly-s/manifest.json", inner)]);
        let found = found.expect("one stack");
        assert_eq!(found[0].template, "assembly-s/api-feature-x.template.json");
    }

    #[test]
    fn a_stack_without_the_stage_in_its_name_is_refused_with_the_remedy() {
        let manifest = json!({ "artifacts": { "Shop": stack("Shop", &[]) } });
        let message = refusal(&[("manifest.json", manifest)]);
        assert!(message.contains("process.env.GREENROOM_STAGE"), "{message}");
    }

    #[test]
    fn a_stack_for_another_region_is_refused() {
        let mut stack = stack("api-feature-x", &[]);
        stack["environment"] = json!("aws://111111111111/eu-west-1");
        let message = refusal(&[("manifest.json", json!({ "artifacts": { "S": stack } }))]);
        assert!(message.contains("eu-west-1, not us-east-1"), "{message}");
    }

    #[test]
    fn an_empty_or_foreign_assembly_is_refused_and_does_not_panic() {
        assert!(refusal(&[("manifest.json", json!({}))]).contains("no stacks"));
        assert!(refusal(&[("manifest.json", json!("x"))]).contains("not what CDK 2 writes"));
        assert!(refusal(&[("other.json", json!({}))]).contains("left no manifest.json"));
        let circle = json!({ "artifacts": {
            "A": stack("a-feature-x", &["B"]), "B": stack("b-feature-x", &["A"]),
        } });
        assert_eq!(assembly(&[("manifest.json", circle)]).expect("told").len(), 2);
        let itself = json!({ "artifacts": { "N": {
            "type": "cdk:cloud-assembly", "properties": { "directoryName": "." },
        } } });
        assert!(refusal(&[("manifest.json", itself)]).contains("without end"));
    }
}
