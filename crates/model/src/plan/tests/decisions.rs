//! Which services run, and why.

use rstest::rstest;

use super::*;

#[test]
fn a_service_that_was_never_deployed_runs() {
    let plan = World::new(vec![service("restapi", &["database"]), service("database", &[])]).plan();
    assert_eq!(
        decisions(&plan),
        [
            "database: run, it was never deployed to this stage",
            "restapi: run, it was never deployed to this stage"
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
    let world = World::new(vec![restapi, service("database", &[])]);
    let plan = world.deployed(&["restapi", "database"]).changed(files).plan();
    assert_eq!(decisions(&plan)[1], format!("restapi: {expected}"));
}

#[test]
fn a_watched_file_is_not_outside_every_service() {
    let mut restapi = service("restapi", &[]);
    restapi.watch = vec!["shared".into()];
    let world = World::new(vec![restapi, service("database", &[])]);
    let plan = world.deployed(&["restapi", "database"]).changed(&["shared/x.js"]).plan();
    assert_eq!(decisions(&plan)[0], "database: skip, nothing changed since abc1234");
}

#[test]
fn a_service_at_the_root_owns_every_file() {
    let mut root = service("root", &[]);
    root.path = ".".into();
    let plan = World::new(vec![root]).deployed(&["root"]).changed(&["src/a.js"]).plan();
    assert_eq!(decisions(&plan), ["root: run, src/a.js changed since abc1234"]);
}

#[test]
fn a_deployment_that_is_not_whole_and_an_unknown_past_are_built_again() {
    let mut world =
        World::new(vec![service("a", &[]), service("b", &[]), service("c", &[])]).changed(&[]);
    let lost: CommitSha = "d".repeat(40).parse().expect("a commit");
    let gone = Changes::Unknown { reason: "it was pushed away".into() };
    world.findings.changes.insert(lost.clone(), gone);
    let never: CommitSha = "e".repeat(40).parse().expect("a commit");
    let here = |text: &str| (name(text), region("us-east-1"));
    world.deployed = BTreeMap::from([
        (here("a"), Deployed::NotWhole { reason: "the deploy of build 4 failed".into() }),
        (here("b"), Deployed::At { commit: lost }),
        (here("c"), Deployed::At { commit: never }),
    ]);
    assert_eq!(
        decisions(&world.plan()),
        [
            "a: run, its last deployment is not whole: the deploy of build 4 failed",
            "b: run, what changed since ddddddd is unknown: it was pushed away",
            "c: run, what changed since eeeeeee is unknown: nobody looked",
        ]
    );
}

#[test]
fn a_forced_build_runs_every_service() {
    let mut world = World::new(vec![service("a", &[])]).deployed(&["a"]);
    world.forced = true;
    assert_eq!(decisions(&world.plan()), ["a: run, the build was forced"]);
}

#[test]
fn a_rule_for_some_services_builds_those_alone_even_when_forced() {
    let services = vec![bare("database", &[]), bare("restapi", &["database"]), bare("web", &[])];
    let mut world = World::new(services);
    world.only = Some(names(&["restapi", "web"]));
    let expected = [
        "database: skip, the rule builds only restapi, web",
        "web: run, it was never deployed to this stage",
        "restapi: run, it was never deployed to this stage",
    ];
    assert_eq!(decisions(&world.plan()), expected);
    world.forced = true;
    assert_eq!(decisions(&world.plan())[0], "database: skip, the rule builds only restapi, web");
}

#[test]
fn a_service_that_the_rule_leaves_out_does_not_follow_either() {
    let mut world = World::new(vec![bare("database", &[]), bare("restapi", &["database"])])
        .deployed(&["restapi"]);
    world.only = Some(names(&["database"]));
    assert_eq!(
        decisions(&world.plan()),
        [
            "database: run, it was never deployed to this stage",
            "restapi: skip, the rule builds only database",
        ]
    );
}

#[test]
fn a_build_for_tests_alone_tests_every_service_and_does_nothing_else() {
    let services = vec![service("a", &["bare"]), bare("bare", &[])];
    let findings = Findings { services, post_deploy: Some(Step::new("x")), ..Findings::default() };
    let plan = plan(&PlanInput { findings: &findings, goal: Goal::Test }).expect("a plan");
    assert_eq!(shown(&plan.jobs), ["test a <- "]);
    assert_eq!(
        decisions(&plan),
        ["bare: skip, it has no lint or test command", "a: run, tests alone: nothing is deployed"]
    );
    assert!(plan.services.iter().all(|planned| planned.region.is_none()));
}

#[test]
fn a_removal_has_no_goal_to_plan_for_and_a_deploy_needs_a_place() {
    assert!(goal(Purpose::Remove, None).is_none());
    assert!(goal(Purpose::Deploy, None).is_none());
    assert!(matches!(goal(Purpose::Test, None), Some(Goal::Test)));
}
