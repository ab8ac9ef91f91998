//! The rules that the Serverless plugin and this crate share, case by case, and the environment.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

const CASES: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../plugins/serverless-greenroom/test/cases.json"
));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    scopes: BTreeMap<String, Scope>,
    parse: Vec<ParseCase>,
    scan: Vec<ScanCase>,
    resolve: Vec<ResolveCase>,
    substitute: Vec<ResolveCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParseCase {
    text: String,
    /// App, stage, region, service and key; absent when it is no reference.
    parts: Option<[String; 5]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanCase {
    text: String,
    references: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveCase {
    scope: String,
    text: String,
    value: Option<String>,
    error: Option<String>,
}

fn cases() -> Cases {
    serde_json::from_str(CASES).expect("the shared cases")
}

#[test]
fn references_are_read_as_the_plugin_reads_them() {
    for ParseCase { text, parts } in cases().parse {
        let read = text.parse::<Reference>().ok().map(|reference| {
            [
                reference.app_part(),
                reference.stage_part(),
                reference.region_part(),
                reference.service(),
                reference.key(),
            ]
            .map(str::to_owned)
        });
        assert_eq!(read, parts, "{text}");
    }
}

#[test]
fn a_file_is_scanned_for_all_references_outside_comments() {
    for ScanCase { text, references } in cases().scan {
        let found: Vec<String> = scan(&text).into_iter().map(String::from).collect();
        assert_eq!(found, references, "{text}");
    }
}

#[test]
fn references_are_resolved_and_missing_ones_told_as_the_plugin_does() {
    let cases = cases();
    for ResolveCase { scope, text, value, error } in cases.resolve {
        let reference = text.parse().expect("a reference");
        let answer = resolve(&cases.scopes[&scope], &reference);
        assert_eq!(answer.as_ref().ok().copied(), value.as_deref(), "{text} in {scope}");
        assert_eq!(answer.err().map(|missing| missing.to_string()), error, "{text} in {scope}");
    }
}

#[test]
fn texts_with_references_are_filled_in_as_the_plugin_does() {
    let cases = cases();
    for ResolveCase { scope, text, value, error } in cases.substitute {
        let answer = substitute(&text, &cases.scopes[&scope], &BTreeMap::default());
        assert_eq!(answer.as_ref().ok(), value.as_ref(), "{text} in {scope}");
        assert_eq!(answer.err().map(|missing| missing.to_string()), error, "{text} in {scope}");
    }
}

#[test]
fn outputs_are_variables_under_both_names_of_a_service_the_stages_own_first() {
    let cases = cases();
    let variables = environment(&cases.scopes["preview"]);
    let shown: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("GREENROOM_OUTPUT_BACKEND_DATABASE_TABLE_ARN", "arn:dev"),
            ("GREENROOM_OUTPUT_BACKEND_DATABASE_TABLE_NAME", "notes-dev"),
            ("GREENROOM_OUTPUT_BACKEND_RESTAPI_URL", "https://preview.example.com"),
            ("GREENROOM_OUTPUT_BACKEND_RESTAPI_VERSION", "7"),
            ("GREENROOM_OUTPUT_FULLSTACK_DATABASE_TABLE_ARN", "arn:dev"),
            ("GREENROOM_OUTPUT_FULLSTACK_DATABASE_TABLE_NAME", "notes-dev"),
        ]
    );
}
