//! The `outputs:` of a service as our Serverless plugin leaves them beside a package, and what is
//! published of them. Pure.
//!
//! What always holds: what CloudFormation says is published under its own names; what is declared
//! comes in its place; a helper output of the plugin's is never shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The plugin's helper outputs begin so.
const HELPER: &str = "GreenroomOutput";

/// `greenroom-outputs.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    pub outputs: BTreeMap<String, Declaration>,
}

/// Where an output's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declaration {
    Value(String),
    StackOutput(String),
}

impl Declared {
    /// The outputs of a service whose stacks have these.
    pub fn published(self, of_stacks: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut published: BTreeMap<String, String> = of_stacks
            .iter()
            .filter(|(name, _)| !name.starts_with(HELPER))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (key, declaration) in self.outputs {
            let value = match declaration {
                Declaration::Value(value) => Some(value),
                // Under a condition that does not hold, the stack has no such output.
                Declaration::StackOutput(name) => of_stacks.get(&name).cloned(),
            };
            if let Some(value) = value {
                published.insert(key, value);
            }
        }
        published
    }
}
