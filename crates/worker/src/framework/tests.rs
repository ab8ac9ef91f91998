//! Frameworks as the jobs see them: what each makes of a site.

use model::job::Failure;
use model::pipeline::{self, Service};

use super::*;
use crate::job::tests::target;

/// A workspace with these files, and one service in `svc`.
struct Bench {
    root: tempfile::TempDir,
    service: Service,
    inputs: BTreeMap<String, String>,
    programs: &'static [&'static str],
}

impl Bench {
    fn new(framework: pipeline::Framework, files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, content).expect("a file");
        }
        let service = Service::new("svc".parse().expect("a name"), "svc", framework);
        Self { root, service, inputs: BTreeMap::new(), programs: &[] }
    }

    fn ask<T>(&self, question: impl FnOnce(&dyn Framework, &Site<'_>, &Workspace) -> T) -> T {
        let workspace = Workspace::new(self.root.path().to_owned());
        let places = Places {
            service: "/workspace/svc".into(),
            package: "/home/step/package".into(),
            scratch: "/home/step/made".into(),
        };
        let finds = |program: &str| self.programs.contains(&program);
        let target = target(&[("Size", "of the app"), ("secret", "s3cret")]);
        let site = Site {
            workspace: &workspace,
            service: &self.service,
            target: &target,
            inputs: &self.inputs,
            places: &places,
            finds: &finds,
        };
        let files = Workspace::new(self.root.path().join("package"));
        question(of(self.service.framework), &site, &files)
    }

    fn packaging(&self) -> Result<Making, Failure> {
        self.ask(|framework, site, _| framework.package(site))
    }

    fn made(&self) -> Result<Package, Failure> {
        self.ask(|framework, site, files| framework.made(site, files))
    }

    fn deploying(&self, package: &Package) -> Result<Deploying, Failure> {
        self.ask(|framework, site, files| framework.deploy(site, package, files, &tags()))
    }
}

/// What Greenroom gives the stacks of the tests.
fn tags() -> StackTags {
    let ours = BTreeMap::from([("greenroom:app".to_owned(), "workshop".to_owned())]);
    let stacks = ["svc-feature-x", "shop-feature-x"];
    StackTags(stacks.map(|stack| (stack.to_owned(), ours.clone())).into())
}

fn run(order: Order) -> (String, Vec<String>) {
    match order.command {
        crate::step::Command::Argv(argv) => (order.heading, argv),
        crate::step::Command::Shell(line) => (order.heading, vec![line]),
    }
}

fn packaged(making: Result<Making, Failure>) -> (String, Vec<String>) {
    match making.expect("a way") {
        Making::Run(order) => run(order),
        other @ (Making::Copy { .. } | Making::Nothing) => panic!("no command: {other:?}"),
    }
}

fn deployed(deploying: Result<Deploying, Failure>) -> (String, Vec<String>) {
    match deploying.expect("a way") {
        Deploying::Run(order) => run(order),
        Deploying::ChangeSets => panic!("no command"),
    }
}

const TEMPLATE: &str = "Parameters: { Size: { Type: String } }\nResources: {}\n";

#[test]
fn a_template_is_copied_as_it_is_and_named_after_service_and_stage() {
    let files = [("svc/template.json", "{}"), ("package/template.yml", TEMPLATE)];
    let bench = Bench::new(pipeline::Framework::Cloudformation, &files);
    match bench.packaging() {
        Ok(Making::Copy { from, to }) => {
            assert_eq!((from.as_str(), to), ("svc/template.json", "template.yml"));
        }
        other => panic!("not copied: {other:?}"),
    }
    let package = bench.made().expect("a package");
    assert_eq!(package.stacks[0].name, "svc-feature-x");
    assert_eq!(
        bench.ask(|framework, site, _| framework.stacks(site)),
        StackNames::Known(vec!["svc-feature-x".to_owned()])
    );
    assert!(matches!(bench.deploying(&package), Ok(Deploying::ChangeSets)));
}

#[test]
fn a_service_without_a_template_says_what_was_looked_for() {
    let message = Bench::new(pipeline::Framework::Cloudformation, &[])
        .packaging()
        .expect_err("no template")
        .message;
    assert!(message.contains("services.svc") && message.contains("template.yaml"), "{message}");
}

#[test]
fn a_parameter_that_the_template_does_not_declare_is_refused() {
    let mut bench =
        Bench::new(pipeline::Framework::Cloudformation, &[("package/template.yml", TEMPLATE)]);
    bench.inputs.insert("Sise".to_owned(), "1".to_owned());
    let message = bench.made().expect_err("not declared").message;
    assert!(message.contains("services.svc.parameters of greenroom.yml has Sise"), "{message}");
}

#[test]
fn sam_builds_and_deploys_with_the_parameters_that_the_template_declares() {
    let files = [("svc/template.yaml", TEMPLATE), ("package/template.yaml", TEMPLATE)];
    let mut bench = Bench::new(pipeline::Framework::Sam, &files);
    bench.programs = &["sam"];
    let (heading, argv) = packaged(bench.packaging());
    assert_eq!(heading, "sam build --template-file template.yaml (1 parameter)");
    assert_eq!(
        argv.last().map(String::as_str),
        Some(r#"ParameterKey=Size,ParameterValue="of the app""#)
    );
    bench.inputs.insert("Size".to_owned(), "of the service".to_owned());
    let package = bench.made().expect("a package");
    let (heading, argv) = deployed(bench.deploying(&package));
    assert_eq!(heading, "sam deploy --stack-name svc-feature-x --resolve-s3 (1 parameter)");
    assert!(argv.contains(&"--no-confirm-changeset".to_owned()), "{argv:?}");
    let value = r#"ParameterKey=Size,ParameterValue="of the service""#;
    assert_eq!(argv.last().map(String::as_str), Some(value));
}

#[test]
fn sam_gives_the_stack_our_tags_beside_those_of_its_own_configuration() {
    let files = [
        ("svc/samconfig.toml", "[default.deploy.parameters]\ntags = \"team=blue\"\n"),
        ("package/template.yaml", TEMPLATE),
    ];
    let mut bench = Bench::new(pipeline::Framework::Sam, &files);
    bench.programs = &["sam"];
    let package = bench.made().expect("a package");
    let (_, argv) = deployed(bench.deploying(&package));
    let at = argv.iter().position(|word| word == "--tags").expect("tags");
    assert_eq!(argv[at + 1..at + 3], ["team=blue", "greenroom:app=workshop"]);
}

#[test]
fn without_sam_on_the_worker_it_says_how_to_install_it() {
    let bench = Bench::new(pipeline::Framework::Sam, &[("svc/template.yaml", TEMPLATE)]);
    let message = bench.packaging().expect_err("no sam").message;
    assert!(message.contains("pip install aws-sam-cli"), "{message}");
}

const CDK: [(&str, &str); 3] = [
    ("node_modules/aws-cdk/package.json", r#"{"version":"2.1148.1"}"#),
    (
        "package/manifest.json",
        r#"{"artifacts":{"S":{"type":"aws:cloudformation:stack","properties":{
            "stackName":"shop-feature-x","templateFile":"S.template.json"}}}}"#,
    ),
    ("package/S.template.json", r#"{"Parameters":{"Size":{"Type":"String"}}}"#),
];

#[test]
fn cdk_makes_an_assembly_and_deploys_it_with_what_its_templates_declare() {
    let bench = Bench::new(pipeline::Framework::Cdk, &CDK);
    let tool = bench.ask(|framework, site, _| framework.tool(site)).expect("CDK");
    assert_eq!(tool.describe(), "cdk 2.1148.1");
    let (heading, argv) = packaged(bench.packaging());
    assert_eq!((heading.as_str(), argv[6].as_str()), ("cdk synth", "../node_modules/.bin/cdk"));
    let package = bench.made().expect("a package");
    let (heading, argv) = deployed(bench.deploying(&package));
    assert_eq!(heading, "cdk deploy shop-feature-x (1 parameter)");
    assert_eq!(
        argv[..5],
        ["../node_modules/.bin/cdk", "deploy", "**", "--app", "/home/step/package"]
    );
    assert_eq!(argv.last().map(String::as_str), Some("shop-feature-x:Size=of the app"));
    assert_eq!(bench.ask(|framework, site, _| framework.stacks(site)), StackNames::InPackage);
    let amended = bench.ask(|framework, _, files| framework.tagged(files, &tags()));
    let amended = amended.expect("a manifest");
    assert_eq!(amended[0].name, "manifest.json");
    assert!(String::from_utf8_lossy(&amended[0].content).contains("greenroom:app"));
}

#[test]
fn without_cdk_it_says_how_to_add_it() {
    let bench = Bench::new(pipeline::Framework::Cdk, &[]);
    let message = bench.packaging().expect_err("no CDK").message;
    assert!(message.contains("npm install --save-dev aws-cdk@2"), "{message}");
}

#[test]
fn a_custom_service_has_no_stacks_and_needs_its_commands() {
    let bench = Bench::new(pipeline::Framework::Custom, &[]);
    assert!(matches!(bench.packaging(), Ok(Making::Nothing)));
    let package = bench.made().expect("a package");
    assert!(package.stacks.is_empty());
    let message = bench.deploying(&package).expect_err("no command").message;
    assert!(message.contains("services.svc") && message.contains("`deploy`"), "{message}");
}

#[test]
fn the_serverless_framework_gets_the_services_parameters_before_the_apps() {
    let files =
        [("svc/node_modules/osls/package.json", r#"{"version":"4.3.1","bin":{"osls":"x"}}"#)];
    let mut bench = Bench::new(pipeline::Framework::Serverless, &files);
    bench.inputs.insert("Size".to_owned(), "of the service".to_owned());
    let (heading, argv) = packaged(bench.packaging());
    assert!(heading.ends_with("(2 parameters)") && !heading.contains("s3cret"), "{heading}");
    assert!(argv.contains(&"Size=of the service".to_owned()), "{argv:?}");
    assert!(!argv.contains(&"Size=of the app".to_owned()), "{argv:?}");
}
