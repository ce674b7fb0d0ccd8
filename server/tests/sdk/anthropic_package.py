"""The official Anthropic package against a Seam that runs: SEAM_URL and SEAM_KEY say where, and with which key.

Each check is a function; all of them are called, and the first failure ends with a trace.
"""
import asyncio
import os

import anthropic

URL, KEY = os.environ["SEAM_URL"], os.environ["SEAM_KEY"]
client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
HELLO = [{"role": "user", "content": "Hello"}]
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}]
# One that speaks no dialect, the same one asked by OpenAI's, and the same one asked by this one.
MODELS = ("sim", "chained", "claude-chained")


def raises(kind, call, said=""):
    try:
        call()
    except kind as error:
        assert said in str(error), (said, str(error))
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def ask(**more):
    return client.messages.create(**{"model": "sim", "max_tokens": 900, "system": "Be brief.", "messages": HELLO, **more})


def models_are_listed():
    names = {model.id for model in client.models.list()}
    assert set(MODELS) <= names, names
    assert client.models.retrieve("sim").display_name == "sim"
    raises(anthropic.NotFoundError, lambda: client.models.retrieve("gone"))


def a_message_comes_whole(model):
    message = ask(model=model)
    assert (message.type, message.role, message.model, message.stop_reason) == ("message", "assistant", model, "end_turn"), message
    assert len(message.content[0].text) > 20 and message.usage.output_tokens == 12, message
    assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) == 3, message.usage
    return message.content[0].text


def a_message_comes_as_it_is_made(model, whole):
    with client.messages.stream(model=model, max_tokens=900, system="Be brief.", messages=HELLO) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert said == whole == final.content[0].text, (said, whole)
    assert (final.model, final.stop_reason, final.usage.output_tokens) == (model, "end_turn", 12), final
    events = list(ask(model=model, stream=True))
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"], events


def an_answer_ends_where_it_is_told_to():
    for model in MODELS:
        message = ask(model=model, max_tokens=3)
        assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3), message


def tokens_are_counted(model):
    counted = client.messages.count_tokens(model=model, system="Be brief.", messages=[{"role": "user", "content": "one two three"}])
    return counted.input_tokens


def errors_are_the_packages_own():
    wrong = anthropic.Anthropic(base_url=URL, api_key="sk-seam-" + "x" * 43, max_retries=0)
    raises(anthropic.AuthenticationError, lambda: wrong.models.list())
    raises(anthropic.NotFoundError, lambda: ask(model="gone"), "model: ")
    raises(anthropic.BadRequestError, lambda: ask(messages=[]), "messages: ")
    raises(anthropic.BadRequestError, lambda: ask(tools=TOOLS), "tools: ")
    for model in ("chained", "claude-chained"):
        # The same through a provider that has words for tools: it is the one who refuses, and its reason arrives.
        raises(anthropic.BadRequestError, lambda: ask(model=model, tools=TOOLS), "tools")
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    raises(anthropic.BadRequestError, lambda: ask(messages=[{"role": "user", "content": [picture]}]), "messages[0].content[0]: ")
    bearer = anthropic.Anthropic(base_url=URL, auth_token=KEY, max_retries=0)
    assert bearer.models.list().data, "a bearer opens as well"


def a_cut_is_an_error_and_never_an_end():
    for model in ("flaky", "chained-flaky", "claude-chained-flaky"):
        said = []
        def read():
            with client.messages.stream(model=model, max_tokens=900, messages=HELLO) as stream:
                said.extend(stream.text_stream)
        raises(anthropic.APIError, read)
        assert "".join(said), "something had been said before"
        raises(anthropic.InternalServerError, lambda: ask(model=model))


async def many_at_once():
    own = anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0)
    asked = [own.messages.create(model="sim", max_tokens=900, messages=[{"role": "user", "content": f"Hello {n}"}]) for n in range(16)]
    answers = await asyncio.gather(*asked)
    assert len({answer.content[0].text for answer in answers}) > 8


models_are_listed()
for name in MODELS:
    a_message_comes_as_it_is_made(name, a_message_comes_whole(name))
an_answer_ends_where_it_is_told_to()
assert tokens_are_counted("sim") == tokens_are_counted("claude-chained") == 5
assert tokens_are_counted("chained") > 0
errors_are_the_packages_own()
a_cut_is_an_error_and_never_an_end()
asyncio.run(many_at_once())
print("all of it holds")
