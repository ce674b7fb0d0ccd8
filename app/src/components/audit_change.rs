//! What an entry of an audit log changed, in words for people: “role: member → viewer”. Pure; the server alone runs it.
//!
//! What always holds: nothing that the entry says is left out, except fields that were never set. A log holds entries
//! of every version of Seam, so what has a shape that is not known is shown as it is rather than refused.

use crate::wording::{absolute, grouped};
use contract::{NanoUsd, Timestamp};
use serde_json::{Map, Value};

/// One line of what was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Words that say it themselves.
    Said(String),
    /// Was set by what was made.
    Set {
        field: String,
        value: String,
    },
    /// Was there until it was removed.
    Was {
        field: String,
        value: String,
    },
    Changed {
        field: String,
        old: String,
        new: String,
    },
}

/// What an entry changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    pub lines: Vec<Line>,
    /// All of it, where the lines are a summary.
    pub whole: Vec<Line>,
}

/// What `change`, as it stands in an entry of the kind `action`, says.
pub fn told(action: &str, change: &str) -> Told {
    let Ok(Value::Object(mut change_of)) = serde_json::from_str(change) else {
        return Told { lines: vec![Line::Said(change.to_owned())], whole: Vec::new() };
    };
    let mut taken = |name: &str| change_of.remove(name).unwrap_or(Value::Null);
    let (before, after) = (taken("before"), taken("after"));
    match (before, after) {
        // As applications were told until each field had its own place.
        (Value::Null, Value::Object(after)) if action.ends_with(".apply") && after.contains_key("fields") => {
            applied(&after)
        }
        (Value::Null, Value::Object(after)) if after.contains_key("certificate") => certified(&after),
        (Value::Null, Value::Array(said)) => lines(said.iter().map(|one| sentence(&text("", one))).collect()),
        (before, after) => lines(differences(&before, &after)),
    }
}

fn lines(lines: Vec<Line>) -> Told {
    Told { lines, whole: Vec::new() }
}

fn differences(before: &Value, after: &Value) -> Vec<Line> {
    let (old, new) = (flat(before), flat(after));
    if before.is_null() {
        let set = new.into_iter().filter(|(_, value)| value != NONE);
        return set
            .map(|(field, value)| of(field, |field| Line::Set { field, value: value.clone() }, &value))
            .collect();
    }
    if after.is_null() {
        return old
            .into_iter()
            .map(|(field, value)| of(field, |field| Line::Was { field, value: value.clone() }, &value))
            .collect();
    }
    let at = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(field, _)| field == name).map_or_else(|| NONE.to_owned(), |(_, value)| value.clone())
    };
    let gone = old.iter().filter(|(field, _)| !new.iter().any(|(other, _)| other == field));
    let fields: Vec<&String> = new.iter().chain(gone).map(|(field, _)| field).collect();
    let changed = fields.into_iter().filter_map(|field| {
        let (old, new) = (at(&old, field), at(&new, field));
        (old != new).then(|| Line::Changed { field: field.clone(), old, new })
    });
    changed.collect()
}

/// A line about a field; a value without one speaks for itself.
fn of(field: String, line: impl Fn(String) -> Line, value: &str) -> Line {
    if field.is_empty() { Line::Said(value.to_owned()) } else { line(field) }
}

/// What nothing is called.
const NONE: &str = "none";

/// Every value under the name of its place, such as `targets 1 model`.
fn flat(value: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    gather("", value, &mut fields);
    fields
}

fn gather(place: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let within = |name: &str| if place.is_empty() { named(name) } else { format!("{place} {}", named(name)) };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                gather(&within(name), value, fields);
            }
        }
        Value::Array(list) if list.iter().any(|one| one.is_object() || one.is_array()) => {
            for (at, value) in list.iter().enumerate() {
                gather(&within(&(at + 1).to_string()), value, fields);
            }
        }
        Value::Null if place.is_empty() => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            fields.push((place.to_owned(), text(place, value)));
        }
    }
}

fn named(field: &str) -> String {
    field.replace('_', " ")
}

/// A value without its quotes.
fn text(field: &str, value: &Value) -> String {
    match value {
        Value::Null => NONE.to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_i64() {
            Some(millis) if field == "until" || field.ends_with(" at") => absolute(Timestamp::from_millis(millis)),
            Some(nanos) if field.ends_with("nanousd") => format!("${}", NanoUsd::from_nanos(nanos)),
            Some(number) => grouped(number),
            None => number.to_string(),
        },
        Value::Array(list) if list.is_empty() => NONE.to_owned(),
        Value::Array(list) => list.iter().map(|one| text(field, one)).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// What `seam apply` did to a resource, which it says itself: `field: old → new`.
fn applied(after: &Map<String, Value>) -> Told {
    let fields = after.get("fields").and_then(Value::as_array).into_iter().flatten();
    let mut said: Vec<Line> = fields.map(|field| sentence(&text("", field))).collect();
    let change = after.get("change").map(|change| text("", change));
    if said.is_empty() || change.as_deref() == Some("created") {
        said.splice(0..0, change.map(Line::Said));
    }
    lines(said)
}

/// `field: old → new` as what it is; anything else as it is.
fn sentence(said: &str) -> Line {
    let is_name = |field: &str| field.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-[] ".contains(&b));
    let Some((field, rest)) = said.split_once(": ").filter(|(field, _)| is_name(field)) else {
        return Line::Said(said.to_owned());
    };
    let unquoted = |text: &str| match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) if !inner.contains('"') => inner.to_owned(),
        Some(_) | None if text == "null" => NONE.to_owned(),
        Some(_) | None => text.to_owned(),
    };
    match rest.split_once(" → ") {
        Some((old, new)) => Line::Changed { field: named(field), old: unquoted(old), new: unquoted(new) },
        None => Line::Set { field: named(field), value: unquoted(rest) },
    }
}

/// The certificate of a deletion: how much was removed, and all of it for whoever asks.
fn certified(after: &Map<String, Value>) -> Told {
    let Some(Value::Object(certificate)) = after.get("certificate") else { return Told::default() };
    let places = certificate.get("places").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let number = |place: &Value, name: &str| place.get(name).and_then(Value::as_i64);
    let rows: i64 = places.iter().filter_map(|place| number(place, "rows")).sum();
    let accounts = certificate.get("accounts").and_then(Value::as_i64).unwrap_or(0);
    let count =
        |number: i64, one: &str, many: &str| format!("{} {}", grouped(number), if number == 1 { one } else { many });
    let summary = format!(
        "{} in {} and {} were removed for good.",
        count(rows, "row", "rows"),
        count(i64::try_from(places.len()).unwrap_or(i64::MAX), "place", "places"),
        count(accounts, "account", "accounts"),
    );
    let place = |place: &Value| {
        let counted = match (number(place, "rows"), number(place, "bytes")) {
            (Some(rows), _) => count(rows, "row", "rows"),
            (None, Some(bytes)) => count(bytes, "byte", "bytes"),
            (None, None) => "removed".to_owned(),
        };
        Line::Set { field: place.get("place").map(|name| text("", name)).unwrap_or_default(), value: counted }
    };
    let remains = certificate.get("remains").and_then(Value::as_array).into_iter().flatten();
    let remains = remains.map(|what| Line::Set { field: "remains".to_owned(), value: text("", what) });
    let mut rest = certificate.clone();
    rest.retain(|name, _| !matches!(name.as_str(), "places" | "remains"));
    let rest = differences(&Value::Null, &Value::Object(rest));
    Told { lines: vec![Line::Said(summary)], whole: places.iter().map(place).chain(remains).chain(rest).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spoken(line: &Line) -> String {
        match line {
            Line::Said(said) => said.clone(),
            Line::Set { field, value } => format!("{field}: {value}"),
            Line::Was { field, value } => format!("{field} was {value}"),
            Line::Changed { field, old, new } => format!("{field}: {old} → {new}"),
        }
    }

    fn said(action: &str, before: Value, after: Value) -> Vec<String> {
        let change = json!({ "before": before, "after": after }).to_string();
        told(action, &change).lines.iter().map(spoken).collect()
    }

    #[test]
    fn what_an_application_made_is_told_field_by_field_and_as_it_was_told_before() {
        let made = json!({ "kind": "openai", "api_key": "set", "region": null });
        assert_eq!(said("provider.apply", Value::Null, made), ["api key: set", "kind: openai"]);
        let once = json!({ "change": "created", "fields": ["kind: openai"] });
        assert_eq!(said("provider.apply", Value::Null, once), ["created", "kind: openai"]);
        let changed = (json!({ "plan": "pro", "region": null }), json!({ "plan": "starter", "region": "eu" }));
        assert_eq!(said("tenant.apply", changed.0, changed.1), ["plan: pro → starter", "region: none → eu"]);
    }

    #[test]
    fn a_change_tells_what_is_different_and_nothing_else() {
        assert_eq!(
            said("member.role_set", json!({ "role": "member" }), json!({ "role": "viewer" })),
            ["role: member → viewer"]
        );
        let old = json!({ "issuer": "https://a", "enabled": false, "plan": null });
        let new = json!({ "issuer": "https://a", "enabled": true, "plan": "pro" });
        assert_eq!(said("x", old, new), ["enabled: no → yes", "plan: none → pro"]);
        assert_eq!(said("x", json!({ "a": 1 }), json!({ "b": 1 })), ["b: none → 1", "a: 1 → none"]);
    }

    #[test]
    fn what_is_made_tells_what_was_set_and_what_is_removed_what_it_was() {
        let key = json!({ "prefix": "sk-seam-1", "scopes": ["inference", "manage"], "models": null, "expires_at": 0 });
        assert_eq!(
            said("key.create", Value::Null, key),
            ["expires at: 1970-01-01 00:00 UTC", "prefix: sk-seam-1", "scopes: inference, manage"]
        );
        assert_eq!(said("member.remove", json!({ "role": "admin" }), Value::Null), ["role was admin"]);
        assert!(said("key.revoke", Value::Null, Value::Null).is_empty());
        let nested = json!({ "targets": [{ "model": "a" }, { "model": "b" }], "options": { "tokens": 1234 } });
        assert_eq!(
            said("x", Value::Null, nested),
            ["options tokens: 1,234", "targets 1 model: a", "targets 2 model: b"]
        );
    }

    #[test]
    fn what_apply_says_of_itself_is_told_as_it_says_it() {
        let updated = json!({ "change": "updated", "fields": ["plan: \"free\" → \"pro\"", "password"] });
        assert_eq!(said("tenant.apply", Value::Null, updated), ["plan: free → pro", "password"]);
        let created = json!({ "change": "created", "fields": [] });
        assert_eq!(said("model.apply", Value::Null, created), ["created"]);
        // As logs have it that are older than the fields of it.
        assert_eq!(said("model.reorder", Value::Null, json!(["targets: a, b → b, a"])), ["targets: a, b → b, a"]);
    }

    #[test]
    fn a_certificate_is_summed_up_and_kept_whole() {
        let certificate = json!({
            "places": [{ "place": "table member", "rows": 2, "bytes": null }, { "place": "file a.db", "rows": null, "bytes": 4096 }],
            "accounts": 1, "remains": ["the log"], "sha256": "abc", "begun_at": 0,
        });
        let after = json!({ "sha256": "abc", "certificate": certificate });
        let told = told("tenant.delete", &json!({ "before": null, "after": after }).to_string());
        assert_eq!(
            told.lines.iter().map(spoken).collect::<Vec<_>>(),
            ["2 rows in 2 places and 1 account were removed for good."]
        );
        let whole: Vec<_> = told.whole.iter().map(spoken).collect();
        assert_eq!(
            whole,
            [
                "table member: 2 rows",
                "file a.db: 4,096 bytes",
                "remains: the log",
                "accounts: 1",
                "begun at: 1970-01-01 00:00 UTC",
                "sha256: abc"
            ]
        );
    }

    #[test]
    fn what_has_no_known_shape_is_shown_as_it_is() {
        assert_eq!(told("x", "not JSON").lines, [Line::Said("not JSON".to_owned())]);
        assert_eq!(said("x", Value::Null, json!("by hand")), ["by hand"]);
    }
}
