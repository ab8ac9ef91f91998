//! The Lambda functions of a template, plain or of the Serverless Application Model.

use serde_json::Value;

use super::{Resource, alternatives, given, one_or_many, resources};

/// A Lambda function as the template describes it.
#[derive(Clone, Copy)]
pub(crate) struct Function<'a> {
    pub(crate) resource: Resource<'a>,
    /// `Globals.Function`: what SAM gives every function that does not say otherwise.
    globals: Option<&'a Value>,
}

/// The functions, in the order of their names.
pub(crate) fn functions(template: &Value) -> impl Iterator<Item = Function<'_>> {
    resources(template).filter_map(|resource| match resource.kind {
        "AWS::Lambda::Function" => Some(Function { resource, globals: None }),
        "AWS::Serverless::Function" => {
            let globals = template.get("Globals").and_then(|globals| globals.get("Function"));
            Some(Function { resource, globals })
        }
        _ => None,
    })
}

impl<'a> Function<'a> {
    pub(crate) fn is_sam(&self) -> bool {
        self.resource.kind == "AWS::Serverless::Function"
    }

    /// A property, its own or the one for all.
    pub(crate) fn property(&self, key: &str) -> Option<&'a Value> {
        self.resource.property(key).or_else(|| given(self.globals?.get(key)?))
    }

    /// The key of a map property, like `TargetArn` of `DeadLetterConfig`, once for each case that
    /// the template's conditions make. SAM joins the function's map and the one for all.
    pub(crate) fn entries(&self, property: &str, key: &str) -> Vec<Option<&'a Value>> {
        let in_each_case = |map: Option<&'a Value>| {
            let cases = map.map(alternatives).unwrap_or_else(|| vec![&Value::Null]);
            cases.into_iter().map(|map| given(map.get(key)?)).collect::<Vec<_>>()
        };
        let shared = in_each_case(self.globals.and_then(|globals| globals.get(property)));
        in_each_case(self.resource.property(property))
            .into_iter()
            .flat_map(|own| match own {
                Some(own) => vec![Some(own)],
                None => shared.clone(),
            })
            .collect()
    }

    /// Name, value and place of every environment variable.
    pub(crate) fn variables(&self) -> Vec<(&'a str, &'a Value, String)> {
        let own = self.resource.property("Environment");
        let shared = self.globals.and_then(|globals| globals.get("Environment"));
        let of = |environment: Option<&'a Value>, place: String| {
            one_or_many(environment.unwrap_or(&Value::Null))
                .into_iter()
                .filter_map(|environment| environment.get("Variables"))
                .flat_map(one_or_many)
                .filter_map(Value::as_object)
                .flatten()
                .map(|(name, value)| (name.as_str(), value, format!("{place}.{name}")))
                .collect::<Vec<_>>()
        };
        let mut found = of(own, self.resource.place("Environment.Variables"));
        for shared in of(shared, "Globals.Function.Environment.Variables".to_owned()) {
            if !found.iter().any(|(name, ..)| *name == shared.0) {
                found.push(shared);
            }
        }
        found
    }

    /// Whether a framework put it there for its own work, so that nobody can give it a
    /// description, a queue or a network: the Serverless Framework's custom resources, and the
    /// providers of the CDK's library.
    pub(crate) fn is_of_a_framework(&self) -> bool {
        const CDK: [&str; 4] = [
            "AWS679f53fac002430cb0da5b7982bd2287",
            "BucketNotificationsHandler050a0587b7544547bf325f094a3db834",
            "CustomCDKBucketDeployment8693BB64968944B69AAFB0CC9EB8756C",
            "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8a",
        ];
        let id = self.resource.id;
        let path = self.resource.metadata("aws:cdk:path");
        let is_cdk = path.is_some_and(|path| {
            path.contains("/Custom::") || CDK.iter().any(|known| id.starts_with(known))
        });
        is_cdk || id.starts_with("CustomDashresourceDash")
    }
}
