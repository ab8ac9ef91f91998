//! How to make a name shorter.

use super::About;
use crate::stage::StageKind;

/// `count` of a thing, to be taken off.
pub(super) fn off(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("take {count} {thing}{plural} off")
}

/// `name` is `over` characters too long; `own` says what else could be changed about it.
pub(super) fn shorter(about: &About<'_>, name: &str, over: usize, own: &str) -> String {
    let stage = about.stage.as_str();
    let off = off(over, "character");
    if !name.to_ascii_lowercase().contains(&stage.to_ascii_lowercase()) {
        return format!("{off}: {own}");
    }
    let length = stage.len();
    match about.kind {
        StageKind::Preview => format!(
            "{off}: the preview's stage name {stage} is {length} of them, and a branch with a shorter name makes a shorter one; or {own}"
        ),
        StageKind::LongLived | StageKind::Personal => format!(
            "{off}: the stage name {stage} is {length} of them; {own}, or deploy to a stage with a shorter name"
        ),
    }
}
