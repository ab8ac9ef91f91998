//! A preview has only what changed: another stage stands behind it for the rest.

use super::*;

#[test]
fn a_preview_deploys_only_what_changed() {
    let services = vec![bare("database", &[]), bare("restapi", &[]), bare("tasks", &[])];
    let world = World::new(services).behind(&["database", "restapi", "tasks"]);
    assert_eq!(
        decisions(&world.changed_here(&["tasks/index.js"]).plan()),
        [
            "database: skip, nothing of it changed here since abc1234, which runs in dev: the one there is used",
            "restapi: skip, nothing of it changed here since abc1234, which runs in dev: the one there is used",
            "tasks: run, tasks/index.js changed here since it parted from abc1234",
        ]
    );
}

#[test]
fn a_service_that_the_stage_behind_does_not_have_is_deployed() {
    let world = World::new(vec![bare("database", &[]), bare("new", &[])]).behind(&["database"]);
    assert_eq!(decisions(&world.plan())[1], "new: run, it was never deployed to this stage");
}

#[test]
fn what_the_other_side_changed_since_the_two_parted_does_not_count() {
    let world = World::new(vec![bare("a", &[])]).behind(&["a"]).changed(&["a/theirs.js"]);
    assert!(decisions(&world.plan())[0].starts_with("a: skip"));
}

#[test]
fn a_service_that_the_preview_has_already_is_compared_with_what_is_there() {
    let world = World::new(vec![bare("a", &[]), bare("b", &[])])
        .behind(&["a", "b"])
        .deployed(&["a"])
        .changed_here(&["a/x", "b/x"])
        .changed(&[]);
    assert_eq!(
        decisions(&world.plan()),
        [
            "a: skip, nothing changed since abc1234",
            "b: run, b/x changed here since it parted from abc1234",
        ]
    );
}

#[test]
fn where_the_two_sides_parted_from_is_unknown_everything_is_deployed() {
    let mut world = World::new(vec![bare("a", &[])]).behind(&["a"]);
    let reason = "the two have no common history".to_owned();
    world.findings.own_changes.insert(commit(), Changes::Unknown { reason });
    assert_eq!(
        decisions(&world.plan()),
        ["a: run, what changed since abc1234 is unknown: the two have no common history"]
    );
}

#[test]
fn one_that_reads_the_stage_behind_does_not_follow_what_changes_here() {
    let reference = "${output::${param:env}::database.table}";
    let mut world =
        World::new(vec![bare("database", &[]), reader("restapi", "database", reference)])
            .behind(&["database", "restapi"])
            .changed_here(&["database/x"]);
    world.parameters = [("env".parse().expect("a key"), "dev".to_owned())].into();
    let plan = world.plan();
    assert!(decisions(&plan)[1].starts_with("restapi: skip"), "{:?}", decisions(&plan));
    assert_eq!(shown(&plan.jobs), ["package database <- ", "deploy database <- 0"]);
}

#[test]
fn one_that_reads_its_own_stage_follows_what_changes_here() {
    let world = World::new(vec![
        bare("database", &[]),
        reader("restapi", "database", "${output:database.table}"),
    ]);
    let world = world.behind(&["database", "restapi"]).changed_here(&["database/x"]);
    assert!(decisions(&world.plan())[1].starts_with("restapi: follow"));
}

#[test]
fn one_that_is_not_here_does_not_follow_for_an_order_alone() {
    let world = World::new(vec![bare("restapi", &[]), bare("frontend", &["restapi"])]);
    let world = world.behind(&["restapi", "frontend"]).changed_here(&["restapi/x"]);
    assert!(decisions(&world.plan())[1].starts_with("frontend: skip"));
}
