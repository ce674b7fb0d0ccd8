//! Embeds the built web assets: writes the list of files that `http/assets.rs` includes.
//!
//! The directory is `$SEAM_SITE_DIR`, or `target/site` of the workspace, as tools/webbuild fills it. Without
//! it the list is empty: the binary builds and refuses to serve.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SEAM_SITE_DIR");
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let site = env::var_os("SEAM_SITE_DIR").map_or_else(|| workspace.join("target/site"), PathBuf::from);
    // Watched even while it is missing, so that its appearance is noticed.
    println!("cargo:rerun-if-changed={}", site.display());
    let mut files = Vec::new();
    if site.is_dir() {
        collect(&site, &site, &mut files)?;
    }
    files.sort();

    // Copied first: what the compiler includes must be what was listed, whoever rebuilds the site meanwhile.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let copies = out.join("site");
    fs::create_dir_all(&copies)?;
    let mut kept = Vec::new();
    let mut copy = |name: &str| -> Result<u64, Box<dyn Error>> {
        let content = fs::read(site.join(name))?;
        // DefaultHasher::new has fixed keys; a name and an ETag need no more than to change with the content.
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let hash = hasher.finish();
        write_if_changed(&copies.join(format!("{hash:016x}")), &content)?;
        kept.push(format!("{hash:016x}"));
        Ok(hash)
    };
    let mut list = String::from("&[\n");
    for name in files.iter().filter(|name| !name.ends_with(".br") && *name != "manifest.json") {
        let include = |hash: u64| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/site/{hash:016x}\"))");
        let hash = copy(name)?;
        let packed = format!("{name}.br");
        let packed = match files.binary_search(&packed) {
            Ok(_) => format!("Some({})", include(copy(&packed)?)),
            Err(_) => "None".to_owned(),
        };
        writeln!(
            list,
            "    Asset {{ path: {name:?}, content: {}, brotli: {packed}, etag: \"\\\"{hash:016x}\\\"\" }},",
            include(hash),
        )?;
    }
    list.push_str("]\n");
    write_if_changed(&out.join("assets.rs"), list.as_bytes())?;
    for old in fs::read_dir(&copies)? {
        let old = old?;
        if !kept.iter().any(|name| old.file_name() == name.as_str()) {
            fs::remove_file(old.path())?;
        }
    }
    let manifest = fs::read_to_string(site.join("manifest.json")).unwrap_or_else(|_| "{}".to_owned());
    write_if_changed(&out.join("manifest.json"), manifest.as_bytes())?;
    Ok(())
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        println!("cargo:rerun-if-changed={}", path.display());
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(path.strip_prefix(root)?.to_str().ok_or("an asset's name is not UTF-8")?.replace('\\', "/"));
        }
    }
    Ok(())
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(path).ok().as_deref() != Some(content) {
        fs::write(path, content)?;
    }
    Ok(())
}
