//! What a `package.json` says that counts here, and where one is looked for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::configuration;
use crate::job::Failure;

/// The parts of a `package.json` that count here. Values of odd types are ignored, as npm does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageJson {
    pub scripts: BTreeMap<String, String>,
    /// `dependencies` and `devDependencies` together.
    pub dependencies: BTreeMap<String, String>,
}

impl PackageJson {
    /// `file` names the place in the message.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(default)]
            scripts: BTreeMap<String, serde_json::Value>,
            #[serde(default)]
            dependencies: BTreeMap<String, serde_json::Value>,
            #[serde(default)]
            dev_dependencies: BTreeMap<String, serde_json::Value>,
        }
        let written: Written = serde_json::from_slice(text).map_err(|error| {
            configuration(format!("{file} is not a package.json: {error}; correct it"))
        })?;
        let texts = |map: BTreeMap<String, serde_json::Value>| {
            map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
        };
        let mut dependencies: BTreeMap<String, String> = texts(written.dev_dependencies).collect();
        dependencies.extend(texts(written.dependencies));
        Ok(Self { scripts: texts(written.scripts).collect(), dependencies })
    }
}

/// A directory and those above it, up to the root: `a/b`, `a`, `.`.
pub fn upwards(path: &str) -> Vec<&str> {
    let mut directories = vec![path];
    let mut rest = path;
    while let Some((above, _)) = rest.rsplit_once('/') {
        directories.push(above);
        rest = above;
    }
    if path != "." {
        directories.push(".");
    }
    directories
}
