//! What each job waits for.

use super::*;

#[test]
fn a_service_runs_after_what_it_depends_on() {
    let plan = World::new(vec![service("restapi", &["database"]), service("database", &[])]).plan();
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

#[test]
fn services_that_do_not_know_each_other_do_not_wait_for_each_other() {
    let services =
        vec![bare("database", &[]), bare("restapi", &["database"]), bare("tasks", &["database"])];
    assert_eq!(
        shown(&World::new(services).plan().jobs),
        [
            "package database <- ",
            "deploy database <- 0",
            "package restapi <- 1",
            "deploy restapi <- 1 2",
            "package tasks <- 1",
            "deploy tasks <- 1 4",
        ]
    );
}

#[test]
fn a_service_without_lint_and_test_has_no_test_job() {
    let mut installs = bare("a", &[]);
    installs.commands.install = Some(Step::new("npm ci"));
    let plan = World::new(vec![installs]).plan();
    assert_eq!(shown(&plan.jobs), ["package a <- ", "deploy a <- 0"]);
}

#[test]
fn a_skipped_service_between_two_keeps_their_order() {
    let reads_elsewhere = reader("b", "a", "${output::prod::a.x}");
    let services = vec![bare("c", &["b"]), reads_elsewhere, bare("a", &[])];
    let plan = World::new(services).deployed(&["a", "b", "c"]).changed(&["a/x", "c/x"]).plan();
    assert!(decisions(&plan)[1].starts_with("b: skip"), "{:?}", decisions(&plan));
    assert_eq!(
        shown(&plan.jobs),
        ["package a <- ", "deploy a <- 0", "package c <- 1", "deploy c <- 1 2"]
    );
}

#[test]
fn the_stage_s_own_command_comes_after_every_deploy() {
    let mut world = World::new(vec![bare("a", &[]), bare("b", &[])]);
    world.findings.post_deploy = Some(Step::new("node smoke.js"));
    assert_eq!(
        shown(&world.plan().jobs),
        [
            "package a <- ",
            "deploy a <- 0",
            "package b <- ",
            "deploy b <- 2",
            "post_deploy the stage <- 1 3, if any of 1 3 ran",
        ]
    );
}

#[test]
fn the_stage_s_own_command_does_not_run_when_nothing_is_deployed() {
    let mut world = World::new(vec![bare("a", &[])]).deployed(&["a"]);
    world.findings.post_deploy = Some(Step::new("node smoke.js"));
    assert_eq!(shown(&world.plan().jobs), Vec::<String>::new());
}
