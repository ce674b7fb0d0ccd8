//! Reading one table of the file: each field once, every mistake noted with its line, leftovers refused.

use crate::nearest::hint;
use serde::Serialize;
use std::{fmt, str::FromStr};
use tenancy::Fault;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Something wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A value and the line on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    pub line: usize,
    pub value: T,
}

/// Turns offsets into line numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s>(pub &'s str);

impl Source<'_> {
    pub fn line(self, offset: usize) -> usize {
        let before = self.0.as_bytes().get(..offset).unwrap_or(self.0.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// The fields of one table, taken one by one.
pub(super) struct Fields<'d, 'm> {
    source: Source<'d>,
    /// Such as “provider”, for messages.
    kind: &'d str,
    /// Where the table begins.
    pub line: usize,
    table: &'d DeTable<'d>,
    asked: Vec<&'static str>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'d, 'm> Fields<'d, 'm> {
    pub fn new(
        source: Source<'d>,
        kind: &'d str,
        offset: usize,
        table: &'d DeTable<'d>,
        mistakes: &'m mut Vec<Mistake>,
    ) -> Self {
        Self { source, kind, line: source.line(offset), table, asked: Vec::new(), mistakes }
    }

    pub fn mistake(&mut self, line: usize, message: impl Into<String>) {
        self.mistakes.push(Mistake { line, message: message.into() });
    }

    /// How many mistakes were found so far.
    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// What a layer finds wrong with what was read, each at its field; `said` makes the sentence.
    pub fn faults(&mut self, faults: Vec<Fault>, said: impl Fn(&str, &str) -> String) {
        for (field, reason) in faults {
            self.mistake(self.line_of(field), said(field, &reason));
        }
    }

    /// The same where the reason is what is said of the field.
    pub fn faults_of(&mut self, faults: Vec<Fault>) {
        let kind = self.kind;
        self.faults(faults, |field, reason| format!("{field} of this {kind} {reason}"));
    }

    /// Whether it is there, readable or not.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// Where a field stands; the table's first line when it is absent.
    pub fn line_of(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.line, |value| self.source.line(value.span().start))
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, found: &Spanned<DeValue<'_>>) {
        let line = self.source.line(found.span().start);
        let message = format!("{key} of this {} must be {wanted}, not {}", self.kind, called(found.get_ref()));
        self.mistake(line, message);
    }

    fn require<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.table.contains_key(key) {
            let message = format!("this {} has no {key}; add it", self.kind);
            self.mistake(self.line, message);
        }
        value
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.to_string());
        }
        self.wrong_type(key, "text in quotes", value);
        None
    }

    pub fn required_text(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key);
        self.require(key, text)
    }

    /// Text that is parsed; what parsing says is the mistake.
    pub fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let (line, message) = (self.line_of(key), format!("{key}: {error}"));
                self.mistake(line, message);
                None
            }
        }
    }

    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let value = self.parsed(key);
        self.require(key, value)
    }

    pub fn truth(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(truth) = value.get_ref() {
            return Some(*truth);
        }
        self.wrong_type(key, "true or false", value);
        None
    }

    pub fn integer(&mut self, key: &'static str) -> Option<i64> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            if let DeValue::Float(number) = value.get_ref() {
                let line = self.source.line(value.span().start);
                self.mistake(
                    line,
                    format!("{key} of this {} must be a whole number, not {}", self.kind, number.as_str()),
                );
            } else {
                self.wrong_type(key, "a whole number", value);
            }
            return None;
        };
        let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
        if read.is_none() {
            let line = self.source.line(value.span().start);
            self.mistake(line, format!("{key} of this {} has too many digits; use at most 18", self.kind));
        }
        read
    }

    pub fn required_integer(&mut self, key: &'static str) -> Option<i64> {
        let number = self.integer(key);
        self.require(key, number)
    }

    /// A number, whole or not.
    pub fn number(&mut self, key: &'static str) -> Option<f64> {
        let value = self.value(key)?;
        let read = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                None
            }
        };
        if read.is_none() {
            self.wrong_type(key, "a number", value);
        }
        read
    }

    /// A moment, as text or as TOML's own date-time.
    pub fn moment(&mut self, key: &'static str) -> Option<jiff::Timestamp> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong_type(key, "a moment such as \"2026-01-01T00:00:00Z\"", value);
                return None;
            }
        };
        let moment = text.parse();
        if moment.is_err() {
            let line = self.line_of(key);
            self.mistake(line, format!("{key}: “{text}” is no moment; write it like \"2026-01-01T00:00:00Z\""));
        }
        moment.ok()
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "a list of texts in [ ]", value);
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => {
                    let line = self.source.line(item.span().start);
                    texts.push(Located { line, value: text.to_string() });
                }
                DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => self.wrong_type(key, "a list of texts in [ ]", item),
            }
        }
        Some(texts)
    }

    /// A table with fields of its own, called `kind` in messages.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        kind: &'static str,
        read: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, "a table in { }", value);
            return None;
        };
        let mut fields = Fields::new(self.source, kind, value.span().start, table, self.mistakes);
        let read = read(&mut fields);
        fields.finish();
        read
    }

    /// A list of tables, each with its own fields.
    pub fn tables(&mut self, key: &'static str, mut each: impl FnMut(&mut Fields<'_, '_>)) {
        let Some(value) = self.value(key) else {
            self.require::<()>(key, None);
            return;
        };
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong_type(key, "a list of tables in [ ]", value);
        };
        for item in items {
            if let DeValue::Table(table) = item.get_ref() {
                let mut fields = Fields::new(self.source, "target", item.span().start, table, self.mistakes);
                each(&mut fields);
                fields.finish();
            } else {
                self.wrong_type(key, "a list of tables in [ ]", item);
            }
        }
    }

    /// A table of anything, as JSON.
    pub fn json(&mut self, key: &'static str) -> Option<serde_json::Value> {
        let value = self.value(key)?;
        if matches!(value.get_ref(), DeValue::Table(_)) {
            return Some(to_json(value.get_ref()));
        }
        self.wrong_type(key, "a table in { }", value);
        None
    }

    /// Refuses what was not asked for.
    pub fn finish(self) {
        for name in self.table.keys().filter(|name| !self.asked.contains(&name.get_ref().as_ref())) {
            let near = hint(name.get_ref(), self.asked.iter().copied());
            let article = if self.kind.starts_with('a') { "an" } else { "a" };
            let message = format!("{article} {} has no field “{}”{near}", self.kind, name.get_ref());
            self.mistakes.push(Mistake { line: self.source.line(name.span().start), message });
        }
    }
}

fn called(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a bare number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn to_json(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value;
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(moment) => Value::from(moment.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table.iter().map(|(name, value)| (name.get_ref().to_string(), to_json(value.get_ref()))).collect(),
        ),
    }
}
