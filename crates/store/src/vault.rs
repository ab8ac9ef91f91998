//! Encryption at rest: AES-256-GCM with keys from one file.
//!
//! What always holds: what is sealed opens only with the same context and unchanged bytes; the
//! key file is readable by its owner alone. The first key seals, the others only open: to rotate,
//! put a new line on top and keep the old ones until nothing is sealed with them.
//!
//! After a crash while the file is made: it is written beside its place, flushed and renamed, so
//! it is whole or absent.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;

const KEY_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the key file {path} cannot be used: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the key file {path} may be read by others (mode {mode:o}): run chmod 600 on it")]
    Open { path: PathBuf, mode: u32 },
    #[error(
        "line {line} of the key file {path}: {problem}; a line is a key id, a space and 64 hexadecimal digits"
    )]
    Line { path: PathBuf, line: usize, problem: &'static str },
    #[error(
        "the key file {path} holds no key; put one line in it: a key id, a space and 64 hexadecimal digits"
    )]
    Empty { path: PathBuf },
    #[error(
        "it was encrypted with key {key_id}, which is not in the key file: put that key's line back"
    )]
    UnknownKey { key_id: String },
    #[error("it does not decrypt: it was changed, or is not what was stored here")]
    Tampered,
    #[error("the cipher failed")]
    Cipher,
}

/// What [`Vault::seal`] makes. The ciphertext begins with its nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    pub ciphertext: Vec<u8>,
}

/// Keys, never printed. A clone shares them.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<Keys>,
}

struct Keys {
    current: Key,
    old: Vec<Key>,
}

struct Key {
    id: String,
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("current", &self.keys.current.id).finish_non_exhaustive()
    }
}

impl Vault {
    /// Reads the key file, or makes one with a new key.
    pub fn load_or_create(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { path: path.into(), source };
        if !path.try_exists().map_err(failed)? {
            create(path).map_err(failed)?;
        }
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Open { path: path.into(), mode });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |problem| VaultError::Line { path: path.into(), line: index + 1, problem };
            let (id, key) = line.trim().split_once(' ').ok_or_else(|| bad("it has no space"))?;
            let bytes = hex::decode(key.trim()).map_err(|_| bad("the key is not hexadecimal"))?;
            if bytes.len() != KEY_BYTES {
                return Err(bad("the key has not 32 bytes"));
            }
            let key =
                RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::Cipher)?;
            keys.push(Key { id: id.to_owned(), key });
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(|| VaultError::Empty { path: path.into() })?;
        Ok(Self { keys: Arc::new(Keys { current, old: keys.collect() }) })
    }

    /// Encrypts with the current key, bound to `context`.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Sealed, VaultError> {
        let mut ciphertext = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(&[0; NONCE_LEN]);
        ciphertext.extend_from_slice(plain);
        let current = &self.keys.current;
        let (nonce, tag) = current
            .key
            .seal_in_place_separate_tag(Aad::from(context), &mut ciphertext[NONCE_LEN..])
            .map_err(|_| VaultError::Cipher)?;
        ciphertext[..NONCE_LEN].copy_from_slice(nonce.as_ref());
        ciphertext.extend_from_slice(tag.as_ref());
        Ok(Sealed { key_id: current.id.clone(), ciphertext })
    }

    /// Decrypts what was sealed with any key of the file, in the same context.
    pub fn open(&self, sealed: &Sealed, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.open_bytes(&sealed.key_id, &sealed.ciphertext, context)
    }

    pub(crate) fn open_bytes(
        &self,
        key_id: &str,
        ciphertext: &[u8],
        context: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let key =
            self.key(key_id).ok_or_else(|| VaultError::UnknownKey { key_id: key_id.to_owned() })?;
        let (nonce, body) = ciphertext.split_at_checked(NONCE_LEN).ok_or(VaultError::Tampered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Tampered)?;
        let mut plain = body.to_vec();
        let length = key
            .open_in_place(nonce, Aad::from(context), &mut plain)
            .map_err(|_| VaultError::Tampered)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    pub(crate) fn knows(&self, key_id: &str) -> bool {
        self.key(key_id).is_some()
    }

    fn key(&self, key_id: &str) -> Option<&RandomizedNonceKey> {
        std::iter::once(&self.keys.current)
            .chain(&self.keys.old)
            .find(|key| key.id == key_id)
            .map(|key| &key.key)
    }
}

fn create(path: &Path) -> io::Result<()> {
    let (mut id, mut key) = ([0; 4], [0; KEY_BYTES]);
    rand::fill(&mut id)
        .and_then(|()| rand::fill(&mut key))
        .map_err(|_| io::Error::other("no random bytes"))?;
    let new = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "{} {}", hex::encode(id), hex::encode(key))?;
    file.sync_all()?;
    // a link refuses to replace what another process made meanwhile; that one is then read
    match fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::remove_file(&new)
}
