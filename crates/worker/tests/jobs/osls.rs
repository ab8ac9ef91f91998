//! The Serverless Framework as it is: osls in the sandbox, against a local AWS.

use std::collections::BTreeMap;

use aws::Stack;
use model::change_set::Effect;
use model::job::Outcome;
use model::pipeline::{Commands, Framework, Service};
use model::worker_api::{JobResult, Packaged, Parameter, StoredArtifact, Target, Task};

use crate::bench::{Bench, failure, step, target};
use crate::lab::{Owner, mark};

/// The bucket keeps one package only, so that a rolled back one is always too old for it.
const API: &str = "
service: MARK
provider:
  name: aws
  runtime: nodejs20.x
  memorySize: 128
  region: ${opt:region, 'us-east-1'}
  deploymentBucket: { maxPreviousDeploymentArtifacts: 1 }
  stackTags: { team: blue }
  environment: { KEY: '${param:key}', URL: 'https://x:${param:key}@host', TABLE: '${output:db.table}' }
package: { patterns: ['!**', handler.js] }
functions:
  hello: { handler: handler.handler }
resources:
  Resources:
    Files:
      Type: AWS::S3::Bucket
      Properties: { BucketName: MARK-frontend-files, VersioningConfiguration: { Status: Enabled } }
";
const TABLE: &str = "
service: MARK-db
provider: { name: aws, runtime: nodejs20.x, region: \"${opt:region, 'us-east-1'}\" }
resources:
  Resources:
    Topic: { Type: AWS::SNS::Topic }
";
/// Counts what the framework keeps compiled, before it looks at the configuration and after.
const COUNTING: &str = "
const { existsSync, readdirSync } = require('fs');
const kept = `${require('os').homedir()}/.serverless`;
const count = () => existsSync(kept)
  ? readdirSync(kept, { recursive: true }).filter((name) => name.endsWith('.js')).length : 0;
module.exports = class {
  constructor() {
    const before = count();
    this.hooks = { 'package:finalize': () => console.log(`compiled: ${before}, then ${count()}`) };
  }
};
";
const HANDLER: &str = "exports.handler = async () => 'first';\n";

struct Shop {
    bench: Bench,
    mark: String,
}

impl Shop {
    async fn new() -> Self {
        let mark = mark();
        let from = fakes::sample_workshop().join("backend-database");
        let read = |name: &str| std::fs::read_to_string(from.join(name)).expect("a file");
        let mut package: serde_json::Value =
            serde_json::from_str(&read("package.json")).expect("JSON");
        package["scripts"] = serde_json::json!({});
        let bench = Bench::new(&[
            ("api/package.json", &package.to_string()),
            ("api/package-lock.json", &read("package-lock.json")),
            ("api/handler.js", HANDLER),
            ("api/serverless.yml", &API.replace("MARK", &mark)),
            ("api/table.yml", &TABLE.replace("MARK", &mark)),
        ])
        .await;
        bench.use_local_aws().await;
        Self { bench, mark }
    }

    fn api(&self) -> Service {
        Service {
            commands: Commands { install: step("npm ci"), ..Commands::default() },
            ..Service::new("api".parse().expect("a name"), "api", Framework::Serverless)
        }
    }

    fn table(&self) -> Service {
        let name = "db".parse().expect("a name");
        Service { name, template: Some("table.yml".to_owned()), ..self.api() }
    }

    fn here() -> Target {
        let mut target = target(&[("key", "s3cret-key", true)]);
        target.outputs.published.push(crate::bench::published("db", &[("table", "notes")]));
        target
    }

    /// The package, with its bytes for a time when the store has others.
    async fn package(&self, service: &Service) -> (StoredArtifact, Vec<u8>) {
        let (Packaged { artifact, .. }, _) =
            self.bench.package(service.clone(), Self::here()).await;
        (artifact, self.bench.server.state().artifact.clone())
    }

    async fn deploy(&self, service: &Service, artifact: StoredArtifact, build: i64) -> String {
        let (service, target) = (service.clone(), Self::here());
        let trust = "preview".to_owned();
        let mut assignment =
            self.bench.assignment(Task::Deploy { service, target, artifact, trust });
        assignment.build_number = build;
        let (finish, log) = self.bench.run_of(assignment).await;
        assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
        log
    }

    async fn stack(&self, name: &str) -> Option<Stack> {
        let local = self.bench.server.state().local_aws.clone().expect("a local AWS");
        local.stacks.look(name).await.expect("AWS answers")
    }

    /// The deployed function: its memory, and where its code lies.
    async fn function(&self, stack: &str) -> (u64, String) {
        let local = self.bench.server.state().local_aws.clone().expect("a local AWS");
        let template = local.stacks.template(stack).await.expect("AWS answers").expect("a stack");
        let template = aws::Template::parse(&template).expect("a template");
        let properties = &template.tree()["Resources"]["HelloLambdaFunction"]["Properties"];
        let key = properties["Code"]["S3Key"].as_str().expect("a key").to_owned();
        (properties["MemorySize"].as_u64().expect("a number"), key)
    }

    /// What the head would change, without the stage's secrets and with no output published.
    async fn foresee(&self) -> (Vec<(String, Effect, Vec<String>)>, Vec<String>, String) {
        let mut target = target(&[]);
        let hidden = Parameter { value: String::new(), secret: true };
        target.parameters.insert("key".parse().expect("a key"), hidden);
        let (service, trust) = (self.api(), "preview".to_owned());
        let (finish, log) = self.bench.run(Task::Foresee { service, target, trust }).await;
        let Some(JobResult::Foreseen { change, notes }) = finish.result else {
            panic!("{:?}\n{log}", finish.outcome)
        };
        let changes = change.into_iter().flat_map(|stack| stack.changes);
        let told =
            |one: model::change_set::ResourceChange| (one.logical_id, one.effect, one.because);
        (changes.map(told).collect(), notes, log)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_deployed_foreseen_rolled_back_and_removed() {
    let mut shop = Shop::new().await;
    let (api, name) = (shop.api(), format!("{}-feature-x", shop.mark));
    let first_commit = shop.bench.head();
    let first = shop.package(&api).await;
    shop.deploy(&api, first.0.clone(), 7).await;

    // Whose it is stands in the stack's tags, beside its own.
    let stack = shop.stack(&name).await.expect("a stack");
    let tags: BTreeMap<&str, &str> =
        stack.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected = [
        ("STAGE", "feature-x"),
        ("greenroom:app", "workshop"),
        ("greenroom:build", "7"),
        ("greenroom:service", "api"),
        ("greenroom:stage", "feature-x"),
        ("team", "blue"),
    ];
    assert_eq!(tags, BTreeMap::from(expected));
    let (_, first_key) = shop.function(&name).await;

    // The same commit changes nothing there, for all that can be known.
    let (changes, notes, log) = shop.foresee().await;
    assert!(changes.is_empty(), "{changes:?}\n{log}");
    assert!(notes[0].contains("key"), "{notes:?}");
    let larger = API.replace("MARK", &shop.mark).replace("memorySize: 128", "memorySize: 256");
    let files = [("api/serverless.yml", larger.as_str())];
    shop.bench.commit(&files).await;
    let (changes, _, log) = shop.foresee().await;
    let function = "HelloLambdaFunction".to_owned();
    let memory = vec!["MemorySize".to_owned()];
    assert_eq!(changes, [(function.clone(), Effect::Changed, memory)], "{log}");
    shop.bench.commit(&[("api/handler.js", "exports.handler = async () => 'second';\n")]).await;
    let (changes, _, log) = shop.foresee().await;
    let both = vec!["Code".to_owned(), "MemorySize".to_owned()];
    assert_eq!(changes, [(function, Effect::Changed, both)], "{log}");

    let second = shop.package(&api).await;
    shop.deploy(&api, second.0, 8).await;
    assert_eq!(shop.function(&name).await.0, 256);
    assert_eq!(shop.stack(&name).await.expect("a stack").tags["greenroom:build"], "8");

    // Back, with the source of then; the bucket keeps what the stack is made of.
    let bucket =
        shop.stack(&name).await.expect("a stack").outputs["ServerlessDeploymentBucketName"].clone();
    let owner = Owner::new();
    let keys = owner.keys(&bucket).await.expect("a bucket");
    assert!(!keys.contains(&first_key), "{keys:?}");
    let (finish, log) =
        shop.bench.roll_back(api.clone(), Shop::here(), first.clone(), &first_commit).await;
    assert!(matches!(finish.result, Some(JobResult::Deployed { .. })), "{log}");
    assert!(log.contains(&format!("back to {}", &first_commit[..7])), "{log}");
    assert!(log.contains(" --force "), "{log}");
    assert_eq!(shop.function(&name).await, (128, first_key.clone()));
    let keys = owner.keys(&bucket).await.expect("a bucket");
    assert!(keys.contains(&first_key), "{keys:?}");

    // An artifact goes to its own stage, and only as it was stored.
    let mut elsewhere = Shop::here();
    elsewhere.stage = "prod".parse().expect("a stage");
    let (finish, _) =
        shop.bench.roll_back(api.clone(), elsewhere, first.clone(), &first_commit).await;
    assert!(failure(&finish).message.contains("stage feature-x, not prod"), "{finish:?}");
    let (artifact, mut bytes) = first;
    bytes[100] ^= 1;
    let changed = (artifact, bytes);
    let (finish, _) = shop.bench.roll_back(api.clone(), Shop::here(), changed, &first_commit).await;
    assert!(failure(&finish).message.contains("it was changed in the store"), "{finish:?}");

    // Gone with a full bucket of its own.
    let files = format!("{}-frontend-files", shop.mark);
    for text in ["one", "two"] {
        owner.put(&files, "a.txt", text).await;
    }
    let (finish, log) = shop.bench.remove(api, Shop::here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("EMPTY_COMPLETE Files (AWS::S3::Bucket)"), "{log}");
    assert!(log.contains("osls remove"), "{log}");
    assert_eq!(shop.stack(&name).await, None);
    assert_eq!(owner.keys(&files).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_framework_compiles_its_check_of_configurations_once_for_its_dependencies() {
    let mut shop = Shop::new().await;
    let counted = format!("{}plugins: [./counting.js]\n", API.replace("MARK", &shop.mark));
    shop.bench.commit(&[("api/serverless.yml", &counted), ("api/counting.js", COUNTING)]).await;
    for (attempt, compiles) in [("first", true), ("second", false)] {
        let (_, log) = shop.bench.package(shop.api(), Shop::here()).await;
        assert_eq!(log.contains("compiles its check"), compiles, "{attempt}: {log}");
        assert!(log.contains("compiled: 1, then 1"), "{attempt}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_changes_nothing_leaves_the_build_in_the_tags_as_it_is() {
    let shop = Shop::new().await;
    let (table, name) = (shop.table(), format!("{}-db-feature-x", shop.mark));
    let (artifact, _) = shop.package(&table).await;
    shop.deploy(&table, artifact, 7).await;
    let (artifact, _) = shop.package(&table).await;
    let log = shop.deploy(&table, artifact, 8).await;
    assert!(log.contains("did not include any changes"), "{log}");
    assert!(!log.contains("UPDATE_IN_PROGRESS Topic"), "{log}");
    assert_eq!(shop.stack(&name).await.expect("a stack").tags["greenroom:build"], "7");
    let (finish, log) = shop.bench.remove(table, Shop::here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}
