//! Whose outputs a service reads, by its own files; and so which services come first, though
//! nobody wrote that down.
//!
//! What always holds: what is written under `depends_on` stays and comes first; a service depends
//! on another once, for the first reason found, and never on itself.

use std::collections::BTreeMap;

use model::AppName;
use model::output::{Certainty, Reference, scan};
use model::pipeline::{Dependency, DependencyOrigin, Service};

use super::{Listing, within};

/// A reference and the file it stands in, relative to the repository's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) reference: Reference,
    pub(crate) file: String,
}

/// A service with what it reads, in the order in which it is found.
pub(crate) struct Reader {
    pub(crate) service: Service,
    pub(crate) reads: Vec<Read>,
}

/// The configuration of a service with the files that it takes parts from, as far as they are
/// known by name and have been read.
pub(crate) fn sources(path: &str, config: &str, listing: &Listing<'_>) -> Vec<String> {
    let mut found = vec![config.to_owned()];
    let mut at = 0;
    while let Some(file) = found.get(at).cloned() {
        at += 1;
        let Some(text) = listing.text(&file) else { continue };
        for included in includes(path, &text) {
            if !found.contains(&included) {
                found.push(included);
            }
        }
    }
    found
}

/// The references in these files.
pub(crate) fn in_files(files: &[String], listing: &Listing<'_>) -> Vec<Read> {
    let of = |file: &String| {
        let references = listing.text(file).map(|text| scan(&text)).unwrap_or_default();
        let read = |reference| Read { reference, file: file.clone() };
        references.into_iter().map(read).collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}

/// The references in values of the pipeline file.
pub(crate) fn in_parameters(file: &str, parameters: &BTreeMap<String, String>) -> Vec<Read> {
    let references = parameters.values().flat_map(|value| scan(value));
    references.map(|reference| Read { reference, file: file.to_owned() }).collect()
}

/// The files that a text takes parts from by `${file(./part.yml)}`, relative to the root. Paths
/// with variables are known only when the framework runs, programs only by running them.
fn includes(service: &str, text: &str) -> Vec<String> {
    let pieces = text.split("file(").skip(1).filter_map(|rest| rest.split_once(')'));
    let paths = pieces.map(|(path, _)| path.trim().trim_matches(['\'', '"']));
    let is_data = |path: &&str| {
        [".yml", ".yaml", ".json"].iter().any(|end| path.ends_with(end)) && !path.contains("${")
    };
    paths.filter(is_data).filter_map(|path| resolved(service, path)).collect()
}

/// `./` and `../` taken out; `None` for a path that leaves the repository.
fn resolved(service: &str, path: &str) -> Option<String> {
    if path.starts_with(['/', '~']) {
        return None;
    }
    let whole = within(service, path);
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The services with all that they depend on.
pub(crate) fn infer(app: &AppName, readers: Vec<Reader>) -> Vec<Service> {
    let all: Vec<Service> = readers.iter().map(|reader| reader.service.clone()).collect();
    readers.into_iter().map(|reader| with_dependencies(app, reader, &all)).collect()
}

fn with_dependencies(app: &AppName, reader: Reader, all: &[Service]) -> Service {
    let Reader { mut service, reads } = reader;
    for Read { reference, file } in reads {
        match target(app, &reference, all) {
            Target::Services(targets) => {
                for target in targets {
                    let known = service.depends_on.iter().any(|known| known.service == target.name);
                    if !known && target.name != service.name {
                        service.notes.push(format!(
                            "deployed after {}: it reads {} in {file}",
                            target.name,
                            reference.raw()
                        ));
                        let (reference, file) = (reference.clone(), file.clone());
                        let origin = DependencyOrigin::Output { reference, file };
                        service
                            .depends_on
                            .push(Dependency { service: target.name.clone(), origin });
                    }
                }
            }
            Target::Elsewhere => {}
            Target::Unknown => service.notes.push(format!(
                "{} in {file}: which service that is is known only when it is packaged; name it under depends_on in greenroom.yml if it must be deployed first",
                reference.raw()
            )),
            Target::Nobody => service.notes.push(format!(
                "{} in {file}: this repository has no service {}; what is published is looked at when it is packaged",
                reference.raw(),
                reference.service()
            )),
        }
        if !service.reads.contains(&reference) {
            service.reads.push(reference);
        }
    }
    service
}

/// What a reference names.
enum Target<'a> {
    Services(Vec<&'a Service>),
    /// A service of another app.
    Elsewhere,
    Unknown,
    Nobody,
}

fn target<'a>(app: &AppName, reference: &Reference, all: &'a [Service]) -> Target<'a> {
    match reference.points_at_app(app) {
        Certainty::Yes => {}
        Certainty::No => return Target::Elsewhere,
        Certainty::Unknown => return Target::Unknown,
    }
    let named =
        |service: &Service| reference.names_service(&service.name, service.published_as.as_deref());
    let sure: Vec<&Service> =
        all.iter().filter(|service| named(service) == Certainty::Yes).collect();
    if !sure.is_empty() {
        Target::Services(sure)
    } else if all.iter().any(|service| named(service) == Certainty::Unknown) {
        Target::Unknown
    } else {
        Target::Nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::pipeline::Framework;
    use std::collections::BTreeSet;

    fn service(name: &str) -> Service {
        Service::new(name.parse().expect("a name"), name, Framework::Serverless)
    }

    fn reader(service: Service, texts: &[&str]) -> Reader {
        let read = |text: &&str| Read {
            reference: text.parse().expect("a reference"),
            file: format!("{}/serverless.yml", service.path),
        };
        Reader { reads: texts.iter().map(read).collect(), service }
    }

    fn inferred(readers: Vec<Reader>) -> Vec<Service> {
        infer(&"workshop".parse().expect("an app"), readers)
    }

    fn on(service: &Service) -> Vec<&str> {
        service.depends_on.iter().map(|dependency| dependency.service.as_str()).collect()
    }

    #[test]
    fn a_service_depends_on_those_whose_outputs_it_reads_by_either_name_and_of_any_stage() {
        let mut database = service("database");
        database.published_as = Some("fullstack-database".to_owned());
        let services = inferred(vec![
            reader(
                service("restapi"),
                &["${output::${param:env}::fullstack-database.table}", "${output:queue.url}"],
            ),
            reader(service("queue"), &["${output:workshop:dev::database.table}"]),
            reader(database, &[]),
        ]);
        assert_eq!(on(&services[0]), ["database", "queue"]);
        assert_eq!(on(&services[1]), ["database"]);
        assert_eq!(services[0].reads.len(), 2);
        let place = services[0].depends_on[0].place();
        assert_eq!(
            place,
            "${output::${param:env}::fullstack-database.table} in restapi/serverless.yml"
        );
        assert!(
            services[0].notes[0].contains("deployed after database"),
            "{:?}",
            services[0].notes
        );
    }

    #[test]
    fn what_is_declared_stays_and_nothing_is_named_twice() {
        let mut restapi = service("restapi");
        restapi.depends_on = vec![Dependency::declared("database".parse().expect("a name"))];
        let reads = ["${output:database.a}", "${output:database.b}"];
        let services = inferred(vec![reader(restapi, &reads), reader(service("database"), &[])]);
        assert_eq!(
            services[0].depends_on,
            [Dependency::declared("database".parse().expect("a name"))]
        );
        assert_eq!(services[0].reads.len(), 2);
    }

    #[test]
    fn a_service_that_reads_itself_does_not_wait_for_itself() {
        let services = inferred(vec![reader(service("a"), &["${output::prod::a.url}"])]);
        assert_eq!(on(&services[0]), Vec::<&str>::new());
    }

    #[test]
    fn a_service_of_another_app_is_none_of_ours_and_one_that_is_not_there_is_told() {
        let services = inferred(vec![
            reader(service("a"), &["${output:billing:dev::b.url}", "${output:gone.url}"]),
            reader(service("b"), &[]),
        ]);
        assert_eq!(on(&services[0]), Vec::<&str>::new());
        assert_eq!(
            services[0].notes,
            [
                "${output:gone.url} in a/serverless.yml: this repository has no service gone; what is published is looked at when it is packaged"
            ]
        );
    }

    #[test]
    fn a_name_that_only_the_framework_knows_is_told() {
        let services = inferred(vec![
            reader(service("a"), &["${output:${self:custom.db}.url}"]),
            reader(service("b"), &[]),
        ]);
        assert_eq!(on(&services[0]), Vec::<&str>::new());
        assert!(services[0].notes[0].contains("depends_on"), "{:?}", services[0].notes);
    }

    fn sources_of(path: &str, config: &str, texts: &[(&str, &str)]) -> Vec<String> {
        let texts: BTreeMap<String, Vec<u8>> = texts
            .iter()
            .map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let files = BTreeSet::new();
        sources(path, config, &Listing { files: &files, texts: &texts })
    }

    #[test]
    fn parts_in_other_files_belong_to_the_configuration() {
        let texts = [
            (
                "api/serverless.yml",
                "functions: ${file(./functions.yml)}\ncustom: ${opt:x, file('../shared/custom.yml'):a}\n",
            ),
            ("api/functions.yml", "a: ${file(functions.yml):b}\nb: ${file(more.json)}"),
        ];
        assert_eq!(
            sources_of("api", "api/serverless.yml", &texts),
            ["api/serverless.yml", "api/functions.yml", "shared/custom.yml", "api/more.json"]
        );
    }

    #[test]
    fn what_leaves_the_repository_or_is_a_program_is_not_read() {
        let text = "a: ${file(../../x.yml)} ${file(/etc/x.yml)} ${file(~/x.yml)} ${file(./x.js)} ${file(./${self:a}.yml)}";
        let texts = [("api/serverless.yml", text)];
        assert_eq!(sources_of("api", "api/serverless.yml", &texts), ["api/serverless.yml"]);
        assert_eq!(sources_of(".", "serverless.yml", &[]), ["serverless.yml"]);
    }
}
