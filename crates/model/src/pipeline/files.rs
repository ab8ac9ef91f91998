//! The files by which a directory is known as a service.

/// Configuration of the Serverless Framework that is data, the preferred first.
pub const SERVERLESS_DATA: [&str; 3] = ["serverless.yml", "serverless.yaml", "serverless.json"];
/// Configuration of the Serverless Framework that is a program: what it says is known only when
/// the framework runs it.
pub const SERVERLESS_PROGRAMS: [&str; 5] =
    ["serverless.ts", "serverless.js", "serverless.cjs", "serverless.mjs", "serverless.mts"];
/// A CloudFormation template, for itself or for SAM.
pub const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];
/// Names by which a template is found when the pipeline file says that there is one.
pub const MORE_TEMPLATES: [&str; 3] =
    ["cloudformation.yaml", "cloudformation.yml", "cloudformation.json"];
pub const CDK: &str = "cdk.json";

/// All names that make a directory a service that `greenroom.yml` need not say more about.
pub fn all() -> impl Iterator<Item = &'static str> {
    SERVERLESS_DATA.into_iter().chain(SERVERLESS_PROGRAMS).chain([CDK]).chain(TEMPLATES)
}
