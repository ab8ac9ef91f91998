//! The object store: whole, encrypted, checked.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use store::Error;
use store::objects::{Objects, ObjectsError};
use store::vault::{Vault, VaultError};

fn stored(root: &Path, digest: &str) -> PathBuf {
    root.join("objects/artifact").join(&digest[..2]).join(digest)
}

fn open(root: &Path) -> (Vault, Objects) {
    let vault = Vault::load_or_create(&root.join("secret.key")).unwrap();
    (vault, Objects::local(&root.join("objects")).unwrap())
}

#[tokio::test]
async fn an_artifact_comes_back_as_it_went_and_lies_there_encrypted() {
    let root = tempfile::tempdir().unwrap();
    let (vault, objects) = open(root.path());
    let plain = Bytes::from("the resolved secret ".repeat(1000));
    let (artifact, key_id) = objects.put(&vault, plain.clone()).await.unwrap();
    assert_eq!(artifact.size_bytes, 20_000);
    assert_eq!(objects.get(&vault, &artifact.digest).await.unwrap(), plain);
    let path = stored(root.path(), &artifact.digest);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"secret"));
    // once more: it is there
    assert_eq!(objects.put(&vault, plain.clone()).await.unwrap(), (artifact.clone(), key_id));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // under a key that is gone, it is written anew
    fs::write(root.path().join("secret.key"), format!("new {}", "ab".repeat(32))).unwrap();
    let (vault, objects) = open(root.path());
    let lost = objects.get(&vault, &artifact.digest).await;
    assert!(matches!(lost, Err(Error::Vault(VaultError::UnknownKey { .. }))));
    assert_eq!(objects.put(&vault, plain.clone()).await.unwrap().1, "new");
    assert_eq!(objects.get(&vault, &artifact.digest).await.unwrap(), plain);
}

#[tokio::test]
async fn an_object_that_was_changed_or_swapped_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (vault, objects) = open(root.path());
    let (one, _) = objects.put(&vault, Bytes::from_static(b"one")).await.unwrap();
    let (two, _) = objects.put(&vault, Bytes::from_static(b"two")).await.unwrap();
    fs::copy(stored(root.path(), &two.digest), stored(root.path(), &one.digest)).unwrap();
    let swapped = objects.get(&vault, &one.digest).await;
    assert!(matches!(swapped, Err(Error::Vault(VaultError::Tampered))));
    fs::write(stored(root.path(), &one.digest), b"not ours\n").unwrap();
    let foreign = objects.get(&vault, &one.digest).await;
    assert!(matches!(foreign, Err(Error::Objects(ObjectsError::Format { .. }))));
    let missing = objects.get(&vault, &"0".repeat(64)).await;
    assert!(matches!(missing, Err(Error::Objects(ObjectsError::Store(_)))));
    let climbing = objects.get(&vault, "../../secret.key").await;
    assert!(matches!(climbing, Err(Error::Objects(ObjectsError::Digest { .. }))));
}

#[test]
fn only_s3_urls_name_a_remote_store() {
    for url in ["http://x/y", "s3://", "s3:///x", "data/objects"] {
        assert!(matches!(Objects::from_url(url), Err(ObjectsError::Url { .. })), "{url}");
    }
}
