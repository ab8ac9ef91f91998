//! Deliveries of GitHub's that did not arrive are asked for again.
//!
//! What always holds: a delivery that is here, by its GUID, is not asked for, and asked for twice
//! it is still one. Nor is one asked for that tells of something that is over: a push whose branch
//! has gone on since would bring an older commit after a newer one. The heads themselves are
//! looked at by the other parts.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use github::event::GitRef;
use github::{Event, GitHub, Hook, HookDelivery, PullRequestState, Redelivery};
use model::reconcile::Part;
use model::rule::{PullRequestAction, RepositoryEvent};
use model::{AppId, RepositoryName};
use store::app::App;

use super::{Halt, Went, note};
use crate::Engine;
use crate::event::{Meaning, meaning};

/// GitHub keeps deliveries so long ("Redelivering webhooks", docs.github.com).
const KEPT: TimeDelta = TimeDelta::days(3);
/// Clocks differ, and a delivery is listed only once its attempt is over.
const MARGIN: TimeDelta = TimeDelta::minutes(10);
/// Asked for in one turn; the rest has its turn next.
const PER_TURN: usize = 50;
/// Pages of a hundred read in one turn.
const PAGES: usize = 300;

/// Answers how long GitHub wants to be left alone, if it does.
pub(super) async fn look(
    engine: &Engine,
    github: &GitHub,
    apps: &[App],
) -> anyhow::Result<Option<Duration>> {
    let url = format!("{}/webhooks/github", engine.public_url.trim_end_matches('/'));
    let mut seen_apps_hook = false;
    for app in apps {
        let (whose, went) = match github.hook(&app.repository, &url).await {
            // one hook for all repositories that the App is installed on
            Ok(Some(Hook::App)) if seen_apps_hook => continue,
            Ok(Some(hook)) => {
                let whose = match &hook {
                    Hook::App => None,
                    Hook::Repository { .. } => Some(app.id),
                };
                seen_apps_hook |= whose.is_none();
                (whose, of_hook(engine, github, &hook, whose).await)
            }
            Ok(None) => (Some(app.id), Ok(Went::Off(no_hook(&app.repository, &url)))),
            Err(error) => (Some(app.id), Err(error.into())),
        };
        if let Some(wait) = note(engine, Part::Deliveries, whose, went).await? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

fn no_hook(repository: &RepositoryName, url: &str) -> String {
    format!(
        "{repository} has no active webhook that points to {url}: deliveries that fail cannot be \
         asked for again (branches and pull requests are looked at all the same)"
    )
}

async fn of_hook(
    engine: &Engine,
    github: &GitHub,
    hook: &Hook,
    whose: Option<AppId>,
) -> Result<Went, Halt> {
    let began = engine.now();
    let since = {
        let mut conn = engine.db.acquire().await?;
        store::reconcile::succeeded_at(&mut conn, Part::Deliveries, whose).await?
    };
    let since = since.map_or(began - KEPT, |at| (at - MARGIN).max(began - KEPT));
    let mut missing = missing(attempts(github, hook, since).await?);
    {
        let guids: Vec<&str> = missing.iter().map(|one| one.guid.as_str()).collect();
        let mut conn = engine.db.acquire().await?;
        let known = store::reconcile::known_deliveries(&mut conn, &guids).await?;
        missing.retain(|one| !known.contains(&one.guid));
    }
    // what is left for the next turn has not been looked at
    let rest = missing.get(PER_TURN).map(|first| first.delivered_at);
    for delivery in missing.into_iter().take(PER_TURN) {
        if !is_worth_it(engine, github, hook, &delivery).await? {
            continue;
        }
        match github.redeliver(hook, delivery.id).await? {
            Redelivery::Asked => {
                tracing::info!(
                    guid = delivery.guid,
                    event = delivery.event,
                    "a delivery that did not arrive is asked for again"
                );
            }
            Redelivery::Gone => {}
        }
    }
    Ok(Went::Well(rest.unwrap_or(began)))
}

/// Every attempt since then, newest first.
async fn attempts(
    github: &GitHub,
    hook: &Hook,
    since: DateTime<Utc>,
) -> Result<Vec<HookDelivery>, Halt> {
    let mut all = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = github.hook_deliveries(hook, since, next.as_ref()).await?;
        all.extend(page.deliveries);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    Ok(all)
}

/// The last attempt of each delivery that never arrived, oldest first. One that was asked for
/// again already and that this server refused (its signature, its size) is refused for ever.
fn missing(attempts: Vec<HookDelivery>) -> Vec<HookDelivery> {
    let mut by_guid: BTreeMap<String, (HookDelivery, bool)> = BTreeMap::new();
    for attempt in attempts {
        let arrived = attempt.arrived();
        by_guid
            .entry(attempt.guid.clone())
            .and_modify(|(_, any)| *any |= arrived)
            .or_insert((attempt, arrived));
    }
    let refused = |last: &HookDelivery| last.redelivery && (400..500).contains(&last.status_code);
    let mut missing: Vec<HookDelivery> = by_guid
        .into_values()
        .filter(|(last, arrived)| !arrived && !refused(last))
        .map(|(last, _)| last)
        .collect();
    missing.sort_by_key(|last| (last.delivered_at, last.id));
    missing
}

/// Whether what it tells of still is so.
async fn is_worth_it(
    engine: &Engine,
    github: &GitHub,
    hook: &Hook,
    delivery: &HookDelivery,
) -> Result<bool, Halt> {
    if !["push", "pull_request", "delete"].contains(&delivery.event.as_str()) {
        return Ok(true);
    }
    let Some(payload) = github.hook_delivery_payload(hook, delivery.id).await? else {
        return Ok(false);
    };
    // what cannot be understood here is told of by its own row once it is here
    let Ok(event) = Event::parse(&delivery.event, payload.to_string().as_bytes()) else {
        return Ok(true);
    };
    let Some(repository) = event.repository().map(|found| (found.name.to_string(), found.id))
    else {
        return Ok(true);
    };
    let Some(app) = app_of(engine, &repository.0, repository.1).await? else { return Ok(false) };
    if let Event::Push(push) = &event
        && let GitRef::Tag(_) = push.git_ref
    {
        return Ok(true);
    }
    let Ok(Meaning::Event(event)) = meaning(event) else { return Ok(true) };
    still_so(github, &app.repository, &event).await
}

async fn still_so(
    github: &GitHub,
    repository: &RepositoryName,
    event: &RepositoryEvent,
) -> Result<bool, Halt> {
    Ok(match event {
        RepositoryEvent::Pushed { source, .. } => match &source.branch {
            Some(branch) => {
                let head = github.branch_head(repository, branch.as_str()).await?;
                head.as_ref() == Some(&source.commit)
            }
            None => true,
        },
        RepositoryEvent::BranchDeleted { branch } => {
            github.branch_head(repository, branch.as_str()).await?.is_none()
        }
        RepositoryEvent::PullRequest(event) => {
            let number = event.source.pull_request.and_then(|number| u64::try_from(number).ok());
            let Some(number) = number else { return Ok(true) };
            let Some(now) = github.pull_request(repository, number).await? else {
                return Ok(false);
            };
            let is_open = now.state == PullRequestState::Open;
            match event.action {
                PullRequestAction::Closed => !is_open,
                PullRequestAction::Opened
                | PullRequestAction::Reopened
                | PullRequestAction::Synchronized
                | PullRequestAction::ReadyForReview
                | PullRequestAction::ConvertedToDraft
                | PullRequestAction::BaseEdited { .. } => {
                    is_open && now.head.sha == event.source.commit
                }
            }
        }
    })
}

async fn app_of(engine: &Engine, name: &str, id: u64) -> Result<Option<App>, Halt> {
    let mut conn = engine.db.acquire().await?;
    let id = i64::try_from(id).unwrap_or(i64::MAX);
    if let Some(app) = store::app::find_by_repository_id(&mut conn, id).await? {
        return Ok(Some(app));
    }
    match name.parse::<RepositoryName>() {
        Ok(name) => Ok(store::app::find_by_repository(&mut conn, &name).await?),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, guid: &str, status_code: u16, redelivery: bool) -> HookDelivery {
        HookDelivery {
            id,
            guid: guid.into(),
            delivered_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(id).unwrap()),
            redelivery,
            status_code,
            status: String::new(),
            event: "push".into(),
            action: None,
            repository_id: None,
        }
    }

    /// Of attempts, newest first: which are asked for again.
    fn asked(attempts: Vec<HookDelivery>) -> Vec<u64> {
        missing(attempts).into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn what_never_arrived_is_asked_for_by_its_last_attempt_in_the_order_of_events() {
        let attempts = vec![
            attempt(5, "b", 0, false),
            attempt(4, "a", 502, true),
            attempt(3, "c", 202, false),
            attempt(2, "a", 0, false),
        ];
        assert_eq!(asked(attempts), [4, 5]);
    }

    #[test]
    fn what_arrived_at_any_attempt_is_not_asked_for() {
        assert_eq!(asked(vec![attempt(2, "a", 202, true), attempt(1, "a", 0, false)]), [0; 0]);
        assert_eq!(asked(vec![attempt(2, "a", 0, true), attempt(1, "a", 200, false)]), [0; 0]);
    }

    #[test]
    fn what_was_refused_once_more_is_left() {
        assert_eq!(asked(vec![attempt(1, "a", 401, false)]), [1]);
        assert_eq!(asked(vec![attempt(2, "a", 401, true), attempt(1, "a", 401, false)]), [0; 0]);
    }
}
