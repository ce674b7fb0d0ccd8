//! JSON in which no field stands twice. A parser would take the last of them and say nothing; here it is refused by its
//! name, since whoever sent it meant one of the two.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::RefCell, fmt};

/// Why a text is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The field that stands twice in one object.
    Repeated(String),
    /// It is no JSON.
    Syntax(String),
}

pub(super) fn read(text: &[u8]) -> Result<Value, Unreadable> {
    let repeated = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Once(&repeated).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| match repeated.take() {
        Some(name) => Unreadable::Repeated(name),
        None => Unreadable::Syntax(error.to_string()),
    })
}

/// Reads a value, and notes the first name that comes a second time.
#[derive(Clone, Copy)]
struct Once<'c>(&'c RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key_seed(Name)? {
            if object.contains_key(&name) {
                self.0.replace(Some(name));
                return Err(A::Error::custom("a field stands twice"));
            }
            let value = fields.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<String, D::Error> {
        String::deserialize(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_once_is_read_as_it_is() {
        let text = r#"{"a": [1, -2, 0.5, "x", null, true, {"a": {}}], "b": 18446744073709551615, "ü": "\u0000"}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_stands_twice_is_named_wherever_it_is() {
        for text in [r#"{"a":1,"b":2,"a":3}"#, r#"[{"x":{"a":1,"\u0061":1}}]"#] {
            assert_eq!(read(text.as_bytes()), Err(Unreadable::Repeated("a".to_owned())), "{text}");
        }
        for text in ["", "{", "{} {}", "{\"a\":}", "\u{feff}{}"] {
            assert!(matches!(read(text.as_bytes()), Err(Unreadable::Syntax(_))), "{text}");
        }
        assert!(matches!(read("[".repeat(10_000).as_bytes()), Err(Unreadable::Syntax(_))));
    }
}
