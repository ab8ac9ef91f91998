//! GitHub is away, or asks for patience: no status is lost and none is overtaken by an older one.

use fakes::{Fault, Matcher};

use crate::sample::Sample;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_is_away_learns_every_status_in_the_end_and_in_order() {
    let world = World::new().await;
    let statuses = || Matcher::path("/repos/acme/workshop/statuses/");
    world.github.fail_next(statuses(), Some(2), Fault::Status { status: 502 });
    world.github.fail_next(statuses(), Some(2), Fault::RetryAfter { seconds: 1 });
    world.github.fail_next(statuses(), Some(1), Fault::LoseAnswer);
    let head = world.fork_pull_request(&Sample::tested_by("console.log('fine')")).await;
    world.succeeds(&format!("commit={head}")).await;
    for context in ["greenroom", "greenroom/notes/test"] {
        world.status(&head, context, "success").await;
        let states: Vec<String> = world
            .repository
            .statuses(&head)
            .into_iter()
            .filter(|status| status.context == context)
            .map(|status| status.state)
            .collect();
        let first_final = states.iter().position(|state| state == "success").unwrap();
        assert!(states[first_final..].iter().all(|state| state == "success"), "{states:?}");
    }
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_app_checks_out_and_reports_with_tokens_of_its_own() {
    let world = World::as_app().await;
    let head = world.fork_pull_request(&Sample::tested_by("console.log('fine')")).await;
    world.succeeds(&format!("commit={head}")).await;
    world.status(&head, "greenroom/notes/test", "success").await;
    let status = world.status(&head, "greenroom", "success").await;
    assert!(status.creator.contains("[bot]"), "{status:?}");
    world.ends().await;
}
