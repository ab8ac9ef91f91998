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
    assert_eq!(restapi.commands.test, Some(Step::new("npm test")));
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
fn a_command_may_have_a_time_limit_and_the_stage_a_command_of_its_own() {
    let file = parse(
        "services:
  api: { path: api, test: { run: npm test, timeout: 20m }, after_deploy: ./warm-up }
post_deploy: { run: node smoke.js }
",
    )
    .expect("it is right");
    let commands = &file.services[&"api".parse::<ServiceName>().expect("a name")].commands;
    let limit = commands.test.as_ref().and_then(|step| step.timeout).expect("a limit");
    assert_eq!(limit.duration().as_secs(), 1200);
    assert_eq!(commands.after_deploy, Some(Step::new("./warm-up")));
    assert_eq!(file.post_deploy, Some(Step::new("node smoke.js")));
}

#[test]
fn a_template_has_its_stack_and_its_parameters() {
    let file = parse(
        "services:
  queue:
    path: infra
    framework: cloudformation
    template: ./queue.yml
    stack: acme-${service}-${stage}
    parameters: { TableName: '${output:database.table}', Size: 1.10, Encrypted: true }
",
    )
    .expect("it is right");
    let queue = &file.services[&"queue".parse::<ServiceName>().expect("a name")];
    assert_eq!(queue.framework, Some(Framework::Cloudformation));
    assert_eq!(queue.template.as_deref(), Some("queue.yml"));
    assert_eq!(queue.stack.as_deref(), Some("acme-${service}-${stage}"));
    let values: Vec<&str> = queue.parameters.values().map(String::as_str).collect();
    assert_eq!(values, ["true", "1.10", "${output:database.table}"]);
}

#[rstest]
#[case("test: { run: x, timeout: 20 }", "test.timeout: \"20\" is no time limit")]
#[case("test: { timeout: 20m }", "test: `run` is missing; write the command")]
#[case("test: { run: ' ' }", "test.run: the command is empty")]
#[case("framework: terraform", "framework: this must be one of: serverless, cloudformation")]
#[case("framework: cdk, stack: 'a-${stage}'", "stack: `stack` is for frameworks cloudformation")]
#[case("framework: serverless, template: a.yml", "template: `template` is for frameworks")]
#[case("template: ../a.yml", "template: the path leads out of the repository")]
#[case("stack: a", "stack: the name must hold ${stage}, or the stages would share one stack")]
#[case("stack: 'a_${stage}'", "stack: a stack's name has letters, digits and dashes")]
#[case("parameters: { 1a: x }", "parameters.1a: a parameter's name has letters")]
#[case("parameters: { a: [x] }", "parameters.a: a parameter's value is one text")]
#[case("framework: custom, remove: x", "a service with framework: custom needs a `deploy`")]
#[case("framework: custom, deploy: x", "a service with framework: custom needs a `remove`")]
fn a_mistake_in_a_service_s_keys_is_named(#[case] keys: &str, #[case] expected: &str) {
    let problems = parse(&format!("services: {{ a: {{ path: a, {keys} }} }}"));
    let problems = problems.expect_err("it has a mistake");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains(expected), "{}", problems[0]);
}

#[test]
fn a_mistake_in_the_stage_s_command_is_named_too() {
    let problems = parse("post_deploy: { run: x, after: y }").expect_err("it has a mistake");
    let shown = problems[0].located("greenroom.yml");
    assert!(shown.starts_with("greenroom.yml:1: post_deploy.after: this key"), "{shown}");
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
