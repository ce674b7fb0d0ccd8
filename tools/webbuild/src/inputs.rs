//! What the site is made from, as one hash: the reason why an unchanged build takes no time.
//!
//! The hash covers contents, not times: a fresh clone with the same sources reuses what is there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::content::{ContentHash, files_below};
use crate::{Options, content};

/// The tool is an input of its own output.
const OWN_SOURCES: [&str; 6] = [
    include_str!("main.rs"),
    include_str!("bindgen.rs"),
    include_str!("content.rs"),
    include_str!("inputs.rs"),
    include_str!("site.rs"),
    include_str!("style.rs"),
];

/// A hash over everything that can change the result.
pub fn fingerprint(options: &Options) -> Result<String> {
    let mut hash = ContentHash::default();
    for source in OWN_SOURCES {
        hash.add(source.as_bytes());
    }
    hash.add(if options.fast { b"fast" } else { b"full" });
    let wasm = fs::read(&options.wasm).with_context(|| {
        format!("{} is not there; build the frontend first: scripts/build.sh does both", options.wasm.display())
    })?;
    hash.add(&wasm);
    let style_root = options.style.parent().unwrap_or(Path::new("."));
    for root in [style_root, options.public.as_path()] {
        for file in files_below(root)? {
            hash.add(file.to_string_lossy().as_bytes());
            hash.add(&content::read(&root.join(&file))?);
        }
    }
    Ok(hash.finish())
}

/// Whether the site in `out` was made from exactly these inputs.
pub fn is_current(out: &Path, fingerprint: &str) -> bool {
    out.join("manifest.json").is_file() && fs::read_to_string(stamp(out)).is_ok_and(|stored| stored == fingerprint)
}

/// Records what the site in `out` was made from.
pub fn remember(out: &Path, fingerprint: &str) -> Result<()> {
    let stamp = stamp(out);
    fs::write(&stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Beside the site, not in it: everything in it is embedded.
fn stamp(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".inputs");
    out.with_file_name(name)
}
