"""What the official OpenAI package can ask for, at providers that can do it: one that speaks its dialect, and two that do not.

SEAM_URL and SEAM_KEY say where Seam is, and with which key it is asked.
"""
import json
import os

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ["SEAM_URL"] + "/v1", api_key=os.environ["SEAM_KEY"], max_retries=0)
HELLO = [{"role": "user", "content": "What is the weather?"}]
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": False}
TOOL = {"name": "weather", "description": "Tells the weather", "parameters": SCHEMA, "strict": True}
TOOLS = [{"type": "function", "function": TOOL}]
PICTURE = "data:image/png;base64,iVBORw0KGgo="
BOTH = [("weather", {"at": "Ghent"}), ("weather", {"at": "Paris"})]


class City(BaseModel):
    city: str


def refused(call, param):
    try:
        call()
    except openai.BadRequestError as error:
        assert error.param == param, (error.param, str(error))
        return
    raise AssertionError(f"{param} was not refused")


def chat(streamed, **asked):
    """The first choice's message as it is written into a conversation, why it ended, and the usage."""
    if not streamed:
        answer = client.chat.completions.create(**asked)
        return answer.choices[0].message.model_dump(exclude_none=True), answer.choices[0].finish_reason, answer.usage
    message, reason, usage = {"role": "assistant", "content": ""}, None, None
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            message["content"] += choice.delta.content or ""
            for part in choice.delta.tool_calls or []:
                calls = message.setdefault("tool_calls", [])
                if part.index == len(calls):
                    calls.append({"id": part.id, "type": "function", "function": {"name": part.function.name, "arguments": ""}})
                calls[part.index]["function"]["arguments"] += part.function.arguments or ""
    return message, reason, usage


def called(message):
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]


def tools_are_called_side_by_side_and_their_results_read(model):
    for streamed in (False, True):
        asked = dict(model=model, messages=HELLO, tools=TOOLS)
        message, reason, usage = chat(streamed, **asked)
        assert (called(message), reason) == (BOTH, "tool_calls"), (model, message, reason)
        assert (usage.prompt_tokens, usage.completion_tokens) == (20, 8), usage
        results = [{"role": "tool", "tool_call_id": call["id"], "content": text} for call, text in zip(message["tool_calls"], ("dry", "wet"))]
        told, reason, _ = chat(streamed, **{**asked, "messages": HELLO + [message] + results})
        assert (told["content"], reason) == ("It is dry and wet.", "stop"), (model, told)
        message, _, _ = chat(streamed, **asked, parallel_tool_calls=False)
        assert called(message) == BOTH[:1], (model, message)
        message, _, _ = chat(streamed, **asked, tool_choice={"type": "function", "function": {"name": "weather"}})
        assert called(message) == BOTH, (model, message)
        message, reason, _ = chat(streamed, **asked, tool_choice="none")
        assert (message["content"], reason) == ("Hello there.", "stop"), (model, message)


def pictures_are_seen(model):
    content = [{"type": "text", "text": "How many?"}] + [{"type": "image_url", "image_url": {"url": PICTURE}}] * 2
    for streamed in (False, True):
        message, _, _ = chat(streamed, model=model, messages=[{"role": "user", "content": content}])
        assert message["content"] == "2 of them.", (model, message)


def answers_fit_a_schema(model):
    answer = client.chat.completions.parse(model=model, messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Paris"), (model, answer)
    with client.chat.completions.stream(model=model, messages=HELLO, response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(city="Paris"), model


def answers_stop_where_they_are_told_to(model):
    for streamed in (False, True):
        message, reason, _ = chat(streamed, model=model, messages=HELLO, stop=["three"], seed=7, max_completion_tokens=50)
        assert (message["content"], reason) == ("Until three.", "stop"), (model, message)


def what_only_the_dialect_has_comes_from_who_speaks_it():
    answer = client.chat.completions.create(model="gpt", messages=HELLO, n=2, logprobs=True)
    assert [choice.index for choice in answer.choices] == [0, 1], answer
    assert answer.choices[1].logprobs.content[0].token == "Hello", answer
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2, answer.usage
    chunks = [choice for chunk in client.chat.completions.create(model="gpt", messages=HELLO, n=2, logprobs=True, stream=True) for choice in chunk.choices]
    for index in (0, 1):
        assert "".join(choice.delta.content or "" for choice in chunks if choice.index == index) == "Hello there."
    assert all(choice.logprobs.content[0].logprob == -0.5 for choice in chunks)
    for model in ("claude", "gemini"):
        refused(lambda: client.chat.completions.create(model=model, messages=HELLO, n=2), "n")
        refused(lambda: client.chat.completions.create(model=model, messages=HELLO, logprobs=True), "logprobs")


def respond(streamed, **asked):
    if not streamed:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()


def responses_call_tools_and_follow_on_their_results(model):
    tools = [{"type": "function", **TOOL}]
    for streamed in (False, True):
        first = respond(streamed, model=model, input="What is the weather?", tools=tools)
        calls = [item for item in first.output if item.type == "function_call"]
        assert [(call.name, json.loads(call.arguments)) for call in calls] == BOTH, (model, first)
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": text} for call, text in zip(calls, ("dry", "wet"))]
        second = respond(streamed, model=model, input=results, tools=tools, previous_response_id=first.id)
        assert second.output_text == "It is dry and wet.", (model, second)
        assert (second.usage.input_tokens, second.usage.output_tokens) == (20, 8), second.usage


def responses_see_pictures_and_fit_schemas(model):
    content = [{"type": "input_text", "text": "How many?"}, {"type": "input_image", "image_url": PICTURE, "detail": "auto"}]
    for streamed in (False, True):
        seen = respond(streamed, model=model, input=[{"role": "user", "content": content}], store=False)
        assert seen.output_text == "1 of them.", (model, seen)
    parsed = client.responses.parse(model=model, input="Which city?", text_format=City, store=False)
    assert parsed.output_parsed == City(city="Paris"), (model, parsed)


for name in ("gpt", "claude", "gemini"):
    tools_are_called_side_by_side_and_their_results_read(name)
    pictures_are_seen(name)
    answers_fit_a_schema(name)
    answers_stop_where_they_are_told_to(name)
    responses_call_tools_and_follow_on_their_results(name)
    responses_see_pictures_and_fit_schemas(name)
what_only_the_dialect_has_comes_from_who_speaks_it()
print("all of it holds")
