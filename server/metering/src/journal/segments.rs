//! The journal's files: lines are added to the newest, and files go when the table has all that is in them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

const PREFIX: &str = "ledger-";
const SUFFIX: &str = ".jsonl";
/// A file longer than this is followed by the next one, so that it can go while there is always more to write.
const LONG: u64 = 4 << 20;

pub(super) struct Segments {
    directory: PathBuf,
    number: u64,
    file: File,
    length: u64,
    /// Half a line stands at the end, and could not be taken away.
    torn: bool,
    /// Full ones, each with the number of its last line.
    full: Vec<(PathBuf, u64)>,
}

/// What an earlier process left, oldest first.
pub(super) fn left_behind(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if number_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort_by_key(|path| number_of(path));
    Ok(found)
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

impl Segments {
    /// Begins with an empty file; what was left behind must be in the table and gone.
    pub fn begin(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let file = create(directory, 1)?;
        Ok(Self { directory: directory.to_owned(), number: 1, file, length: 0, torn: false, full: Vec::new() })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds whole lines. When this returns they outlive the process.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // Half a line must not stand before the next one.
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        if let Err(error) = self.file.write_all(lines) {
            self.torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length = self.length.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// The lines that follow the one of this number come into a new file, where this one is long enough.
    pub fn turn_over(&mut self, last: u64) -> io::Result<()> {
        if self.length < LONG { Ok(()) } else { self.begin_next(last) }
    }

    /// The same however long this one is: then it goes as soon as the table has the line of this number.
    pub fn begin_next(&mut self, last: u64) -> io::Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        let next = create(&self.directory, self.number.saturating_add(1))?;
        self.full.push((path_of(&self.directory, self.number), last));
        self.file = next;
        self.number = self.number.saturating_add(1);
        self.length = 0;
        Ok(())
    }

    /// The table has all lines up to the one of this number; `all` when there are no others.
    pub fn forget(&mut self, number: u64, all: bool) -> io::Result<()> {
        if all && self.length > 0 {
            self.file.set_len(0)?;
            self.length = 0;
        }
        while let Some((path, _)) = self.full.first().filter(|(_, last)| *last <= number) {
            remove(path)?;
            self.full.remove(0);
        }
        Ok(())
    }
}

/// Gone is gone, whoever did it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:06}{SUFFIX}"))
}

fn create(directory: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path_of(directory, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_and_go_when_they_are_not_needed() {
        let home = tempfile::tempdir().unwrap();
        let mut segments = Segments::begin(home.path()).unwrap();
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        for _ in 0..=LONG / 1_000 {
            segments.append(&line).unwrap();
        }
        segments.turn_over(7).unwrap();
        segments.append(b"last\n").unwrap();
        segments.turn_over(8).unwrap();
        segments.forget(6, false).unwrap();
        let left = left_behind(home.path()).unwrap();
        assert_eq!(left.len(), 2);
        assert_eq!(std::fs::read_to_string(&left[1]).unwrap(), "last\n");
        segments.forget(7, false).unwrap();
        assert_eq!(left_behind(home.path()).unwrap(), left[1..]);
        segments.forget(8, true).unwrap();
        assert_eq!(std::fs::read_to_string(&left[1]).unwrap(), "");
        segments.append(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&left[1]).unwrap(), "after\n");
    }
}
