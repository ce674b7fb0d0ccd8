//! `webbuild`: from the frontend's wasm, `style/` and `public/` to the directory of files that the server embeds.
//!
//! What always holds: names under `assets/` carry a hash of their content (they may be cached for ever), every file has
//! a `.br` sibling where that is smaller, `manifest.json` names the three entry files, and the output directory changes
//! all at once or not at all. Nothing is done when no input changed.
//!
//! `scripts/build.sh` calls this; `server/build.rs` embeds the result.

mod bindgen;
mod content;
mod inputs;
mod site;
mod style;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

/// Turns the frontend's wasm, the style sheets and the public files into what a browser loads.
#[derive(Parser)]
pub struct Options {
    /// The frontend as rustc left it.
    #[arg(long)]
    wasm: PathBuf,
    /// The style sheet whose `@import`s are bundled.
    #[arg(long, default_value = "style/main.css")]
    style: PathBuf,
    /// Files that are served under their own names.
    #[arg(long, default_value = "public")]
    public: PathBuf,
    /// Where the site goes.
    #[arg(long, default_value = "target/site")]
    out: PathBuf,
    /// Compresses lightly: for `make dev`, where seconds matter more than kilobytes.
    #[arg(long)]
    fast: bool,
}

fn main() -> ExitCode {
    match build(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("webbuild: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(options: &Options) -> Result<()> {
    let fingerprint = inputs::fingerprint(options).context("the inputs of the web build")?;
    if inputs::is_current(&options.out, &fingerprint) {
        eprintln!("  web assets are up to date");
        return Ok(());
    }
    let started = Instant::now();
    let program = bindgen::program(&options.wasm)?;
    let style = style::bundle(&options.style)?;
    let site = site::Site::assemble(program, &style, &options.public)?;
    let sizes = site.write(&options.out, !options.fast)?;
    inputs::remember(&options.out, &fingerprint)?;
    for line in sizes {
        eprintln!("  {line}");
    }
    eprintln!("  web assets took {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
