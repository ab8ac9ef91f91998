//! What is known of a service when the plan is through.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use model::pipeline::Step;

const OSLS: &str = r#"{"devDependencies":{"osls":"4.3.1"}}"#;

/// The services of a commit that names none, described.
fn described(files: &[(&str, &str)]) -> Result<Vec<Service>, Failure> {
    let texts: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let names: BTreeSet<String> = texts.keys().cloned().collect();
    let listing = Listing { files: &names, texts: &texts };
    let repository = "acme/workshop".parse().expect("a repository");
    let pipeline = crate::detect::pipeline(&listing)?;
    let way = crate::detect::way(&pipeline, listing.files);
    let located = crate::detect::found(way, &pipeline, &listing, &repository)?;
    all(&"workshop".parse().expect("an app"), located.services, &listing)
}

fn services(files: &[(&str, &str)]) -> Vec<Service> {
    described(files).expect("they can be planned")
}

fn refused(files: &[(&str, &str)]) -> String {
    described(files).expect_err("they cannot be planned").message
}

#[test]
fn outputs_are_read_by_the_frameworks_name_and_from_the_parts_of_a_configuration() {
    let services = services(&[
        ("package.json", OSLS),
        ("db/serverless.yml", "service: fullstack-database\n"),
        ("api/serverless.yml", "service: api\ncustom: ${file(./custom.yml)}\n"),
        ("api/custom.yml", "table: ${output::${param:env}::fullstack-database.table}\n"),
    ]);
    let (api, db) = (&services[0], &services[1]);
    assert_eq!(db.published_as.as_deref(), Some("fullstack-database"));
    assert_eq!(api.depends_on[0].service, db.name);
    assert_eq!(
        api.depends_on[0].place(),
        "${output::${param:env}::fullstack-database.table} in api/custom.yml"
    );
    assert_eq!(api.reads.len(), 1);
}

#[test]
fn a_name_with_a_variable_is_not_the_name_it_is_published_under() {
    let files = [("package.json", OSLS), ("api/serverless.yml", "service: a-${sls:stage}\n")];
    assert_eq!(services(&files)[0].published_as, None);
}

#[test]
fn parameters_of_greenroom_yml_read_outputs_too() {
    let services = services(&[
        (
            "greenroom.yml",
            "services: { db: { path: db }, web: { path: web, parameters: { Table: '${output:db.table}' } } }",
        ),
        ("package.json", OSLS),
        ("db/serverless.yml", "service: db\n"),
        ("web/template.yml", "Resources: {}"),
    ]);
    assert_eq!(services[1].depends_on[0].place(), "${output:db.table} in greenroom.yml");
}

#[test]
fn a_template_is_not_searched_for_references_for_nothing_replaces_them_there() {
    let services = services(&[
        ("package.json", OSLS),
        ("db/serverless.yml", "service: db\n"),
        ("web/template.yml", "Resources: {}\nX: ${output:db.table}\n"),
    ]);
    assert_eq!(services[1].depends_on, []);
}

#[test]
fn a_service_with_commands_of_its_own_needs_no_framework_installed() {
    let services = services(&[
        (
            "greenroom.yml",
            "services: { a: { path: a, package: p, deploy: d, remove: r }, c: { path: c, package: p, deploy: d, remove: r } }",
        ),
        ("a/serverless.yml", "service: a\n"),
        ("c/cdk.json", "{}"),
    ]);
    assert_eq!(services[0].commands.deploy, Some(Step::new("d")));
    for service in &services {
        assert!(service.notes.iter().any(|note| note.contains("not looked for")), "{service:?}");
    }
}

#[test]
fn what_cannot_be_read_ahead_is_left_to_the_framework_and_told() {
    let services =
        services(&[("package.json", OSLS), ("a/serverless.yml", "a: ["), ("b/serverless.ts", "")]);
    assert!(services[0].notes[1].contains("could not be read ahead"), "{:?}", services[0].notes);
    assert!(services[1].notes[1].contains("only when the framework"), "{:?}", services[1].notes);
}

#[test]
fn everything_that_was_found_out_is_told() {
    let services = services(&[
        ("package.json", r#"{"scripts":{"test":"vitest"},"devDependencies":{"osls":"4.3.1"}}"#),
        ("package-lock.json", "{}"),
        ("api/serverless.yml", "service: shop-api\n"),
        ("infra/template.yml", "Resources: {}"),
    ]);
    insta::assert_snapshot!(services[0].notes.join("\n"), @"
    detected: api/serverless.yml makes it a service of the Serverless Framework
    its outputs may be read as api or shop-api
    framework: osls 4.3.1, as package.json asks
    install: cd .. && npm ci, because there is package-lock.json
    lint: left out, there is no lint script
    test: left out, there is no test script
    ");
    insta::assert_snapshot!(services[1].notes.join("\n"), @"
    detected: infra/template.yml makes it a service of CloudFormation
    framework: CloudFormation
    install: nothing, CloudFormation needs none and there is no infra/package.json
    lint: left out, there is no lint script
    test: left out, there is no test script
    ");
}

#[test]
fn a_framework_that_cannot_run_here_is_refused_as_the_user_sees_it() {
    let four = r#"{"devDependencies":{"serverless":"^4.1.0"}}"#;
    let yml = ("api/serverless.yml", "service: api\n");
    insta::assert_snapshot!(refused(&[("api/package.json", four), yml]), @"api/package.json asks for serverless ^4.1.0: version 4 is a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`");
    let three = r#"{"devDependencies":{"serverless":"^3"}}"#;
    let wants_four = ("api/serverless.yml", "service: api\nframeworkVersion: '4'\n");
    insta::assert_snapshot!(refused(&[("api/package.json", three), wants_four]), @r#"api/serverless.yml: frameworkVersion "4" needs serverless 4, a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`"#);
    insta::assert_snapshot!(refused(&[yml]), @"api/package.json names no framework: run `npm install --save-dev osls@4` in api and commit package.json and its lock file");
    insta::assert_snapshot!(refused(&[("api/package.json", "{"), yml]), @"api/package.json is not a package.json: EOF while parsing an object at line 1 column 1; correct it");
    let dashboard = ("api/serverless.yml", "org: acme\nservice: api\n");
    insta::assert_snapshot!(refused(&[("api/package.json", OSLS), dashboard]), @"api/serverless.yml: remove the key `org`: it belongs to the Serverless Dashboard, and osls refuses it");
    insta::assert_snapshot!(refused(&[("cloud/cdk.json", "{}")]), @"cloud/package.json names no aws-cdk: run `npm install --save-dev aws-cdk@2` in cloud and commit package.json and its lock file");
}
