//! How many jobs of an app run at once.

use serde_json::json;

use crate::gate::Gate;
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_of_an_app_run_at_once_than_its_settings_say() {
    let world = World::with(&[("GREENROOM_WORKER_COUNT", "3")]).await;
    let mut file = app();
    file["concurrency"] = json!(1);
    world.apply(&file).await;
    let gate = Gate::closed().await;
    let pipeline = "
services:
  one: { path: one, framework: custom, test: node wait.mjs, deploy: 'true', remove: 'true' }
  two: { path: two, framework: custom, test: node wait.mjs, deploy: 'true', remove: 'true' }
";
    let wait = gate.javascript("test");
    let sample = Sample::of(pipeline).file("one/wait.mjs", &wait).file("two/wait.mjs", &wait);
    let head = world.fork_pull_request(&sample).await;
    gate.arrived("test", 1).await;
    let build = world.build(&format!("commit={head}")).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    let states = async || {
        let build = world.get(&path).await;
        let tests = jobs(&build).filter(|job| job["kind"] == "test");
        let mut states: Vec<String> =
            tests.map(|job| job["state"].as_str().unwrap().to_owned()).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states().await, ["queued", "running"]);
    assert_eq!(gate.arrivals("test"), 1);

    // two slots were free all the while: the limit alone held the other
    file["concurrency"] = json!(2);
    world.apply(&file).await;
    gate.arrived("test", 2).await;
    until("both tests to run", async || (states().await == ["running", "running"]).then_some(()))
        .await;
    gate.open();
    world.succeeds(&format!("commit={head}")).await;
    world.ends().await;
}
