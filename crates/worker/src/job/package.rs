//! A package job: install, package for one stage and region, check, upload.
//!
//! What always holds: what is reported is read from the package, not from the request; a package
//! that turns out to be for another stage or region, or that a safeguard does not allow, is never
//! uploaded.

use model::outside::{Deed, Left};
use model::pipeline::Service;
use model::worker_api::{Packaged, Target};

use super::context::Job;
use super::ground::{Gaps, Ground};
use super::halt::Halt;
use super::steps::Access;
use super::{artifact, check, outside, stack};
use crate::framework::manifest::{self, Manifest};
use crate::framework::{self, Authority, FILE_MAX_BYTES, Framework, Making, Package, Site};
use crate::git::Workspace;
use crate::step::Order;

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    trust: &str,
    left: &Left,
) -> Result<Packaged, Halt> {
    let workspace = job.checkout().await?;
    job.make_package_directory()?;
    let mut ground = Ground::lay(job, Some(service), target, Gaps::Refused).await?;
    ground.install(job, &workspace, service, trust).await?;
    let (places, finds) = (job.places(service)?, job.finder());
    let site = Site {
        workspace: &workspace,
        service,
        target: &ground.target,
        inputs: &ground.inputs,
        places: &places,
        finds: &finds,
    };
    let package = make(job, &site, &ground).await?;
    let stacks = stack::open(job, target).await?;
    let files = job.package_files()?;
    let found = outside::found(job, left, &package, &stacks).await?;
    let mut seen = check::package(job, &site, &package, &files, &stacks).await?;
    seen.findings.extend(left.deeds(&found).iter().map(Deed::finding));
    seen.found = found;
    let seen = seen.judged(job).await?;
    let artifact = artifact::store(job).await?;
    let place = format!("{} in {}", package.stage, package.region);
    let size = artifact.size_bytes.div_euclid(1024) + 1;
    job.log()
        .heading(&format!("packaged for {place}: {size} KiB, sha256 {}", artifact.digest))
        .await;
    Ok(Packaged {
        artifact,
        stage: package.stage,
        region: package.region,
        change: seen.change,
        findings: seen.findings,
        found: seen.found,
    })
}

/// Makes the package, in the package directory, and reads what it is for.
pub(super) async fn make(job: &mut Job, site: &Site<'_>, ground: &Ground) -> Result<Package, Halt> {
    let framework = framework::of(site.service.framework);
    describe(job, framework, site).await;
    match &site.service.commands.package {
        Some(step) => run_order(job, &step.into(), ground).await?,
        None => match framework.package(site)? {
            Making::Run(order) => run_order(job, &order, ground).await?,
            Making::Copy { from, to } => copy(job, site.workspace, &from, to).await?,
            Making::Nothing => {}
        },
    }
    let package = framework.made(site, &job.package_files()?)?;
    package.check(site.target)?;
    match framework.authority() {
        Authority::Framework => {}
        Authority::Manifest => {
            let manifest = Manifest::new(&job.assignment().app, site.service, &package);
            job.write_packaged(manifest::FILE, &manifest.text().map_err(Halt::internal)?)?;
        }
    }
    Ok(package)
}

/// Says which program does the work.
pub(super) async fn describe(job: &Job, framework: &dyn Framework, site: &Site<'_>) {
    if let Some(tool) = framework.tool(site) {
        job.log().note(&format!("framework: {}", tool.describe())).await;
    }
}

async fn run_order(job: &mut Job, order: &Order, ground: &Ground) -> Result<(), Halt> {
    let credentials = job.credentials().await?;
    job.expect(order, &ground.scene, Access::Aws(&credentials)).await
}

async fn copy(job: &Job, workspace: &Workspace, from: &str, to: &str) -> Result<(), Halt> {
    let content = workspace.read(from, FILE_MAX_BYTES)?;
    job.log().heading(&format!("template: {from}")).await;
    job.write_packaged(to, &content)
}
