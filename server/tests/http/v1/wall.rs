//! The wall: every fault of a provider × each dialect × whole and streamed × each strategy, alone and with another place
//! behind it. docs/guarantees.md is written from the same table; `SEAM_WRITE_DOCS=1` writes it anew.

use super::{Program, greeting, hello};
use crate::browser::{Answer, Server};
use http::{Method, StatusCode};
use seam::apply::apply;
use serde_json::{Value, json};
use std::{fmt::Write, path::Path};

/// What a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// All of an answer, with the dialect's own end.
    Answer,
    /// A status and a code; nothing of an answer.
    Refusal { status: u16, openai: &'static str, anthropic: &'static str },
    /// Words, then an error where the end would be.
    Interrupted,
}

const FAILED: Seen = Seen::Refusal { status: 502, openai: "provider_failed", anthropic: "api_error" };
const SLOW_DOWN: Seen = Seen::Refusal { status: 429, openai: "rate_limit_exceeded", anthropic: "rate_limit_error" };

struct Row {
    fault: &'static str,
    does: &'static str,
    /// Whole and streamed.
    alone: [Seen; 2],
    backed: [Seen; 2],
}

const WALL: [Row; 7] = [
    Row { fault: "sim-ok", does: "answers", alone: [Seen::Answer; 2], backed: [Seen::Answer; 2] },
    Row { fault: "sim-error", does: "fails with a status of 500", alone: [FAILED; 2], backed: [Seen::Answer; 2] },
    Row { fault: "sim-rate-limit", does: "asks to slow down (429)", alone: [SLOW_DOWN; 2], backed: [Seen::Answer; 2] },
    Row { fault: "sim-hang", does: "says nothing until its time is up", alone: [FAILED; 2], backed: [Seen::Answer; 2] },
    Row {
        fault: "sim-cut",
        does: "is cut off in the middle of the answer",
        alone: [FAILED, Seen::Interrupted],
        backed: [Seen::Answer, Seen::Interrupted],
    },
    Row {
        fault: "sim-silence",
        does: "falls silent in the middle of the answer",
        alone: [FAILED, Seen::Interrupted],
        backed: [Seen::Answer, Seen::Interrupted],
    },
    Row {
        fault: "sim-malformed",
        does: "sends what is not its protocol in the middle of the answer",
        alone: [FAILED, Seen::Interrupted],
        backed: [Seen::Answer, Seen::Interrupted],
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Chat,
    Responses,
    Messages,
    /// At once alone, and in OpenAI's words.
    Embeddings,
}

impl Asked {
    const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Embeddings];

    const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    fn body(self, model: &str, streamed: bool) -> Value {
        let mut body = match self {
            Self::Chat => hello(model),
            Self::Responses => json!({ "model": model, "input": "Hello" }),
            Self::Messages => greeting(model),
            Self::Embeddings => return json!({ "model": model, "input": "Hello" }),
        };
        body["stream"] = streamed.into();
        body
    }

    /// What stands at the end of a whole stream, and what stands there in place of it; none where there are no streams.
    const fn ends(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Chat => Some(("data: [DONE]", "data: {\"error\"")),
            Self::Responses => Some(("event: response.completed", "event: error")),
            Self::Messages => Some(("event: message_stop", "event: error")),
            Self::Embeddings => None,
        }
    }

    fn seen(self, answer: &Answer, streamed: bool) -> Seen {
        if answer.status != StatusCode::OK {
            return self.refusal(answer);
        }
        let text = answer.text();
        let Some((terminator, error)) = self.ends().filter(|_| streamed) else {
            let answered = if self == Self::Embeddings { "\"embedding\":[" } else { "simulated: " };
            assert!(text.contains(answered), "{text}");
            return Seen::Answer;
        };
        let (whole, broken) = (text.contains(terminator), text.contains(error));
        assert!(whole != broken, "a stream has one end: {text}");
        assert!(text.contains("simulated"), "it has words: {text}");
        if whole { Seen::Answer } else { Seen::Interrupted }
    }

    fn refusal(self, answer: &Answer) -> Seen {
        let told = answer.json();
        let name = match self {
            Self::Chat | Self::Responses | Self::Embeddings => told["error"]["code"].clone(),
            Self::Messages => told["error"]["type"].clone(),
        };
        let known = [FAILED, SLOW_DOWN].into_iter().find(|seen| {
            let Seen::Refusal { status, openai, anthropic } = seen else { return false };
            let expected = if self == Self::Messages { anthropic } else { openai };
            *status == answer.status.as_u16() && name == **expected
        });
        known.unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()))
    }
}

const STRATEGIES: [&str; 4] = ["fallback", "weighted", "cheapest", "fastest"];

/// Every case with a provider of its own, so that none is told by what became of another.
struct Case {
    number: usize,
    row: &'static Row,
    asked: Asked,
    streamed: bool,
    /// None: there is no other place.
    strategy: Option<&'static str>,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for row in &WALL {
            for asked in Asked::ALL {
                for streamed in [false, true].into_iter().filter(|streamed| !streamed || asked.ends().is_some()) {
                    let strategies = STRATEGIES.map(Some).into_iter().chain([None]);
                    for strategy in strategies {
                        all.push(Self { number: all.len(), row, asked, streamed, strategy });
                    }
                }
            }
        }
        all
    }

    /// Of its provider and its model.
    fn name(&self) -> String {
        format!("case-{}", self.number)
    }

    fn told(&self) -> String {
        let how = if self.streamed { "streamed" } else { "whole" };
        format!("{}-{}-{how}-{}", self.row.fault, self.asked.name(), self.strategy.unwrap_or("alone"))
    }

    fn resources(&self) -> String {
        let (name, fault) = (self.name(), self.row.fault);
        let mut targets = format!("{{ provider = \"{name}\", model = \"{fault}\", weight = 1000000 }}");
        if self.strategy.is_some() {
            targets += ", { provider = \"spare\", model = \"sim-ok\" }";
        }
        let strategy = self.strategy.unwrap_or("fallback");
        format!(
            "[[provider]]\nname = \"{name}\"\nkind = \"simulated\"\ntimeout_ms = 300\nmax_retries = 0\n\
             options = {{ tokens = 8, retry_after_ms = 20 }}\n\
             [[price]]\nprovider = \"{name}\"\nmodel = \"{fault}\"\ninput = \"1\"\noutput = \"1\"\n\
             effective_from = \"2026-01-01T00:00:00Z\"\n\
             [[model]]\nname = \"{name}\"\nstrategy = \"{strategy}\"\ntargets = [{targets}]\n"
        )
    }

    const fn expected(&self) -> Seen {
        let of = if self.strategy.is_some() { self.row.backed } else { self.row.alone };
        of[self.streamed as usize]
    }
}

#[tokio::test]
async fn every_fault_is_seen_as_the_table_says_in_each_dialect_by_each_strategy() {
    let server = Server::start().await;
    let mut resources = "[[provider]]\nname = \"spare\"\nkind = \"simulated\"\noptions = { tokens = 8 }\n\
         [[price]]\nprovider = \"spare\"\nmodel = \"sim-ok\"\ninput = \"5\"\noutput = \"5\"\n\
         effective_from = \"2026-01-01T00:00:00Z\"\n"
        .to_owned();
    let cases = Case::all();
    resources.extend(cases.iter().map(Case::resources));
    apply(&server.platform.tenancy, &resources, &|_| None, false).await.unwrap();
    server.platform.registry.invalidate().await;
    server.platform.gateway.invalidate();
    let program = Program::new(&server, "acme").await;
    let mut wrong = Vec::new();
    for case in &cases {
        let body = case.asked.body(&case.name(), case.streamed);
        let answer = program.call(Method::POST, case.asked.path(), body.to_string()).await;
        let seen = case.asked.seen(&answer, case.streamed);
        if seen != case.expected() {
            wrong.push(format!("{}: {seen:?} instead of {:?}", case.told(), case.expected()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn told(seen: Seen) -> String {
    match seen {
        Seen::Answer => "the answer".to_owned(),
        Seen::Refusal { status, openai, anthropic } => format!("{status} `{openai}` / `{anthropic}`"),
        Seen::Interrupted => "words, then the error event".to_owned(),
    }
}

fn table() -> String {
    let mut text =
        "| the provider | whole, alone | streamed, alone | whole, another behind | streamed, another behind |\n\
                    |---|---|---|---|---|\n"
            .to_owned();
    for Row { does, alone, backed, .. } in &WALL {
        let [a, b, c, d] = [alone[0], alone[1], backed[0], backed[1]].map(told);
        writeln!(text, "| {does} | {a} | {b} | {c} | {d} |").unwrap();
    }
    text += "\n| dialect | the end of a whole stream | in its place |\n|---|---|---|\n";
    for (asked, (terminator, error)) in Asked::ALL.into_iter().filter_map(|asked| Some((asked, asked.ends()?))) {
        writeln!(text, "| `{}` | `{terminator}` | `{error}…` |", asked.path()).unwrap();
    }
    text
}

#[test]
fn the_page_of_guarantees_says_what_is_tested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guarantees.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- the wall: written by a test -->\n", "<!-- end of the wall -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let now = format!("{before}{begin}{}{end}{after}", table());
    if std::env::var_os("SEAM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(
        now == page || std::env::var_os("SEAM_WRITE_DOCS").is_some(),
        "docs/guarantees.md: run this test with SEAM_WRITE_DOCS=1"
    );
}
