//! A stack that says it is ours and that no stage knows, as pages tell it.

use chrono::{DateTime, Utc};
use store::orphan::Orphan;

use super::view::Time;

pub(super) struct OrphanView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) tags: String,
    pub(super) status: String,
    pub(super) why: String,
    pub(super) kept_because: Option<String>,
    pub(super) seen: Time,
}

impl OrphanView {
    pub(super) fn of(orphan: Orphan, now: DateTime<Utc>) -> Self {
        Self {
            id: orphan.id.to_string(),
            tags: tags(&orphan),
            name: orphan.name,
            account: orphan.account,
            region: orphan.region.to_string(),
            status: orphan.status,
            why: orphan.why,
            kept_because: orphan.kept_because,
            seen: Time::new(orphan.last_seen_at, now),
        }
    }
}

/// What the stack's tags say of it, in words.
pub(super) fn tags(orphan: &Orphan) -> String {
    let parts = [
        Some(format!("app {}", orphan.app)),
        orphan.stage.as_ref().map(|stage| format!("stage {stage}")),
        orphan.service.as_ref().map(|service| format!("service {service}")),
        orphan.build_number.map(|build| format!("build {build}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
