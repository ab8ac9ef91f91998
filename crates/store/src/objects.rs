//! The object store: artifacts by digest, encrypted, in a directory or an S3-compatible store.
//!
//! What always holds: an object's name is the SHA-256 of its plain bytes, and what is read is
//! checked against it; nothing lies there in plain. An object begins with a line that names its
//! format and key, and is bound to its digest.
//!
//! After a crash: an object is whole or absent, for stores write it beside its place first.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use model::worker_api::StoredArtifact;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::Result;
use crate::vault::{Sealed, Vault, VaultError};

const FORMAT: &str = "greenroom-1";
/// More than the first line of an object can have.
const HEADER_BYTES: u64 = 256;

#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    #[error("the object store cannot be used: {0}")]
    Store(#[from] object_store::Error),
    #[error("{url:?} is no object store: write a directory, or s3://bucket/prefix")]
    Url { url: String },
    #[error("{digest:?} is no digest: it has 64 lowercase hexadecimal digits")]
    Digest { digest: String },
    #[error("the object of artifact {digest} is not one that Greenroom wrote")]
    Format { digest: String },
    #[error("the object of artifact {digest} holds other bytes than it says")]
    Mismatch { digest: String },
    #[error("the directory {path} of the object store cannot be made: {source}")]
    Directory { path: String, source: std::io::Error },
    #[error("the work on artifact {digest} was cut short")]
    Interrupted { digest: String },
}

#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl Objects {
    /// Below a directory of this machine, made if absent. Writes are flushed to the disk.
    pub fn local(path: &Path) -> Result<Self, ObjectsError> {
        std::fs::create_dir_all(path).map_err(|source| ObjectsError::Directory {
            path: path.display().to_string(),
            source,
        })?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// `s3://bucket/prefix`, with credentials and endpoint from the AWS variables of the environment.
    pub fn from_url(url: &str) -> Result<Self, ObjectsError> {
        let bad = || ObjectsError::Url { url: url.to_owned() };
        let place = url.strip_prefix("s3://").ok_or_else(bad)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(bad());
        }
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)) })
    }

    /// Stores an artifact. Answers its digest and the key it lies encrypted with; one that is
    /// there, under a key that the vault still has, is done.
    pub async fn put(&self, vault: &Vault, plain: Bytes) -> Result<(StoredArtifact, String)> {
        let size_bytes = i64::try_from(plain.len()).unwrap_or(i64::MAX);
        let (plain, digest) = blocking("new", move || {
            let digest = hex::encode(digest(&SHA256, &plain));
            (plain, digest)
        })
        .await?;
        let path = path(&digest)?;
        let stored = StoredArtifact { digest: digest.clone(), size_bytes };
        if let Some(key_id) = self.key_of(&path, &digest).await?
            && vault.knows(&key_id)
        {
            return Ok((stored, key_id));
        }
        let (vault, context) = (vault.clone(), context(&digest));
        let sealed = blocking(&digest, move || vault.seal(&plain, &context)).await??;
        let mut object = format!("{FORMAT} {}\n", sealed.key_id).into_bytes();
        object.extend_from_slice(&sealed.ciphertext);
        self.store.put(&path, object.into()).await.map_err(ObjectsError::from)?;
        Ok((stored, sealed.key_id))
    }

    /// The plain bytes of an artifact, which are what the digest says.
    pub async fn get(&self, vault: &Vault, digest: &str) -> Result<Bytes> {
        let path = path(digest)?;
        let object = self.store.get(&path).await.map_err(ObjectsError::from)?;
        let object = object.bytes().await.map_err(ObjectsError::from)?;
        let key_id = header(&object)
            .ok_or_else(|| ObjectsError::Format { digest: digest.into() })?
            .to_owned();
        let ciphertext = object[FORMAT.len() + key_id.len() + 2..].to_vec();
        let (vault, context, wanted) = (vault.clone(), context(digest), digest.to_owned());
        let plain = blocking(digest, move || -> Result<Option<Vec<u8>>, VaultError> {
            let plain = vault.open(&Sealed { key_id, ciphertext }, &context)?;
            let right = hex::encode(self::digest(&SHA256, &plain)) == wanted;
            Ok(right.then_some(plain))
        })
        .await??;
        let plain = plain.ok_or_else(|| ObjectsError::Mismatch { digest: digest.into() })?;
        Ok(plain.into())
    }

    /// Whether the bytes of an artifact are there.
    pub async fn has(&self, digest: &str) -> Result<bool> {
        Ok(self.key_of(&path(digest)?, digest).await?.is_some())
    }

    /// The key of an object that is there.
    async fn key_of(
        &self,
        path: &ObjectPath,
        digest: &str,
    ) -> Result<Option<String>, ObjectsError> {
        match self.store.get_range(path, 0..HEADER_BYTES).await {
            Ok(start) => header(&start)
                .map(|key_id| Some(key_id.to_owned()))
                .ok_or_else(|| ObjectsError::Format { digest: digest.into() }),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn path(digest: &str) -> Result<ObjectPath, ObjectsError> {
    let valid = digest.len() == 64
        && digest.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    if !valid {
        return Err(ObjectsError::Digest { digest: digest.into() });
    }
    Ok(ObjectPath::from(format!("artifact/{}/{digest}", &digest[..2])))
}

fn context(digest: &str) -> Vec<u8> {
    format!("artifact/{digest}").into_bytes()
}

/// The key id in an object's first line.
fn header(object: &[u8]) -> Option<&str> {
    let end = object.iter().take(HEADER_BYTES as usize).position(|byte| *byte == b'\n')?;
    std::str::from_utf8(&object[..end]).ok()?.strip_prefix(FORMAT)?.strip_prefix(' ')
}

/// Ciphers and digests of large bytes run where they hold up no other task.
async fn blocking<T: Send + 'static>(
    digest: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ObjectsError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ObjectsError::Interrupted { digest: digest.to_owned() })
}
