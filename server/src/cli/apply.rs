//! `seam apply -f FILE`.

use super::{Failure, print_json, workbench};
use crate::{
    apply::{self, ApplyError, Prunable},
    config::Config,
};
use serde_json::json;
use std::{io::Read, path::PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// The file of resources; “-” reads standard input
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: PathBuf,
    /// Shows what would change and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Removes what there is of this kind and is not in the file; may be given several times
    #[arg(long, value_name = "KIND")]
    prune: Vec<Prunable>,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

impl Apply {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let text = self.text()?;
        let tenancy = workbench::open(&config).await?;
        let applied =
            apply::apply_pruning(&tenancy, &text, &|name| std::env::var(name).ok(), self.dry_run, &self.prune).await;
        tenancy.control().close().await;
        match applied {
            Ok(report) if self.json => print_json(&report.to_json()),
            Ok(report) => {
                println!("{report}");
                for key in &report.generated {
                    eprintln!("This is the key “{}” of {}. It is shown only now:", key.name, key.tenant);
                    println!("{}", key.secret.expose());
                }
            }
            Err(ApplyError::Mistakes(mistakes)) if self.json => {
                print_json(&json!({ "errors": mistakes }));
                return Err(Failure::told());
            }
            Err(ApplyError::Mistakes(mistakes)) => {
                let found =
                    if mistakes.len() == 1 { "one mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) };
                return Err(Failure::new(format!("{} was not applied; it has {found}", self.file.display()))
                    .remedy(format!("correct {found} and apply it again; nothing was written"))
                    .details(
                        mistakes
                            .iter()
                            .map(|mistake| format!("{}:{}: {}", self.file.display(), mistake.line, mistake.message)),
                    ));
            }
            Err(ApplyError::Store(error)) => return Err(error.into()),
            Err(error @ ApplyError::File { .. }) => return Err(Failure::of(&error)),
        }
        Ok(())
    }

    fn text(&self) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        let read = if self.file.as_os_str() == "-" {
            std::io::stdin().read_to_end(&mut bytes).map(drop)
        } else {
            std::fs::read(&self.file).map(|content| bytes = content)
        };
        read.map_err(|source| Failure::of(&ApplyError::File { path: self.file.clone(), source }))?;
        String::from_utf8(bytes).map_err(|error| {
            Failure::new(format!("the file is not UTF-8: byte {} cannot be read", error.utf8_error().valid_up_to()))
                .at(self.file.display().to_string())
                .remedy("save it as UTF-8 and apply it again")
        })
    }
}
