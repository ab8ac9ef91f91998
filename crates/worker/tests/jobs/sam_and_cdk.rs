//! SAM and CDK as they are: their own command lines in the sandbox, against a local AWS. Run by
//! `script/test --frameworks`; not a part of the quick suite, for what they download.

use std::collections::BTreeMap;

use model::change_set::StackChangeKind;
use model::job::Outcome;
use model::pipeline::{Commands, Framework, Service};
use model::worker_api::{AwsCredentials, DeployedStack, Finish, JobResult, Task};

use crate::bench::{self, Bench, step, target};

const SAM: [(&str, &str); 4] = [
    ("api/samconfig.toml", "version = 0.1\n[default.deploy.parameters]\ntags = \"team=blue\"\n"),
    ("api/template.yaml", include_str!("sam_and_cdk/sam/template.yaml")),
    ("api/src/hello.js", include_str!("sam_and_cdk/sam/src/hello.js")),
    ("api/src/package.json", include_str!("sam_and_cdk/sam/src/package.json")),
];
const CDK: [(&str, &str); 5] = [
    ("api/app.js", include_str!("sam_and_cdk/cdk/app.js")),
    ("api/cdk.json", include_str!("sam_and_cdk/cdk/cdk.json")),
    ("api/package.json", include_str!("sam_and_cdk/cdk/package.json")),
    ("api/package-lock.json", include_str!("sam_and_cdk/cdk/package-lock.json")),
    ("api/src/hello.js", include_str!("sam_and_cdk/cdk/src/hello.js")),
];

/// Letters first: a stack's name begins with one.
fn mark() -> String {
    let mut mark = [0; 6];
    aws_lc_rs::rand::fill(&mut mark).expect("randomness");
    format!("t{}", hex::encode(mark))
}

/// Jobs that may do anything in the account: SAM and CDK keep buckets and roles of their own, which
/// the deploy role has no right to. In the local AWS an account's number is its owner's key.
async fn bench(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::new(files).await;
    bench.use_local_aws().await;
    let owner = AwsCredentials {
        access_key_id: "111111111111".to_owned(),
        secret_access_key: "the-owners-key".to_owned(),
        session_token: String::new(),
        expires_at: "2030-01-01T00:00:00Z".parse().expect("a time"),
    };
    if let Some(local) = &mut bench.server.state().local_aws {
        local.looking = owner.clone();
        local.whole = owner;
    }
    bench
}

fn deployed(finish: Finish, log: &str) -> DeployedStack {
    match finish.result {
        Some(JobResult::Deployed { deployed, .. }) => deployed,
        other => panic!("not deployed: {:?} {other:?}\n{log}", finish.outcome),
    }
}

async fn tags(bench: &Bench, stack: &str) -> BTreeMap<String, String> {
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    local.stacks.look(stack).await.expect("AWS answers").expect("a stack").tags
}

async fn is_there(bench: &Bench, stack: &str) -> bool {
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    local.stacks.look(stack).await.expect("AWS answers").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sam_application_is_built_deployed_and_removed() {
    let bench = bench(&SAM).await;
    let mark = mark();
    let mut service = Service::new("hello".parse().expect("a name"), "api", Framework::Sam);
    service.stack = Some(format!("{mark}-${{stage}}"));
    service.parameters.insert("Greeting".to_owned(), "hello \"${param:who}\", ok".to_owned());
    let target = target(&[("who", "world", false)]);
    let stack = format!("{mark}-feature-x");

    let (package, log) = bench.package(service.clone(), target.clone()).await;
    assert!(log.contains("framework: sam"), "{log}");
    assert_eq!(package.change[0].kind, StackChangeKind::New);

    let artifact = package.artifact.clone();
    let (finish, log) = bench.deploy(service.clone(), target.clone(), artifact).await;
    let found = deployed(finish, &log);
    assert_eq!(found.stacks, std::slice::from_ref(&stack));
    assert_eq!(found.outputs["HelloName"], format!("{stack}-hello"));
    assert_eq!(found.outputs["Greeting"], "hello \"world\", ok");
    assert!(log.contains("CREATE_COMPLETE Hello (AWS::Lambda::Function)"), "{log}");
    let tags = tags(&bench, &stack).await;
    assert_eq!((tags["greenroom:service"].as_str(), tags["team"].as_str()), ("hello", "blue"));

    let (finish, log) = bench.deploy(service.clone(), target.clone(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "nothing has changed: {log}");

    let (finish, log) = bench.remove(service, target, &[&stack]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(!is_there(&bench, &stack).await, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cdk_application_of_two_stacks_is_deployed_in_order_and_removed_in_reverse() {
    let bench = bench(&CDK).await;
    let mark = mark();
    let service = Service {
        commands: Commands { install: step("npm ci"), ..Commands::default() },
        ..Service::new("shop".parse().expect("a name"), "api", Framework::Cdk)
    };
    let mut target = target(&[("mark", &mark, false), ("Greeting", "hello world", false)]);
    let bootstrap = Task::PostDeploy {
        step: step("cd api && npm ci && npx cdk bootstrap aws://111111111111/us-east-1 --app 'node app.js'")
            .expect("a step"),
        target: target.clone(),
        trust: "preview".to_owned(),
    };
    let (finish, log) = bench.run(bootstrap).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let (base, api) = (format!("{mark}-base-feature-x"), format!("{mark}-api-feature-x"));

    let (package, log) = bench.package(service.clone(), target.clone()).await;
    assert!(log.contains("framework: cdk 2.1148.1"), "{log}");
    let changed: Vec<_> = package.change.iter().map(|change| change.stack.clone()).collect();
    assert_eq!(changed, [base.clone(), api.clone()]);

    let artifact = package.artifact.clone();
    let (finish, log) = bench.deploy(service.clone(), target.clone(), artifact).await;
    let found = deployed(finish, &log);
    assert_eq!(found.stacks, [base.clone(), api.clone()]);
    assert_eq!(found.outputs["Said"], "hello world");
    for stack in [&base, &api] {
        let tags = tags(&bench, stack).await;
        let build = tags["greenroom:build"].as_str();
        assert_eq!((build, tags["team"].as_str()), ("7", "blue"), "{stack}");
    }

    // As after a first deploy that came to nothing: the stacks' names are not known.
    let (finish, log) = bench.remove(service.clone(), target.clone(), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(!is_there(&bench, &base).await && !is_there(&bench, &api).await, "{log}");
    assert!(log.find(&format!("{api} is gone")) < log.find(&format!("{base} is gone")), "{log}");

    target.stage = "other".parse().expect("a stage");
    target.outputs.stage = target.stage.clone();
    let task =
        Task::Deploy { service, target, artifact: package.artifact, trust: "preview".to_owned() };
    let (finish, _) = bench.run(task).await;
    let message = &bench::failure(&finish).message;
    assert!(message.contains("stage feature-x, not other"), "{message}");
}
