//! The crate table of `docs/ARCHITECTURE.md` as a test: an edge that the table does not have is
//! an error here, before anybody comes to rely on it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Who may import which of our crates.
const ALLOWED: &[(&str, &[&str])] = &[
    ("greenroom-model", &[]),
    ("greenroom-store", &["greenroom-model"]),
    ("greenroom-github", &["greenroom-model"]),
    ("greenroom-aws", &["greenroom-model"]),
    ("greenroom-notify", &["greenroom-model"]),
    (
        "greenroom-engine",
        &["greenroom-store", "greenroom-github", "greenroom-notify", "greenroom-model"],
    ),
    ("greenroom-web", &["greenroom-store", "greenroom-github", "greenroom-aws", "greenroom-model"]),
    ("greenroom-worker", &["greenroom-aws", "greenroom-model"]),
    ("greenroom-cli", &["greenroom-model"]),
    (
        "greenroom",
        &[
            "greenroom-model",
            "greenroom-store",
            "greenroom-github",
            "greenroom-aws",
            "greenroom-notify",
            "greenroom-engine",
            "greenroom-web",
            "greenroom-worker",
            "greenroom-cli",
        ],
    ),
    ("greenroom-fakes", &[]),
];

/// Libraries with a room of their own: the crates that may import them, and no other.
const ROOMS: &[(&str, &[&str])] = &[
    ("sqlx", &["greenroom-store", "greenroom-model"]),
    ("object_store", &["greenroom-store", "greenroom-aws"]),
    ("octocrab", &["greenroom-github"]),
    ("lettre", &["greenroom-notify"]),
    ("aws-config", &["greenroom-aws"]),
    ("aws-sdk-cloudformation", &["greenroom-aws"]),
    ("aws-sdk-secretsmanager", &["greenroom-aws"]),
    ("aws-sdk-ssm", &["greenroom-aws"]),
    ("aws-sdk-sts", &["greenroom-aws"]),
    ("askama", &["greenroom-web"]),
    ("axum", &["greenroom-web", "greenroom", "greenroom-fakes"]),
    (
        "reqwest",
        &["greenroom-notify", "greenroom-worker", "greenroom-cli", "greenroom", "greenroom-fakes"],
    ),
    ("clap_complete", &["greenroom-cli"]),
    ("clap_mangen", &["greenroom-cli"]),
    // everybody's but the model's, which does no I/O
    (
        "tokio",
        &[
            "greenroom-store",
            "greenroom-github",
            "greenroom-aws",
            "greenroom-notify",
            "greenroom-engine",
            "greenroom-web",
            "greenroom-worker",
            "greenroom-cli",
            "greenroom",
            "greenroom-fakes",
        ],
    ),
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().expect("cargo knows this workspace")
}

/// What each of our crates imports in what it ships; tests may use the stand-ins.
fn edges(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let imports = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), imports)
        })
        .collect()
}

/// The first edge that breaks the table, as a sentence.
fn violation(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    for (importer, imports) in edges {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == importer) else {
            return Some(format!("{importer} has no row in the crate table"));
        };
        for import in imports.iter().filter(|name| edges.contains_key(*name)) {
            if !allowed.contains(&import.as_str()) {
                return Some(format!(
                    "{importer} imports {import}, which the crate table does not have"
                ));
            }
        }
        for (library, crates) in ROOMS {
            if imports.contains(*library) && !crates.contains(&importer.as_str()) {
                return Some(format!("{importer} imports {library}, which is not its room's"));
            }
        }
    }
    None
}

#[test]
fn the_crates_import_what_the_table_has_and_nothing_else() {
    assert_eq!(violation(&edges(&metadata())), None);
}

#[test]
fn every_row_of_the_tables_is_true() {
    let edges = edges(&metadata());
    for (name, _) in ALLOWED {
        assert!(edges.contains_key(*name), "{name} is in the table and not in the workspace");
    }
    for (library, crates) in ROOMS {
        for name in *crates {
            let imports = edges.get(*name).unwrap_or_else(|| panic!("{name} has a room, no crate"));
            assert!(imports.contains(*library), "{name} may import {library}, and does not");
        }
    }
}

#[test]
fn an_edge_that_the_table_does_not_have_is_found() {
    let mut edges = edges(&metadata());
    edges.get_mut("greenroom-web").unwrap().insert("greenroom-engine".into());
    let sentence = violation(&edges).expect("web must not import engine");
    assert!(sentence.contains("greenroom-web imports greenroom-engine"), "{sentence}");
}

#[test]
fn a_library_of_another_room_is_found() {
    for (importer, library) in [("greenroom-worker", "sqlx"), ("greenroom-web", "aws-sdk-ssm")] {
        let mut edges = edges(&metadata());
        edges.get_mut(importer).unwrap().insert(library.into());
        let sentence = violation(&edges).expect("it is another room's");
        assert!(sentence.contains(library) && sentence.contains(importer), "{sentence}");
    }
}
