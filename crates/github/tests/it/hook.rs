//! What GitHub delivered, and what it could not.

use chrono::TimeDelta;
use fakes::HookOwner;
use greenroom_github::{Error, GitHub, Hook, HookDelivery, Redelivery};

use crate::support::{TOKEN, World, now, workshop};

/// Nobody listens there: every delivery fails.
const NOWHERE: &str = "http://127.0.0.1:9/webhooks/github";

async fn pushed(world: &World, owner: HookOwner, times: usize) {
    let hook = fakes::Hook { url: NOWHERE.to_owned(), secret: None, owner };
    world.fake.set_hook(Some(hook));
    for n in 0..times {
        let files = [("n", n.to_string())];
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        world.workshop.commit("master", &files, "More").await.unwrap();
    }
    world.fake.settle_deliveries().await;
}

async fn all(github: &GitHub, hook: &Hook) -> Vec<HookDelivery> {
    let since = now() - TimeDelta::hours(1);
    let mut found = Vec::new();
    let mut at = None;
    loop {
        let page = github.hook_deliveries(hook, since, at.as_ref()).await.unwrap();
        found.extend(page.deliveries);
        match page.next {
            Some(next) => at = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn an_app_lists_what_its_hook_could_not_deliver_and_asks_for_it_again() {
    let world = World::new().await;
    pushed(&world, HookOwner::App, 1).await;
    let github = world.app();
    let hook = github.hook(&workshop(), NOWHERE).await.unwrap().unwrap();
    assert_eq!(hook, Hook::App);
    let deliveries = all(&github, &hook).await;
    assert_eq!(deliveries.len(), 1);
    let lost = &deliveries[0];
    assert_eq!((lost.event.as_str(), lost.status_code, lost.arrived()), ("push", 0, false));
    assert_eq!(lost.repository_id, Some(world.workshop.id().unwrap()));
    assert!(!lost.redelivery);
    let payload = github.hook_delivery_payload(&hook, lost.id).await.unwrap().unwrap();
    assert_eq!(payload["ref"], "refs/heads/master");
    assert_eq!(github.hook_delivery_payload(&hook, 1).await.unwrap(), None);

    assert_eq!(github.redeliver(&hook, lost.id).await.unwrap(), Redelivery::Asked);
    world.fake.settle_deliveries().await;
    let deliveries = all(&github, &hook).await;
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries[0].redelivery, "newest first");
    assert_eq!(deliveries[0].guid, lost.guid);
    assert_eq!(github.redeliver(&hook, 1).await.unwrap(), Redelivery::Gone);
}

#[tokio::test]
async fn a_repositorys_own_hook_is_found_by_where_it_points() {
    let world = World::new().await;
    pushed(&world, HookOwner::Repository, 1).await;
    let github = world.with_token(TOKEN);
    assert_eq!(github.hook(&workshop(), "https://elsewhere.example").await.unwrap(), None);
    let hook = github.hook(&workshop(), &format!("{NOWHERE}/")).await.unwrap().unwrap();
    assert!(matches!(&hook, Hook::Repository { repo, .. } if *repo == workshop()), "{hook:?}");
    let deliveries = all(&github, &hook).await;
    assert_eq!(deliveries.len(), 1);
    let asked = github.redeliver(&hook, deliveries[0].id).await.unwrap();
    assert_eq!(asked, Redelivery::Asked);
    world.fake.settle_deliveries().await;
    assert_eq!(all(&github, &hook).await.len(), 2);
}

#[tokio::test]
async fn deliveries_come_page_by_page_and_only_as_far_back_as_asked() {
    let world = World::new().await;
    pushed(&world, HookOwner::App, 105).await;
    let github = world.app();
    assert_eq!(all(&github, &Hook::App).await.len(), 105);
    assert_eq!(world.requests("GET", "/app/hook/deliveries"), 2);
    let later = now() + TimeDelta::hours(1);
    let page = github.hook_deliveries(&Hook::App, later, None).await.unwrap();
    assert_eq!((page.deliveries, page.next), (Vec::new(), None));
}

#[tokio::test]
async fn a_token_has_no_deliveries_of_an_app() {
    let world = World::new().await;
    let since = now();
    let error = world.with_token(TOKEN).hook_deliveries(&Hook::App, since, None).await;
    assert!(matches!(error, Err(Error::Forbidden { .. })), "{error:?}");
}
