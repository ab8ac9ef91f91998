//! `allowed-regions` and `allowed-stages`: where a service may be deployed.
//!
//! Unlike the plugin's, a pattern of stages must match the whole name: `prod` does not let
//! `nonprod` pass.

use super::{Subject, Violation};
use crate::Region;
use crate::app::safeguard::Allowed;

pub(super) fn region(allowed: &[Region], subject: &Subject<'_>) -> Vec<Violation> {
    if allowed.contains(subject.region) {
        return Vec::new();
    }
    let regions: Vec<&str> = allowed.iter().map(Region::as_str).collect();
    vec![Violation {
        place: "region".to_owned(),
        problem: format!("the region {} is not allowed here", subject.region),
        remedy: format!("deploy to {}", either(&regions)),
    }]
}

pub(super) fn stage(allowed: &Allowed, subject: &Subject<'_>) -> Vec<Violation> {
    if allowed.allows(subject.stage.as_str()) {
        return Vec::new();
    }
    vec![Violation {
        place: "stage".to_owned(),
        problem: format!("the stage {} is not allowed here", subject.stage),
        remedy: format!("deploy to a stage whose name is {}", described(allowed)),
    }]
}

/// What is allowed, in words.
pub(super) fn described(allowed: &Allowed) -> String {
    match allowed {
        Allowed::Words(words) => either(words),
        Allowed::Like(pattern) => {
            format!("like `{}` as a whole", pattern.as_str())
        }
    }
}

fn either<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", most.join(", "), last.as_ref())
        }
    }
}
