//! A service on a stage's card: one line, however many regions it is in.
//!
//! What always holds: the line's state is the worst of its regions, and of what was only planned
//! or is gone nothing is told as long as something is there.

use chrono::{DateTime, Utc};
use model::deployment::InstanceState;
use store::board::BoardInstance;

use super::board::is_link;
use super::view::{Badge, Time, short};

pub(super) struct Cell {
    pub(super) service: String,
    pub(super) badge: Badge,
    /// The state of each region; empty where there is only one.
    pub(super) regions: Vec<String>,
    pub(super) commit: String,
    pub(super) since: Time,
    /// Somebody else changed what Greenroom deployed.
    pub(super) changed_outside: bool,
    /// Its stacks are not as their templates say.
    pub(super) drifted: bool,
    /// A deploy of it waits: for an approval, or for the end of a freeze.
    pub(super) waiting: bool,
    pub(super) endpoint: Option<String>,
}

/// The cells of a stage. `instances` stand in the order of their services.
pub(super) fn cells(instances: &[BoardInstance], now: DateTime<Utc>) -> Vec<Cell> {
    instances
        .chunk_by(|one, other| one.service == other.service)
        .filter_map(|regions| cell(regions, now))
        .collect()
}

/// `None` for a service of which nothing was ever there, and nothing waits to be.
fn cell(regions: &[BoardInstance], now: DateTime<Utc>) -> Option<Cell> {
    let worst = regions.iter().max_by_key(|one| weight(one.state))?;
    if worst.state == InstanceState::Planned && !regions.iter().any(|one| one.waiting) {
        return None;
    }
    let there: Vec<&BoardInstance> =
        regions.iter().filter(|one| weight(one.state) >= weight(InstanceState::Deployed)).collect();
    let shown = if there.is_empty() { vec![worst] } else { there };
    let newest = shown.iter().map(|one| one.updated_at).max()?;
    let commit = |one: &BoardInstance| one.commit.as_ref().map(short).unwrap_or_default();
    let same = shown.iter().all(|one| one.commit == worst.commit);
    let state =
        |one: &&BoardInstance| format!("{} {}", one.region, Badge::of_instance(one.state).text);
    Some(Cell {
        service: worst.service.to_string(),
        badge: Badge::of_instance(worst.state),
        regions: if shown.len() > 1 { shown.iter().map(state).collect() } else { Vec::new() },
        commit: if same { commit(worst) } else { "several".to_owned() },
        since: Time::new(newest, now),
        changed_outside: shown.iter().any(|one| one.changed_outside),
        drifted: shown.iter().any(|one| one.drifted),
        waiting: regions.iter().any(|one| one.waiting),
        endpoint: shown.iter().flat_map(|one| &one.endpoints).find(|url| is_link(url)).cloned(),
    })
}

fn weight(state: InstanceState) -> u8 {
    match state {
        InstanceState::Planned => 0,
        InstanceState::Removed => 1,
        InstanceState::Deployed => 2,
        InstanceState::Deploying => 3,
        InstanceState::Removing => 4,
        InstanceState::Failed => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: &str, state: InstanceState, commit: char) -> BoardInstance {
        BoardInstance {
            service: "restapi".parse().unwrap(),
            region: region.parse().unwrap(),
            state,
            commit: Some(commit.to_string().repeat(40).parse().unwrap()),
            build_number: Some(1),
            endpoints: vec![format!("https://{region}.example")],
            changed_outside: false,
            drifted: false,
            waiting: false,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn only(instances: &[BoardInstance]) -> Cell {
        let mut cells = cells(instances, DateTime::UNIX_EPOCH);
        assert_eq!(cells.len(), 1);
        cells.remove(0)
    }

    #[test]
    fn a_service_in_two_regions_is_one_line_with_the_worst_state() {
        let cell = only(&[
            at("eu-west-1", InstanceState::Failed, 'a'),
            at("us-east-1", InstanceState::Deployed, 'b'),
        ]);
        assert_eq!(cell.badge.text, "failed");
        assert_eq!(cell.commit, "several");
        assert_eq!(cell.regions, ["eu-west-1 failed", "us-east-1 deployed"]);
    }

    #[test]
    fn a_region_that_is_gone_does_not_darken_the_one_that_is_there() {
        let cell = only(&[
            at("eu-west-1", InstanceState::Removed, 'a'),
            at("us-east-1", InstanceState::Deployed, 'b'),
        ]);
        assert_eq!((cell.badge.text.as_str(), cell.commit.as_str()), ("deployed", "bbbbbbb"));
        assert!(cell.regions.is_empty());
        assert_eq!(cell.endpoint.as_deref(), Some("https://us-east-1.example"));
    }

    #[test]
    fn what_was_only_planned_is_no_line() {
        let planned = [at("eu-west-1", InstanceState::Planned, 'a')];
        assert!(cells(&planned, DateTime::UNIX_EPOCH).is_empty());
        let waiting =
            BoardInstance { waiting: true, ..at("eu-west-1", InstanceState::Planned, 'a') };
        assert!(only(&[waiting]).waiting, "unless its first deploy waits for somebody");
    }
}
