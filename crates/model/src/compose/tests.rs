//! What a Compose file means here, and how each mistake in it is named.

use rstest::rstest;

use super::*;

fn name(text: &str) -> ServiceName {
    text.parse().expect("a service name")
}

fn names(texts: &[&str]) -> Vec<ServiceName> {
    texts.iter().map(|text| name(text)).collect()
}

fn parsed(text: &str) -> BTreeMap<ServiceName, ComposeService> {
    parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The problems as the user sees them.
fn refused(text: &str) -> String {
    let problems = parse(text).expect_err("it has mistakes");
    let lines: Vec<String> =
        problems.iter().map(|problem| problem.located("serverless-compose.yml")).collect();
    lines.join("\n")
}

const SHOP: &str = "
services:
  service-a:
    path: ./service-a/
  service-b:
    path: services/b
    config: serverless.api.yml
    dependsOn: service-c
    params:
      queueUrl: ${service-a.queueUrl}
      name: x-${service-a.name}-${sls:stage}
      level: 3
  service-c: { path: c, dependsOn: [service-a], component: serverless-framework }
";

#[test]
fn services_have_their_directories_and_their_order() {
    let shop = parsed(SHOP);
    assert_eq!(shop[&name("service-a")].path, "service-a");
    assert_eq!(shop[&name("service-a")].depends_on, []);
    let b = &shop[&name("service-b")];
    assert_eq!((b.path.as_str(), b.config.as_deref()), ("services/b", Some("serverless.api.yml")));
    assert_eq!(b.depends_on, names(&["service-c", "service-a"]));
    assert_eq!(shop[&name("service-c")].depends_on, names(&["service-a"]));
}

#[test]
fn an_output_of_another_service_becomes_a_reference_and_a_dependency() {
    let b = &parsed(SHOP)[&name("service-b")];
    let parameters: Vec<(&str, &str)> =
        b.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        parameters,
        [
            ("level", "3"),
            ("name", "x-${output:service-a.name}-${sls:stage}"),
            ("queueUrl", "${output:service-a.queueUrl}"),
        ]
    );
    let reads: Vec<&str> = b.reads.iter().map(Reference::raw).collect();
    assert_eq!(reads, ["${output:service-a.queueUrl}", "${output:service-a.name}"]);
}

#[test]
fn parameters_and_outputs_of_greenroom_may_stand_there_too() {
    let shop = parsed(
        "services: { a: { path: a, params: { x: '${param:endpoint}', y: '${output::dev::b.c}' } } }",
    );
    assert_eq!(shop[&name("a")].parameters["x"], "${param:endpoint}");
    assert_eq!(shop[&name("a")].parameters["y"], "${output::dev::b.c}");
}

#[test]
fn where_the_file_wants_a_region_the_settings_win_and_a_note_says_so() {
    let shop = parsed("state: { backend: s3 }\nservices: { a: { path: a, region: eu-west-1 } }");
    insta::assert_snapshot!(
        shop[&name("a")].notes[0],
        @"region: eu-west-1 in serverless-compose.yml is not followed: the app's settings say where it is deployed"
    );
}

#[rstest]
#[case("", "this must be a map")]
#[case("services:", "`services` is missing")]
#[case("services: [a]", "services: this must be a map")]
#[case("services: {}\nprovider: {}", "provider: this key is not known here")]
#[case("services: { a: { path: ../a } }", "services.a.path: the path leads out")]
#[case("services: { a: {} }", "services.a: `path` is missing")]
#[case("services: { 'a b': { path: a } }", "services.a b: \"a b\" is not a valid service name")]
#[case("services: { a: { path: x }, b: { path: ./x } }", "services.b: a has the path x already")]
#[case("services: { a: { path: a, dependsOn: a } }", "services.a.dependsOn: a service cannot")]
#[case("services: { a: { path: a, params: { x: [1] } } }", "services.a.params.x: a parameter's")]
#[case("services: { a: { path: a, params: { x: '${a.b' } } }", "services.a.params.x: ${a.b begins")]
#[case(
    "services: { a: { path: a, params: { x: '${b}' } } }",
    "services.a.params.x: ${b} is no output"
)]
fn a_mistake_is_named_with_its_key(#[case] text: &str, #[case] expected: &str) {
    let shown = refused(text);
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_cannot_be_followed_is_refused_as_the_user_sees_it() {
    insta::assert_snapshot!(
        refused(
            "services:
  database: { path: database }
  api:
    path: api
    dependsOn: [databse]
    params:
      table: ${databas.table}
      key: ${env:API_KEY}
  web: { path: web, component: ./components/site }
"
        ),
        @r#"
    serverless-compose.yml:5: services.api.dependsOn[0]: there is no service "databse" in this file; its services are database, api, web
    serverless-compose.yml:7: services.api.params.table: there is no service "databas" in this file; its services are database, api, web
    serverless-compose.yml:8: services.api.params.key: ${env:API_KEY}: env is not known in serverless-compose.yml here; give the app a parameter in its settings and write ${param:API_KEY}
    serverless-compose.yml:9: services.web.component: only services of the Serverless Framework are deployed by Compose here; name the services in greenroom.yml, this one with framework: custom
    "#
    );
}
