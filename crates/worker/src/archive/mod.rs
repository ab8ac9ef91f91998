//! Packs what a job made into one tar.zst file, and unpacks it for another job.
//!
//! What always holds: an archive holds ordinary files and directories and nothing else; unpacking
//! writes below the given directory only, never over what is there, and ends with an error past
//! its limits, whatever the archive says about itself. The same files give the same bytes: no
//! times, owners or directory order are recorded. An interrupted `pack` or `unpack` leaves a part
//! behind that its caller's directory takes with it.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::Level;
use async_compression::tokio::bufread::ZstdDecoder;
use async_compression::tokio::write::ZstdEncoder;
use aws_lc_rs::digest;
use futures_util::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tar::{Archive, Builder, EntryType, Header};

use crate::git::{Workspace, WorkspaceError};

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    pub total_bytes: u64,
    pub entries: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { total_bytes: 1024 * 1024 * 1024, entries: 20_000 }
    }
}

/// A packed archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the packed bytes, in lowercase hexadecimal.
    pub digest: String,
    pub size_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{0} is neither a file nor a directory: artifacts may hold nothing else")]
    Kind(PathBuf),
    #[error("the archive names {0:?}, which leads out of its directory")]
    Outside(PathBuf),
    #[error("the artifact holds more than {0} bytes")]
    TooLarge(u64),
    #[error("the artifact holds more than {0} files")]
    TooMany(u64),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
}

fn context(text: impl Into<String>) -> impl FnOnce(std::io::Error) -> ArchiveError {
    let context = text.into();
    |source| ArchiveError::Io { context, source }
}

/// Packs the directory at `path` of a workspace into the new file `target`.
pub async fn pack(
    workspace: &Workspace,
    path: &Path,
    target: &Path,
    limits: ArchiveLimits,
) -> Result<Packed, ArchiveError> {
    let source = Workspace::new(workspace.directory(path)?);
    let describe = || context(format!("packing {}", path.display()));
    let file = File::create_new(target)
        .await
        .map_err(context(format!("creating {}", target.display())))?;
    let hashing = Hashing { file, digest: digest::Context::new(&digest::SHA256), size_bytes: 0 };
    let encoder = ZstdEncoder::with_quality(hashing, Level::Precise(3));
    let mut builder = Builder::new(Unflushed(encoder));
    let mut total = 0;
    for (index, Found { name, is_directory }) in list(source.root())?.into_iter().enumerate() {
        if index as u64 >= limits.entries {
            return Err(ArchiveError::TooMany(limits.entries));
        }
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        if is_directory {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            builder.append_data(&mut header, &name, tokio::io::empty()).await.map_err(describe())?;
        } else {
            let file = source.open_file(&name)?;
            let metadata = file.metadata().map_err(describe())?;
            total += metadata.len();
            if total > limits.total_bytes {
                return Err(ArchiveError::TooLarge(limits.total_bytes));
            }
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if mode & 0o100 == 0 { 0o644 } else { 0o755 });
            header.set_size(metadata.len());
            let content = File::from_std(file).take(metadata.len());
            builder.append_data(&mut header, &name, content).await.map_err(describe())?;
        }
    }
    let Unflushed(mut encoder) = builder.into_inner().await.map_err(describe())?;
    encoder.shutdown().await.map_err(describe())?;
    let Hashing { file, digest, size_bytes } = encoder.into_inner();
    file.sync_all().await.map_err(describe())?;
    Ok(Packed { digest: hex::encode(digest.finish()), size_bytes })
}

/// Unpacks an archive into `directory`, which is made if it is missing.
pub async fn unpack(
    archive: impl AsyncBufRead + Unpin + Send,
    directory: &Path,
    limits: ArchiveLimits,
) -> Result<(), ArchiveError> {
    let describe = || context(format!("unpacking into {}", directory.display()));
    tokio::fs::create_dir_all(directory).await.map_err(describe())?;
    // One more than allowed and the tar's own framing: past it the archive ends, broken.
    let framing = limits.entries.saturating_mul(8 * 1024).saturating_add(64 * 1024);
    let plain = ZstdDecoder::new(archive).take(limits.total_bytes.saturating_add(framing));
    let mut archive = Archive::new(plain);
    let mut entries = archive.entries().map_err(describe())?;
    let (mut total, mut count) = (0_u64, 0_u64);
    while let Some(entry) = entries.next().await {
        let mut entry = entry.map_err(describe())?;
        count += 1;
        if count > limits.entries {
            return Err(ArchiveError::TooMany(limits.entries));
        }
        let name = entry.path().map_err(describe())?.into_owned();
        let inside =
            name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Err(ArchiveError::Outside(name));
        }
        // Every directory below ours was made by us: no link can stand in the way.
        let path = directory.join(&name);
        match entry.header().entry_type() {
            EntryType::Directory => {
                tokio::fs::create_dir_all(&path).await.map_err(describe())?;
            }
            EntryType::Regular => {
                if let Some(parent) = path.parent() {
                    tokio::fs::create_dir_all(parent).await.map_err(describe())?;
                }
                let executable = entry.header().mode().map_err(describe())? & 0o100 != 0;
                let mode = if executable { 0o755 } else { 0o644 };
                let mut options = File::options();
                let mut file = options
                    .write(true)
                    .create_new(true)
                    .mode(mode)
                    .open(&path)
                    .await
                    .map_err(context(format!("creating {}", name.display())))?;
                let mut content = (&mut entry).take(limits.total_bytes - total + 1);
                total += tokio::io::copy(&mut content, &mut file).await.map_err(describe())?;
                if total > limits.total_bytes {
                    return Err(ArchiveError::TooLarge(limits.total_bytes));
                }
                file.flush().await.map_err(describe())?;
            }
            _ => return Err(ArchiveError::Kind(name)),
        }
    }
    Ok(())
}

struct Found {
    /// Relative to the packed directory.
    name: PathBuf,
    is_directory: bool,
}

/// Everything below `root`, in the order of the names.
fn list(root: &Path) -> Result<Vec<Found>, ArchiveError> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(directory) = waiting.pop() {
        let describe = || context(format!("reading {}", directory.display()));
        for entry in std::fs::read_dir(root.join(&directory)).map_err(describe())? {
            let entry = entry.map_err(describe())?;
            let file_name: OsString = entry.file_name();
            let name = directory.join(file_name);
            let kind = entry.file_type().map_err(describe())?;
            if kind.is_dir() {
                waiting.push(name.clone());
            } else if !kind.is_file() {
                return Err(ArchiveError::Kind(name));
            }
            found.push(Found { name, is_directory: kind.is_dir() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// A file that knows the digest of what was written to it.
struct Hashing {
    file: File,
    digest: digest::Context,
    size_bytes: u64,
}

impl AsyncWrite for Hashing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.file).poll_write(cx, bytes))?;
        self.digest.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

/// Passes no flush on: a copy flushes whenever its source has nothing to give at the moment, and
/// each flush would end a block of the compressed stream, so that no two packings were alike.
struct Unflushed<W>(W);

impl<W: AsyncWrite + Unpin> AsyncWrite for Unflushed<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
