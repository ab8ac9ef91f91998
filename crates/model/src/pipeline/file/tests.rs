//! What a `greenroom.yml` allows, and how each mistake in it is named.

use rstest::rstest;

use super::*;

#[test]
fn the_design_s_example_is_read() {
    let file = parse(
        "services:
  database: { path: backend-database }
  restapi:
    path: ./backend-restapi/
    depends_on: [database]
    watch: [shared/**]
    test: npm test          # install, lint, test, package, deploy, remove
",
    )
    .expect("it is right");
    let restapi = &file.services[&"restapi".parse::<ServiceName>().expect("a name")];
    assert_eq!(restapi.path, "backend-restapi");
    assert_eq!(restapi.depends_on, ["database".parse().expect("a name")]);
    assert_eq!(restapi.watch, ["shared/**"]);
    assert_eq!(restapi.commands.test.as_deref(), Some("npm test"));
    assert_eq!(restapi.commands.install, None);
    assert_eq!(file.services.len(), 2);
}

#[rstest]
#[case("")]
#[case("# nothing\n")]
#[case("services:\n")]
#[case("services: {}\n")]
fn a_file_that_says_nothing_is_no_mistake(#[case] text: &str) {
    assert_eq!(parse(text), Ok(PipelineFile::default()));
}

#[rstest]
#[case("services: [a]", "greenroom.yml:1: services: this must be a map, and is a list")]
#[case("stages: {}", "greenroom.yml:1: stages: this key is not known here")]
#[case("services:\n  a:\n    path: ../x", "greenroom.yml:3: services.a.path: the path leads out")]
#[case(
    "services:\n  a:\n    path: /x",
    "greenroom.yml:3: services.a.path: the path must be relative"
)]
#[case(
    "services:\n  a:\n    path: -x",
    "greenroom.yml:3: services.a.path: the path begins with a dash"
)]
#[case("services:\n  a:\n    test: x", "greenroom.yml:2: services.a: `path` is missing")]
#[case(
    "services:\n  a: { path: a, role: x }",
    "greenroom.yml:2: services.a.role: this key is not known"
)]
#[case(
    "services:\n  a b: { path: a }",
    "greenroom.yml:2: services.a b: \"a b\" is not a valid service name"
)]
#[case(
    "services:\n  a: { path: a, watch: ['x', '['] }",
    "greenroom.yml:2: services.a.watch[1]: this is no pattern"
)]
#[case(
    "services:\n  a: { path: a, test: false }",
    "greenroom.yml:2: services.a.test: this is true or false, and text is wanted"
)]
#[case(
    "services:\n  a: { path: a, test: '' }",
    "greenroom.yml:2: services.a.test: the command is empty"
)]
#[case(
    "services:\n  a: { path: a, depends_on: [a] }",
    "greenroom.yml:2: services.a: a service cannot depend on itself"
)]
#[case(
    "services:\n  a: { path: x }\n  b: { path: x/ }",
    "greenroom.yml:3: services.b: a has the path x already"
)]
#[case("services:\n  a: { path: a }\n  a: { path: b }", "greenroom.yml:3: ")]
fn a_mistake_is_named_with_its_line_and_key(#[case] text: &str, #[case] expected: &str) {
    let problems = parse(text).expect_err("it has a mistake");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let shown = problems[0].located("greenroom.yml");
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn every_mistake_of_a_file_is_found_at_once() {
    let problems = parse(
        "services:
  a: { path: ../a, tset: x }
  b: { watch: x, depends_on: ['-'] }
",
    )
    .expect_err("it has mistakes");
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "services.a.tset",
            "services.a.path",
            "services.b",
            "services.b.depends_on[0]",
            "services.b.watch"
        ]
    );
}
