//! What a step can reach, and what it cannot: the server's secrets, other jobs, AWS, time.

use serde_json::json;

use crate::gate::Gate;
use crate::sample::Sample;
use crate::server::until;
use crate::world::{SECRET, TOKEN, World, jobs};

/// JavaScript that tries everything a curious step would, and says `LEAK` for what it gets.
fn curious(world: &World) -> String {
    let data_dir = json!(world.server.data_dir);
    let url = json!(world.server.url);
    let secrets =
        json!([TOKEN, SECRET, std::env::var("GREENROOM_TEST_AWS_SECRET_ACCESS_KEY").unwrap()]);
    format!(
        r"
import fs from 'node:fs';
const secrets = {secrets};
const look = (what, read) => {{
  let seen;
  try {{ seen = String(read()); }} catch (error) {{ console.log(`refused ${{what}}: ${{error.code}}`); return; }}
  console.log(secrets.some((secret) => seen.includes(secret)) ? `LEAK ${{what}}` : `empty ${{what}}`);
}};
const open = (what, read) => {{
  try {{ read(); console.log(`LEAK ${{what}}`); }} catch (error) {{ console.log(`refused ${{what}}: ${{error.code}}`); }}
}};
look('own environment', () => JSON.stringify(process.env));
for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {{
  look(`environment of ${{pid}}`, () => fs.readFileSync(`/proc/${{pid}}/environ`));
}}
open('processes of the host', () => {{ process.kill({server}, 0); }});
// of the data directory a step sees the way to its own repository's mirror, and nothing beside it
const beside = (directory, own) => {{
  const seen = fs.readdirSync(directory).filter((name) => !own(name));
  if (seen.length === 0) throw {{ code: 'nothing' }};
  console.log(`seen in ${{directory}}: ${{seen}}`);
}};
open('data directory', () => beside({data_dir}, (name) => name === 'worker'));
open('secret key', () => fs.readFileSync({data_dir} + '/secret.key'));
open('database', () => fs.readdirSync({data_dir} + '/postgres'));
open('other workspaces', () => beside({data_dir} + '/worker', (name) => name === 'mirrors'));
open('other repositories', () => {{
  let own = 0;
  beside({data_dir} + '/worker/mirrors', () => ++own === 1);
}});
open('home of root', () => fs.readdirSync('/root'));
open('writing to the system', () => fs.writeFileSync('/usr/leak', 'x'));
for (const name of Object.keys(process.env)) {{
  if (name.startsWith('AWS_') && !['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_EC2_METADATA_DISABLED'].includes(name)) {{
    console.log(`LEAK of ${{name}}`);
  }}
}}
// the network is the machine's, and a person on it needs no token: a step is no person
for (const path of ['/system', '/builds', '/metrics', '/apps/workshop/builds/1']) {{
  const answer = await fetch({url} + path);
  console.log(`${{answer.status === 401 ? 'refused' : 'LEAK'}} ${{path}}: ${{answer.status}}`);
}}
const pressed = await fetch({url} + '/apps/workshop/builds/1/cancel', {{ method: 'POST', headers: {{ origin: {url} }} }});
console.log(`${{pressed.status === 401 ? 'refused' : 'LEAK'}} a button: ${{pressed.status}}`);
if (JSON.stringify(process.env).includes('7f3a9c')) console.log('LEAK of a secret parameter');
console.log('looked everywhere');
",
        server = world.server.pid(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_step_sees_nothing_of_the_server_of_other_jobs_or_of_aws() {
    let world = World::with_own_postgres().await;
    let head = world.fork_pull_request(&Sample::tested_by(&curious(&world))).await;
    let build = world.succeeds(&format!("commit={head}")).await;
    let test = jobs(&build).find(|job| job["kind"] == "test").unwrap();
    let log = world.log(test).await;
    assert!(log.contains("looked everywhere"), "{log}");
    assert!(!log.contains("LEAK"), "{log}");
    assert!(!jobs(&build).any(|job| job["kind"] != "plan" && job["kind"] != "test"), "{build:#}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_leaves_running_ends_with_the_step() {
    let world = World::new().await;
    let gate = Gate::closed().await;
    gate.open();
    let marker = format!("7{}", world.server.pid());
    let daemon = format!(
        "import {{ spawn }} from 'node:child_process';
         spawn('setsid', ['sleep', '{marker}'], {{ detached: true, stdio: 'ignore' }}).unref();
         {};",
        gate.javascript("started")
    );
    let head = world.fork_pull_request(&Sample::tested_by(&daemon)).await;
    world.succeeds(&format!("commit={head}")).await;
    assert_eq!(gate.arrivals("started"), 1);
    until("the daemon to be gone", async || (!runs(&marker)).then_some(())).await;
    world.ends().await;
}

/// Whether any process of this machine was started with this argument.
fn runs(argument: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_parameter_reaches_the_package_and_is_masked_in_its_log() {
    let world = World::new().await;
    let plugin = "constructor() { this.hooks = { 'after:package:finalize': () => {
        const secret = process.env.endpoint_api_key;
        console.log('its length is ' + secret.length + ' and it is ' + secret + '.');
        console.log('in base64 ' + Buffer.from(secret).toString('base64') + '.');
    } }; }";
    let sample = Sample::table("secrets", plugin);
    let sha = world.repository.commit("master", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    let package = jobs(&build).find(|job| job["kind"] == "package").unwrap();
    let log = world.log(package).await;
    assert!(log.contains("its length is 21 and it is ***."), "{log}");
    assert!(log.contains("in base64 ***."), "{log}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_build_ends_its_running_test() {
    let world = World::new().await;
    let gate = Gate::closed().await;
    let head = world.fork_pull_request(&Sample::tested_by(&gate.javascript("test"))).await;
    gate.arrived("test", 1).await;
    let number = world.build(&format!("commit={head}")).await["number"].as_i64().unwrap();
    let (status, body) =
        world.post(&format!("/apps/workshop/builds/{number}/cancel"), &json!({})).await;
    assert!(status == 200 || status == 202, "{status}: {body}");
    let build = world.finished(number).await;
    assert_eq!(build["outcome"], "canceled", "{build:#}");
    assert_eq!(gate.arrivals("test"), 1);
    world.ends().await;
}
