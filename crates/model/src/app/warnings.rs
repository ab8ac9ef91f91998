//! What an app file asks for and cannot come about. The file is taken, and whoever applies it is
//! told, so that nobody relies on what does not happen.

use super::{Problem, RefPattern, Rule, Settings, written};
use crate::StageName;
use crate::document::Node;

/// The warnings of settings that were read from `root`, in the order of the file.
pub(super) fn warnings(root: &Node, settings: &Settings) -> Vec<Problem> {
    let mut found: Vec<Problem> = settings
        .stages
        .iter()
        .filter(|(name, stage)| stage.promote_from.is_some() && !is_reachable(settings, name))
        .map(|(name, _)| {
            let path = ["stages", name.as_str(), "promote_from"];
            Problem {
                key: path.join("."),
                line: written::find(root, &path).and_then(|pair| pair.line),
                message: format!(
                    "nothing can be promoted to {name}: no rule sends a branch by its name, or a \
                     tag, to it; add one below `rules`"
                ),
            }
        })
        .collect();
    found.sort_by_key(|warning| warning.line);
    found
}

/// Whether a promotion knows which branch to move, or that it is to set a tag.
fn is_reachable(settings: &Settings, name: &StageName) -> bool {
    settings.rules.iter().any(|rule| match rule {
        Rule::Branch { branch: RefPattern::Name(_), stage, .. } | Rule::Tag { stage, .. } => {
            stage == name
        }
        Rule::Branch { branch: RefPattern::Glob(_), .. } | Rule::Preview { .. } => false,
    })
}
