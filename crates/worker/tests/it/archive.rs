//! Packing and unpacking artifacts.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use async_compression::tokio::write::ZstdEncoder;
use aws_lc_rs::digest::{SHA256, digest};
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio_tar::{Builder, EntryType, Header};
use worker::archive::{ArchiveError, ArchiveLimits, pack, unpack};
use worker::git::Workspace;

use crate::support::directory;

fn filled() -> (tempfile::TempDir, Workspace) {
    let directory = directory();
    let package = directory.path().join("workspace/.serverless");
    std::fs::create_dir_all(package.join("layers/empty")).unwrap();
    std::fs::write(package.join("api.zip"), "zip".repeat(10_000)).unwrap();
    std::fs::write(package.join("serverless-state.json"), "{}").unwrap();
    let workspace = Workspace::new(directory.path().join("workspace"));
    (directory, workspace)
}

fn limits() -> ArchiveLimits {
    ArchiveLimits { total_bytes: 100_000, entries: 100 }
}

#[tokio::test]
async fn what_is_packed_comes_out_again_and_its_name_is_its_digest() {
    let (directory, workspace) = filled();
    let at = |name: &str| directory.path().join(name);
    let packed = pack(&workspace, Path::new(".serverless"), &at("a"), limits()).await.unwrap();
    let bytes = std::fs::read(at("a")).unwrap();
    assert_eq!(packed.digest, hex::encode(digest(&SHA256, &bytes)));
    assert_eq!(packed.size_bytes, bytes.len() as u64);

    unpack(&bytes[..], &at("out"), limits()).await.unwrap();
    assert_eq!(std::fs::read_to_string(at("out/api.zip")).unwrap(), "zip".repeat(10_000));
    assert!(at("out/layers/empty").is_dir());
    assert_eq!(at("out/api.zip").metadata().unwrap().mode() & 0o777, 0o644);

    let copy = Workspace::new(directory.path().to_owned());
    let again = pack(&copy, Path::new("out"), &at("b"), limits()).await.unwrap();
    assert_eq!(again, packed);
}

#[tokio::test]
async fn links_and_pipes_are_not_packed() {
    let (directory, workspace) = filled();
    let link = workspace.root().join(".serverless/link");
    symlink("/etc/passwd", &link).unwrap();
    let target = directory.path().join("a");
    let error = pack(&workspace, Path::new(".serverless"), &target, limits()).await.unwrap_err();
    assert!(matches!(&error, ArchiveError::Kind(path) if path.ends_with("link")), "{error}");
    let error = pack(&workspace, Path::new(".."), &target, limits()).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Workspace(_)), "{error}");
}

#[tokio::test]
async fn too_much_is_neither_packed_nor_unpacked() {
    let (directory, workspace) = filled();
    let at = |name: &str| directory.path().join(name);
    let path = Path::new(".serverless");
    let small = ArchiveLimits { total_bytes: 1000, ..limits() };
    let few = ArchiveLimits { entries: 2, ..limits() };
    let error = pack(&workspace, path, &at("a"), small).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge(1000)), "{error}");
    let error = pack(&workspace, path, &at("b"), few).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TooMany(2)), "{error}");
    pack(&workspace, path, &at("c"), limits()).await.unwrap();
    let bytes = std::fs::read(at("c")).unwrap();
    let error = unpack(&bytes[..], &at("out1"), small).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge(1000)), "{error}");
    let error = unpack(&bytes[..], &at("out2"), few).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TooMany(2)), "{error}");
    assert!(unpack(&bytes[..bytes.len() / 2], &at("out3"), limits()).await.is_err());
}

/// An archive with one entry as no `pack` of ours writes it.
async fn crafted(name: &str, kind: EntryType, link: Option<&str>) -> Vec<u8> {
    let mut builder = Builder::new(ZstdEncoder::new(Vec::new()));
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o4777);
    header.set_size(if kind == EntryType::Regular { 4 } else { 0 });
    if let Some(link) = link {
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_cksum();
    let content: &[u8] = if kind == EntryType::Regular { b"evil" } else { b"" };
    builder.append(&header, content).await.unwrap();
    let mut encoder = builder.into_inner().await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

#[rstest]
#[case("../evil", EntryType::Regular, None)]
#[case("/tmp/greenroom-evil", EntryType::Regular, None)]
#[case("a/../../evil", EntryType::Regular, None)]
#[case("link", EntryType::Symlink, Some("/etc"))]
#[case("link", EntryType::Link, Some("/etc/passwd"))]
#[case("pipe", EntryType::Fifo, None)]
#[case("disk", EntryType::Block, None)]
#[tokio::test]
async fn a_crafted_archive_writes_nothing(
    #[case] name: &str,
    #[case] kind: EntryType,
    #[case] link: Option<&str>,
) {
    let directory = directory();
    let out: PathBuf = directory.path().join("out");
    let archive = crafted(name, kind, link).await;
    let error = unpack(&archive[..], &out, limits()).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Outside(_) | ArchiveError::Kind(_)), "{error}");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(!Path::new("/tmp/greenroom-evil").exists());
}
