//! A provider in three dialects that can all that they have words for. What it answers follows from what it is asked: it
//! calls tools that it is offered, reads their results, counts pictures and fills schemas, whole or in pieces.

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::post,
};
use http::header;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What a request comes to, whatever the dialect.
#[derive(Default)]
struct Asked {
    tools: bool,
    one_at_a_time: bool,
    results: Vec<String>,
    pictures: usize,
    schema: bool,
    stop: Option<String>,
}

/// What is answered: a text, or calls of the tool `weather`.
struct Said {
    text: String,
    calls: Vec<Value>,
}

impl Asked {
    fn answer(&self) -> Said {
        let (mut text, mut calls) = (String::new(), Vec::new());
        if !self.results.is_empty() {
            text = format!("It is {}.", self.results.join(" and "));
        } else if self.tools {
            calls = vec![json!({ "at": "Ghent" }), json!({ "at": "Paris" })];
            calls.truncate(if self.one_at_a_time { 1 } else { 2 });
        } else if self.schema {
            text = json!({ "city": "Paris" }).to_string();
        } else if self.pictures > 0 {
            text = format!("{} of them.", self.pictures);
        } else if let Some(stop) = &self.stop {
            text = format!("Until {stop}.");
        } else {
            "Hello there.".clone_into(&mut text);
        }
        Said { text, calls }
    }
}

/// Serves until the process ends, on a thread of its own.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let router = Router::new()
                .route("/v1/chat/completions", post(openai))
                .route("/v1/messages", post(anthropic))
                .route("/v1/messages/count_tokens", post(counted))
                .route("/v1beta/models/{method}", post(gemini));
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    address
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

fn text_of(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
}

fn events(events: impl IntoIterator<Item = String>) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], events.into_iter().collect::<String>()).into_response()
}

/// A text in two pieces.
fn halves(text: &str) -> [&str; 2] {
    text.split_at(text.len() / 2).into()
}

async fn openai(Json(body): Json<Value>) -> Response {
    let parts = list(&body, "messages").flat_map(|message| list(message, "content"));
    let results = list(&body, "messages").filter(|message| message["role"] == "tool");
    let asked = Asked {
        tools: list(&body, "tools").count() > 0 && body["tool_choice"] != "none",
        one_at_a_time: body["parallel_tool_calls"] == false,
        results: results.map(|message| text_of(&message["content"])).collect(),
        pictures: parts.filter(|part| part["type"] == "image_url").count(),
        schema: body["response_format"]["type"] == "json_schema",
        stop: body["stop"][0].as_str().map(str::to_owned),
    };
    let said = asked.answer();
    let finish = if said.calls.is_empty() { "stop" } else { "tool_calls" };
    let call = |(number, arguments): (usize, &Value)| {
        let function = json!({ "name": "weather", "arguments": arguments.to_string() });
        json!({ "index": number, "id": format!("call_{number}"), "type": "function", "function": function })
    };
    let calls: Vec<Value> = said.calls.iter().enumerate().map(call).collect();
    let logprobs = match body["logprobs"] == true {
        true => {
            json!({ "content": [{ "token": "Hello", "logprob": -0.5, "bytes": null, "top_logprobs": [] }], "refusal": null })
        }
        false => Value::Null,
    };
    let usage = json!({ "prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28,
        "prompt_tokens_details": { "cached_tokens": 12 }, "completion_tokens_details": { "reasoning_tokens": 2 } });
    let head = |object: &str| json!({ "id": "chatcmpl-1", "object": object, "created": 1, "model": "gpt-of-the-test" });
    let choices = 0..body["n"].as_u64().unwrap_or(1);
    if body["stream"] != true {
        let mut answer = head("chat.completion");
        let content = if calls.is_empty() { said.text.as_str().into() } else { Value::Null };
        let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice =
            |index| json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": finish });
        answer["choices"] = choices.map(choice).collect();
        answer["usage"] = usage;
        return Json(answer).into_response();
    }
    let chunk = |choices: Value, usage: &Value| {
        let mut chunk = head("chat.completion.chunk");
        (chunk["choices"], chunk["usage"]) = (choices, usage.clone());
        format!("data: {chunk}\n\n")
    };
    let mut told = Vec::new();
    for index in choices {
        let mut delta = |delta: Value, finish: Option<&str>| {
            let choice = json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
            told.push(chunk(json!([choice]), &Value::Null));
        };
        delta(json!({ "role": "assistant", "content": "" }), None);
        for text in halves(&said.text).into_iter().filter(|text| !text.is_empty()) {
            delta(json!({ "content": text }), None);
        }
        for call in &calls {
            let arguments = call["function"]["arguments"].as_str().unwrap().to_owned();
            let mut begun = call.clone();
            begun["function"]["arguments"] = "".into();
            delta(json!({ "tool_calls": [begun] }), None);
            for piece in halves(&arguments) {
                let more = json!({ "index": call["index"], "function": { "arguments": piece } });
                delta(json!({ "tool_calls": [more] }), None);
            }
        }
        delta(json!({}), Some(finish));
    }
    if body["stream_options"]["include_usage"] == true {
        told.push(chunk(json!([]), &usage));
    }
    events(told.into_iter().chain(["data: [DONE]\n\n".to_owned()]))
}

fn asked_of_anthropic(body: &Value) -> Asked {
    let blocks = || list(body, "messages").flat_map(|message| list(message, "content"));
    let results = blocks().filter(|block| block["type"] == "tool_result");
    Asked {
        tools: list(body, "tools").count() > 0 && body["tool_choice"]["type"] != "none",
        one_at_a_time: body["tool_choice"]["disable_parallel_tool_use"] == true,
        results: results.map(|block| text_of(&block["content"])).collect(),
        pictures: blocks().filter(|block| block["type"] == "image").count(),
        schema: body["output_config"]["format"]["type"] == "json_schema",
        stop: body["stop_sequences"][0].as_str().map(str::to_owned),
    }
}

async fn counted(Json(body): Json<Value>) -> Response {
    let asked = asked_of_anthropic(&body);
    let tokens = 20 + 100 * list(&body, "tools").count() + 1_000 * asked.pictures;
    Json(json!({ "input_tokens": tokens })).into_response()
}

async fn anthropic(Json(body): Json<Value>) -> Response {
    let asked = asked_of_anthropic(&body);
    let said = asked.answer();
    let mut blocks = Vec::new();
    if body["thinking"]["type"] == "enabled" {
        blocks.push(json!({ "type": "thinking", "thinking": "Let me see.", "signature": "signed" }));
    }
    if !said.text.is_empty() {
        blocks.push(json!({ "type": "text", "text": said.text }));
    }
    let calls = said.calls.iter().enumerate();
    blocks.extend(calls.map(|(number, input)| json!({ "type": "tool_use", "id": format!("toolu_{number}"), "name": "weather", "input": input })));
    let (reason, stop) = match (&asked.stop, said.calls.is_empty()) {
        (_, false) => ("tool_use", None),
        (Some(stop), true) => ("stop_sequence", Some(stop)),
        (None, true) => ("end_turn", None),
    };
    let written = if body.to_string().contains("cache_control") { 4 } else { 0 };
    let usage = json!({ "input_tokens": 8 - written, "cache_read_input_tokens": 12, "cache_creation_input_tokens": written,
        "cache_creation": { "ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0 }, "output_tokens": 8 });
    let mut message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-of-the-test",
        "content": blocks, "stop_reason": reason, "stop_sequence": stop, "usage": usage });
    if body["stream"] != true {
        return Json(message).into_response();
    }
    (message["content"], message["stop_reason"], message["stop_sequence"]) = (json!([]), Value::Null, Value::Null);
    message["usage"]["output_tokens"] = 1.into();
    let mut told = vec![json!({ "type": "message_start", "message": message })];
    for (index, block) in blocks.iter().enumerate() {
        let mut empty = block.clone();
        let deltas: Vec<Value> = match block["type"].as_str().unwrap() {
            "thinking" => {
                (empty["thinking"], empty["signature"]) = ("".into(), "".into());
                vec![
                    json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
                    json!({ "type": "signature_delta", "signature": block["signature"] }),
                ]
            }
            "text" => {
                empty["text"] = "".into();
                halves(block["text"].as_str().unwrap()).map(|text| json!({ "type": "text_delta", "text": text })).into()
            }
            _ => {
                empty["input"] = json!({});
                let input = block["input"].to_string();
                halves(&input).map(|json| json!({ "type": "input_json_delta", "partial_json": json })).into()
            }
        };
        told.push(json!({ "type": "content_block_start", "index": index, "content_block": empty }));
        told.extend(
            deltas.into_iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
        );
        told.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": reason, "stop_sequence": stop });
    told.push(json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 8 } }));
    told.push(json!({ "type": "message_stop" }));
    events(told.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())))
}

async fn gemini(Json(body): Json<Value>) -> Response {
    let parts = || list(&body, "contents").flat_map(|content| list(content, "parts"));
    let results = parts().filter_map(|part| part["functionResponse"]["response"]["output"].as_str());
    let config = &body["generationConfig"];
    let asked = Asked {
        tools: list(&body, "tools").count() > 0 && body["toolConfig"]["functionCallingConfig"]["mode"] != "NONE",
        one_at_a_time: false,
        results: results.map(str::to_owned).collect(),
        pictures: parts().filter(|part| !part["inlineData"].is_null()).count(),
        schema: !config["responseJsonSchema"].is_null(),
        stop: config["stopSequences"][0].as_str().map(str::to_owned),
    };
    let said = asked.answer();
    let texts = halves(&said.text).into_iter().filter(|text| !text.is_empty()).map(|text| json!({ "text": text }));
    let calls = said.calls.iter().map(|args| json!({ "functionCall": { "name": "weather", "args": args } }));
    let mut told: Vec<Value> = texts
        .chain(calls)
        .map(|part| json!({ "candidates": [{ "content": { "role": "model", "parts": [part] }, "index": 0 }] }))
        .collect();
    let last = told.last_mut().unwrap();
    last["candidates"][0]["finishReason"] = "STOP".into();
    last["usageMetadata"] = json!({ "promptTokenCount": 20, "cachedContentTokenCount": 12, "candidatesTokenCount": 6,
        "thoughtsTokenCount": 2, "totalTokenCount": 28 });
    events(told.iter().map(|chunk| format!("data: {chunk}\n\n")))
}
