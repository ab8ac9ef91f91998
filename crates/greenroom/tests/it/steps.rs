//! Steps around the deploys: when they run, how often, and what a failure among them stops.

use crate::look::{deployed, end, instance, job};
use crate::sample::Sample;
use crate::world::{World, jobs};

const HOOKS: &str = r#"
services:
  one:
    path: one
    framework: custom
    deploy: echo url=https://one.example.com > "$GREENROOM_PUBLISH_FILE"
    after_deploy: echo "released $GREENROOM_OUTPUT_ONE_URL"
    remove: 'true'
  two:
    path: two
    framework: custom
    deploy: test ! -e broken
    after_deploy: echo "released two"
    remove: 'true'
  three: { path: three, framework: custom, depends_on: [two], deploy: echo three, remove: 'true' }
post_deploy: echo "all of $GREENROOM_STAGE is there, with $GREENROOM_OUTPUT_ONE_URL"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn after_deploy_runs_for_its_service_and_post_deploy_once_and_neither_after_a_failure() {
    let world = World::new().await;
    let sample = Sample::of(HOOKS);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    for (service, line) in [("one", "released https://one.example.com"), ("two", "released two")] {
        let log = world.log(job(&build, "deploy", service)).await;
        assert_eq!(log.matches(&format!("\n{line}\n")).count(), 1, "{log}");
    }
    let post_deploy: Vec<_> = jobs(&build).filter(|job| job["kind"] == "post_deploy").collect();
    assert_eq!(post_deploy.len(), 1, "{build:#}");
    let log = world.log(post_deploy[0]).await;
    assert!(log.contains("all of dev is there, with https://one.example.com"), "{log}");

    // a deploy fails: what depends on it and the stage's own command are left, the rest is not
    let files = [("one/NOTE", "x"), ("two/broken", "x"), ("three/NOTE", "x")];
    let sha = world.repository.commit("develop", &files, "Broken").await.unwrap();
    let build = world.fails(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["one"].into());
    let log = world.log(job(&build, "deploy", "two")).await;
    assert!(!log.contains("\nreleased two\n"), "{log}");
    assert_eq!(
        end(job(&build, "deploy", "two")),
        ("failed", "`test ! -e broken` ended with exit status 1")
    );
    let skipped = ("skipped", "needs the deploy of two, which failed");
    assert_eq!(end(job(&build, "deploy", "three")), skipped);
    let post_deploy = jobs(&build).find(|job| job["kind"] == "post_deploy").unwrap();
    assert_eq!(end(post_deploy), skipped);
    world.status(&sha, "greenroom/one/dev", "success").await;
    world.status(&sha, "greenroom/two/dev", "failure").await;
    world.status(&sha, "greenroom/three/dev", "error").await;
    let stage = world.get("/apps/workshop/stages/dev").await;
    assert_eq!(instance(&stage, "two")["state"], "failed");
    let page = world.build_page(&build).await;
    assert!(page.contains("skipped: needs the deploy of two, which failed"), "{page}");
    world.ends().await;
}

const FAILING: &str = "
services:
  slow:
    path: slow
    framework: custom
    test: { run: sleep 600, timeout: 1s }
    deploy: echo slow
    remove: 'true'
  untidy:
    path: untidy
    framework: custom
    lint: echo linted; exit 4
    test: echo tested
    deploy: echo untidy
    remove: 'true'
  behind: { path: behind, framework: custom, depends_on: [slow], deploy: echo behind, remove: 'true' }
  fine: { path: fine, framework: custom, deploy: echo fine, remove: 'true' }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_or_takes_too_long_is_told_and_stops_what_depends_on_it_alone() {
    let world = World::new().await;
    let sample = Sample::of(FAILING);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.fails(&format!("commit={sha}")).await;
    assert_eq!(
        end(job(&build, "test", "slow")).1,
        "`sleep 600` did not end within 1s and was ended: make it faster, or give the step a longer \
         `timeout` in greenroom.yml, as in `{ run: …, timeout: 2h }`"
    );
    let untidy = job(&build, "test", "untidy");
    assert_eq!(end(untidy).1, "`echo linted; exit 4` ended with exit status 4");
    let log = world.log(untidy).await;
    assert!(log.contains("\nlinted\n") && !log.contains("\ntested\n"), "{log}");
    let after = |kind: &str, service: &str| end(job(&build, kind, service)).1;
    assert_eq!(after("package", "slow"), "needs the test of slow, which failed");
    assert_eq!(after("deploy", "untidy"), "needs the test of untidy, which failed");
    assert_eq!(after("deploy", "behind"), "needs the test of slow, which failed");
    assert_eq!(deployed(&build), ["fine"].into());
    let page = world.build_page(&build).await;
    assert!(page.contains("did not end within 1s and was ended: make it faster"), "{page}");
    world.ends().await;
}
