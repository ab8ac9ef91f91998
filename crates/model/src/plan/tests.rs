//! The graph of jobs: who runs and why, in which order, for any set of services.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::pipeline::{Commands, Framework};

fn name(text: &str) -> ServiceName {
    text.parse().expect("a service name")
}

fn commit() -> CommitSha {
    "abc1234000000000000000000000000000000000".parse().expect("a commit")
}

/// A service in a directory of its own name, with a test command.
fn service(text: &str, depends_on: &[&str]) -> Service {
    Service {
        name: name(text),
        path: text.to_owned(),
        framework: Framework::Serverless,
        depends_on: depends_on.iter().map(|text| name(text)).collect(),
        watch: Vec::new(),
        commands: Commands { test: Some("npm test".into()), ..Commands::default() },
        notes: Vec::new(),
    }
}

fn findings(services: Vec<Service>, changed: &[&str]) -> Findings {
    let files = changed.iter().map(|file| (*file).to_owned()).collect();
    Findings { services, changes: BTreeMap::from([(commit(), Changes::Files { files })]) }
}

fn deployed(names: &[&str]) -> BTreeMap<ServiceName, Deployed> {
    names.iter().map(|text| (name(text), Deployed::At { commit: commit() })).collect()
}

fn planned(findings: &Findings, deployed: &BTreeMap<ServiceName, Deployed>) -> Plan {
    let input = PlanInput { purpose: Purpose::Deploy, forced: false, findings, deployed };
    plan(&input).expect("it can be planned")
}

/// `service: run|skip reason` for every service.
fn decisions(plan: &Plan) -> Vec<String> {
    plan.services
        .iter()
        .map(|planned| match &planned.decision {
            Decision::Run { reason } => format!("{}: run, {reason}", planned.service.name),
            Decision::Skip { reason } => format!("{}: skip, {reason}", planned.service.name),
        })
        .collect()
}

/// `kind service <- needs` for every job.
fn shown(jobs: &[PlannedJob]) -> Vec<String> {
    jobs.iter()
        .map(|job| {
            let needs: Vec<String> = job.needs.iter().map(ToString::to_string).collect();
            format!("{} {} <- {}", job.kind.as_str(), job.service, needs.join(" "))
        })
        .collect()
}

#[test]
fn a_service_that_was_never_deployed_runs_after_what_it_depends_on() {
    let findings = findings(vec![service("restapi", &["database"]), service("database", &[])], &[]);
    let plan = planned(&findings, &BTreeMap::new());
    assert_eq!(
        decisions(&plan),
        [
            "database: run, it was never deployed to this stage",
            "restapi: run, it was never deployed to this stage"
        ]
    );
    assert_eq!(
        shown(&plan.jobs),
        [
            "test database <- ",
            "package database <- 0",
            "deploy database <- 1",
            "test restapi <- ",
            "package restapi <- 2 3",
            "deploy restapi <- 2 4",
        ]
    );
}

#[rstest]
#[case(&[], "skip, nothing changed since abc1234")]
#[case(&["restapi/a.js"], "run, restapi/a.js changed since abc1234")]
#[case(&["restapi/a.js", "database/b", "restapi/c"], "run, restapi/a.js changed since abc1234 (and one more file)")]
#[case(&["database/a.js"], "skip, nothing changed since abc1234")]
#[case(&["restapi2/a.js"], "run, restapi2/a.js, which is outside every service, changed since abc1234")]
#[case(&["shared/x.js"], "run, shared/x.js, which it watches, changed since abc1234")]
#[case(&["package.json"], "run, package.json, which is outside every service, changed since abc1234")]
#[case(&["a", "b", "restapi/c"], "run, a, which is outside every service, changed since abc1234 (and 2 more files)")]
fn a_change_concerns_the_service_it_belongs_to(#[case] files: &[&str], #[case] expected: &str) {
    let mut restapi = service("restapi", &[]);
    restapi.watch = vec!["shared/**".into()];
    let findings = findings(vec![restapi, service("database", &[])], files);
    let plan = planned(&findings, &deployed(&["restapi", "database"]));
    assert_eq!(decisions(&plan)[1], format!("restapi: {expected}"));
}

#[test]
fn a_watched_file_is_not_outside_every_service() {
    let mut restapi = service("restapi", &[]);
    restapi.watch = vec!["shared".into()];
    let findings = findings(vec![restapi, service("database", &[])], &["shared/x.js"]);
    let plan = planned(&findings, &deployed(&["restapi", "database"]));
    assert_eq!(decisions(&plan)[0], "database: skip, nothing changed since abc1234");
}

#[test]
fn a_service_at_the_root_owns_every_file() {
    let mut root = service("root", &[]);
    root.path = ".".into();
    let findings = findings(vec![root], &["src/a.js"]);
    let plan = planned(&findings, &deployed(&["root"]));
    assert_eq!(decisions(&plan), ["root: run, src/a.js changed since abc1234"]);
}

#[test]
fn a_deployment_that_is_not_whole_and_an_unknown_past_are_built_again() {
    let mut findings = findings(vec![service("a", &[]), service("b", &[]), service("c", &[])], &[]);
    let lost: CommitSha = "d".repeat(40).parse().expect("a commit");
    findings.changes.insert(lost.clone(), Changes::Unknown { reason: "it was pushed away".into() });
    let never: CommitSha = "e".repeat(40).parse().expect("a commit");
    let deployed = BTreeMap::from([
        (name("a"), Deployed::NotWhole { reason: "the deploy of build 4 failed".into() }),
        (name("b"), Deployed::At { commit: lost }),
        (name("c"), Deployed::At { commit: never }),
    ]);
    assert_eq!(
        decisions(&planned(&findings, &deployed)),
        [
            "a: run, its last deployment is not whole: the deploy of build 4 failed",
            "b: run, what changed since ddddddd is unknown: it was pushed away",
            "c: run, what changed since eeeeeee is unknown: nobody looked",
        ]
    );
}

#[test]
fn a_forced_build_runs_every_service() {
    let findings = findings(vec![service("a", &[])], &[]);
    let deployed = deployed(&["a"]);
    let input = PlanInput {
        purpose: Purpose::Deploy,
        forced: true,
        findings: &findings,
        deployed: &deployed,
    };
    assert_eq!(decisions(&plan(&input).expect("a plan")), ["a: run, the build was forced"]);
}

#[test]
fn a_service_without_lint_and_test_has_no_test_job() {
    let mut bare = service("a", &[]);
    bare.commands = Commands { install: Some("npm ci".into()), ..Commands::default() };
    let plan = planned(&findings(vec![bare], &[]), &BTreeMap::new());
    assert_eq!(shown(&plan.jobs), ["package a <- ", "deploy a <- 0"]);
}

#[test]
fn a_skipped_service_between_two_keeps_their_order() {
    let services = vec![service("c", &["b"]), service("b", &["a"]), service("a", &[])];
    let findings = findings(services, &["a/x", "c/x"]);
    let plan = planned(&findings, &deployed(&["a", "b", "c"]));
    assert_eq!(
        shown(&plan.jobs),
        [
            "test a <- ",
            "package a <- 0",
            "deploy a <- 1",
            "test c <- ",
            "package c <- 2 3",
            "deploy c <- 2 4"
        ]
    );
}

#[test]
fn a_build_for_tests_alone_tests_every_service_and_does_nothing_else() {
    let mut bare = service("bare", &[]);
    bare.commands = Commands::default();
    let findings = findings(vec![service("a", &["bare"]), bare], &[]);
    let deployed = deployed(&["a"]);
    let input = PlanInput {
        purpose: Purpose::Test,
        forced: false,
        findings: &findings,
        deployed: &deployed,
    };
    let plan = plan(&input).expect("a plan");
    assert_eq!(shown(&plan.jobs), ["test a <- "]);
    assert_eq!(
        decisions(&plan),
        ["bare: skip, it has no lint or test command", "a: run, tests alone: nothing is deployed"]
    );
}

fn refused(services: Vec<Service>) -> String {
    let findings = findings(services, &[]);
    let deployed = BTreeMap::new();
    let input = PlanInput {
        purpose: Purpose::Deploy,
        forced: false,
        findings: &findings,
        deployed: &deployed,
    };
    plan(&input).expect_err("it cannot be planned").to_string()
}

#[test]
fn what_cannot_be_planned_says_what_to_mend() {
    assert!(refused(Vec::new()).contains("no service found"));
    let unknown = refused(vec![service("a", &["x"])]);
    assert!(unknown.contains("service a depends on x"), "{unknown}");
    let twice = refused(vec![service("a", &[]), service("a", &[])]);
    assert!(twice.contains("two services are called a"), "{twice}");
    let circle = refused(vec![
        service("a", &["b"]),
        service("b", &["c"]),
        service("c", &["free", "d"]),
        service("d", &["b"]),
        service("free", &[]),
    ]);
    assert!(circle.contains("b -> c -> d -> b"), "{circle}");
    assert!(refused(vec![service("a", &["a"])]).contains("a -> a"));
}

#[test]
fn a_removal_takes_dependents_first() {
    let removable = |text: &str, depends_on: &[&str]| Removable {
        service: name(text),
        depends_on: depends_on.iter().map(|text| name(text)).collect(),
    };
    let jobs = plan_removal(&[
        removable("database", &[]),
        removable("restapi", &["database", "gone"]),
        removable("web", &["restapi", "database"]),
    ]);
    assert_eq!(
        shown(&jobs.expect("a plan")),
        ["remove web <- ", "remove restapi <- 0", "remove database <- 0 1"]
    );
    assert_eq!(plan_removal(&[]), Ok(Vec::new()));
    assert!(plan_removal(&[removable("a", &["b"]), removable("b", &["a"])]).is_err());
}

/// Services that depend only on those before them, in a shuffled order, with some changed files.
fn graphs() -> impl Strategy<Value = (Vec<Service>, Vec<String>, Vec<usize>)> {
    (1..9_usize).prop_flat_map(|count| {
        let edges = proptest::collection::vec(any::<bool>(), count * count);
        let services = edges.prop_map(move |edges| {
            (0..count)
                .map(|one| {
                    let depends_on: Vec<String> = (0..one)
                        .filter(|other| edges[one * count + other])
                        .map(|other| format!("s{other}"))
                        .collect();
                    let depends_on: Vec<&str> = depends_on.iter().map(String::as_str).collect();
                    let mut service = service(&format!("s{one}"), &depends_on);
                    if edges[one * count + one] {
                        service.commands = Commands::default();
                    }
                    service
                })
                .collect::<Vec<_>>()
        });
        let files = proptest::collection::vec("(s[0-9]/x|root)", 0..4);
        let known = proptest::collection::vec(0..count, 0..count * 2);
        (services.prop_shuffle(), files, known)
    })
}

proptest! {
    #[test]
    fn a_plan_s_needs_point_backwards_and_every_service_is_decided_once(
        (services, files, known) in graphs()
    ) {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let known: Vec<String> = known.iter().map(|number| format!("s{number}")).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let all: BTreeSet<ServiceName> = services.iter().map(|service| service.name.clone()).collect();
        let findings = findings(services, &files);
        let plan = planned(&findings, &deployed(&known));

        let decided: Vec<&ServiceName> = plan.services.iter().map(|planned| &planned.service.name).collect();
        prop_assert_eq!(decided.len(), all.len());
        prop_assert!(all.iter().all(|name| decided.contains(&name)));
        let distinct: BTreeSet<(JobKind, &ServiceName)> =
            plan.jobs.iter().map(|job| (job.kind, &job.service)).collect();
        prop_assert_eq!(distinct.len(), plan.jobs.len());
        let position = |kind, service: &ServiceName| {
            plan.jobs.iter().position(|job| job.kind == kind && &job.service == service)
        };
        for (at, job) in plan.jobs.iter().enumerate() {
            let needs: BTreeSet<usize> = job.needs.iter().copied().collect();
            prop_assert!(needs.iter().all(|need| *need < at));
            prop_assert_eq!(needs.len(), job.needs.len());
        }
        for planned in &plan.services {
            let service = &planned.service;
            let runs = matches!(planned.decision, Decision::Run { .. });
            let deploy = position(JobKind::Deploy, &service.name);
            prop_assert_eq!(deploy.is_some(), runs);
            let Some(package) = position(JobKind::Package, &service.name) else { continue };
            for dependency in &service.depends_on {
                if let Some(before) = position(JobKind::Deploy, dependency) {
                    prop_assert!(plan.jobs[package].needs.contains(&before));
                }
            }
        }
    }

    #[test]
    fn a_removal_is_the_deployment_backwards((services, _, _) in graphs()) {
        let instances: Vec<Removable> = services
            .iter()
            .map(|service| Removable { service: service.name.clone(), depends_on: service.depends_on.clone() })
            .collect();
        let removal: Vec<ServiceName> =
            plan_removal(&instances).expect("a plan").into_iter().map(|job| job.service).collect();
        let plan = planned(&findings(services, &[]), &BTreeMap::new());
        let mut deploys: Vec<ServiceName> =
            plan.services.into_iter().map(|planned| planned.service.name).collect();
        deploys.reverse();
        prop_assert_eq!(removal, deploys);
    }
}
