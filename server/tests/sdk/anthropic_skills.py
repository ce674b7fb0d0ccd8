"""What the official Anthropic package can ask for, at providers that can do it: one that speaks its dialect, and two that do not.

SEAM_URL and SEAM_KEY say where Seam is, and with which key it is asked.
"""
import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["SEAM_URL"], api_key=os.environ["SEAM_KEY"], max_retries=0)
HELLO = [{"role": "user", "content": "What is the weather?"}]
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
TOOLS = [{"name": "weather", "description": "Tells the weather", "input_schema": SCHEMA}]
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
BOTH = [{"at": "Ghent"}, {"at": "Paris"}]


def ask(streamed, **asked):
    asked = {"max_tokens": 2000, "messages": HELLO, **asked}
    if not streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def refused(call, field):
    try:
        call()
    except anthropic.BadRequestError as error:
        assert f"{field}: " in str(error), (field, str(error))
        return
    raise AssertionError(f"{field} was not refused")


def blocks(message, kind):
    return [block for block in message.content if block.type == kind]


def tools_are_called_side_by_side_and_their_results_read(model):
    for streamed in (False, True):
        message = ask(streamed, model=model, tools=TOOLS)
        calls = blocks(message, "tool_use")
        assert [call.input for call in calls] == BOTH and message.stop_reason == "tool_use", (model, message)
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in zip(calls, ("dry", "wet"))]
        told = HELLO + [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        message = ask(streamed, model=model, tools=TOOLS, messages=told)
        assert (message.content[0].text, message.stop_reason) == ("It is dry and wet.", "end_turn"), (model, message)
        alone = ask(streamed, model=model, tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
        assert [call.input for call in blocks(alone, "tool_use")] == BOTH[:1], (model, alone)
        forced = ask(streamed, model=model, tools=TOOLS, tool_choice={"type": "tool", "name": "weather"})
        assert len(blocks(forced, "tool_use")) == 2, (model, forced)
        none = ask(streamed, model=model, tools=TOOLS, tool_choice={"type": "none"})
        assert none.content[0].text == "Hello there.", (model, none)


def pictures_are_seen_and_counted(model):
    content = [{"type": "text", "text": "How many?"}, PICTURE, PICTURE]
    for streamed in (False, True):
        message = ask(streamed, model=model, messages=[{"role": "user", "content": content}])
        assert message.content[0].text == "2 of them.", (model, message)


def answers_fit_a_schema(model):
    format = {"type": "json_schema", "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}
    for streamed in (False, True):
        message = ask(streamed, model=model, extra_body={"output_config": {"format": format}})
        assert message.content[0].text == '{"city":"Paris"}', (model, message)


def usage_is_told_in_the_dialects_way(model):
    cached = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    for streamed in (False, True):
        usage = ask(streamed, model=model, system=cached).usage
        written = 4 if model == "claude" else 0
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (8 - written, 12, 8), (model, usage)
        assert (usage.cache_creation_input_tokens or 0) == written, (model, usage)


def what_only_the_dialect_has_comes_from_who_speaks_it():
    for streamed in (False, True):
        message = ask(streamed, model="claude", thinking={"type": "enabled", "budget_tokens": 1024})
        thought, text = message.content
        assert (thought.thinking, thought.signature, text.text) == ("Let me see.", "signed", "Hello there."), message
        # It goes back as it came.
        told = HELLO + [{"role": "assistant", "content": message.content}, {"role": "user", "content": "And now?"}]
        again = ask(streamed, model="claude", messages=told, thinking={"type": "enabled", "budget_tokens": 1024})
        assert blocks(again, "thinking"), again
        message = ask(streamed, model="claude", stop_sequences=["three"])
        assert (message.content[0].text, message.stop_reason, message.stop_sequence) == ("Until three.", "stop_sequence", "three"), message
    for model in ("gpt", "gemini"):
        assert ask(False, model=model, stop_sequences=["three"]).content[0].text == "Until three."
        refused(lambda: ask(False, model=model, thinking={"type": "enabled", "budget_tokens": 1024}), "thinking")
    counted = client.messages.count_tokens(model="claude", messages=[{"role": "user", "content": [PICTURE]}], tools=TOOLS)
    assert counted.input_tokens == 1120, counted


for name in ("claude", "gpt", "gemini"):
    tools_are_called_side_by_side_and_their_results_read(name)
    pictures_are_seen_and_counted(name)
    answers_fit_a_schema(name)
    usage_is_told_in_the_dialects_way(name)
what_only_the_dialect_has_comes_from_who_speaks_it()
print("all of it holds")
