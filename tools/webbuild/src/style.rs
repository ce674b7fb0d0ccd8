//! One style sheet from many: `@import`s are replaced by what they name, in order.
//!
//! Understood is what `style/` uses: `@import "x.css";`, `@import url(x.css);`, both with `layer(name)` behind, and a
//! cascade layer order at the top. A media query on an import is refused rather than dropped. Comments and
//! indentation go; nothing else is rewritten, except that fonts are found where the site keeps them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Bundles the sheet at `entry` with everything that it imports.
pub fn bundle(entry: &Path) -> Result<String> {
    let mut seen = HashSet::new();
    let text = expand(entry, &mut seen)?;
    Ok(fonts(&compact(&text)))
}

fn expand(path: &Path, seen: &mut HashSet<PathBuf>) -> Result<String> {
    let canonical =
        fs::canonicalize(path).with_context(|| format!("the style sheet {} is not there", path.display()))?;
    if !seen.insert(canonical) {
        return Ok(String::new()); // imported before: CSS would let the last one win, we keep each sheet once
    }
    let source = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let source = without_comments(&source);
    let mut result = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find("@import") {
        let (before, import) = rest.split_at(at);
        result.push_str(before);
        let Some((statement, after)) = import.split_once(';') else {
            bail!("{}: an @import has no semicolon", path.display());
        };
        let import = Import::parse(statement).with_context(|| format!("{}: {statement}", path.display()))?;
        let target = path.parent().unwrap_or(Path::new(".")).join(import.target);
        let imported = expand(&target, seen)?;
        match import.layer {
            Some(layer) => result.push_str(&format!("@layer {layer} {{\n{imported}\n}}")),
            None => result.push_str(&imported),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

#[derive(Debug, PartialEq)]
struct Import<'a> {
    target: &'a str,
    layer: Option<&'a str>,
}

impl<'a> Import<'a> {
    fn parse(statement: &'a str) -> Result<Import<'a>> {
        let rest = statement.trim_start_matches("@import").trim();
        let (target, rest) = match rest.strip_prefix("url(") {
            Some(rest) => rest.split_once(')').context("url( is not closed")?,
            None => {
                let quote =
                    rest.chars().next().filter(|c| matches!(c, '"' | '\'')).context("a quoted name is missing")?;
                rest[1..].split_once(quote).context("the quoted name is not closed")?
            }
        };
        let rest = rest.trim();
        let layer = match rest.strip_prefix("layer(") {
            Some(layer) => Some(layer.strip_suffix(')').context("only layer(name) may follow the name")?.trim()),
            None if rest.is_empty() => None,
            None => bail!("only layer(name) may follow the name of an imported sheet, not \"{rest}\""),
        };
        Ok(Import { target: target.trim().trim_matches(['"', '\'']), layer })
    }
}

/// Comments out, strings kept as they are.
fn without_comments(source: &str) -> String {
    let mut result = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, from) = rest.split_at(at);
        result.push_str(before);
        let length = match from.as_bytes() {
            [b'/', b'*', ..] => {
                rest = from.get(2..).and_then(|inside| inside.split_once("*/")).map_or("", |(_, after)| after);
                continue;
            }
            [quote @ (b'"' | b'\''), ..] => string_length(from, *quote),
            _ => 1,
        };
        let (kept, after) = from.split_at(length);
        result.push_str(kept);
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Bytes of the string that `from` begins with, quotes included.
fn string_length(from: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in from.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    from.len()
}

/// Without indentation and blank lines. Brotli does the rest better than a minifier that could be wrong.
fn compact(source: &str) -> String {
    let mut result = String::with_capacity(source.len());
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
        result.push_str(line);
        result.push('\n');
    }
    result
}

/// `public/fonts/x` is served as `/assets/fonts/x`, however a sheet spells it.
fn fonts(source: &str) -> String {
    let mut text = source.to_owned();
    for spelled in ["/fonts/", "fonts/", "../fonts/", "../public/fonts/", "/public/fonts/"] {
        for quote in ["", "\"", "'"] {
            text = text.replace(&format!("url({quote}{spelled}"), &format!("url({quote}/assets/fonts/"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) {
        fs::write(directory.join(name), text).unwrap();
    }

    #[test]
    fn imports_are_replaced_in_order_each_sheet_once() {
        let directory = tempfile::tempdir().unwrap();
        write(
            directory.path(),
            "main.css",
            "@layer base, parts;\n@import \"a.css\" layer(base);\n@import url('b.css');\nmain {}",
        );
        write(directory.path(), "a.css", "a { color: red }");
        write(directory.path(), "b.css", "@import 'a.css';\nb {}");
        let bundled = bundle(&directory.path().join("main.css")).unwrap();
        assert_eq!(bundled, "@layer base, parts;\n@layer base {\na { color: red }\n}\nb {}\nmain {}\n");
    }

    #[test]
    fn what_an_import_cannot_say_is_refused_and_named() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "a.css", "");
        write(directory.path(), "main.css", "@import \"a.css\" print;");
        let error = format!("{:#}", bundle(&directory.path().join("main.css")).unwrap_err());
        assert!(error.contains("main.css") && error.contains("print"), "{error}");
        write(directory.path(), "main.css", "@import \"gone.css\";");
        let error = format!("{:#}", bundle(&directory.path().join("main.css")).unwrap_err());
        assert!(error.contains("gone.css"), "{error}");
    }

    #[test]
    fn comments_go_and_strings_stay() {
        assert_eq!(
            without_comments("a/* @import \"x\"; */{content:\"/* kept */\"}b/c'\\'/*'"),
            "a{content:\"/* kept */\"}b/c'\\'/*'"
        );
    }

    #[test]
    fn fonts_are_found_where_the_site_keeps_them() {
        for spelled in [
            "url(/fonts/i.woff2)",
            "url(\"../public/fonts/i.woff2\")",
            "url('../fonts/i.woff2')",
            "url(/assets/fonts/i.woff2)",
        ] {
            assert!(
                fonts(spelled).contains("/assets/fonts/i.woff2") && !fonts(spelled).contains("assets/assets"),
                "{spelled}"
            );
        }
    }
}
