//! Reading templates, and what their texts stand for.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn read(text: &str) -> Value {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    parse(text).expect_err("it is no template").to_string()
}

#[rstest]
#[case("!Ref Table", json!({ "Ref": "Table" }))]
#[case("!Condition IsProduction", json!({ "Condition": "IsProduction" }))]
#[case("!GetAtt Table.Arn", json!({ "Fn::GetAtt": ["Table", "Arn"] }))]
#[case("!GetAtt Nested.Outputs.Name", json!({ "Fn::GetAtt": ["Nested", "Outputs.Name"] }))]
#[case("!GetAtt [Table, Arn]", json!({ "Fn::GetAtt": ["Table", "Arn"] }))]
#[case("!Sub '${AWS::StackName}-x'", json!({ "Fn::Sub": "${AWS::StackName}-x" }))]
#[case("!Sub ['${A}', { A: !Ref B }]", json!({ "Fn::Sub": ["${A}", { "A": { "Ref": "B" } }] }))]
#[case("!Select [0, !Split [',', !Ref List]]", json!({ "Fn::Select": [0, { "Fn::Split": [",", { "Ref": "List" }] }] }))]
#[case("!GetAZs ''", json!({ "Fn::GetAZs": "" }))]
#[case("!Base64 12", json!({ "Fn::Base64": "12" }))]
#[case("!If [A, 1, !Ref AWS::NoValue]", json!({ "Fn::If": ["A", 1, { "Ref": "AWS::NoValue" }] }))]
#[case("!Equals [!Ref A, yes]", json!({ "Fn::Equals": [{ "Ref": "A" }, "yes"] }))]
#[case("!Transform { Name: AWS::Include }", json!({ "Fn::Transform": { "Name": "AWS::Include" } }))]
#[case("!Join\n    - ':'\n    - [a, b]", json!({ "Fn::Join": [":", ["a", "b"]] }))]
#[case("{ Fn::Sub: x }", json!({ "Fn::Sub": "x" }))]
fn short_tags_come_out_long(#[case] written: &str, #[case] expected: Value) {
    assert_eq!(read(&format!("A:\n  B: {written}\n"))["A"]["B"], expected);
}

#[test]
fn scalars_keep_their_form_where_json_would_change_it() {
    let text = "{ date: 2012-10-17, account: 012345678901, version: 1.10, number: 3, half: 0.5, yes: true, none: ~, quoted: '3', tagged: !!str 3, block: \"a\\nb\" }";
    assert_eq!(
        read(text),
        json!({
            "date": "2012-10-17", "account": "012345678901", "version": "1.10", "number": 3,
            "half": 0.5, "yes": true, "none": null, "quoted": "3", "tagged": "3", "block": "a\nb",
        })
    );
}

#[test]
fn json_and_yaml_give_the_same() {
    let value = json!({ "Resources": { "A": { "Type": "AWS::SQS::Queue", "Properties": { "DelaySeconds": 5 } } } });
    assert_eq!(read(&value.to_string()), value);
    assert_eq!(
        read("Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: { DelaySeconds: 5 }\n"),
        value
    );
}

#[test]
fn aliases_and_merges_are_followed() {
    let text = "Base: &base { a: 1, b: 2 }\nOne: { <<: *base, b: 3 }\nTwo: *base\nThree: { <<: [{ a: 9 }, *base] }\n";
    let read = read(text);
    assert_eq!(read["One"], json!({ "a": 1, "b": 3 }));
    assert_eq!(read["Two"], json!({ "a": 1, "b": 2 }));
    assert_eq!(read["Three"], json!({ "a": 9, "b": 2 }));
}

#[rstest]
#[case("", "the template is empty; it needs at least Resources")]
#[case("- a", "a template is a map with Resources, and this is none")]
#[case("\"text\"", "a template is a map with Resources, and this is none")]
#[case(
    "A: 1\nB: !Reff C\n",
    "line 2: `!Reff` is no function of CloudFormation; write one like !Ref, !Sub or !GetAtt"
)]
#[case("A: 1\nB: !!binary aGk=\n", "line 2: `!!binary` is no function")]
#[case(
    "A:\n  B: 1\n  C: 2\n  B: 3\n",
    "line 4: `B` is written twice in one map; remove one of them"
)]
#[case(
    "A: 1\n---\nB: 2\n",
    "line 2: there is more than one YAML document; keep one and remove the line ---"
)]
#[case("A: [1, 2\nB: }\n", "line 2: ")]
#[case("A: *nope\n", "line 1: ")]
#[case("A: &a [*a]\n", "line 1: ")]
#[case("{ [a]: 1 }", "line 1: ")]
#[case(
    "{\n  \"A\": 1,\n  \"B\": \"x\" \"y\" }\n",
    "line 3: expected `,` or `}`; check the JSON around this place"
)]
fn what_is_no_template_is_named_with_its_line(#[case] text: &str, #[case] expected: &str) {
    let shown = refused(text);
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn a_text_made_to_exhaust_the_reader_is_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(refused(&bomb).contains("larger than a template can be"), "{}", refused(&bomb));
    for deep in ["- ".repeat(100), format!("a: {}{}", "[".repeat(100), "]".repeat(100))] {
        assert!(refused(&deep).contains("nested deeper"), "{}", refused(&deep));
    }
    assert!(refused(&format!("a: {}", "[".repeat(20_000))).starts_with("line 1: "));
    assert!(refused(&format!("{{\"a\": {}", "[".repeat(20_000))).contains("line 1"));
    let large = "# much\n".repeat(700_000);
    assert!(refused(&large).contains("CloudFormation takes 1 MB"));
}

fn text(value: &Value) -> Option<Text> {
    let template = json!({
        "Parameters": {
            "Given": { "Type": "String", "Default": "default" },
            "Default": { "Type": "String", "Default": "default" },
            "Open": { "Type": "String" },
            "Stored": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name" },
        },
        "Mappings": { "Sizes": { "eu-west-1": { "small": "s" } } },
    });
    let parameters = BTreeMap::from([("Given".to_owned(), "given".to_owned())]);
    let surroundings = Surroundings {
        template: &template,
        stack: "shop-dev",
        region: "eu-west-1",
        account: None,
        parameters: &parameters,
    };
    surroundings.text(value)
}

#[rstest]
#[case(json!("plain"), "plain", Some(5))]
#[case(json!(5), "5", Some(1))]
#[case(json!({ "Fn::Sub": "${AWS::StackName}.${AWS::Region}.${AWS::Partition}.${AWS::URLSuffix}" }), "shop-dev.eu-west-1.aws.amazonaws.com", Some(36))]
#[case(json!({ "Fn::Sub": "x-${AWS::AccountId}" }), "x-${AWS::AccountId}", Some(14))]
#[case(json!({ "Fn::Sub": "${!Literal}" }), "${Literal}", Some(10))]
#[case(json!({ "Fn::Sub": ["${A}-${Bucket}", { "A": { "Ref": "AWS::Region" } }] }), "eu-west-1-${Bucket}", None)]
#[case(json!({ "Fn::Join": ["-", ["shop", { "Ref": "Given" }, { "Fn::GetAtt": ["Table", "Arn"] }]] }), "shop-given-${Table.Arn}", None)]
#[case(json!({ "Fn::FindInMap": ["Sizes", { "Ref": "AWS::Region" }, "small"] }), "s", Some(1))]
#[case(json!({ "Ref": "Default" }), "default", Some(7))]
#[case(json!({ "Ref": "Open" }), "${Open}", None)]
#[case(json!({ "Ref": "Stored" }), "${Stored}", None)]
#[case(json!({ "Fn::ImportValue": "x" }), "${Fn::ImportValue}", None)]
#[case(json!("a{{resolve:ssm:/x}}b"), "a${resolve:ssm:/x}b", None)]
#[case(json!({ "Fn::Sub": "${open" }), "${open", Some(6))]
fn a_text_is_resolved_as_far_as_it_is_known(
    #[case] value: Value,
    #[case] shown: &str,
    #[case] length: Option<usize>,
) {
    let text = text(&value).expect("it is a text");
    assert_eq!(text.shown(), shown);
    let known = text.has_known_length().then(|| text.least_length());
    assert_eq!(known, length);
}

#[rstest]
#[case(json!(null))]
#[case(json!(["a"]))]
#[case(json!({ "Statement": "x" }))]
#[case(json!({ "a": 1, "b": 2 }))]
fn a_list_or_a_map_is_no_text(#[case] value: Value) {
    assert!(text(&value).is_none());
}

proptest! {
    #[test]
    fn any_text_ends_in_a_template_or_in_a_sentence(text in "([A-Z]{1,2}|[:\\-\\[\\]{},&*#!|>'\"% \n]|: |\n  |\n- |!Ref |!GetAtt |\\PC){0,40}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.message.is_empty());
        }
    }
}
