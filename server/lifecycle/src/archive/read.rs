//! Reading an archive, and believing nothing in it that does not add up.

use super::{FORMAT, MAGIC, Manifest, Mark, Opening, PAGE, Piece, TableHead, TableSum, content_sha256, hex};
use crate::LifecycleError;
use flate2::bufread::GzDecoder;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// No row of ours comes near it; what is longer is no archive of ours, and would fill the memory.
const LONGEST_LINE: u64 = 256 * 1024 * 1024;
const LONGEST_HEAD: u64 = 200;

struct Opened {
    file: BufReader<File>,
    /// Of what follows the first line.
    sha256: String,
}

fn open(path: &Path) -> Result<Opened, LifecycleError> {
    let failed = |source| LifecycleError::File { path: path.to_owned(), source };
    let not_ours = || LifecycleError::NotAnArchive(path.to_owned());
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut head = Vec::new();
    file.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut head).map_err(failed)?;
    let head = String::from_utf8(head).map_err(|_| not_ours())?;
    let mut words = head.strip_suffix('\n').ok_or_else(not_ours)?.split(' ');
    let (magic, format, hash) = (words.next(), words.next(), words.next());
    if magic != Some(MAGIC) {
        return Err(not_ours());
    }
    let format: u32 = format.and_then(|format| format.parse().ok()).ok_or_else(not_ours)?;
    if format > FORMAT {
        let what = format!("its format is {format}, this version reads up to {FORMAT}");
        return Err(LifecycleError::Newer { path: path.to_owned(), what });
    }
    let sha256 = hash.and_then(|hash| hash.strip_prefix("sha256:")).filter(|hash| hash.len() == 64);
    if format != FORMAT || words.next().is_some() {
        return Err(not_ours());
    }
    Ok(Opened { file, sha256: sha256.ok_or_else(not_ours)?.to_owned() })
}

/// Reads all of it once: its hash first, and then what it says.
pub(crate) fn verify(path: &Path) -> Result<Manifest, LifecycleError> {
    let failed = |source| LifecycleError::File { path: path.to_owned(), source };
    let Opened { mut file, sha256 } = open(path)?;
    let mut hasher = Sha256::new();
    loop {
        let chunk = file.fill_buf().map_err(failed)?;
        if chunk.is_empty() {
            break;
        }
        hasher.update(chunk);
        let length = chunk.len();
        file.consume(length);
    }
    let sound = hex(&hasher.finalize()) == sha256;
    // Also of a damaged one: to say where.
    let manifest = read(path, |_| Ok(()))?;
    if sound { Ok(manifest) } else { Err(damaged(path, "its checksum does not fit its bytes")) }
}

fn damaged(path: &Path, what: impl Into<String>) -> LifecycleError {
    LifecycleError::Damaged { path: path.to_owned(), what: what.into() }
}

/// A table that is being read.
struct OpenTable {
    head: TableHead,
    hasher: Sha256,
    rows: u64,
    page: Vec<Vec<Json>>,
}

struct Reading<'a, F> {
    path: &'a Path,
    each: F,
    opening: Option<Opening>,
    open: Option<OpenTable>,
    done: Vec<(TableHead, u64, String)>,
    manifest: Option<Manifest>,
}

/// Hands on table by table and page by page, and returns the manifest that all of it agrees with.
pub(crate) fn read(
    path: &Path,
    each: impl FnMut(Piece) -> Result<(), LifecycleError>,
) -> Result<Manifest, LifecycleError> {
    let Opened { file, .. } = open(path)?;
    let mut lines = BufReader::new(GzDecoder::new(file));
    let mut reading = Reading { path, each, opening: None, open: None, done: Vec::new(), manifest: None };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| damaged(path, format!("{}: {error}", reading.place())))?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            return Err(damaged(path, format!("{}: it ends in the middle of a line", reading.place())));
        }
        reading.line(&line)?;
    }
    let place = reading.place();
    reading.manifest.ok_or_else(|| damaged(path, format!("{place}: it is cut off there")))
}

impl<F: FnMut(Piece) -> Result<(), LifecycleError>> Reading<'_, F> {
    /// Where reading has come to, for people.
    fn place(&self) -> String {
        match (&self.open, self.done.last(), &self.manifest) {
            (Some(table), _, _) => {
                format!("in the table {}.{} after {} rows", table.head.plane, table.head.name, table.rows)
            }
            (None, _, Some(_)) => "after its manifest".to_owned(),
            (None, Some((head, _, _)), None) => format!("after the table {}.{}", head.plane, head.name),
            (None, None, None) => "at its beginning".to_owned(),
        }
    }

    fn damaged(&self, what: &str) -> LifecycleError {
        damaged(self.path, format!("{}: {what}", self.place()))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), LifecycleError> {
        if self.manifest.is_some() {
            return Err(self.damaged("something follows the end"));
        }
        if line.first() == Some(&b'[') {
            return self.row(line);
        }
        let mark = serde_json::from_slice(line).map_err(|_| self.damaged("a line cannot be read"))?;
        match mark {
            Mark::Archive(opening) if self.opening.is_none() => self.opening = Some(opening),
            Mark::Table(head) if self.opening.is_some() && self.open.is_none() => {
                let hasher = Sha256::new().chain_update(line);
                (self.each)(Piece::Table { head: head.clone(), own: true })?;
                self.open = Some(OpenTable { head, hasher, rows: 0, page: Vec::new() });
            }
            Mark::End { rows, sha256 } => self.end(rows, sha256)?,
            Mark::Manifest(manifest) if self.open.is_none() => {
                self.agree(&manifest)?;
                self.manifest = Some(*manifest);
            }
            Mark::Archive(_) | Mark::Table(_) | Mark::Manifest(_) => {
                return Err(self.damaged("a line stands where none of its kind belongs"));
            }
        }
        Ok(())
    }

    fn row(&mut self, line: &[u8]) -> Result<(), LifecycleError> {
        let row: Result<Vec<Json>, _> = serde_json::from_slice(line);
        let fits = |table: &OpenTable, row: &Vec<Json>| row.len() == table.head.columns.len();
        match (&mut self.open, row) {
            (Some(table), Ok(row)) if fits(table, &row) => {
                table.hasher.update(line);
                table.rows += 1;
                table.page.push(row);
                if table.page.len() >= PAGE {
                    (self.each)(Piece::Rows(std::mem::take(&mut table.page)))?;
                }
                Ok(())
            }
            (_, _) => Err(self.damaged("a row cannot be read")),
        }
    }

    fn end(&mut self, rows: u64, sha256: String) -> Result<(), LifecycleError> {
        let Some(table) = self.open.take() else { return Err(self.damaged("a table ends that never began")) };
        let OpenTable { head, hasher, rows: read, page } = table;
        let name = format!("{}.{}", head.plane, head.name);
        if read != rows {
            return Err(damaged(self.path, format!("the table {name} has {read} rows and should have {rows}")));
        }
        if hex(&hasher.finalize()) != sha256 {
            return Err(damaged(self.path, format!("the table {name} does not have the content of its hash")));
        }
        if !page.is_empty() {
            (self.each)(Piece::Rows(page))?;
        }
        self.done.push((head, rows, sha256));
        Ok(())
    }

    fn agree(&self, manifest: &Manifest) -> Result<(), LifecycleError> {
        let same = |sum: &TableSum, (head, rows, sha256): &(TableHead, u64, String)| {
            (&sum.plane, &sum.name, sum.rows, &sum.sha256) == (&head.plane, &head.name, *rows, sha256)
        };
        let tables = manifest.tables.len() == self.done.len()
            && manifest.tables.iter().zip(&self.done).all(|(sum, done)| same(sum, done));
        let opening = self.opening.as_ref().is_some_and(|opening| {
            (opening.tenant, &opening.slug, opening.format) == (manifest.tenant, &manifest.slug, manifest.format)
        });
        if tables && opening && manifest.content_sha256 == content_sha256(&manifest.tables) {
            Ok(())
        } else {
            Err(damaged(self.path, "its manifest does not fit what is in it"))
        }
    }
}
