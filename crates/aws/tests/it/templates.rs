//! CloudFormation's own look at templates.

use aws::Template;
use aws::stack::ChangeError;

use crate::bench::{account, reading};

#[tokio::test]
async fn a_valid_template_tells_its_parameters() {
    let reader = account(reading().await);
    let template = Template::parse(
        "
Parameters:
  Size: { Type: Number, Default: 3 }
  Name: { Type: String }
Resources: { T: { Type: AWS::SNS::Topic, Properties: { TopicName: !Ref Name } } }
",
    )
    .expect("a template");
    let validated =
        reader.stacks.validate_template("shop-dev", &template, None).await.expect("it is valid");
    let declared: Vec<_> = validated
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.default.as_deref()))
        .collect();
    assert!(declared.contains(&("Size", Some("3"))), "{declared:?}");
    assert!(declared.iter().any(|(name, _)| *name == "Name"), "{declared:?}");
}

#[tokio::test]
async fn an_invalid_template_is_rejected_with_cloudformations_sentence() {
    let reader = account(reading().await);
    for (text, words) in [
        ("Resources: { T: { Type: AWS::Nothing::Here } }", "AWS::Nothing::Here"),
        ("Parameters: {}", "Resources"),
    ] {
        let template = Template::parse(text).expect("YAML");
        let validated = reader.stacks.validate_template("shop-dev", &template, None).await;
        let error = validated.expect_err("it is not valid");
        let ChangeError::Rejected { stack, reason } = &error else { panic!("{error:?}") };
        assert!(stack == "shop-dev" && reason.contains(words), "{error}");
    }
}
