//! Secrets at rest: sealed with XChaCha20-Poly1305 under the master key.
//!
//! A sealed value is bound to its context (which provider's key it is): moved to another row it does not
//! open. Format: one byte of version, 24 bytes of nonce, ciphertext with its tag. Nonces are random; 192
//! bits make a repetition out of the question.
//!
//! The master key comes from `SEAM_MASTER_KEY`, from `SEAM_MASTER_KEY_FILE`, or from `master.key` in the
//! data directory, which is made on first start and belongs in the backup: without it nothing opens. A database carries
//! the mark of its master key, so that no node seals what the others cannot open.

use crate::{Secret, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{ControlStore, FromRow, Row, StoreError};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORMAT: u8 = 1;
const KEY_FILE: &str = "master.key";
/// More than any base64 of a key; a larger file is something else.
const KEY_FILE_LIMIT: u64 = 1024;

/// What is sealed to tell one master key from another.
const MARK: &str = "seam";
const MARK_CONTEXT: &str = "the mark of the master key";
const MARK_READ: &str = "SELECT sealed FROM master_key_check WHERE id = 1";
const MARK_INSERT: &str = "INSERT INTO master_key_check (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";

struct Sealed(Vec<u8>);

impl FromRow for Sealed {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("sealed")?))
    }
}

pub(crate) const MARKED: (&str, &str) = (MARK_CONTEXT, MARK);

async fn mark(control: &ControlStore) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(control.read(MARK_READ).fetch_optional::<Sealed>().await?.map(|mark| mark.0))
}

/// Why a secret cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{place} must hold 32 bytes in base64 ({reason}); make one with: head -c 32 /dev/urandom | base64")]
    Malformed { place: String, reason: String },
    #[error("SEAM_MASTER_KEY and SEAM_MASTER_KEY_FILE are both set; keep one of them")]
    TwoKeys,
    #[error("others on this machine can read the master key “{path}”; run: chmod 600 '{path}'")]
    Permissions { path: PathBuf },
    #[error("cannot use the master key “{path}”: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the system gave no random numbers: {0}")]
    Random(#[from] rand::rngs::SysError),
    /// Made up anew, a key would open nothing of what is there.
    #[error(
        "the secrets in this database are sealed under a master key that is not in “{data_dir}”; set SEAM_MASTER_KEY \
         to it, or bring the master.key of the first node here"
    )]
    Missing { data_dir: PathBuf },
    #[error(
        "{place} is not the master key under which the secrets in this database are sealed; give every node the same \
         one, with SEAM_MASTER_KEY or SEAM_MASTER_KEY_FILE: that of the node which started first"
    )]
    Foreign { place: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the secret of {context} could not be sealed")]
    Seal { context: String },
    #[error("the secret of {context} does not open under this master key; restore the key, or enter the secret again")]
    Unseal { context: String },
}

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    key: Arc<Zeroizing<[u8; KEY_BYTES]>>,
    /// Opens what is sealed under it, and seals nothing: the next master key, or the one before, while nodes change over.
    also: Option<Arc<Zeroizing<[u8; KEY_BYTES]>>>,
}

impl Vault {
    /// The same as [`Vault::open`], for the secrets of one database: its first vault leaves a mark there, and a vault
    /// under another key is refused. So is making up a key where there is a mark already.
    pub async fn open_for(
        control: &ControlStore,
        data_dir: &Path,
        env_key: Option<&str>,
        key_file: Option<&Path>,
    ) -> Result<Self, VaultError> {
        Self::open_with(control, data_dir, env_key, key_file, None).await
    }

    /// The same with a second key, `also`, whose secrets are opened as well.
    pub async fn open_with(
        control: &ControlStore,
        data_dir: &Path,
        env_key: Option<&str>,
        key_file: Option<&Path>,
        also: Option<&str>,
    ) -> Result<Self, VaultError> {
        let generated = data_dir.join(KEY_FILE);
        if env_key.is_none() && key_file.is_none() && !generated.exists() && Self::is_needed(control).await? {
            return Err(VaultError::Missing { data_dir: data_dir.to_owned() });
        }
        let mut vault = Self::open(data_dir, env_key, key_file)?;
        vault.also = also.map(|text| decode(text, "SEAM_MASTER_KEY_ALSO")).transpose()?.map(Arc::new);
        let new = vault.seal(MARK_CONTEXT, MARK)?;
        control.write(MARK_INSERT).bind(new).execute().await?;
        // Read back: when two nodes start at once, the first mark counts.
        match mark(control).await?.map(|sealed| vault.unseal(MARK_CONTEXT, &sealed)) {
            Some(Ok(_)) => Ok(vault),
            Some(Err(_)) | None => Err(VaultError::Foreign {
                place: match (env_key, key_file) {
                    (Some(_), _) => "SEAM_MASTER_KEY".to_owned(),
                    (None, Some(path)) => format!("“{}”", path.display()),
                    (None, None) => format!("“{}”", generated.display()),
                },
            }),
        }
    }

    /// Whether this is the key of a database's secrets; none where nothing was sealed yet. Changes nothing.
    pub async fn is_of(&self, control: &ControlStore) -> Result<Option<bool>, VaultError> {
        Ok(mark(control).await?.map(|sealed| self.unseal(MARK_CONTEXT, &sealed).is_ok()))
    }

    /// Whether a database has secrets under a master key, so that none may be made up.
    pub async fn is_needed(control: &ControlStore) -> Result<bool, VaultError> {
        Ok(mark(control).await?.is_some())
    }

    /// Takes the master key from the environment, from a file, or from the data directory (made when missing).
    ///
    /// A file that others can read is refused, and so is a key of another length.
    pub fn open(data_dir: &Path, env_key: Option<&str>, key_file: Option<&Path>) -> Result<Self, VaultError> {
        let key = match (env_key, key_file) {
            (Some(_), Some(_)) => return Err(VaultError::TwoKeys),
            (Some(text), None) => decode(text, "SEAM_MASTER_KEY")?,
            (None, Some(path)) => read_key(path)?,
            (None, None) => read_or_create(data_dir)?,
        };
        Ok(Self { key: Arc::new(key), also: None })
    }

    /// Seals `secret` for `context`; only the same context opens it.
    pub fn seal(&self, context: &str, secret: &str) -> Result<Vec<u8>, VaultError> {
        let nonce = digest::random_bytes::<NONCE_BYTES>()?;
        let payload = Payload { msg: secret.as_bytes(), aad: context.as_bytes() };
        let ciphertext = cipher(&self.key)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| VaultError::Seal { context: context.to_owned() })?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Opens what was sealed for `context`. Anything changed, moved or cut fails as a whole.
    pub fn unseal(&self, context: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        self.open_sealed(context, sealed).ok_or_else(|| VaultError::Unseal { context: context.to_owned() })
    }

    fn open_sealed(&self, context: &str, sealed: &[u8]) -> Option<Secret> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *format != FORMAT {
            return None;
        }
        let opened = [Some(&self.key), self.also.as_ref()].into_iter().flatten().find_map(|key| {
            let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
            cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()
        });
        let plain = Zeroizing::new(opened?);
        Some(Secret::new(str::from_utf8(&plain).ok()?.to_owned()))
    }

    /// The same secret under this vault's own key.
    pub fn reseal(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.seal(context, self.unseal(context, sealed)?.expose())
    }

    /// A key that seals for somebody else, in words.
    pub(crate) fn made_up() -> Result<String, VaultError> {
        let key = Zeroizing::new(digest::random_bytes::<KEY_BYTES>()?);
        Ok(STANDARD.encode(*key))
    }

    /// The vault of a key that was made up.
    pub(crate) fn of_made_up(key: &Secret) -> Result<Self, VaultError> {
        Ok(Self { key: Arc::new(decode(key.expose(), "a tenant's data key")?), also: None })
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key))
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

fn decode(text: &str, place: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
    let malformed = |reason: String| VaultError::Malformed { place: place.to_owned(), reason };
    // The reason never quotes the text: it is a key, only a mistyped one.
    let bytes = STANDARD.decode(text.trim()).map_err(|_| malformed("this is no base64".to_owned()))?;
    let bytes = Zeroizing::new(bytes);
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
    key.map(Zeroizing::new).map_err(|_| malformed(format!("these are {} bytes", bytes.len())))
}

fn read_key(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
    let unusable = |source| VaultError::File { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(VaultError::Permissions { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_LIMIT).read_to_string(&mut text).map_err(unusable)?;
    decode(&text, &format!("the master key “{}”", path.display()))
}

fn read_or_create(data_dir: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
    let path = data_dir.join(KEY_FILE);
    match read_key(&path) {
        Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create_key(data_dir, &path)?;
            // Read back: when two processes start at once, the one key that reached the directory counts.
            read_key(&path)
        }
        read => read,
    }
}

/// The key appears under its name whole or not at all: written aside with its permissions, then linked,
/// which never replaces a key that is there.
fn create_key(data_dir: &Path, path: &Path) -> Result<(), VaultError> {
    let unusable = |source| VaultError::File { path: path.to_owned(), source };
    let key = Zeroizing::new(digest::random_bytes::<KEY_BYTES>()?);
    let aside = data_dir.join(format!("{KEY_FILE}.{:016x}", u64::from_ne_bytes(digest::random_bytes()?)));
    fs::create_dir_all(data_dir).map_err(unusable)?;
    let written = write_private(&aside, &key).and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&aside);
    written.map_err(unusable)?;
    removed.map_err(unusable)?;
    // The directory's entry must outlive a loss of power as well: what is sealed next depends on it.
    fs::File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(unusable)
}

fn write_private(path: &Path, key: &[u8; KEY_BYTES]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(key)));
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
