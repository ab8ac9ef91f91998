//! A commit without `greenroom.yml`.

use rstest::rstest;

use super::*;
use crate::detect::auto::{detected, wanted};

fn found(commit: &Commit) -> Detected {
    let repository: RepositoryName = "acme/workshop".parse().expect("a repository");
    // only what detection asks for is read
    let looked_into = wanted(&commit.files);
    let texts = commit.texts.iter().filter(|(path, _)| looked_into.contains(path));
    let texts = texts.map(|(path, text)| (path.clone(), text.clone())).collect();
    detected(&Listing { files: &commit.files, texts: &texts }, &repository)
}

#[test]
fn every_directory_with_a_frameworks_file_is_a_service_named_after_it() {
    let commit = Commit::new(&[
        ("backend-database/serverless.yml", ""),
        ("apps/rest api/serverless.yaml", ""),
        ("infra/template.yml", TEMPLATE),
        ("functions/template.yaml", SAM),
        ("cloud/cdk.json", "{}"),
        ("README.md", ""),
    ]);
    assert_eq!(
        shown(&found(&commit)),
        [
            "rest-api in apps/rest api: serverless by apps/rest api/serverless.yaml",
            "backend-database in backend-database: serverless by backend-database/serverless.yml",
            "cloud in cloud: cdk by cloud/cdk.json",
            "functions in functions: sam by functions/template.yaml",
            "infra in infra: cloudformation by infra/template.yml",
        ]
    );
}

#[rstest]
#[case(SAM, Some("sam"))]
#[case("Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n", Some("sam"))]
#[case("{\"Transform\": \"AWS::Serverless-2016-10-31\", \"Resources\": {}}", Some("sam"))]
#[case(
    "AWSTemplateFormatVersion: 2010-09-09\nTransform: AWS::Serverless-2016-10-31\na: [\n",
    Some("sam")
)]
#[case(TEMPLATE, Some("cloudformation"))]
#[case("Resources: { A: { Type: AWS::SNS::Topic } }", Some("cloudformation"))]
#[case("Transform: AWS::LanguageExtensions\nResources: {}", Some("cloudformation"))]
#[case("AWSTemplateFormatVersion: '2010-09-09'\na: [", Some("cloudformation"))]
#[case("name: a template of some other tool\n", None)]
#[case("", None)]
#[case("- a\n- list\n", None)]
#[case("\u{0}\u{1}", None)]
fn a_template_is_told_by_what_stands_in_it(#[case] text: &str, #[case] framework: Option<&str>) {
    let found = found(&Commit::new(&[("a/template.yml", text)]));
    let frameworks: Vec<&str> =
        found.services.iter().map(|located| located.service.framework.as_str()).collect();
    assert_eq!(frameworks.first().copied(), framework);
}

#[test]
fn a_template_is_passed_on_by_name() {
    let found = found(&Commit::new(&[("infra/template.json", TEMPLATE)]));
    assert_eq!(found.services[0].service.template.as_deref(), Some("template.json"));
}

#[test]
fn what_else_a_directory_could_be_is_told() {
    let commit =
        Commit::new(&[("a/serverless.yml", ""), ("a/cdk.json", ""), ("a/template.yml", SAM)]);
    let found = found(&commit);
    assert_eq!(shown(&found), ["a in a: serverless by a/serverless.yml"]);
    assert_eq!(
        found.services[0].service.notes,
        [
            "detected: a/serverless.yml makes it a service of the Serverless Framework",
            "also there: a/cdk.json (AWS CDK), a/template.yml (AWS SAM); write `framework: cdk` for the service in greenroom.yml if that is meant",
        ]
    );
}

#[test]
fn a_template_inside_another_service_is_a_part_of_it() {
    let commit = Commit::new(&[
        ("api/serverless.yml", ""),
        ("api/nested/template.yml", TEMPLATE),
        ("sam/template.yml", SAM),
        ("sam/functions/a/template.yml", SAM),
    ]);
    let found = found(&commit);
    assert_eq!(found.services.len(), 2);
    assert_eq!(found.remarks.len(), 2);
    assert!(found.remarks[0].contains("lies inside the service in api"), "{:?}", found.remarks);
    let root = Commit::new(&[("serverless.yml", ""), ("a-b/template.yml", TEMPLATE)]);
    let found = detected(&root.listing(), &"acme/x".parse().expect("a repository"));
    assert_eq!(found.services.len(), 1);
}

#[test]
fn a_serverless_yml_at_the_root_is_named_after_the_repository() {
    let found = found(&Commit::of(&["serverless.yml"]));
    assert_eq!(shown(&found), ["workshop in .: serverless by serverless.yml"]);
}

#[test]
fn directories_of_one_name_get_their_whole_path_as_name() {
    let found = found(&Commit::of(&["a/api/serverless.yml", "b/api/serverless.yml"]));
    let names: Vec<&str> =
        found.services.iter().map(|located| located.service.name.as_str()).collect();
    assert_eq!(names, ["a-api", "b-api"]);
}

#[test]
fn what_was_installed_or_made_is_left_out_and_what_lies_deep_is_told() {
    let found = found(&Commit::new(&[
        ("node_modules/x/serverless.yml", ""),
        ("a/.aws-sam/build/template.yaml", SAM),
        ("a/cdk.out/template.json", TEMPLATE),
        (".github/template.yml", TEMPLATE),
        ("a/b/c/d/serverless.yml", ""),
        ("a/b/c/d/template.yml", TEMPLATE),
    ]));
    assert!(found.services.is_empty());
    assert!(found.remarks[0].contains("a/b/c/d/serverless.yml"), "{:?}", found.remarks);
    assert_eq!(found.remarks.len(), 1);
}

#[test]
fn a_serverless_ts_is_a_service_where_the_framework_is_installed_and_told_where_not() {
    let package = r#"{"devDependencies":{"osls":"^4"}}"#;
    let with = Commit::new(&[("api/serverless.ts", ""), ("package.json", package)]);
    assert_eq!(shown(&found(&with)), ["api in api: serverless by api/serverless.ts"]);
    let without = found(&Commit::of(&["api/serverless.ts"]));
    assert!(without.services.is_empty());
    assert!(without.remarks[0].contains("greenroom.yml"), "{:?}", without.remarks);
}
