//! Asking for the name of what is deleted, where nobody said `--yes NAME`.

use super::Failure;
use std::io::{IsTerminal, Write};

/// Refuses where nobody sits who could be asked.
pub(super) fn somebody_is_there(name: &str) -> Result<(), Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(format!("nobody can be asked whether {name} is to be deleted; say so: --yes {name}")))
}

/// What was typed; whether it is the name is for the layer to say that deletes.
pub(super) fn typed(name: &str) -> Result<String, Failure> {
    eprint!("Type {name} to delete it: ");
    let mut typed = String::new();
    std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().read_line(&mut typed))
        .map_err(|error| Failure::new(format!("the name could not be read: {error}")))?;
    Ok(typed.trim().to_owned())
}
