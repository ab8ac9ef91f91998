//! The schema is the checked-in one, and agrees with the reader.

use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::pipeline::parse;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The file as an editor hands it to a validator.
fn value(text: &str) -> Value {
    serde_saphyr::from_str::<Option<Value>>(text).expect("it is YAML").unwrap_or(Value::Null)
}

/// What the schema has against the file.
fn objections(text: &str) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    let value = value(text);
    validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_that_is_made() {
    let path = repository().join("docs/greenroom.schema.json");
    let made = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("it is written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/greenroom.schema.json");
    assert!(
        kept == made,
        "docs/greenroom.schema.json is stale: UPDATE=1 cargo test -p greenroom-model schema"
    );
}

#[test]
fn it_is_a_schema_of_the_draft_it_names() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

/// The blocks of a page that are whole pipeline files.
fn examples(page: &str) -> Vec<String> {
    page.split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains("services:") || block.contains("post_deploy:"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_example_of_the_reference_is_read_and_fits_the_schema() {
    let page = repository().join("docs/greenroom-yml.md");
    let examples = examples(&std::fs::read_to_string(page).expect("the page"));
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        assert!(parse(&example).is_ok(), "{example}\n{:?}", parse(&example));
        assert_eq!(objections(&example), Vec::<String>::new(), "{example}");
    }
}

#[test]
fn the_samples_are_read_and_fit_the_schema() {
    let samples = repository().join("crates/fakes/sample");
    let mut seen = 0;
    for sample in std::fs::read_dir(samples).expect("samples") {
        let path = sample.expect("a sample").path().join("greenroom.yml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        assert!(parse(&text).is_ok(), "{}: {:?}", path.display(), parse(&text));
        assert_eq!(objections(&text), Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 0);
}

#[rstest]
#[case("")]
#[case("services:\n")]
#[case("services: {}\npost_deploy:\n")]
#[case("post_deploy: { run: node smoke.js, timeout: 2m }")]
#[case("services: { a: { path: ., test: , watch: , depends_on: , framework: } }")]
#[case("services: { 1: { path: 2024, depends_on: [a.b-c_d] } }")]
#[case("services: { a: { path: ./x//y/, watch: ['./shared/*.js', '**/*.graphql'] } }")]
#[case("services: { a: { path: a/..b, install: { run: make } } }")]
#[case("services: { a: { path: a, framework: custom, deploy: 'true', remove: 'true' } }")]
#[case(
    "services: { a: { path: a, framework: sam, template: app.yaml, stack: 'x-${service}-${stage}' } }"
)]
#[case("services: { a: { path: a, stack: '${stage}' } }")]
#[case("services: { a: { path: a, parameters: { A_1: '${param:x}', B: 3, C: true } } }")]
fn what_the_reader_takes_the_schema_takes(#[case] text: &str) {
    assert!(parse(text).is_ok(), "{:?}", parse(text));
    assert_eq!(objections(text), Vec::<String>::new());
}

#[rstest]
#[case("stages: {}")]
#[case("services: [a]")]
#[case("services: { 'a b': { path: a } }")]
#[case("services: { a: {} }")]
#[case("services: { a: { path: ../a } }")]
#[case("services: { a: { path: a/../../b } }")]
#[case("services: { a: { path: /a } }")]
#[case("services: { a: { path: -rf } }")]
#[case("services: { a: { path: a, tset: x } }")]
#[case("services: { a: { path: a, test: false } }")]
#[case("services: { a: { path: a, test: ' ' } }")]
#[case("services: { a: { path: a, test: { timeout: 3m } } }")]
#[case("services: { a: { path: a, test: { run: x, timeout: 3 } } }")]
#[case("services: { a: { path: a, test: { run: x, timeuot: 3m } } }")]
#[case("services: { a: { path: a, framework: terraform } }")]
#[case("services: { a: { path: a, framework: custom, deploy: x } }")]
#[case("services: { a: { path: a, framework: cdk, stack: 'x-${stage}' } }")]
#[case("services: { a: { path: a, stack: always-the-same } }")]
#[case("services: { a: { path: a, stack: '1-${stage}' } }")]
#[case("services: { a: { path: a, watch: ['!x'] } }")]
#[case("services: { a: { path: a, watch: ['../x'] } }")]
#[case("services: { a: { path: a, depends_on: b } }")]
#[case("services: { a: { path: a, depends_on: ['-'] } }")]
#[case("services: { a: { path: a, parameters: { 1a: x } } }")]
#[case("services: { a: { path: a, parameters: { a: [x] } } }")]
#[case("post_deploy: [a]")]
fn a_mistake_is_seen_by_the_reader_and_by_editors(#[case] text: &str) {
    assert!(parse(text).is_err());
    assert!(!objections(text).is_empty());
}

#[test]
fn every_key_is_explained() {
    for keys in [&ROOT[..], &SERVICE, &STEP] {
        for key in keys {
            assert!(key.about.ends_with('.'), "{}", key.name);
        }
    }
}
