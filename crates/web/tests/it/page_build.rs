//! The page of a build: why each service runs, what its jobs wait for, what its deploys change and
//! what the checks before them found.

use model::app::{Level, Policy};
use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::finding::{Check, Finding};
use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::pipeline::{Dependency, DependencyOrigin};
use model::plan::{Condition, Decision};
use model::stage::StageKind;
use model::worker_api::{DeployedStack, JobResult, Packaged, StoredArtifact};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::page_scene::{Scene, Wanted, planned, run, service, shown};
use crate::support::{Server, workshop};

const BUILD: &str = "/apps/workshop/builds/1";

/// In this order, each after the one before.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else {
            panic!("{part:?} is not where it should be: {rest}")
        };
        rest = &rest[at + part.len()..];
    }
}

fn deployed(changed: &[&str]) -> JobResult {
    JobResult::Deployed {
        deployed: DeployedStack {
            stacks: Vec::new(),
            left_at: [].into(),
            outputs: [].into(),
            endpoints: Vec::new(),
        },
        changed_outputs: changed.iter().map(|key| (*key).to_owned()).collect(),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_service_says_why_it_runs_and_where_its_dependencies_are_written(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let database = service("database");
    let mut restapi = service("restapi");
    restapi.notes.push("detected: serverless.yml <uses> osls".into());
    restapi.published_as = Some("fullstack-restapi".into());
    restapi.depends_on.push(Dependency {
        service: database.name.clone(),
        origin: DependencyOrigin::Output {
            reference: "${output:database.table}".parse().unwrap(),
            file: "backend-restapi/serverless.yml".into(),
        },
    });
    let reason = "nothing changed; deployed only if the outputs of database change";
    let follow = Decision::Follow { of: vec![database.name.clone()], reason: reason.into() };
    let skip = Decision::Skip { reason: "the rule builds only database, restapi".into() };
    let plan = [
        planned(&database, "us-east-1", run("backend-database/serverless.yml changed")),
        planned(&restapi, "us-east-1", follow),
        planned(&service("tasks"), "us-east-1", skip),
    ];
    let only = ["database", "restapi"];
    let build = scene.build(&stage, Some(&only), &plan).await;
    let deploy = scene
        .ended(
            build,
            Wanted::of(JobKind::Deploy, "database"),
            Outcome::Succeeded,
            Some(deployed(&["table"])),
        )
        .await;
    let package = Wanted::of(JobKind::Package, "restapi")
        .needs(&[deploy])
        .only_if(Condition::OutputsOf(vec![deploy]));
    let package = scene.blocked(build, package).await;
    let last = Wanted::of(JobKind::Deploy, "restapi")
        .needs(&[deploy, package])
        .only_if(Condition::AnyOf(vec![package]));
    let last = scene.blocked(build, last).await;
    let post = Wanted::stage(JobKind::PostDeploy)
        .needs(&[deploy, last])
        .only_if(Condition::AnyOf(vec![deploy, last]));
    scene.blocked(build, post).await;

    let text = shown(&server, BUILD).await;
    for part in [
        "<dt>Builds only</dt><dd>database, restapi</dd>",
        "runs</span> backend-database/serverless.yml changed",
        "follows</span> nothing changed; deployed only if the outputs of database change",
        "skipped</span> the rule builds only database, restapi",
        "detected: serverless.yml &#60;uses&#62; osls",
        "depends on database: <code>${output:database.table} in backend-restapi/serverless.yml",
        "publishes its outputs as <code>fullstack-restapi</code> too",
        "changed its outputs <code>table</code>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let after = "after <a href=\"#service-database\">database</a>, only if outputs change</li>";
    assert_in_order(
        &text,
        &[
            "id=\"service-restapi\"",
            after,
            "<li class=\"if\">",
            "package</span>",
            "<li class=\"if\">",
            "deploy</span>",
            "stage staging",
            "after every deploy, only if one of them is made",
            "post_deploy</span>",
        ],
    );
    assert_eq!(text.matches(after).count(), 1, "what the package waits for is said once: {text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_that_was_not_needed_says_so_and_why(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [planned(&service("restapi"), "us-east-1", run("it changed"))];
    let build = scene.build(&stage, None, &plan).await;
    let reason = "the outputs of database did not change";
    let package = scene.unneeded(build, Wanted::of(JobKind::Package, "restapi"), reason).await;
    let deploy = Wanted::of(JobKind::Deploy, "restapi").needs(&[package]);
    scene.unneeded(build, deploy, reason).await;

    let text = shown(&server, BUILD).await;
    assert_eq!(text.matches("<a class=\"job moot\"").count(), 2, "{text}");
    assert!(text.contains("<span class=\"what\">not needed</span>"), "{text}");
    let why = format!("<p class=\"sub\">not needed: {reason}</p>");
    assert_eq!(text.matches(&why).count(), 1, "{text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_jobs_of_a_service_in_two_regions_name_theirs(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let restapi = service("restapi");
    let plan = [
        planned(&restapi, "us-east-1", run("it changed")),
        planned(&restapi, "eu-west-1", run("it was never there")),
        planned(&service("tasks"), "us-east-1", run("it changed")),
    ];
    let build = scene.build(&stage, None, &plan).await;
    let test = scene.blocked(build, Wanted::of(JobKind::Test, "restapi")).await;
    let mut deploys = Vec::new();
    for region in ["us-east-1", "eu-west-1"] {
        let deploy = Wanted::of(JobKind::Deploy, "restapi").within(region).needs(&[test]);
        deploys.push(scene.blocked(build, deploy).await);
    }
    let tasks = scene.blocked(build, Wanted::of(JobKind::Deploy, "tasks").needs(&deploys)).await;

    let text = shown(&server, &format!("{BUILD}?job={}", deploys[1])).await;
    assert_in_order(
        &text,
        &[
            "<h3>all regions</h3>",
            "test</span>",
            "<h3>eu-west-1</h3>",
            "it was never there",
            "after its test",
            "<h3>us-east-1</h3>",
            "it changed",
            "restapi in eu-west-1</a>, <a href=\"#service-restapi\">restapi in us-east-1</a>",
            "<h2 id=\"log\">deploy restapi in eu-west-1",
        ],
    );
    let alone = shown(&server, &format!("{BUILD}?job={tasks}")).await;
    assert!(alone.contains("<h2 id=\"log\">deploy tasks "), "{alone}");
}

fn change(id: &str, kind: &str, effect: Effect) -> ResourceChange {
    ResourceChange {
        logical_id: id.into(),
        physical_id: None,
        resource_type: kind.into(),
        effect,
        because: vec!["Properties.KeySchema".into()],
    }
}

fn finding(check: Check, level: Level, problem: &str) -> Finding {
    Finding {
        check,
        level,
        place: "Resources.Table<1>".into(),
        problem: problem.into(),
        remedy: format!("mend {problem}"),
    }
}

fn stack() -> StackChange {
    StackChange {
        stack: "database-staging".into(),
        kind: StackChangeKind::Update,
        changes: vec![
            change("New", "AWS::SNS::Topic", Effect::Added),
            change("Same", "AWS::DynamoDB::Table", Effect::Changed),
            change("Perhaps", "AWS::DynamoDB::Table", Effect::MayBeReplaced),
            change("Role", "AWS::IAM::Role", Effect::Replaced),
            change("Table", "AWS::DynamoDB::Table", Effect::Replaced),
            change("Gone", "AWS::S3::Bucket", Effect::Removed),
        ],
        note: Some("nested stacks are not looked at".into()),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_lost_stands_first_and_names_what_holds_data(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [planned(&service("database"), "us-east-1", run("it changed"))];
    let build = scene.build(&stage, None, &plan).await;
    let package = Packaged {
        artifact: StoredArtifact { digest: "0".repeat(64), size_bytes: 1 },
        stage: stage.name.clone(),
        region: "us-east-1".parse().unwrap(),
        change: vec![stack()],
        findings: vec![finding(Check::Limit, Level::Warning, "a long name")],
        found: [].into(),
    };
    let result = Some(JobResult::Packaged { package });
    scene.ended(build, Wanted::of(JobKind::Package, "database"), Outcome::Succeeded, result).await;

    let text = shown(&server, BUILD).await;
    let (_, changes) = text.split_once("What the deploys change").unwrap();
    let counts = "1 removed, 2 replaced, 1 may be replaced, 1 changed, 1 added (permissions stand above)</summary>";
    assert_in_order(
        changes,
        &[
            // who may do what stands apart
            "<strong>Permissions</strong>",
            "Role",
            "<code>database-staging</code></td>",
            "-grave\" open>",
            counts,
            "Gone",
            "Table",
            "Perhaps",
            "Same",
            "New",
            "nested stacks are not looked at",
        ],
    );
    let (lost, kept) = changes.split_once("<code>Same</code>").unwrap();
    assert_eq!(lost.matches("holds data").count(), 3, "bucket and two tables: {lost}");
    assert!(!kept.contains("holds data"), "{kept}");
    assert!(changes.contains("Properties.KeySchema"), "{changes}");
    assert!(text.contains("a limit of AWS, at <code>Resources.Table&#60;1&#62;</code>"), "{text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_refused_job_shows_what_it_found_errors_first(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [planned(&service("database"), "us-east-1", run("it changed"))];
    let build = scene.build(&stage, None, &plan).await;
    let refused = || {
        let message = "a safeguard does not allow it".to_owned();
        Outcome::Failed(Failure { kind: FailureKind::Safeguard, message })
    };
    let checked = JobResult::Checked {
        change: vec![stack()],
        findings: vec![
            finding(Check::Template, Level::Warning, "an odd key"),
            finding(Check::Safeguard(Policy::NoReplacement), Level::Error, "a lost table"),
            finding(Check::Template, Level::Warning, "an odd key"),
        ],
        found: [].into(),
    };
    scene.ended(build, Wanted::of(JobKind::Package, "database"), refused(), Some(checked)).await;

    let text = shown(&server, BUILD).await;
    assert_in_order(
        &text,
        &[
            "error</span> <strong>database</strong> a lost table",
            "safeguard no-replacement, at",
            "To satisfy it:</span> mend a lost table",
            "warning</span> <strong>database</strong> an odd key",
            "stack <code>database-staging</code>",
            "a safeguard does not allow it",
        ],
    );
    assert_eq!(text.matches("> an odd key").count(), 1, "each is said once: {text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_commit_would_change_in_its_target_stands_apart_from_what_it_deploys(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("feature-x", StageKind::Preview).await;
    let build = scene.build(&stage, None, &[]).await;
    let foreseen = JobResult::Foreseen {
        change: vec![stack()],
        notes: vec!["its secrets were not known".into()],
    };
    let foresee = Wanted::of(JobKind::Foresee, "database");
    scene.ended(build, foresee, Outcome::Succeeded, Some(foreseen)).await;

    let text = shown(&server, BUILD).await;
    assert!(!text.contains("What the deploys change"), "{text}");
    assert_in_order(
        &text,
        &[
            "foresee staging</span>",
            "What this commit would change in staging",
            "Nothing there is touched by this build",
            "<code>Role</code>",
            "stack <code>database-staging</code>",
            "database: its secrets were not known",
        ],
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_removal_left_behind_is_named(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("feature-x", StageKind::Preview).await;
    let build = scene.build(&stage, None, &[]).await;
    let removed = JobResult::Removed { kept: vec!["Uploads (the bucket <uploads>)".into()] };
    let remove = Wanted::of(JobKind::Remove, "database");
    scene.ended(build, remove, Outcome::Succeeded, Some(removed)).await;
    let text = shown(&server, BUILD).await;
    let left = "left behind in the account: Uploads (the bucket &#60;uploads&#62;)";
    assert!(text.contains(left), "{text}");
}
