//! What the adapters that speak HTTP send, and what they make of replies: recorded exchanges against a real
//! server in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helper functions of tests

mod fixture;

use contract::{FinishReason, MessageRole, TenantId, TokenUsage};
use fixture::upstream::{Reply, Upstream, Wire};
use futures::StreamExt;
use gateway::{
    conversation::{ChatParameters, ChatTurn, Conversation, Piece, ToolCall},
    provider::{ChatCall, ChatPart, Dialect, EmbedCall, Native, Provider, ProviderError, ToolPart},
    providers::{Anthropic, Gemini, OpenAi},
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const OPENAI: &str = include_str!("recorded/openai_chat.sse");
const ANTHROPIC: &str = include_str!("recorded/anthropic_messages.sse");
const GEMINI: &str = include_str!("recorded/gemini_chat.sse");
const TIMEOUT: Duration = Duration::from_millis(250);

fn openai(upstream: &Upstream) -> OpenAi {
    OpenAi::new(Some(&format!("{}/v1", upstream.url)), Some("sk-test"), TIMEOUT).unwrap()
}

fn anthropic(upstream: &Upstream) -> Anthropic {
    Anthropic::new(Some(&upstream.url), Some("sk-ant-test"), TIMEOUT).unwrap()
}

fn gemini(upstream: &Upstream) -> Gemini {
    Gemini::new(Some(&format!("{}/v1beta", upstream.url)), Some("goog-test"), TIMEOUT).unwrap()
}

fn call() -> ChatCall {
    let turn = ChatTurn::of_text;
    ChatCall {
        tenant: TenantId::new(),
        model: "the-model".to_owned(),
        conversation: Arc::new(Conversation {
            system: Some("Be brief.".to_owned()),
            turns: vec![
                turn(MessageRole::User, "Hello"),
                turn(MessageRole::Assistant, ""),
                turn(MessageRole::User, "The capital of France?"),
            ],
            parameters: ChatParameters {
                temperature: Some(0.5),
                top_p: Some(0.9),
                max_output_tokens: Some(64),
                seed: Some(7),
                stop: vec!["END".to_owned()],
            },
            ..Conversation::default()
        }),
        native: None,
        cancel: CancellationToken::new(),
    }
}

/// The text and how it ended.
async fn answer(
    provider: &dyn Provider,
    call: ChatCall,
) -> (String, Result<(FinishReason, TokenUsage), ProviderError>) {
    let mut text = String::new();
    let mut parts = match provider.chat(call).await {
        Ok(parts) => parts,
        Err(error) => return (text, Err(error)),
    };
    while let Some(part) = parts.next().await {
        match part {
            Ok(ChatPart::Text(more)) => text.push_str(&more),
            Ok(part @ (ChatPart::Tool(_) | ChatPart::Native(_))) => panic!("{part:?}"),
            Ok(ChatPart::Finished { reason, usage }) => return (text, Ok((reason, usage))),
            Err(error) => return (text, Err(error)),
        }
    }
    panic!("the stream ended without an end");
}

#[tokio::test]
async fn openai_is_asked_for_a_stream_with_usage_and_read_to_its_end() {
    let upstream = Upstream::replying(Reply::events(OPENAI)).await;
    let (text, end) = answer(&openai(&upstream), call()).await;
    assert_eq!(text, "Paris, voilà.");
    let usage = TokenUsage {
        input: Some(20),
        cached_input: Some(16),
        output: Some(4),
        reasoning: Some(0),
        ..TokenUsage::default()
    };
    assert_eq!(end.unwrap(), (FinishReason::Stop, usage));
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.header("authorization"), Some("Bearer sk-test"));
    let expected = json!({
        "model": "the-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "The capital of France?"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": 7,
        "stop": ["END"],
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn anthropic_is_asked_in_its_own_words_and_its_cached_tokens_are_counted_in() {
    let upstream = Upstream::replying(Reply::events(ANTHROPIC)).await;
    let (text, end) = answer(&anthropic(&upstream), call()).await;
    assert_eq!(text, "Paris, voilà.");
    let written = TokenUsage { cache_write: Some(3), cache_write_1h: Some(1), ..TokenUsage::default() };
    let usage = TokenUsage { input: Some(20), cached_input: Some(12), output: Some(7), ..written };
    assert_eq!(end.unwrap(), (FinishReason::Stop, usage));
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!(seen.header("x-api-key"), Some("sk-ant-test"));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("authorization"), None);
    let expected = json!({
        "model": "the-model",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Hello"},
                {"type": "text", "text": "The capital of France?"},
            ]},
        ],
        "stream": true,
        "system": "Be brief.",
        "temperature": 0.5,
        "stop_sequences": ["END"],
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn gemini_is_asked_in_its_own_words_and_its_thoughts_are_billed_but_not_told() {
    let upstream = Upstream::replying(Reply::events(GEMINI)).await;
    let (text, end) = answer(&gemini(&upstream), call()).await;
    assert_eq!(text, "Paris, voilà.");
    let thought = TokenUsage { reasoning: Some(5), ..TokenUsage::default() };
    let usage = TokenUsage { input: Some(20), cached_input: Some(16), output: Some(9), ..thought };
    assert_eq!(end.unwrap(), (FinishReason::Stop, usage));
    let seen = upstream.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/v1beta/models/the-model:streamGenerateContent?alt=sse")
    );
    assert_eq!(seen.header("x-goog-api-key"), Some("goog-test"));
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hello"}, {"text": "The capital of France?"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 64,
            "stopSequences": ["END"],
            "seed": 7,
        },
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn gemini_calls_tools_filters_prompts_counts_and_embeds() {
    let function = json!({ "name": "weather", "args": { "at": "Ghent" } });
    let chunk = json!({ "candidates": [{ "content": { "parts": [{ "functionCall": function, "thoughtSignature": "s" }] }, "finishReason": "STOP" }] });
    let upstream = Upstream::replying(Reply::events(&format!("data: {chunk}\n\n"))).await;
    let (provider, asked) = (gemini(&upstream), call());
    let parts: Vec<_> = provider.chat(asked.clone()).await.unwrap().map(|part| part.unwrap()).collect().await;
    let [
        ChatPart::Tool(ToolPart::Begins { id, name }),
        ChatPart::Tool(ToolPart::Arguments(arguments)),
        ChatPart::Finished { .. },
    ] = &parts[..]
    else {
        panic!("{parts:?}")
    };
    assert!(id.starts_with("call_"), "{id}");
    assert_eq!((name.as_str(), arguments.as_str()), ("weather", "{\"at\":\"Ghent\"}"));

    // The call goes back under its own signature, which the conversation did not carry.
    let made = ToolCall { id: id.clone(), name: name.clone(), arguments: json!({ "at": "Ghent" }) };
    let mut on = (*asked.conversation).clone();
    on.turns.push(ChatTurn { role: MessageRole::Assistant, pieces: vec![Piece::Call(made)] });
    provider.chat(ChatCall { conversation: Arc::new(on), ..asked }).await.unwrap().collect::<Vec<_>>().await;
    let sent = upstream.seen().pop().unwrap().body;
    assert_eq!(sent["contents"][1]["parts"], json!([{ "functionCall": function, "thoughtSignature": "s" }]));

    let blocked = json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": { "promptTokenCount": 9 } });
    upstream.now_replies(Reply::events(&format!("data: {blocked}\n\n")));
    let (text, end) = answer(&gemini(&upstream), call()).await;
    assert_eq!((text.as_str(), end.unwrap().0), ("", FinishReason::ContentFilter));

    let bad_key = json!({ "error": { "code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT" } });
    upstream.now_replies(Reply::json(400, &bad_key));
    assert!(matches!(answer(&gemini(&upstream), call()).await.1, Err(ProviderError::Unauthorised)));

    upstream.now_replies(Reply::json(200, &json!({ "totalTokens": 31 })));
    assert_eq!(gemini(&upstream).count(call()).await.unwrap(), Some(31));
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.path, "/v1beta/models/the-model:countTokens");
    assert_eq!(seen.body["generateContentRequest"]["model"], "models/the-model");

    upstream.now_replies(Reply::json(200, &json!({ "embeddings": [{ "values": [3.0, 4.0] }] })));
    let embed = |inputs: usize| EmbedCall {
        tenant: TenantId::new(),
        model: "embedder".to_owned(),
        inputs: vec!["a".to_owned(); inputs],
        dimensions: Some(2),
        cancel: CancellationToken::new(),
    };
    assert_eq!(gemini(&upstream).embed(embed(1)).await.unwrap().vectors, [[0.6, 0.8]]);
    let asked =
        json!({ "model": "models/embedder", "content": { "parts": [{ "text": "a" }] }, "outputDimensionality": 2 });
    assert_eq!(upstream.seen().pop().unwrap().body, json!({ "requests": [asked] }));
    // It takes a hundred at once.
    let hundred = vec![json!({ "values": [3.0, 4.0] }); 100];
    upstream.now_replies(Reply::json(200, &json!({ "embeddings": hundred })));
    let before = upstream.seen().len();
    assert_eq!(gemini(&upstream).embed(embed(200)).await.unwrap().vectors.len(), 200);
    assert_eq!(upstream.seen().len() - before, 2);

    let models = json!({ "models": [
        { "name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["generateContent", "countTokens"] },
        { "name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"] },
    ] });
    upstream.now_replies(Reply::json(200, &models));
    assert_eq!(gemini(&upstream).models().await.unwrap(), ["gemini-2.5-flash"]);
}

#[tokio::test]
async fn wherever_a_stream_is_cut_it_never_finishes() {
    for recorded in [OPENAI, ANTHROPIC, GEMINI] {
        let events: Vec<&str> = recorded.split_inclusive("\n\n").collect();
        let terminator = events.len() - 1;
        for kept in 0..=terminator {
            let text: String = events[..kept].concat();
            let upstream = Upstream::replying(Reply::events(&text)).await;
            let provider: Box<dyn Provider> = match recorded {
                OPENAI => Box::new(openai(&upstream)),
                ANTHROPIC => Box::new(anthropic(&upstream)),
                _ => Box::new(gemini(&upstream)),
            };
            let (_, end) = answer(provider.as_ref(), call()).await;
            assert!(matches!(end, Err(ProviderError::Cut)), "after {kept} events: {end:?}");
        }
    }
}

#[tokio::test]
async fn json_that_is_no_event_is_an_error_and_not_passed_over() {
    for (event, of_gemini) in [("5", true), ("[]", true), ("{\"x\":1}", true), ("null", false)] {
        let upstream = Upstream::replying(Reply::events(&format!("data: {event}\n\n"))).await;
        assert!(matches!(answer(&openai(&upstream), call()).await.1, Err(ProviderError::Malformed(_))), "{event}");
        let body = json!({ "model": "m", "messages": [], "stream": true }).as_object().unwrap().clone();
        let native = Native { dialect: Dialect::OpenAiChat, body: Arc::new(body), streamed: true, betas: None };
        let native = ChatCall { native: Some(native), ..call() };
        assert!(matches!(answer(&openai(&upstream), native).await.1, Err(ProviderError::Malformed(_))), "{event}");
        let heard = answer(&gemini(&upstream), call()).await.1;
        assert!(matches!(heard, Err(ProviderError::Malformed(_))) || !of_gemini, "{event}: {heard:?}");
    }
}

#[tokio::test]
async fn gemini_answers_with_one_call_where_one_is_asked_for() {
    let part = |name: &str| json!({ "functionCall": { "name": name, "args": {} } });
    let chunk = json!({ "candidates": [{ "content": { "parts": [part("f"), part("g")] }, "finishReason": "STOP" }] });
    let upstream = Upstream::replying(Reply::events(&format!("data: {chunk}\n\n"))).await;
    for (one_at_a_time, calls) in [(false, 2), (true, 1)] {
        let mut asked = call();
        let mut conversation = (*asked.conversation).clone();
        conversation.tools.one_at_a_time = one_at_a_time;
        asked.conversation = Arc::new(conversation);
        let parts: Vec<_> = gemini(&upstream).chat(asked).await.unwrap().map(|part| part.unwrap()).collect().await;
        let begun = parts.iter().filter(|part| matches!(part, ChatPart::Tool(ToolPart::Begins { .. })));
        assert_eq!(begun.count(), calls, "{parts:?}");
    }
}

#[tokio::test]
async fn a_terminator_without_a_reason_is_a_cut_too() {
    let first = OPENAI.split_inclusive("\n\n").take(2).collect::<String>();
    let upstream = Upstream::replying(Reply::events(&format!("{first}data: [DONE]\n\n"))).await;
    assert!(matches!(answer(&openai(&upstream), call()).await.1, Err(ProviderError::Cut)));
    let first = ANTHROPIC.split_inclusive("\n\n").take(4).collect::<String>();
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let upstream = Upstream::replying(Reply::events(&format!("{first}{stop}"))).await;
    assert!(matches!(answer(&anthropic(&upstream), call()).await.1, Err(ProviderError::Cut)));
}

#[tokio::test]
async fn a_broken_connection_is_a_cut_and_silence_times_out() {
    // So that what was sent before the break is on the wire.
    let pause = Wire::Wait(Duration::from_millis(50));
    let first = OPENAI.split_inclusive("\n\n").take(2).collect::<String>();
    let upstream = Upstream::replying(Reply::Stream(vec![Wire::Send(first.clone()), pause, Wire::Break])).await;
    let (text, end) = answer(&openai(&upstream), call()).await;
    assert!(text == "Paris" && matches!(end, Err(ProviderError::Cut)), "{text} {end:?}");
    upstream.now_replies(Reply::Stream(vec![Wire::Send(first), Wire::Hang]));
    let (text, end) = answer(&openai(&upstream), call()).await;
    assert!(text == "Paris" && matches!(end, Err(ProviderError::TimedOut(_))), "{text} {end:?}");
}

#[tokio::test]
async fn what_is_not_the_protocol_is_malformed() {
    for (provider, bad) in [
        ("openai", "data: {not json}\n\n"),
        ("openai", "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"explode\"}]}\n\n"),
        ("openai", "data: \u{0}\n\n"),
        ("anthropic", "event: content_block_delta\ndata: {}\n\n"),
        ("anthropic", "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"explode\"}}\n\n"),
        ("gemini", "data: {not json}\n\n"),
    ] {
        let upstream = Upstream::replying(Reply::events(bad)).await;
        let (_, end) = match provider {
            "openai" => answer(&openai(&upstream), call()).await,
            "gemini" => answer(&gemini(&upstream), call()).await,
            _ => answer(&anthropic(&upstream), call()).await,
        };
        assert!(matches!(end, Err(ProviderError::Malformed(_))), "{bad:?}: {end:?}");
    }
    let lost = "data: {\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}\n\n";
    let upstream = Upstream::replying(Reply::events(lost)).await;
    let (_, end) = answer(&gemini(&upstream), call()).await;
    assert!(matches!(end, Err(ProviderError::GaveUp(_))), "{end:?}");
    let page =
        Reply::Whole { status: 200, headers: vec![("content-type", "text/html".to_owned())], body: "<p>".into() };
    let upstream = Upstream::replying(page).await;
    assert!(matches!(answer(&openai(&upstream), call()).await.1, Err(ProviderError::Malformed(_))));
}

#[tokio::test]
async fn refusals_are_told_apart_and_carry_no_key() {
    let refused = |status, body: serde_json::Value| Reply::json(status, &body);
    let upstream = Upstream::replying(refused(401, json!({"error": {"message": "bad key sk-test"}}))).await;
    assert!(matches!(answer(&openai(&upstream), call()).await.1, Err(ProviderError::Unauthorised)));

    let unknown = json!({"error": {"message": "no such model", "code": "model_not_found"}});
    upstream.now_replies(refused(404, unknown));
    let end = answer(&openai(&upstream), call()).await.1;
    assert!(matches!(end, Err(ProviderError::UnknownModel(model)) if model == "the-model"));

    let slow_down = vec![("retry-after", "2".to_owned())];
    upstream.now_replies(Reply::Whole { status: 429, headers: slow_down, body: String::new() });
    let end = answer(&openai(&upstream), call()).await.1;
    assert!(matches!(end, Err(ProviderError::RateLimited { retry_after: Some(wait) }) if wait.as_secs() == 2));

    upstream.now_replies(refused(400, json!({"error": {"message": "sk-test is no temperature"}})));
    let end = answer(&openai(&upstream), call()).await.1;
    assert!(matches!(&end, Err(ProviderError::Rejected { status: 400, message }) if message == "… is no temperature"));

    upstream
        .now_replies(refused(529, json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})));
    let end = answer(&anthropic(&upstream), call()).await.1;
    assert!(matches!(&end, Err(ProviderError::Failed { status: 529, message }) if message == "busy"));

    let in_stream =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    upstream.now_replies(Reply::events(in_stream));
    let end = answer(&anthropic(&upstream), call()).await.1;
    assert!(matches!(end, Err(ProviderError::Failed { .. })), "{end:?}");

    upstream.now_replies(Reply::events("data: {\"error\": {\"message\": \"later\", \"code\": 503}}\n\n"));
    let end = answer(&openai(&upstream), call()).await.1;
    assert!(matches!(end, Err(ProviderError::Failed { status: 503, .. })), "{end:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_may_have_cost_something() {
    let upstream = Upstream::replying(Reply::Stream(vec![Wire::Break])).await;
    let Err(error) = answer(&openai(&upstream), call()).await.1 else { panic!("it answered") };
    assert!(matches!(error, ProviderError::Cut) && error.may_have_used_tokens(), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_a_redirect_is_not_followed() {
    let nobody = OpenAi::new(Some("http://127.0.0.1:9/v1"), None, TIMEOUT).unwrap();
    let end = answer(&nobody, call()).await.1;
    assert!(matches!(end, Err(ProviderError::Unreachable(_))), "{end:?}");
    let elsewhere = vec![("location", "http://127.0.0.1:9/".to_owned())];
    let upstream = Upstream::replying(Reply::Whole { status: 307, headers: elsewhere, body: String::new() }).await;
    let end = answer(&openai(&upstream), call()).await.1;
    assert!(matches!(end, Err(ProviderError::Failed { status: 307, .. })), "{end:?}");
}

#[tokio::test]
async fn cancelling_hangs_up_at_once() {
    let first = OPENAI.split_inclusive("\n\n").take(2).collect::<String>();
    let upstream = Upstream::replying(Reply::Stream(vec![Wire::Send(first), Wire::Hang])).await;
    let call = call();
    let cancel = call.cancel.clone();
    let patient = OpenAi::new(Some(&upstream.url), None, Duration::from_secs(60)).unwrap();
    let asked = Instant::now();
    let canceller = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    assert!(matches!(answer(&patient, call).await.1, Err(ProviderError::Cancelled)));
    canceller.await.unwrap();
    while !upstream.was_abandoned() {
        assert!(asked.elapsed() < Duration::from_secs(5), "the connection is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn embeddings_come_back_in_order_and_at_unit_length() {
    let reply = json!({
        "object": "list",
        "data": [
            {"object": "embedding", "index": 1, "embedding": [0.0, 2.0]},
            {"object": "embedding", "index": 0, "embedding": [3.0, 4.0]},
        ],
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    });
    let upstream = Upstream::replying(Reply::json(200, &reply)).await;
    let embed = |inputs: &[&str]| EmbedCall {
        tenant: TenantId::new(),
        model: "embedder".to_owned(),
        inputs: inputs.iter().map(|&text| text.to_owned()).collect(),
        dimensions: None,
        cancel: CancellationToken::new(),
    };
    let embeddings = openai(&upstream).embed(embed(&["a", "b"])).await.unwrap();
    assert_eq!(embeddings.vectors, [[0.6, 0.8], [0.0, 1.0]]);
    assert_eq!(embeddings.usage.input, Some(9));
    let seen = upstream.seen().remove(0);
    assert_eq!(seen.path, "/v1/embeddings");
    assert_eq!(seen.body, json!({"model": "embedder", "input": ["a", "b"], "encoding_format": "float"}));
    assert!(matches!(openai(&upstream).embed(embed(&["a"])).await, Err(ProviderError::Malformed(_))));
    assert!(matches!(anthropic(&upstream).embed(embed(&["a"])).await, Err(ProviderError::NotReady(_))));
}
