//! What a commit would change in the stage it is meant for, without a right to change it.

use model::change_set::{Effect, StackChangeKind};
use model::job::Outcome;
use model::worker_api::{JobResult, Parameter, Target, Task};

use crate::bench::target;
use crate::lab::mark;
use crate::removal::{bench, here, service};

const TEMPLATE: &str = "
Parameters:
  Key: { Type: String, NoEcho: true }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: { DisplayName: !Ref Key }
";

fn with_key(value: &str, secret: bool) -> Target {
    let mut target = target(&[]);
    let parameter = Parameter { value: value.to_owned(), secret };
    target.parameters.insert("Key".parse().expect("a key"), parameter);
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn the_change_is_told_without_the_stages_secrets_and_nothing_is_kept() {
    let mark = mark();
    let mut bench = bench(TEMPLATE).await;
    let (service, name) = service(&mark);
    let foresee = async |bench: &crate::bench::Bench| {
        let (service, target) = (service.clone(), with_key("", true));
        let trust = "preview".to_owned();
        let (finish, log) = bench.run(Task::Foresee { service, target, trust }).await;
        match finish.result {
            Some(JobResult::Foreseen { mut change, notes }) => (change.remove(0), notes, log),
            other => panic!("{:?} {other:?}\n{log}", finish.outcome),
        }
    };
    let (change, notes, log) = foresee(&bench).await;
    assert_eq!((change.stack.as_str(), change.kind), (name.as_str(), StackChangeKind::New));
    assert!(notes[0].contains("Key"), "{notes:?}");
    assert!(bench.server.state().artifact.is_empty(), "{log}");

    let target = with_key("a-secret", true);
    let (package, _) = bench.package(service.clone(), target.clone()).await;
    let (finish, log) = bench.deploy(service.clone(), target, package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let (change, _, log) = foresee(&bench).await;
    assert!(change.changes.is_empty(), "{change:?}\n{log}");

    let more = format!("{TEMPLATE}  Queue: {{ Type: AWS::SQS::Queue }}\n");
    bench.commit(&[("api/template.yml", &more)]).await;
    let (change, _, log) = foresee(&bench).await;
    assert_eq!(change.kind, StackChangeKind::Update);
    let [queue] = change.changes.as_slice() else { panic!("{change:?}\n{log}") };
    assert_eq!((queue.logical_id.as_str(), queue.effect), ("Queue", Effect::Added));
    assert!(log.contains(&format!("change of stack {name}: 1 added")), "{log}");
    let calls = bench.server.state().calls.clone();
    assert_eq!(calls.iter().filter(|call| call.starts_with("PUT")).count(), 1, "one package");

    let (finish, log) = bench.remove(service.clone(), here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}
