//! What `serverless.yml` and `package.json` say before anything is installed, and the traps that
//! are told at once instead of after an install. Pure.
//!
//! What always holds: what cannot be read here (variables, a program instead of YAML) is left to
//! the framework; only what is certain to fail is refused.

use model::StageName;
use model::job::Failure;
use serde::Deserialize;

use crate::detect::{configuration, within};
use crate::node::PackageJson;

/// The parts of `serverless.yml` that count here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerlessYml {
    pub(crate) service: Option<String>,
    pub(crate) framework_version: Option<String>,
    pub(crate) org: bool,
    pub(crate) app: bool,
    pub(crate) stack_name: Option<String>,
    /// Those that are installed packages, in their order; not the service's own files.
    pub(crate) plugins: Vec<String>,
}

impl ServerlessYml {
    /// `Err` holds the parser's words; the framework may still understand the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(default)]
            service: Option<serde_json::Value>,
            #[serde(default)]
            framework_version: Option<serde_json::Value>,
            #[serde(default)]
            org: Option<serde_json::Value>,
            #[serde(default)]
            app: Option<serde_json::Value>,
            #[serde(default)]
            provider: Option<Provider>,
            #[serde(default)]
            plugins: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Provider {
            Full(FullProvider),
            /// `provider: aws`, or a variable.
            Other(serde::de::IgnoredAny),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct FullProvider {
            #[serde(default)]
            stack_name: Option<serde_json::Value>,
        }
        let written: Written = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Object(mut map) => {
                map.remove("name").and_then(|name| name.as_str().map(str::to_owned))
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Array(_) => {
                None
            }
        };
        let present =
            |value: &Option<serde_json::Value>| value.as_ref().is_some_and(|v| !v.is_null());
        Ok(Self {
            plugins: written.plugins.map(packages).unwrap_or_default(),
            org: present(&written.org),
            app: present(&written.app),
            service: written.service.and_then(text),
            framework_version: written.framework_version.and_then(text),
            stack_name: match written.provider {
                Some(Provider::Full(provider)) => provider.stack_name.and_then(text),
                Some(Provider::Other(_)) | None => None,
            },
        })
    }

    /// The stack of a stage as the framework will name it; `None` when a variable that only the
    /// framework can resolve stands in it.
    pub(crate) fn stack(&self, stage: &StageName) -> Option<String> {
        let resolve = |text: &str| {
            let mut text = text.to_owned();
            for variable in ["${sls:stage}", "${opt:stage}", "${self:provider.stage}"] {
                text = text.replace(variable, stage.as_str());
            }
            if let Some(service) = &self.service {
                text = text.replace("${self:service}", service);
            }
            (!text.contains("${")).then_some(text)
        };
        match &self.stack_name {
            Some(name) => resolve(name),
            None => resolve(&format!("{}-{stage}", self.service.as_deref()?)),
        }
    }
}

/// `plugins:` is a list, or an object with one.
fn packages(written: serde_json::Value) -> Vec<String> {
    let listed = match written {
        serde_json::Value::Object(mut map) => map.remove("modules").unwrap_or_default(),
        other => other,
    };
    let names = listed.as_array().into_iter().flatten().filter_map(|name| name.as_str());
    names.filter(|name| is_package(name)).map(str::to_owned).collect()
}

/// A name as npm has it, perhaps with a scope.
fn is_package(name: &str) -> bool {
    let plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
    };
    match name.strip_prefix('@').map(|scoped| scoped.split_once('/')) {
        Some(Some((scope, name))) => plain(scope) && plain(name),
        Some(None) => false,
        None => plain(name),
    }
}

/// Refuses what cannot work here. `packages` are the service's own `package.json` and those of
/// the directories above it, nearest first, each with its path.
pub(crate) fn check(
    config_path: &str,
    config: &ServerlessYml,
    service_path: &str,
    packages: &[(String, PackageJson)],
) -> Result<String, Failure> {
    for (key, present) in [("org", config.org), ("app", config.app)] {
        if present {
            return Err(configuration(format!(
                "{config_path}: remove the key `{key}`: it belongs to the Serverless Dashboard, and osls refuses it"
            )));
        }
    }
    let found = |name: &str| {
        packages.iter().find_map(|(file, package)| Some((file, package.dependencies.get(name)?)))
    };
    if let Some((file, range)) = found("osls") {
        return Ok(format!("framework: osls {range}, as {file} asks"));
    }
    let Some((file, range)) = found("serverless") else {
        let file = within(service_path, "package.json");
        return Err(configuration(format!(
            "{file} names no framework: run `npm install --save-dev osls@4` in {service_path} and commit package.json and its lock file"
        )));
    };
    if major(range).is_some_and(|major| major >= 4) {
        return Err(configuration(format!(
            "{file} asks for serverless {range}: version 4 is a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`"
        )));
    }
    if let Some(version) = &config.framework_version
        && major(version).is_some_and(|major| major >= 4)
    {
        return Err(configuration(format!(
            "{config_path}: frameworkVersion {version:?} needs serverless 4, a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`"
        )));
    }
    Ok(format!("framework: serverless {range}, as {file} asks"))
}

/// The first number of a version or range: 4 of `^4.1.0`, `>=4`, `4.x`, `v4`.
pub(crate) fn major(range: &str) -> Option<u32> {
    let digits: String = range
        .trim_start_matches(|c: char| "^~>=v ".contains(c))
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "
service: fullstack-restapi
frameworkVersion: '4'
provider:
  name: aws
  stage: dev
  region: ${opt:region, 'us-east-1'}
  environment:
    TABLE: !ImportValue fullstack-database-${sls:stage}-TableName
    LIST: !Join ['-', [a, !Ref B]]
  iam: { role: { statements: [ { Effect: Allow, Resource: !GetAtt Table.Arn } ] } }
functions:
  hello: { handler: src/hello.handler, events: [ httpApi: GET /hello ] }
resources:
  Conditions:
    Prod: !Equals [!Ref Stage, prod]
";

    fn parse(text: &str) -> ServerlessYml {
        ServerlessYml::parse(text).expect("a serverless.yml")
    }

    fn stage() -> StageName {
        "feature-x".parse().expect("a stage")
    }

    fn package(dependency: &str, range: &str) -> Vec<(String, PackageJson)> {
        let text = format!(r#"{{"devDependencies":{{"{dependency}":"{range}"}}}}"#);
        let package =
            PackageJson::parse("api/package.json", text.as_bytes()).expect("a package.json");
        vec![("api/package.json".to_owned(), package)]
    }

    fn refusal(config: &ServerlessYml, packages: &[(String, PackageJson)]) -> String {
        check("api/serverless.yml", config, "api", packages).expect_err("a trap").message
    }

    #[test]
    fn a_real_file_with_cloudformation_tags_is_read() {
        let config = parse(REAL);
        assert_eq!(config.service.as_deref(), Some("fullstack-restapi"));
        assert_eq!(config.framework_version.as_deref(), Some("4"));
        assert_eq!(config.stack(&stage()).as_deref(), Some("fullstack-restapi-feature-x"));
    }

    #[test]
    fn a_stack_name_is_resolved_as_far_as_its_variables_are_known() {
        let named = |name: &str| {
            parse(&format!("service: shop\nprovider:\n  stackName: {name}\n")).stack(&stage())
        };
        assert_eq!(named("legacy-${sls:stage}").as_deref(), Some("legacy-feature-x"));
        assert_eq!(named("'${self:service}-${opt:stage}'").as_deref(), Some("shop-feature-x"));
        assert_eq!(named("'${ssm:/name}'"), None);
    }

    #[test]
    fn other_shapes_of_service_and_provider_do_no_harm() {
        assert_eq!(
            parse("service: { name: shop }\nprovider: aws\n").service.as_deref(),
            Some("shop")
        );
        assert_eq!(parse("provider: ${file(p.yml)}\n"), ServerlessYml::default());
        assert!(ServerlessYml::parse("a: [").is_err());
    }

    #[test]
    fn plugins_that_are_packages_are_told_from_files_of_the_service() {
        let listed = |text: &str| parse(&format!("service: a\nplugins: {text}\n")).plugins;
        let two = ["serverless-esbuild", "@acme/tags"];
        assert_eq!(
            listed("[serverless-esbuild, ./own.js, ../up, '@acme/tags', '${file(x)}']"),
            two
        );
        assert_eq!(listed("{ localPath: ./p, modules: [serverless-esbuild, '@acme/tags'] }"), two);
        assert!(listed("${file(plugins.yml)}").is_empty());
    }

    #[test]
    fn serverless_4_is_refused_with_the_way_to_osls() {
        for range in ["^4.1.0", "4", ">=4", "4.x"] {
            let message = refusal(&ServerlessYml::default(), &package("serverless", range));
            assert!(
                message.contains("api/package.json") && message.contains("osls@4"),
                "{message}"
            );
        }
        let message =
            refusal(&parse("service: a\nframeworkVersion: ^4.0"), &package("serverless", "*"));
        assert!(message.contains("frameworkVersion"), "{message}");
    }

    #[test]
    fn osls_may_be_of_any_version_and_serverless_3_is_fine() {
        let four = parse("service: a\nframeworkVersion: '4'");
        assert!(check("api/serverless.yml", &four, "api", &package("osls", "^4")).is_ok());
        let three = parse("service: a\nframeworkVersion: '3'");
        assert!(
            check("api/serverless.yml", &three, "api", &package("serverless", "^3.40")).is_ok()
        );
    }

    #[test]
    fn dashboard_keys_and_a_missing_framework_are_refused() {
        let dashboard = refusal(&parse("org: acme\nservice: a"), &package("osls", "4"));
        assert!(dashboard.contains("`org`"), "{dashboard}");
        let none = refusal(&parse("service: a"), &[]);
        assert!(none.contains("npm install --save-dev osls@4"), "{none}");
    }
}
