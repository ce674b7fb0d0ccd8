"""The official OpenAI package against a Seam that runs: SEAM_URL and SEAM_KEY say where, and with which key.

Each check is a function; all of them are called, and the first failure ends with a trace.
"""
import asyncio
import os

import openai

URL, KEY = os.environ["SEAM_URL"] + "/v1", os.environ["SEAM_KEY"]
client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]


def raises(kind, call, **wanted):
    try:
        call()
    except kind as error:
        for name, value in wanted.items():
            assert getattr(error, name) == value, (name, getattr(error, name), str(error))
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def models_are_listed():
    names = {model.id for model in client.models.list()}
    assert {"sim", "chained", "flaky"} <= names, names
    assert client.models.retrieve("sim").id == "sim"
    raises(openai.NotFoundError, lambda: client.models.retrieve("gone"), code="model_not_found")


def an_answer_comes_whole(model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO, seed=7)
    answer = raw.parse()
    assert raw.headers["x-seam-route"].endswith("/sim"), raw.headers
    assert raw.headers["x-request-id"] and answer._request_id == raw.headers["x-request-id"]
    choice = answer.choices[0]
    assert answer.model == model and choice.finish_reason == "stop" and choice.message.role == "assistant", answer
    assert len(choice.message.content) > 20 and answer.usage.completion_tokens == 12, answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    return choice.message.content


def an_answer_comes_as_it_is_made(model, whole):
    stream = client.chat.completions.create(model=model, messages=HELLO, seed=7, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole, (said, whole)
    assert len(chunks) > 5 and chunks[-1].usage.completion_tokens == 12 and not chunks[-1].choices
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    with client.chat.completions.stream(model=model, messages=HELLO, seed=7) as events:
        assert events.get_final_completion().choices[0].message.content == whole


def a_response_comes_whole_or_as_it_is_made(model):
    ask = lambda **more: client.responses.create(model=model, instructions="Be brief.", input="Hello", **more)
    whole = ask(store=False)
    assert (whole.object, whole.status, whole.model) == ("response", "completed", model), whole
    assert len(whole.output_text) > 20 and whole.usage.output_tokens == 12, whole
    events = list(ask(stream=True, store=False))
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == whole.output_text, (said, whole.output_text)
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"], events
    assert [event.sequence_number for event in events] == list(range(len(events)))
    with client.responses.stream(model=model, instructions="Be brief.", input="Hello", store=False) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == whole.output_text
    short = ask(max_output_tokens=16, store=False)
    assert short.status == "completed", short
    raises(openai.NotFoundError, lambda: client.responses.retrieve(whole.id), code="response_not_found")


def a_response_is_followed_until_it_is_deleted():
    first = client.responses.create(model="sim", input="one two three")
    for streamed in (False, True):
        second = client.responses.create(model="sim", input="four", previous_response_id=first.id, stream=streamed)
        if streamed:
            second = list(second)[-1].response
        # Three words, the twelve that were answered, and one more.
        assert second.usage.input_tokens == 16 and second.previous_response_id == first.id, second
        third = client.responses.create(model="sim", input="five", previous_response_id=second.id)
        assert third.usage.input_tokens == 16 + 12 + 1, third
    assert client.responses.retrieve(first.id).output_text == first.output_text
    items = client.responses.input_items.list(first.id).data
    assert [item.content[0].text for item in items] == ["one two three"], items
    several = client.responses.create(model="sim", input=[{"role": "user", "content": text} for text in ("a", "b", "c")])
    listed = client.responses.input_items.list(several.id, limit=2, order="asc")
    assert [item.content[0].text for item in listed] == ["a", "b", "c"], "the pages of two are followed to the end"
    raises(openai.BadRequestError, lambda: client.responses.input_items.list(several.id, limit=0), param="limit")
    client.responses.delete(first.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(first.id), code="response_not_found")
    follow = lambda id: client.responses.create(model="sim", input="six", previous_response_id=id)
    for gone in (first.id, second.id, "resp_never"):
        raises(openai.BadRequestError, lambda: follow(gone), code="previous_response_not_found", param="previous_response_id")


def texts_become_vectors():
    # The package asks for base64 and turns it into numbers.
    several = client.embeddings.create(model="sim", input=["one", "two"], dimensions=384)
    assert [item.index for item in several.data] == [0, 1] and len(several.data[0].embedding) == 384
    plain = client.embeddings.create(model="sim", input="one", encoding_format="float")
    assert all(abs(a - b) < 1e-6 for a, b in zip(plain.data[0].embedding, several.data[0].embedding))
    through = client.embeddings.create(model="chained", input="one")
    assert all(abs(a - b) < 1e-6 for a, b in zip(through.data[0].embedding, plain.data[0].embedding))
    assert plain.usage.total_tokens > 0
    raises(openai.BadRequestError, lambda: client.embeddings.create(model="sim", input="one", dimensions=5))
    raises(openai.BadRequestError, lambda: client.embeddings.create(model="sim", input=[1, 2, 3]), param="input")


def who_leaves_early_is_let_go():
    for number, _ in enumerate(client.chat.completions.create(model="sim", messages=HELLO, stream=True)):
        if number == 2:
            break


def errors_are_the_packages_own():
    wrong = openai.OpenAI(base_url=URL, api_key="sk-seam-" + "x" * 43, max_retries=0)
    raises(openai.AuthenticationError, lambda: wrong.models.list(), code="invalid_api_key")
    ask = lambda **more: client.chat.completions.create(**{"model": "sim", "messages": HELLO, **more})
    raises(openai.NotFoundError, lambda: ask(model="gone"), code="model_not_found", param="model")
    raises(openai.BadRequestError, lambda: ask(messages=[]), param="messages")
    raises(openai.BadRequestError, lambda: ask(tools=TOOLS), code="unsupported_parameter", param="tools")
    # The same through a provider that speaks the dialect: it is the one who refuses, and its reason arrives.
    through = raises(openai.BadRequestError, lambda: ask(model="chained", tools=TOOLS))
    assert "tools" in str(through), through
    respond = lambda **more: client.responses.create(**{"model": "sim", "input": "Hello", **more})
    raises(openai.NotFoundError, lambda: respond(model="gone"), code="model_not_found")
    raises(openai.BadRequestError, lambda: respond(input=[]), param="input")
    raises(openai.BadRequestError, lambda: respond(tools=[{"type": "function", "name": "weather", "parameters": {}}]), param="tools")
    raises(openai.BadRequestError, lambda: respond(tools=[{"type": "web_search"}]), param="tools[0].type")
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]
    raises(openai.BadRequestError, lambda: ask(messages=picture), param="messages[0].content[0]")


def a_cut_is_an_error_and_never_an_end():
    for model in ("flaky", "chained-flaky"):
        said = []
        def read():
            for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True):
                said.append(chunk.choices[0].delta.content or "")
        raises(openai.APIError, read)
        assert "".join(said), "something had been said before"
        raises(openai.APIError, lambda: list(client.responses.create(model=model, input="Hello", stream=True)))
        raises(openai.InternalServerError, lambda: client.responses.create(model=model, input="Hello"))
        raises(openai.InternalServerError, lambda: client.chat.completions.create(model=model, messages=HELLO))


async def many_at_once():
    own = openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
    asked = [own.chat.completions.create(model="sim", messages=HELLO, seed=number) for number in range(16)]
    answers = await asyncio.gather(*asked)
    assert len({answer.choices[0].message.content for answer in answers}) > 8


models_are_listed()
for name in ("sim", "chained"):
    an_answer_comes_as_it_is_made(name, an_answer_comes_whole(name))
    a_response_comes_whole_or_as_it_is_made(name)
a_response_is_followed_until_it_is_deleted()
texts_become_vectors()
who_leaves_early_is_let_go()
errors_are_the_packages_own()
a_cut_is_an_error_and_never_an_end()
asyncio.run(many_at_once())
print("all of it holds")
