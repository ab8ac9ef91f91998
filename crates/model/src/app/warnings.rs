//! What an app file asks for and this version keeps without acting on it. The file is taken, and
//! whoever applies it is told, so that nobody relies on what does not happen.

use super::{Problem, Settings, written};
use crate::document::Node;

const APPROVERS: &str = "kept, but this version does not ask for approvals yet: anyone who may push to the branch deploys";

/// The warnings of settings that were read from `root`, in the order of the file.
pub(super) fn warnings(root: &Node, settings: &Settings) -> Vec<Problem> {
    let warning = |path: [&str; 3], message: &str| Problem {
        key: path.join("."),
        line: written::find(root, &path).and_then(|pair| pair.line),
        message: message.to_owned(),
    };
    let mut found: Vec<Problem> = settings
        .stages
        .iter()
        .filter(|(_, stage)| !stage.approvers.is_empty())
        .map(|(name, _)| warning(["stages", name.as_str(), "approvers"], APPROVERS))
        .collect();
    found.sort_by_key(|warning| warning.line);
    found
}
