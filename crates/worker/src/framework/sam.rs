//! AWS SAM, by its own command line. Pure.
//!
//! What always holds: what is deployed is the template that was built at package time; the stack
//! is named by Greenroom, whatever `samconfig.toml` says. `sam` is a tool of the worker: the
//! commit does not install it, for it is no library of the service.

mod own_tags;

use std::collections::BTreeMap;
use std::path::Path;

use model::app::safeguard::Tool;
use model::job::Failure;

use super::cloudformation::{self, one_stack};
use super::{
    Amended, Authority, Deploying, Facts, Foresight, Framework, LINKLESS, Making, Package,
    PackagedStack, Removing, Site, StackNames, StackTags, ToolFound, Work, parameters, stack_name,
};
use crate::detect::{configuration, within};
use crate::git::Workspace;
use crate::step::Order;

const PROGRAM: &str = "sam";
/// What `sam build` calls it.
const TEMPLATE: &str = "template.yaml";
const DEFAULTS: [&str; 2] = ["template.yaml", "template.yml"];

pub(super) struct Sam;

impl Framework for Sam {
    fn tool(&self, _site: &Site<'_>) -> Option<ToolFound> {
        Some(ToolFound { tool: Tool::Sam, name: PROGRAM.to_owned(), version: None })
    }

    fn package(&self, site: &Site<'_>) -> Result<Making, Failure> {
        require(site)?;
        let template = cloudformation::written(site, &DEFAULTS)?;
        let file = within(&site.service.path, &template);
        let source = parameters::read(site.workspace, &file)?;
        let values = parameters::given(&name(site)?, source.tree(), &site.values())?;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let (scratch, package) = (path(&site.places.scratch), path(&site.places.package));
        let command = ["bash", "-euc", LINKLESS, PROGRAM, &scratch, &package].into_iter().chain([
            PROGRAM,
            "build",
            "--template-file",
            &template,
            "--build-dir",
            &scratch,
        ]);
        let mut argv: Vec<String> = command.map(str::to_owned).collect();
        argv.extend(overrides(&values)?);
        let counted = parameters::counted(values.len());
        let heading = format!("sam build --template-file {template}{counted}");
        Ok(Making::Run(Order::argv(heading, argv)))
    }

    fn made(&self, site: &Site<'_>, files: &Workspace) -> Result<Package, Failure> {
        let stack = PackagedStack::new(name(site)?, TEMPLATE, Foresight::Compare);
        let how = "sam build --build-dir \"$GREENROOM_PACKAGE_DIR\"";
        one_stack(site, files, stack, how)
    }

    fn facts(&self, _files: &Workspace) -> Facts {
        Facts::default()
    }

    fn deploy(
        &self,
        site: &Site<'_>,
        package: &Package,
        files: &Workspace,
        tags: &StackTags,
    ) -> Result<Deploying, Failure> {
        require(site)?;
        let [stack] = package.stacks.as_slice() else {
            return Err(configuration("a package of SAM has one stack; package this commit again"));
        };
        let template = parameters::template(files, stack)?;
        let values = parameters::given(&stack.name, template.tree(), &site.values())?;
        let file = site.places.package.join(TEMPLATE).to_string_lossy().into_owned();
        let options = [
            PROGRAM,
            "deploy",
            "--template-file",
            &file,
            "--stack-name",
            &stack.name,
            "--region",
            site.target.region.as_str(),
            "--resolve-s3",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--capabilities",
            "CAPABILITY_IAM",
            "CAPABILITY_NAMED_IAM",
            "CAPABILITY_AUTO_EXPAND",
        ];
        let mut argv: Vec<String> = options.map(str::to_owned).to_vec();
        argv.extend(own_tags::option(site, &tags.of(&stack.name)));
        argv.extend(overrides(&values)?);
        let counted = parameters::counted(values.len());
        let heading = format!("sam deploy --stack-name {} --resolve-s3{counted}", stack.name);
        Ok(Deploying::Run(Order::argv(heading, argv)))
    }

    fn tagged(&self, _files: &Workspace, _tags: &StackTags) -> Result<Vec<Amended>, Failure> {
        Ok(Vec::new())
    }

    fn stacks(&self, site: &Site<'_>) -> StackNames {
        // A stack of a name that cannot be was never deployed.
        StackNames::Known(name(site).into_iter().collect())
    }

    fn remove(&self, _site: &Site<'_>) -> Result<Removing, Failure> {
        Ok(Removing::Stacks)
    }

    fn authority(&self) -> Authority {
        Authority::Manifest
    }

    fn needs_source(&self, work: Work) -> bool {
        match work {
            // `samconfig.toml` says more about the deploy than we do.
            Work::Deploy => true,
            Work::Remove => false,
        }
    }
}

fn name(site: &Site<'_>) -> Result<String, Failure> {
    stack_name::of(site.service, &site.target.stage)
}

fn require(site: &Site<'_>) -> Result<(), Failure> {
    if (site.finds)(PROGRAM) {
        return Ok(());
    }
    Err(configuration(
        "this worker has no `sam`: install it where every user can run it (`python3 -m venv /opt/sam && /opt/sam/bin/pip install aws-sam-cli`), put /opt/sam/bin into the PATH of the worker, behind the system's directories, and start it again",
    ))
}

/// The option with the values, as `CfnParameterOverridesType` of aws-sam-cli reads them: in the
/// form that it looks for first, so that nothing in a value is taken for another parameter.
fn overrides(values: &BTreeMap<String, String>) -> Result<Vec<String>, Failure> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut argv = vec!["--parameter-overrides".to_owned()];
    for (key, value) in values {
        let unsayable = ["\\ ", "\\\"", "\\'"].iter().any(|escape| value.contains(escape))
            || value.ends_with('\\');
        if unsayable {
            return Err(configuration(format!(
                "the value of parameter {key} has a backslash before a blank, a quote or its end, which cannot be said to the command line of SAM: write the value without"
            )));
        }
        let quoted = value.replace('"', "\\\"");
        argv.push(format!("ParameterKey={key},ParameterValue=\"{quoted}\""));
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &str) -> Result<Vec<String>, Failure> {
        overrides(&BTreeMap::from([("Key".to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_value_is_quoted_so_that_it_stays_one() {
        let argv = said("a b=\"c\" ParameterKey=X,ParameterValue=y").expect("sayable");
        assert_eq!(
            argv,
            [
                "--parameter-overrides",
                r#"ParameterKey=Key,ParameterValue="a b=\"c\" ParameterKey=X,ParameterValue=y""#
            ]
        );
        assert!(overrides(&BTreeMap::new()).expect("nothing to say").is_empty());
    }

    #[test]
    fn a_value_that_sam_would_read_otherwise_is_refused() {
        for value in [r"ends with \", r"a\ b", r#"a\"b"#, r"it\'s"] {
            let message = said(value).expect_err("not sayable").message;
            assert!(message.contains("parameter Key") && !message.contains(value), "{message}");
        }
        assert!(said(r"C:\path").is_ok());
    }
}
