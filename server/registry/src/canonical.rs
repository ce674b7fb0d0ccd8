//! The canonical form of JSON: one text for one value, so that its hash can be compared.
//!
//! The form of RFC 8785 for what parameters hold: no white space, keys sorted, numbers in their shortest
//! form (`1.0` is `1`). It departs from the RFC where that loses something or nobody looks: integers keep
//! all their digits, keys are sorted by code point, very large and small fractions are written out.

use serde_json::Value;
use std::fmt::Write;

/// Written by hand because the order of `serde_json`'s keys depends on a feature that any crate may turn on.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            write_list(text, ('{', '}'), members, |text, (key, member)| {
                write_scalar(text, &Value::String(key.clone()));
                text.push(':');
                write_value(text, member);
            });
        }
        Value::Array(items) => write_list(text, ('[', ']'), items, write_value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => write_scalar(text, value),
    }
}

fn write_list<T>(
    text: &mut String,
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    write_item: impl Fn(&mut String, T),
) {
    text.push(open);
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write_item(text, item);
    }
    text.push(close);
}

fn write_scalar(text: &mut String, value: &Value) {
    // Writing into a String cannot fail.
    let _ = match value.as_f64().filter(|_| value.as_i64().is_none() && value.as_u64().is_none()) {
        // Rust's shortest form that reads back the same; minus zero is zero.
        Some(fraction) => write!(text, "{}", fraction + 0.0),
        None => write!(text, "{value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(json: &str) -> String {
        canonical(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn order_and_white_space_do_not_matter() {
        assert_eq!(
            form(r#"{ "b": [1, {"z": null, "a": true}], "a": "x" }"#),
            r#"{"a":"x","b":[1,{"a":true,"z":null}]}"#
        );
    }

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(form("[1.0, 1, 0.20, 2e-1, -0.0, 9007199254740993]"), "[1,1,0.2,0.2,0,9007199254740993]");
    }

    #[test]
    fn text_is_escaped_as_json_asks_and_no_more() {
        assert_eq!(form(r#""a\u0022\n\u0001é\/""#), r#""a\"\n\u0001é/""#);
    }

    proptest! {
        // Fractions as people write them: `serde_json` may read one of seventeen digits back one unit off,
        // which is why hashes are taken of the text and not of what is read from it.
        #[test]
        fn the_form_reads_back_as_the_same_value(
            keys in proptest::collection::vec(".{0,8}", 0..6),
            number in any::<i64>(), thousandths in -1_000_000_000i32..1_000_000_000, text in ".*",
        ) {
            let inner = serde_json::json!([number, f64::from(thousandths) / 1_000.0, text, null, true]);
            let value = Value::Object(keys.into_iter().map(|key| (key, inner.clone())).collect());
            let once = canonical(&value);
            let read: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(canonical(&read), once);
        }
    }
}
