//! The directory that is served: names, compressed siblings and the manifest.
//!
//! | file | address | cached |
//! |---|---|---|
//! | entry module, wasm, style sheet | `/assets/seam[_bg].<hash>.<ext>` | for ever: the name changes with the content |
//! | `public/fonts/x` | `/assets/fonts/x` | for ever: a changed font takes a new name |
//! | other files of `public/` | `/x` | shortly |

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;

use crate::bindgen::{PROGRAM, Program};
use crate::content::{files_below, read, short_hash};

/// Formats that are compressed already.
const DENSE: [&str; 7] = ["woff2", "png", "jpg", "webp", "avif", "gif", "br"];

/// Everything to be served, before it is on disk.
pub struct Site {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Site {
    /// Names all files and writes the manifest over the entry files.
    pub fn assemble(program: Program, style: &str, public: &Path) -> Result<Site> {
        let mut files = Vec::new();
        let mut entry = |stem: &str, extension: &str, content: Vec<u8>| {
            let name = format!("assets/{stem}.{}.{extension}", short_hash(&content));
            files.push((PathBuf::from(&name), content));
            name
        };
        let manifest = serde_json::json!({
            "js": entry(PROGRAM, "js", program.js),
            "wasm": entry(&format!("{PROGRAM}_bg"), "wasm", program.wasm),
            "css": entry(PROGRAM, "css", style.as_bytes().to_vec()),
        });
        for (path, content) in program.modules {
            files.push((Path::new("assets").join(path), content));
        }
        for file in files_below(public)? {
            let content = read(&public.join(&file))?;
            files.push((if file.starts_with("fonts") { Path::new("assets").join(&file) } else { file }, content));
        }
        files.push((PathBuf::from("manifest.json"), format!("{manifest:#}\n").into_bytes()));
        Ok(Site { files })
    }

    /// Puts the site in place of what is at `out`, and tells the sizes of the entry files.
    pub fn write(&self, out: &Path, small: bool) -> Result<Vec<String>> {
        let fresh = sibling(out, ".new");
        let stale = sibling(out, ".old");
        remove(&fresh)?;
        remove(&stale)?;
        let mut lines = Vec::new();
        let mut total = 0;
        for (path, content) in &self.files {
            let target = fresh.join(path);
            put(&target, content)?;
            let mut over_the_wire = content.len();
            if let Some(packed) = packed(path, content, small)? {
                over_the_wire = packed.len();
                put(&sibling(&target, ".br"), &packed)?;
            }
            if path.starts_with("assets") && path.extension().is_some_and(|extension| extension != "txt") {
                total += over_the_wire;
                lines.push(format!("{:>9} bytes, {over_the_wire:>7} over the wire  {}", content.len(), path.display()));
            }
        }
        lines.push(format!("{total:>32} bytes over the wire in all"));
        if out.exists() {
            fs::rename(out, &stale).with_context(|| format!("cannot move {} aside", out.display()))?;
        }
        fs::rename(&fresh, out).with_context(|| format!("cannot put {} in place", out.display()))?;
        remove(&stale)?;
        Ok(lines)
    }
}

/// The file under brotli, when that is worth a second file.
fn packed(path: &Path, content: &[u8], small: bool) -> Result<Option<Vec<u8>>> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if DENSE.contains(&extension.as_ref()) || path == Path::new("manifest.json") {
        return Ok(None);
    }
    let parameters = BrotliEncoderParams {
        quality: if small { 11 } else { 4 },
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters)
        .with_context(|| format!("compressing {}", path.display()))?;
    Ok((packed.len() < content.len()).then_some(packed))
}

fn put(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(js: &str) -> Program {
        Program {
            js: js.as_bytes().to_vec(),
            wasm: vec![0; 4000],
            modules: vec![(PathBuf::from("snippets.ab/x/inline0.js"), b"export const x = 1;".to_vec())],
        }
    }

    fn manifest(out: &Path) -> serde_json::Value {
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap()
    }

    #[test]
    fn names_follow_content_and_the_directory_changes_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (public, out) = (directory.path().join("public"), directory.path().join("site"));
        put(&public.join("fonts/text.woff2"), b"font").unwrap();
        put(&public.join("favicon.svg"), "<svg/>".repeat(50).as_bytes()).unwrap();

        Site::assemble(program("one"), "a {}", &public).unwrap().write(&out, true).unwrap();
        let first = manifest(&out);
        for key in ["js", "wasm", "css"] {
            assert!(out.join(first[key].as_str().unwrap()).is_file(), "{key}");
        }
        let wasm = first["wasm"].as_str().unwrap();
        assert!(out.join(format!("{wasm}.br")).metadata().unwrap().len() < 100);
        assert!(out.join("assets/fonts/text.woff2").is_file() && !out.join("assets/fonts/text.woff2.br").exists());
        assert!(out.join("favicon.svg.br").is_file());
        assert!(out.join("assets/snippets.ab/x/inline0.js").is_file());

        Site::assemble(program("two"), "a {}", &public).unwrap().write(&out, true).unwrap();
        let second = manifest(&out);
        assert_ne!(first["js"], second["js"]);
        assert_eq!((&first["wasm"], &first["css"]), (&second["wasm"], &second["css"]));
        assert!(!out.join(first["js"].as_str().unwrap()).exists(), "the old file is gone");
    }

    #[test]
    fn a_compressed_file_unpacks_to_itself() {
        let content = b"const seam = 'stitch';\n".repeat(40);
        let packed = packed(Path::new("a.js"), &content, true).unwrap().unwrap();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &packed[..], &mut plain).unwrap();
        assert_eq!(plain, content);
    }
}
