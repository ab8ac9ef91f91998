//! A stage is taken down from its ends.

use super::*;

fn removable(text: &str, depends_on: &[&str]) -> Removable {
    Removable {
        service: name(text),
        region: region("us-east-1"),
        depends_on: depends_on.iter().map(|text| name(text)).collect(),
    }
}

#[test]
fn a_removal_takes_dependents_first() {
    let jobs = plan_removal(&[
        removable("database", &[]),
        removable("restapi", &["database", "gone"]),
        removable("web", &["restapi", "database"]),
    ]);
    assert_eq!(
        shown(&jobs.expect("a plan")),
        ["remove web <- ", "remove restapi <- 0", "remove database <- 0 1"]
    );
}

#[test]
fn an_empty_stage_has_nothing_to_remove() {
    assert_eq!(plan_removal(&[]), Ok(Vec::new()));
}

#[test]
fn what_depends_on_each_other_in_a_circle_is_refused_by_name() {
    let error = plan_removal(&[removable("a", &["b"]), removable("b", &["a"])]);
    let error = error.expect_err("a circle").to_string();
    assert!(error.contains("a -> b -> a") || error.contains("b -> a -> b"), "{error}");
}

#[test]
fn every_region_of_a_dependent_goes_before_any_of_what_it_needs() {
    let abroad = Removable { region: region("eu-west-1"), ..removable("api", &["database"]) };
    let jobs = plan_removal(&[removable("database", &[]), removable("api", &["database"]), abroad]);
    let jobs = jobs.expect("a plan");
    assert_eq!(shown(&jobs), ["remove api <- ", "remove api <- ", "remove database <- 0 1"]);
    let regions: Vec<Option<Region>> = jobs.into_iter().map(|job| job.region).collect();
    let expected = ["eu-west-1", "us-east-1", "us-east-1"];
    assert_eq!(regions, expected.map(|text| Some(region(text))));
}
