//! Services as later jobs need them: commands filled in, traps told, dependencies known. Pure.

use model::AppName;
use model::job::Failure;
use model::pipeline::{Commands, Framework, Service};

use crate::detect::reads::{self, Reader};
use crate::detect::{Listing, Located, configuration, label, within};
use crate::framework::serverless::config::{self, ServerlessYml};
use crate::node::{self, PackageJson};

pub(super) fn all(
    app: &AppName,
    located: Vec<Located>,
    listing: &Listing<'_>,
) -> Result<Vec<Service>, Failure> {
    let readers = located.into_iter().map(|located| describe(located, listing));
    Ok(reads::infer(app, readers.collect::<Result<_, _>>()?))
}

fn describe(located: Located, listing: &Listing<'_>) -> Result<Reader, Failure> {
    let Located { mut service, config } = located;
    let packages = packages(&service.path, listing)?;
    match service.framework {
        Framework::Serverless => serverless(&mut service, config.as_deref(), &packages, listing)?,
        Framework::Cdk => cdk(&mut service, &packages)?,
        Framework::Cloudformation | Framework::Sam | Framework::Custom => {
            service.notes.push(format!("framework: {}", label(service.framework)));
        }
    }
    let own = within(&service.path, "package.json");
    let own = packages.iter().find(|(file, _)| *file == own).map(|(_, package)| package);
    let install = node::install(&service.path, listing.files);
    let (commands, why) =
        node::fill_in(&service.path, service.framework, &service.commands, own, install.as_ref());
    service.commands = commands;
    service.notes.extend(why);
    let mut found = reads::in_parameters("greenroom.yml", &service.parameters);
    // what compose reads is a dependency already
    found.retain(|read| !service.reads.contains(&read.reference));
    if let (Framework::Serverless, Some(config)) = (service.framework, &config) {
        let sources = reads::sources(&service.path, config, listing);
        found.extend(reads::in_files(&sources, listing));
    }
    Ok(Reader { service, reads: found })
}

/// The service's own `package.json` and those above it, nearest first, each with its path.
fn packages(path: &str, listing: &Listing<'_>) -> Result<Vec<(String, PackageJson)>, Failure> {
    let files = node::upwards(path).into_iter().map(|directory| within(directory, "package.json"));
    files
        .filter_map(|file| listing.texts.get(&file).map(|text| (file, text)))
        .map(|(file, text)| PackageJson::parse(&file, text).map(|package| (file, package)))
        .collect()
}

/// Whether the framework itself has nothing left to do.
fn is_replaced(commands: &Commands) -> bool {
    [&commands.package, &commands.deploy, &commands.remove].iter().all(|command| command.is_some())
}

fn serverless(
    service: &mut Service,
    config: Option<&str>,
    packages: &[(String, PackageJson)],
    listing: &Listing<'_>,
) -> Result<(), Failure> {
    let file = config.map_or_else(|| within(&service.path, "serverless.yml"), str::to_owned);
    let is_data = [".yml", ".yaml", ".json"].iter().any(|end| file.ends_with(end));
    let written = match listing.text(&file).filter(|_| is_data) {
        Some(text) => ServerlessYml::parse(&text).unwrap_or_else(|error| {
            let note = format!("{file} could not be read ahead, the framework will: {error}");
            service.notes.push(note);
            ServerlessYml::default()
        }),
        None => {
            service.notes.push(format!(
                "{file} is known only when the framework runs it: its settings are checked at package time"
            ));
            ServerlessYml::default()
        }
    };
    let known = |name: &&String| !name.contains("${");
    service.published_as = written.service.as_ref().filter(known).cloned();
    if let Some(name) = &service.published_as
        && name != service.name.as_str()
    {
        service.notes.push(format!("its outputs may be read as {} or {name}", service.name));
    }
    service.notes.push(if is_replaced(&service.commands) {
        "framework: not looked for, package, deploy and remove are commands of greenroom.yml"
            .to_owned()
    } else {
        config::check(&file, &written, &service.path, packages)?
    });
    Ok(())
}

fn cdk(service: &mut Service, packages: &[(String, PackageJson)]) -> Result<(), Failure> {
    let found = packages
        .iter()
        .find_map(|(file, package)| Some((file, package.dependencies.get("aws-cdk")?)));
    service.notes.push(match found {
        Some((file, range)) => format!("framework: aws-cdk {range}, as {file} asks"),
        None if is_replaced(&service.commands) => {
            "framework: not looked for, package, deploy and remove are commands of greenroom.yml"
                .to_owned()
        }
        None => {
            return Err(configuration(format!(
                "{} names no aws-cdk: run `npm install --save-dev aws-cdk@2` in {} and commit package.json and its lock file",
                within(&service.path, "package.json"),
                service.path
            )));
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
