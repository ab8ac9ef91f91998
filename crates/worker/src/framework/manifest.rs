//! `greenroom.json`: what the worker writes into every package whose framework has no state file
//! of its own. Pure.
//!
//! What always holds: it is written after the last command that could change it; a package whose
//! manifest names anything but the deploy's own app, service, framework, stage and region is not
//! deployed.

use model::job::Failure;
use model::pipeline::{Framework, Service};
use model::worker_api::Target;
use model::{AppName, Region, ServiceName, StageName};
use serde::{Deserialize, Serialize};

use super::{Package, PackagedStack};
use crate::detect::configuration;

pub(crate) const FILE: &str = "greenroom.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    app: AppName,
    service: ServiceName,
    framework: Framework,
    stage: StageName,
    region: Region,
    stacks: Vec<PackagedStack>,
}

impl Manifest {
    pub(crate) fn new(app: &AppName, service: &Service, package: &Package) -> Self {
        Self {
            app: app.clone(),
            service: service.name.clone(),
            framework: service.framework,
            stage: package.stage.clone(),
            region: package.region.clone(),
            stacks: package.stacks.clone(),
        }
    }

    pub(crate) fn text(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(text).map_err(|error| {
            configuration(format!(
                "{FILE} of the package is not what Greenroom writes: {error}; package again"
            ))
        })
    }

    /// What the package is for, if it is for this.
    pub(crate) fn checked(
        self,
        app: &AppName,
        service: &Service,
        target: &Target,
    ) -> Result<Package, Failure> {
        let compared = [
            ("app", self.app.as_str(), app.as_str()),
            ("service", self.service.as_str(), service.name.as_str()),
            ("framework", self.framework.as_str(), service.framework.as_str()),
            ("stage", self.stage.as_str(), target.stage.as_str()),
            ("region", self.region.as_str(), target.region.as_str()),
        ];
        for (what, packaged, wanted) in compared {
            if packaged != wanted {
                return Err(configuration(format!(
                    "the package is for {what} {packaged}, not {wanted}: it must not go there; package this commit again"
                )));
            }
        }
        Ok(Package { stage: self.stage, region: self.region, stacks: self.stacks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::Foresight;
    use crate::job::tests::target;

    fn service(name: &str) -> Service {
        Service::new(name.parse().expect("a name"), "infra", Framework::Cloudformation)
    }

    fn package() -> Package {
        Package {
            stage: "feature-x".parse().expect("a stage"),
            region: "us-east-1".parse().expect("a region"),
            stacks: vec![PackagedStack::new(
                "infra-feature-x".to_owned(),
                "template.yml",
                Foresight::Ask,
            )],
        }
    }

    fn app() -> AppName {
        "workshop".parse().expect("a name")
    }

    fn written() -> Vec<u8> {
        Manifest::new(&app(), &service("infra"), &package()).text().expect("JSON")
    }

    #[test]
    fn a_manifest_says_what_the_package_was_made_for() {
        let read = Manifest::parse(&written()).expect("a manifest");
        assert_eq!(read.checked(&app(), &service("infra"), &target(&[])), Ok(package()));
    }

    #[test]
    fn a_package_of_another_app_service_framework_stage_or_region_is_refused() {
        let refused = |app: &str, service: &Service, target: &Target| {
            let read = Manifest::parse(&written()).expect("a manifest");
            let app = app.parse().expect("a name");
            read.checked(&app, service, target).expect_err("another").message
        };
        let here = target(&[]);
        assert!(refused("billing", &service("infra"), &here).contains("app workshop, not billing"));
        assert!(refused("workshop", &service("web"), &here).contains("service infra, not web"));
        let custom = Service { framework: Framework::Custom, ..service("infra") };
        assert!(refused("workshop", &custom, &here).contains("cloudformation, not custom"));
        let mut there = here.clone();
        there.stage = "prod".parse().expect("a stage");
        assert!(refused("workshop", &service("infra"), &there).contains("feature-x, not prod"));
        let mut there = here;
        there.region = "eu-west-1".parse().expect("a region");
        assert!(refused("workshop", &service("infra"), &there).contains("not eu-west-1"));
    }

    #[test]
    fn what_is_no_manifest_is_refused_and_does_not_panic() {
        for text in ["", "[]", "{}", r#"{"app":"a","stacks":7}"#] {
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
