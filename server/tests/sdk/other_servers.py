"""Seam before servers that nobody here wrote: SEAM_URL and SEAM_KEY say where Seam is, and with which key.

`llama` and `llama-vectors` are llama.cpp's own server with the weights that `local` and `local-vectors` have in Seam.
`claude` and `gemini` are LiteLLM's proxy, asked in Anthropic's and in Google's format; behind it is the model `sim` again.
The weights are too small for tools: with their template llama.cpp's server ignores that a call is required.
Each check is a function; all of them are called, and the first failure ends with a trace.
"""
import json
import math
import os

import anthropic
import openai

URL, KEY = os.environ["SEAM_URL"], os.environ["SEAM_KEY"]
client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=120)
claude = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=120)
HELLO = [{"role": "user", "content": "What is the capital of France?"}]


def ask(model, **more):
    return client.chat.completions.create(**{"model": model, "messages": HELLO, "max_tokens": 24, "temperature": 0, **more})


def text_of(stream):
    chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    return said, reasons, chunks[-1].usage


def the_same_weights_say_the_same():
    # Without a system message the template of the weights has one of its own there.
    asked = [{"role": "system", "content": "Answer in one short sentence."}, *HELLO]
    here, there = ask("local", messages=asked), ask("llama", messages=asked)
    first = lambda answer: answer.choices[0].message.content.split()[:5]
    assert first(here) == first(there), (here, there)
    assert here.usage.prompt_tokens == there.usage.prompt_tokens, (here.usage, there.usage)


def llama_answers_whole_and_as_it_is_made():
    raw = client.chat.completions.with_raw_response.create(model="llama", messages=HELLO, max_tokens=24, temperature=0)
    whole = raw.parse()
    assert raw.headers["x-seam-route"] == "llama/smollm2" and float(raw.headers["x-seam-cost-usd"]) > 0, raw.headers
    assert whole.usage.prompt_tokens > 5 and 0 < whole.usage.completion_tokens <= 24, whole
    said, reasons, usage = text_of(ask("llama", stream=True, stream_options={"include_usage": True}))
    assert said == whole.choices[0].message.content, (said, whole)
    assert reasons == [whole.choices[0].finish_reason] and usage.completion_tokens == whole.usage.completion_tokens, (reasons, usage)


def llama_takes_what_its_dialect_has():
    short = ask("llama", max_tokens=3)
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 3), short
    full = ask("llama").choices[0].message.content
    fourth = full.split()[3]
    stopped = ask("llama", stop=[fourth])
    assert fourth not in stopped.choices[0].message.content and full.startswith(stopped.choices[0].message.content), (full, stopped)
    assert stopped.choices[0].finish_reason == "stop", stopped
    likely = ask("llama", max_tokens=4, logprobs=True, top_logprobs=2)
    assert len(likely.choices[0].logprobs.content) >= 3 and len(likely.choices[0].logprobs.content[0].top_logprobs) == 2, likely
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}, "big": {"type": "boolean"}}, "required": ["city", "big"], "additionalProperties": False}
    formed = ask("llama", max_tokens=60, response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": schema}})
    assert set(json.loads(formed.choices[0].message.content)) == {"city", "big"}, formed


def llama_is_reached_in_every_dialect():
    response = client.responses.create(model="llama", input=HELLO, max_output_tokens=24, temperature=0, store=False)
    assert response.output_text == ask("llama").choices[0].message.content, response
    events = list(client.responses.create(model="llama", input=HELLO, max_output_tokens=24, temperature=0, store=False, stream=True))
    assert events[-1].type in ("response.completed", "response.incomplete"), events[-1]
    assert events[-1].response.output_text == response.output_text, (events[-1], response)
    message = claude.messages.create(model="llama", max_tokens=24, extra_body={"temperature": 0}, messages=HELLO)
    assert message.content[0].text == response.output_text, (message, response)
    with claude.messages.stream(model="llama", max_tokens=24, extra_body={"temperature": 0}, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == response.output_text
        assert stream.get_final_message().usage.output_tokens == message.usage.output_tokens


def vectors_are_the_same_in_either():
    texts = ["The cat sat on the mat.", "Interest rates rose again."]
    here = client.embeddings.create(model="local-vectors", input=texts)
    there = client.embeddings.create(model="llama-vectors", input=texts)
    for a, b in zip(here.data, there.data):
        product = sum(x * y for x, y in zip(a.embedding, b.embedding))
        size = math.sqrt(sum(y * y for y in b.embedding))
        assert product / size > 0.999, product / size
    assert there.usage.prompt_tokens > 0, there.usage


def a_server_that_is_not_there_is_passed_by():
    raw = client.chat.completions.with_raw_response.create(model="beside-a-dead-one", messages=HELLO, max_tokens=4, temperature=0)
    assert raw.headers["x-seam-route"] == "llama/smollm2", raw.headers
    assert text_of(ask("beside-a-dead-one", max_tokens=4, stream=True))[0] == raw.parse().choices[0].message.content


def too_long_for_the_model_is_said_so():
    try:
        ask("llama", messages=[{"role": "user", "content": "word " * 4_000}])
    except openai.BadRequestError as error:
        assert error.code in ("context_length_exceeded", "invalid_value"), error
    else:
        raise AssertionError("it was not refused")


def litellm_is_reached_in_every_dialect(model):
    expected = ask("sim", messages=HELLO, max_tokens=900).choices[0].message.content
    whole = ask(model, max_tokens=900)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason, whole.model) == (expected, "stop", model), whole
    said, reasons, _ = text_of(ask(model, max_tokens=900, stream=True))
    assert (said, reasons) == (expected, ["stop"]), (said, reasons)
    response = client.responses.create(model=model, input=HELLO, max_output_tokens=900, store=False)
    assert response.output_text == expected, response
    message = claude.messages.create(model=model, max_tokens=900, messages=HELLO)
    assert (message.content[0].text, message.stop_reason) == (expected, "end_turn"), message
    with claude.messages.stream(model=model, max_tokens=900, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == expected
    short = ask(model, max_tokens=3)
    assert short.choices[0].finish_reason == "length", short


def what_litellm_refuses_is_told(model):
    # Behind it is one that has no words for tools.
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
    for streamed in (False, True):
        try:
            answer = ask(model, tools=[tool], stream=streamed)
            if streamed:
                list(answer)
        except openai.APIError as error:
            assert "tools" in str(error) or "provider" in str(error).lower(), error
        else:
            raise AssertionError("it was not refused")


the_same_weights_say_the_same()
llama_answers_whole_and_as_it_is_made()
llama_takes_what_its_dialect_has()
llama_is_reached_in_every_dialect()
vectors_are_the_same_in_either()
a_server_that_is_not_there_is_passed_by()
too_long_for_the_model_is_said_so()
for name in ("claude", "gemini"):
    litellm_is_reached_in_every_dialect(name)
    what_litellm_refuses_is_told(name)
print("all of it holds")
