//! The browser's program: rustc's wasm through wasm-bindgen, and nothing after it.
//!
//! Binaryen's optimiser (`wasm-opt -Oz`) makes the file smaller by a sixth and what goes over the wire larger by a
//! twentieth: brotli finds more to share in the compiler's regular output (docs/adr/0005).
//!
//! `wasm-bindgen-cli-support` is the library inside the `wasm-bindgen` program; using it directly keeps its version tied
//! to the crate's in one lock file. An inline JavaScript snippet of a dependency keeps its place relative to the
//! entry file, under a directory named by its content.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::content::{ContentHash, files_below, read};

/// Names in JavaScript and on disk start with this.
pub const PROGRAM: &str = "seam";

/// Files with their content, under paths relative to the entry module.
type Modules = Vec<(PathBuf, Vec<u8>)>;

/// The browser's program, ready to be named and written.
pub struct Program {
    /// The entry module.
    pub js: Vec<u8>,
    /// What it loads.
    pub wasm: Vec<u8>,
    /// Files that the entry module imports, relative to it.
    pub modules: Modules,
}

/// Makes the program from `wasm`.
pub fn program(wasm: &Path) -> Result<Program> {
    let work = WorkDirectory::create()?;
    Bindgen::new()
        .input_path(wasm)
        .out_name(PROGRAM)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                .remove_name_section(true)
                .remove_producers_section(true)
                .omit_default_module_path(true)
                .generate(&work.0)
        })
        .with_context(|| format!("wasm-bindgen refused {}", wasm.display()))?;
    let wasm = read(&work.0.join(format!("{PROGRAM}_bg.wasm")))?;
    let (js, modules) = modules(&work.0)?;
    Ok(Program { js, wasm, modules })
}

/// The entry module and what it imports. Snippets move to a directory named by their content, so that they too may be
/// cached for ever.
fn modules(work: &Path) -> Result<(Vec<u8>, Modules)> {
    let js = read(&work.join(format!("{PROGRAM}.js")))?;
    let root = work.join("snippets");
    let mut hash = ContentHash::default();
    let mut found = Vec::new();
    for file in files_below(&root)? {
        let content = read(&root.join(&file))?;
        hash.add(file.to_string_lossy().as_bytes());
        hash.add(&content);
        found.push((file, content));
    }
    if found.is_empty() {
        return Ok((js, Vec::new()));
    }
    let mut directory = format!("snippets.{}", hash.finish());
    directory.truncate(25);
    let text = String::from_utf8(js).context("wasm-bindgen's JavaScript is not UTF-8")?;
    let js = text
        .replace("'./snippets/", &format!("'./{directory}/"))
        .replace("\"./snippets/", &format!("\"./{directory}/"));
    let modules = found.into_iter().map(|(file, content)| (Path::new(&directory).join(file), content)).collect();
    Ok((js.into_bytes(), modules))
}

/// A directory of this process alone, removed at the end.
struct WorkDirectory(PathBuf);

impl WorkDirectory {
    fn create() -> Result<WorkDirectory> {
        let path = std::env::temp_dir().join(format!("seam-webbuild-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(WorkDirectory(path))
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        // Left behind, it costs a little disk and nothing else.
        let _ = fs::remove_dir_all(&self.0);
    }
}
