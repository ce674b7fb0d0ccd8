//! OpenAI's embeddings. <https://platform.openai.com/docs/api-reference/embeddings>

use crate::{Embedded, dialects::UnusableField};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

/// As many as OpenAI takes at once.
const MOST_INPUTS: usize = 2_048;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingsAsked {
    pub model: String,
    pub inputs: Vec<String>,
    pub dimensions: Option<u32>,
    base64: bool,
}

impl EmbeddingsAsked {
    /// Errors: the field that cannot be used, or that would have to be left out.
    pub fn read(body: &Map<String, Value>) -> Result<Self, UnusableField> {
        let mut asked = Self { model: String::new(), inputs: Vec::new(), dimensions: None, base64: false };
        for (name, value) in body {
            match (name.as_str(), value) {
                ("model", Value::String(model)) => asked.model.clone_from(model),
                ("input", input) => asked.inputs = inputs(input)?,
                ("dimensions", Value::Number(number)) => {
                    let number =
                        number.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
                    let detail = "dimensions is a whole number from 1 on.";
                    asked.dimensions = Some(number.ok_or_else(|| UnusableField::new(name, detail))?);
                }
                ("encoding_format", Value::String(format)) if format == "float" => asked.base64 = false,
                ("encoding_format", Value::String(format)) if format == "base64" => asked.base64 = true,
                ("encoding_format", _) => {
                    return Err(UnusableField::new(name, "encoding_format is “float” or “base64”."));
                }
                ("user", _) | ("dimensions", Value::Null) => {}
                ("dimensions", _) => return Err(UnusableField::new(name, "dimensions is a whole number from 1 on.")),
                _ => return Err(UnusableField::new(name, format!("Seam does not know “{name}” for embeddings."))),
            }
        }
        if asked.model.is_empty() {
            return Err(UnusableField::new("model", "Name the model to ask."));
        }
        if asked.inputs.is_empty() {
            return Err(UnusableField::new("input", "input is a text, or a list of texts."));
        }
        Ok(asked)
    }

    pub fn answer(&self, embedded: &Embedded) -> Value {
        let data: Vec<Value> = embedded
            .vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": self.written(vector) }))
            .collect();
        let tokens = embedded.usage.input.unwrap_or(0);
        let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
        json!({ "object": "list", "data": data, "model": self.model, "usage": usage })
    }

    /// In base64: little-endian 32-bit floats, as the official SDKs ask for.
    fn written(&self, vector: &[f32]) -> Value {
        if self.base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            BASE64_STANDARD.encode(bytes).into()
        } else {
            json!(vector)
        }
    }
}

fn inputs(input: &Value) -> Result<Vec<String>, UnusableField> {
    let texts = match input {
        Value::String(text) => vec![text.as_str()],
        Value::Array(several) => {
            let texts: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            texts.ok_or_else(|| {
                let detail = "input is a text, or a list of texts. Lists of tokens belong to one model's tokenizer.";
                UnusableField::new("input", detail)
            })?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(UnusableField::new("input", "input is a text, or a list of texts."));
        }
    };
    if texts.len() > MOST_INPUTS {
        return Err(UnusableField::new("input", format!("At most {MOST_INPUTS} texts at once.")));
    }
    if let Some(number) = texts.iter().position(|text| text.is_empty()) {
        return Err(UnusableField::new(format!("input[{number}]"), "An empty text has no meaning to embed."));
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::TokenUsage;

    fn read(body: Value) -> Result<EmbeddingsAsked, String> {
        EmbeddingsAsked::read(body.as_object().unwrap()).map_err(|unusable| unusable.field)
    }

    #[test]
    fn one_text_or_several_and_nothing_that_would_be_left_out() {
        assert_eq!(read(json!({ "model": "m", "input": "a" })).unwrap().inputs, ["a"]);
        let several = read(json!({ "model": "m", "input": ["a", "b"], "dimensions": 8, "user": "u" })).unwrap();
        assert_eq!((several.inputs.len(), several.dimensions), (2, Some(8)));
        for (body, field) in [
            (json!({ "input": "a" }), "model"),
            (json!({ "model": "m" }), "input"),
            (json!({ "model": "m", "input": [] }), "input"),
            (json!({ "model": "m", "input": [1, 2] }), "input"),
            (json!({ "model": "m", "input": ["a", ""] }), "input[1]"),
            (json!({ "model": "m", "input": vec!["a"; 2_049] }), "input"),
            (json!({ "model": "m", "input": "a", "dimensions": 0 }), "dimensions"),
            (json!({ "model": "m", "input": "a", "encoding_format": "hex" }), "encoding_format"),
            (json!({ "model": "m", "input": "a", "a_field_of_tomorrow": 1 }), "a_field_of_tomorrow"),
        ] {
            assert_eq!(read(body.clone()).unwrap_err(), field, "{body}");
        }
    }

    #[test]
    fn vectors_are_numbers_or_their_bytes() {
        let embedded = Embedded {
            vectors: vec![vec![1.0, -0.5]],
            usage: TokenUsage { input: Some(3), output: Some(0), ..TokenUsage::default() },
            cost: None,
            measured: true,
            route: "r".to_owned(),
        };
        let told = |format: &str| {
            let asked = read(json!({ "model": "m", "input": "a", "encoding_format": format })).unwrap();
            asked.answer(&embedded)
        };
        assert_eq!(told("float")["data"][0]["embedding"], json!([1.0, -0.5]));
        assert_eq!(told("base64")["data"][0]["embedding"], "AACAPwAAAL8=");
        assert_eq!(told("float")["usage"]["total_tokens"], 3);
    }
}
