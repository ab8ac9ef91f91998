//! `forbid-s3-http-access`: every bucket refuses what comes without TLS.
//!
//! A bucket needs a policy with a statement that denies everybody `s3:*` on its objects while
//! `aws:SecureTransport` is false. Unlike the plugin, which looks at the first statement in one
//! spelling, any statement does, in any spelling that means the same.

use serde_json::Value;

use super::{View, Violation};
use crate::template::{Resource, one_or_many, resources};

pub(super) fn check(view: &View<'_>) -> Vec<Violation> {
    let of = |kind: &'static str| {
        resources(view.subject.template).filter(move |resource| resource.kind == kind)
    };
    let policies: Vec<Resource<'_>> = of("AWS::S3::BucketPolicy").collect();
    of("AWS::S3::Bucket")
        .filter(|bucket| {
            let bucket = Bucket::of(bucket, view);
            !policies.iter().any(|policy| refuses_http(policy, &bucket, view))
        })
        .map(|bucket| Violation {
            place: format!("Resources.{}", bucket.id),
            problem: format!("the bucket {} can be reached without TLS", bucket.id),
            remedy: format!(
                "add an AWS::S3::BucketPolicy for it with the statement {{ Effect: Deny, Principal: '*', Action: 's3:*', Resource: [!GetAtt {0}.Arn, !Sub '${{{0}.Arn}}/*'], Condition: {{ Bool: {{ 'aws:SecureTransport': false }} }} }}",
                bucket.id
            ),
        })
        .collect()
}

/// A bucket, as texts call it.
struct Bucket {
    /// `${Bucket}`, and its name where that is known.
    names: Vec<String>,
    /// `${Bucket.Arn}`, and what follows from the names.
    arns: Vec<String>,
}

impl Bucket {
    fn of(bucket: &Resource<'_>, view: &View<'_>) -> Self {
        let own = bucket.property("BucketName").and_then(|name| view.surroundings.text(name));
        let mut names = vec![format!("${{{}}}", bucket.id)];
        names.extend(own.map(|name| name.shown()));
        let mut arns = vec![format!("${{{}.Arn}}", bucket.id)];
        arns.extend(names.iter().map(|name| format!(":s3:::{name}")));
        Self { names, arns }
    }
}

fn refuses_http(policy: &Resource<'_>, bucket: &Bucket, view: &View<'_>) -> bool {
    let shown = |value: &Value| view.surroundings.text(value).unwrap_or_default().shown();
    let is_for_bucket =
        policy.property("Bucket").is_some_and(|named| bucket.names.contains(&shown(named)));
    let statements =
        policy.property("PolicyDocument").and_then(|document| document.get("Statement"));
    is_for_bucket
        && statements.map(one_or_many).unwrap_or_default().into_iter().any(|statement| {
            let any = |key: &str, fits: &dyn Fn(&str) -> bool| {
                let values = statement.get(key).map(one_or_many).unwrap_or_default();
                values.into_iter().any(|value| fits(&shown(value)))
            };
            any("Effect", &|effect| effect == "Deny")
                && is_everybody(statement.get("Principal"))
                && any("Action", &|action| ["s3:*", "*"].contains(&action))
                && any("Resource", &|resource| has_objects(resource, bucket))
                && without_tls(statement)
        })
}

fn is_everybody(principal: Option<&Value>) -> bool {
    let Some(principal) = principal else { return false };
    let who = principal.get("AWS").unwrap_or(principal);
    one_or_many(who).into_iter().any(|who| who.as_str() == Some("*"))
}

fn has_objects(resource: &str, bucket: &Bucket) -> bool {
    let Some(holder) = resource.strip_suffix("/*") else { return resource == "*" };
    bucket.arns.iter().any(|arn| holder.ends_with(arn.as_str()))
}

/// Whether that is the one condition: any other beside it would let some requests through.
fn without_tls(statement: &Value) -> bool {
    let only = |value: &Value| {
        let map = value.as_object().filter(|map| map.len() == 1)?;
        map.iter().next().map(|(key, value)| (key.clone(), value.clone()))
    };
    let Some((operator, keys)) = statement.get("Condition").and_then(only) else { return false };
    let Some((key, value)) = only(&keys) else { return false };
    // IAM's condition keys are case-insensitive
    operator == "Bool"
        && key.eq_ignore_ascii_case("aws:SecureTransport")
        && one_or_many(&value).into_iter().any(|value| match value {
            Value::Bool(secure) => !secure,
            Value::String(secure) => secure.eq_ignore_ascii_case("false"),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        })
}
