//! Lines of the journal that a start could not read: kept beside it, for people to look at.

use super::segments;
use contract::TenantId;
use std::{
    io,
    path::{Path, PathBuf},
};

const SUFFIX: &str = "unread";

/// Keeps what of the file could not be read, beside it; returns where.
pub(super) fn keep(file: &Path, lines: &[u8]) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    let kept = loop {
        let name = file.with_extension(format!("{number}.{SUFFIX}"));
        if !name.exists() {
            break name;
        }
        number = number.saturating_add(1);
    };
    std::fs::write(&kept, lines)?;
    Ok(kept)
}

/// Takes away the lines that name the tenant, however they are broken, and files in which nothing else was.
pub(super) fn forget(directory: &Path, tenant: TenantId) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let id = tenant.to_string();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == SUFFIX) {
            forget_in(&path, &id)?;
        }
    }
    Ok(())
}

fn forget_in(path: &Path, id: &str) -> io::Result<()> {
    let text = std::fs::read(path)?;
    let names_it = |line: &[u8]| String::from_utf8_lossy(line).contains(id);
    let (going, staying): (Vec<&[u8]>, Vec<&[u8]>) =
        text.split_inclusive(|byte| *byte == b'\n').partition(|line| names_it(line));
    if going.is_empty() {
        return Ok(());
    }
    if staying.is_empty() {
        return segments::remove(path);
    }
    // A file of its own first: whoever dies in between loses nothing of the others.
    let anew = path.with_extension("anew");
    std::fs::write(&anew, staying.concat())?;
    std::fs::rename(anew, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(end: &str) -> TenantId {
        format!("01890a5d-ac96-774b-bcce-b302099a80{end}").parse().unwrap()
    }

    #[test]
    fn of_a_tenant_that_goes_no_line_stays_and_of_the_others_each() {
        let home = tempfile::tempdir().unwrap();
        let journal = home.path().join("ledger-000001.jsonl");
        let line = |tenant: TenantId| format!("{{\"broken\":\"{tenant}\n");
        let both = keep(&journal, [line(whose("01")), line(whose("02"))].concat().as_bytes()).unwrap();
        let own = keep(&journal, line(whose("01")).as_bytes()).unwrap();
        assert_ne!(both, own);
        forget(home.path(), whose("01")).unwrap();
        assert_eq!(std::fs::read_to_string(&both).unwrap(), line(whose("02")));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "a file of it alone is gone");
        forget(&home.path().join("nowhere"), whose("01")).unwrap();
    }
}
