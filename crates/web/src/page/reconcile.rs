//! How reconciling fares, part by part, for the system page.
//!
//! What always holds: a part is shown as bad as the worst of the apps it is looked at for, and each
//! app of which that is true stands there with its reason.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::reconcile::{Health, Part};
use store::reconcile::Fare;

use super::view::{Badge, Time};

pub(super) struct PartView {
    pub(super) name: &'static str,
    pub(super) badge: Badge,
    /// `None`: nobody looked yet.
    pub(super) looked: Option<Time>,
    pub(super) troubles: Vec<Trouble>,
}

pub(super) struct Trouble {
    /// `None`: all apps.
    pub(super) app: Option<String>,
    pub(super) badge: Badge,
    pub(super) reason: String,
    pub(super) succeeded: Option<Time>,
}

/// `every`: how often a part is looked at.
pub(super) fn parts(fares: &[Fare], every: Duration, now: DateTime<Utc>) -> Vec<PartView> {
    Part::ALL.into_iter().map(|part| view(part, fares, every, now)).collect()
}

fn view(part: Part, fares: &[Fare], every: Duration, now: DateTime<Utc>) -> PartView {
    let of_it: Vec<(&Fare, Health)> = fares
        .iter()
        .filter(|fare| fare.part == part)
        .map(|fare| (fare, health(fare, every)))
        .collect();
    let troubled = of_it.iter().filter(|(_, health)| *health != Health::Ok);
    PartView {
        name: match part {
            Part::Deliveries => "Deliveries that GitHub could not make",
            Part::Branches => "Heads of branches, held against what was built",
            Part::PullRequests => "Pull requests and live branches, held against previews",
        },
        badge: match of_it.iter().map(|(_, health)| *health).max() {
            Some(worst) => badge(worst),
            None => Badge::new("off", "not looked at yet"),
        },
        looked: of_it.iter().map(|(fare, _)| fare.looked_at).max().map(|at| Time::new(at, now)),
        troubles: troubled
            .map(|(fare, health)| Trouble {
                app: fare.app.as_ref().map(ToString::to_string),
                badge: badge(*health),
                reason: fare.reason.clone().unwrap_or_default(),
                succeeded: fare.succeeded_at.map(|at| Time::new(at, now)),
            })
            .collect(),
    }
}

fn health(fare: &Fare, every: Duration) -> Health {
    if fare.off {
        return Health::Off;
    }
    Health::of(fare.succeeded_at, fare.failed_at, every)
}

fn badge(health: Health) -> Badge {
    let class = match health {
        Health::Ok => "ok",
        Health::Off => "off",
        Health::Degraded => "warn",
        Health::Failing => "bad",
    };
    Badge::new(class, health.as_str())
}
