//! Services of `greenroom.yml`, and what is said of those that cannot be.

use super::*;
use crate::detect::named::{named, wanted};
use crate::pipeline::{Framework, parse};

/// One service `api` that is written like this.
fn entry(text: &str) -> PipelineFile {
    parse(&format!("services: {{ api: {{ {text} }} }}")).expect("a pipeline file")
}

fn found(file: &PipelineFile, commit: &Commit) -> Detected {
    named(file, &commit.listing()).expect("it is there")
}

fn refused(text: &str, commit: &Commit) -> String {
    named(&entry(text), &commit.listing()).expect_err("it is not there").message
}

fn tree() -> Commit {
    Commit::new(&[
        ("backend/serverless.yml", ""),
        ("docs/index.md", ""),
        ("infra/template.yml", TEMPLATE),
        ("infra/app.yaml", SAM),
        ("infra/values.yaml", "a: 1"),
        ("stack/cloudformation.yml", TEMPLATE),
        ("both/serverless.ts", ""),
        ("both/template.yaml", SAM),
        ("cdk/cdk.json", "{}"),
    ])
}

#[test]
fn the_files_of_its_directory_say_what_a_service_is() {
    let of = |text: &str| shown(&found(&entry(text), &tree())).remove(0);
    assert_eq!(of("path: backend"), "api in backend: serverless by backend/serverless.yml");
    assert_eq!(of("path: infra"), "api in infra: cloudformation by infra/template.yml");
    assert_eq!(of("path: infra, template: app.yaml"), "api in infra: sam by infra/app.yaml");
    assert_eq!(of("path: cdk"), "api in cdk: cdk by cdk/cdk.json");
    assert_eq!(of("path: both"), "api in both: serverless by both/serverless.ts");
}

#[test]
fn the_key_framework_wins_over_the_files() {
    let of = |text: &str| shown(&found(&entry(text), &tree())).remove(0);
    assert_eq!(of("path: both, framework: sam"), "api in both: sam by both/template.yaml");
    let stack = of("path: stack, framework: cloudformation");
    assert_eq!(stack, "api in stack: cloudformation by stack/cloudformation.yml");
    let custom = of("path: backend, framework: custom, deploy: a, remove: b");
    assert_eq!(custom, "api in backend: custom by its commands");
}

#[test]
fn a_directory_without_a_frameworks_file_lives_by_its_commands() {
    let found = found(&entry("path: docs, deploy: make up, remove: make down"), &tree());
    assert_eq!(shown(&found), ["api in docs: custom by its commands"]);
    assert!(found.services[0].service.notes[0].contains("its own commands"));
}

#[test]
fn what_the_file_says_of_a_service_is_passed_on() {
    let text = "path: infra, template: ./app.yaml, stack: 'x-${stage}', watch: [shared], parameters: { A: '${param:a}' }, test: make";
    let service = found(&entry(text), &tree()).services.remove(0).service;
    assert_eq!(service.template.as_deref(), Some("app.yaml"));
    assert_eq!(service.stack.as_deref(), Some("x-${stage}"));
    assert_eq!(service.watch, ["shared"]);
    assert_eq!(service.parameters["A"], "${param:a}");
    assert_eq!(service.commands, Commands { test: Some(Step::new("make")), ..Commands::default() });
}

#[test]
fn the_other_frameworks_of_a_directory_are_told() {
    let notes = &found(&entry("path: both"), &tree()).services[0].service.notes;
    assert!(notes[1].contains("also there: both/template.yaml (AWS SAM)"), "{notes:?}");
}

#[test]
fn only_templates_of_named_services_are_looked_into() {
    let file = entry("path: infra, template: app.yaml");
    let texts = wanted(&file);
    assert!(texts.contains(&"infra/app.yaml".to_owned()) && texts.len() == 7, "{texts:?}");
}

#[test]
fn a_service_that_is_not_there_is_refused_as_the_user_sees_it() {
    insta::assert_snapshot!(refused("path: backnd", &tree()), @r#"greenroom.yml, services.api.path: this commit has no directory "backnd"; directories with a framework's file: backend, both, cdk, infra"#);
    insta::assert_snapshot!(refused("path: backnd", &Commit::of(&["a"])), @r#"greenroom.yml, services.api.path: this commit has no directory "backnd"; no directory of this commit holds a serverless.yml, template.yaml or cdk.json"#);
    insta::assert_snapshot!(refused("path: docs", &tree()), @r#"greenroom.yml, services.api.path: the directory "docs" holds no serverless.yml, template.yaml or cdk.json; correct the path, add the file, or write `deploy` and `remove` commands"#);
    insta::assert_snapshot!(refused("path: docs, deploy: make", &tree()), @r#"greenroom.yml, services.api: "docs" holds no framework's file, so it needs a `remove` command beside its `deploy`; write "true" (in quotes) if there is nothing to remove"#);
}

#[test]
fn a_framework_without_its_file_is_refused_as_the_user_sees_it() {
    insta::assert_snapshot!(refused("path: docs, framework: serverless", &tree()), @r#"greenroom.yml, services.api.framework: serverless is written, and the directory "docs" holds no serverless.yml; add the file, or correct the path or the framework"#);
    insta::assert_snapshot!(refused("path: docs, framework: cdk", &tree()), @r#"greenroom.yml, services.api.framework: cdk is written, and the directory "docs" holds no cdk.json; add the file, or correct the path or the framework"#);
    insta::assert_snapshot!(refused("path: docs, framework: cloudformation", &tree()), @r#"greenroom.yml, services.api.framework: cloudformation is written, and the directory "docs" holds no template.yaml (write its name as `template:` if it has another); add the file, or correct the path or the framework"#);
    insta::assert_snapshot!(refused("path: infra, template: ap.yaml", &tree()), @r#"greenroom.yml, services.api.template: this commit has no file infra/ap.yaml; correct it (it is relative to "infra"), or add the file"#);
    insta::assert_snapshot!(refused("path: infra, template: values.yaml", &tree()), @"greenroom.yml, services.api.template: infra/values.yaml is no CloudFormation template: it has neither Resources nor AWSTemplateFormatVersion nor the Transform of AWS SAM; correct the path, or write `framework:`");
    insta::assert_snapshot!(refused("path: backend, stack: 'x-${stage}'", &tree()), @"greenroom.yml, services.api.stack: only for frameworks cloudformation and sam, and this is a service of the Serverless Framework; remove it");
}

#[test]
fn a_service_at_the_root_finds_its_template_there() {
    let entry = ServiceEntry {
        path: ".".to_owned(),
        framework: Some(Framework::Cloudformation),
        ..ServiceEntry::default()
    };
    let file = PipelineFile {
        services: [("api".parse().expect("a name"), entry)].into(),
        post_deploy: None,
    };
    let commit = Commit::new(&[("template.yml", TEMPLATE)]);
    let service = found(&file, &commit).services.remove(0).service;
    assert_eq!(service.template.as_deref(), Some("template.yml"));
}
