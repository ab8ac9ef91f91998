//! Installed dependencies, kept.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;
use worker::cache::{Cache, CacheKey, KeyParts, Scope};
use worker::sandbox::StepUser;

use crate::support::directory;

fn key(trust: &str, lock_file: &[u8]) -> CacheKey {
    let scope = Scope { app: "workshop".parse().unwrap(), trust: trust.to_owned() };
    let parts =
        KeyParts { lock_file, package_manager: "npm 10.8.2", node: "v20.20.2", directory: "api" };
    CacheKey::new(&scope, &parts)
}

fn cache(directory: &TempDir, limit: u64) -> Cache {
    Cache::open(directory.path().join("cache"), limit).unwrap()
}

fn place(directory: &TempDir, name: &str, user: Option<StepUser>) -> std::path::PathBuf {
    let path = directory.path().join(name);
    std::fs::create_dir(&path).unwrap();
    if let Some(user) = user {
        user.own(&path).unwrap();
    }
    path
}

fn install(directory: &Path, bytes: usize) {
    let modules = directory.join("node_modules");
    std::fs::create_dir_all(modules.join("tool/bin")).unwrap();
    std::fs::create_dir_all(modules.join(".bin")).unwrap();
    std::fs::write(modules.join("tool/bin/tool.js"), "x".repeat(bytes)).unwrap();
    std::fs::set_permissions(modules.join("tool/bin/tool.js"), PermissionsExt::from_mode(0o755))
        .unwrap();
    symlink("../tool/bin/tool.js", modules.join(".bin/tool")).unwrap();
}

#[rstest]
#[case(None)]
#[case(nix::unistd::geteuid().is_root().then_some(StepUser { uid: 64_001, gid: 64_001 }))]
#[tokio::test]
async fn an_install_is_restored_as_a_private_copy(#[case] user: Option<StepUser>) {
    let directory = directory();
    let cache = cache(&directory, 10_000_000);
    let saved = place(&directory, "first", None);
    install(&saved, 1000);
    if let Some(user) = user {
        user.own(&saved).unwrap();
    }
    let key = key("preview", b"lock");
    assert!(cache.save(&key, &saved, &["node_modules"], user).await.unwrap());
    assert!(!cache.save(&key, &saved, &["node_modules"], user).await.unwrap());

    for name in ["second", "third"] {
        let restored = place(&directory, name, user);
        assert!(cache.restore(&key, &restored, user).await.unwrap());
        let tool = restored.join("node_modules/.bin/tool");
        assert_eq!(std::fs::read_to_string(&tool).unwrap(), "x".repeat(1000));
        let metadata = tool.metadata().unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o755);
        assert_eq!(metadata.nlink(), 1);
        if let Some(user) = user {
            assert_eq!((metadata.uid(), metadata.gid()), (user.uid, user.gid));
        }
        std::fs::write(&tool, "changed by a step").unwrap();
    }
}

#[tokio::test]
async fn nothing_a_preview_saved_is_found_by_a_long_lived_stage() {
    let directory = directory();
    let cache = cache(&directory, 10_000_000);
    let saved = place(&directory, "saved", None);
    install(&saved, 10);
    cache.save(&key("preview", b"lock"), &saved, &["node_modules"], None).await.unwrap();
    let fresh = place(&directory, "fresh", None);
    assert!(!cache.restore(&key("long-lived", b"lock"), &fresh, None).await.unwrap());
    assert!(!cache.restore(&key("preview", b"another lock"), &fresh, None).await.unwrap());
    assert_eq!(std::fs::read_dir(&fresh).unwrap().count(), 0);
}

#[tokio::test]
async fn the_longest_unused_entry_makes_room_for_a_new_one() {
    let directory = directory();
    let cache = cache(&directory, 400_000);
    let keys = [b"a", b"b", b"c"].map(|lock| key("preview", lock));
    let saved = place(&directory, "saved", None);
    install(&saved, 150_000);
    for key in &keys[..2] {
        assert!(cache.save(key, &saved, &["node_modules"], None).await.unwrap());
    }
    let first = place(&directory, "first", None);
    assert!(cache.restore(&keys[0], &first, None).await.unwrap());
    assert!(cache.save(&keys[2], &saved, &["node_modules"], None).await.unwrap());
    for (key, kept) in keys.iter().zip([true, false, true]) {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(cache.restore(key, place.path(), None).await.unwrap(), kept);
    }
}

#[tokio::test]
async fn what_is_larger_than_the_cache_is_not_kept() {
    let directory = directory();
    let cache = cache(&directory, 100_000);
    let saved = place(&directory, "saved", None);
    install(&saved, 200_000);
    let result = cache.save(&key("preview", b"lock"), &saved, &["node_modules"], None).await;
    assert!(!matches!(result, Ok(true)));
    assert_eq!(std::fs::read_dir(directory.path().join("cache")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_broken_entry_counts_as_none_and_is_removed() {
    let directory = directory();
    let cache = cache(&directory, 10_000_000);
    let saved = place(&directory, "saved", None);
    install(&saved, 1000);
    let key = key("preview", b"lock");
    cache.save(&key, &saved, &["node_modules"], None).await.unwrap();
    let entry = std::fs::read_dir(directory.path().join("cache")).unwrap().next().unwrap().unwrap();
    std::fs::write(entry.path(), "no tar").unwrap();
    let fresh = place(&directory, "fresh", None);
    assert!(!cache.restore(&key, &fresh, None).await.unwrap());
    assert!(!entry.path().exists());
}

#[tokio::test]
async fn what_another_process_writes_is_left_alone_and_what_nobody_writes_is_removed() {
    let directory = directory();
    drop(cache(&directory, 1000));
    let partial = directory.path().join("cache/0123-1-0.partial");
    let written = std::fs::File::create(&partial).unwrap();
    written.lock().unwrap();
    drop(cache(&directory, 1000));
    assert!(partial.exists());
    drop(written);
    drop(cache(&directory, 1000));
    assert!(!partial.exists());
}
