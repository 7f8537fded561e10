"""A conversation over a stream that breaks in every way."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from brickyard.cli import chat, conversation


class Gateway:
    """Answers with ``events`` and keeps what it was asked; reading the clock takes a quarter of a second."""

    def __init__(self, *events: str, status: int = 200, breaks: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self._events, self._status, self._breaks = events, status, breaks

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(json.loads(request.content))
        return httpx2.Response(self._status, headers={"target-pod": "brick-1"}, stream=Body(self._body))

    def _body(self) -> Iterator[bytes]:
        for event in self._events:
            yield event.encode()
        if self._breaks:
            raise httpx2.ReadError("the connection was reset")


class Body(httpx2.SyncByteStream):
    def __init__(self, chunks: Callable[[], Iterator[bytes]]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks()


def piece(text: str = "", **fields: Any) -> str:
    told = {"choices": [{"delta": {"content": text} if text else {"role": "assistant"}}], **fields}
    return f"data: {json.dumps(told)}\n\n"


USAGE = piece(choices=[], usage={"completion_tokens": 5})
DONE = "data: [DONE]\n\n"


@contextlib.contextmanager
def talking(gateway: Gateway, **fields: Any) -> Iterator[conversation.Conversation]:
    ticks = itertools.count(0, 0.25)
    with httpx2.Client(transport=httpx2.MockTransport(gateway)) as client:
        yield conversation.Conversation(client, "http://g/", "brick", clock=lambda: next(ticks), **fields)


def test_pieces_come_and_are_timed() -> None:
    gateway = Gateway(piece(), piece("Hel"), ": a comment\n\n", piece("lo"), piece("!"), USAGE, DONE)
    turn = conversation.Turn()
    with talking(gateway) as talk:
        assert list(talk.ask("hi", turn)) == ["Hel", "lo", "!"]
    assert (turn.text, turn.replica, turn.first, turn.last, turn.tokens) == ("Hello!", "brick-1", 0.25, 0.75, 5)
    assert str(turn) == "first token after 250 ms, 5 tokens, 8.0 tokens/s, by brick-1"
    asked = gateway.asked[0]
    assert (asked["model"], asked["stream"], asked["stream_options"]) == ("brick", True, {"include_usage": True})


def test_without_usage_pieces_are_counted() -> None:
    turn = conversation.Turn()
    with talking(Gateway(piece("a"), piece("b"), DONE)) as talk:
        list(talk.ask("hi", turn))
    assert turn.tokens == 2


def test_each_turn_knows_what_was_said_before() -> None:
    gateway = Gateway(piece("yes"), DONE)
    with talking(gateway, system="be brief", options={"max_tokens": 9}) as talk:
        list(talk.ask("one?", conversation.Turn()))
        list(talk.ask("two?", conversation.Turn()))
    assert [each["content"] for each in gateway.asked[1]["messages"]] == ["be brief", "one?", "yes", "two?"]
    assert gateway.asked[1]["max_tokens"] == 9


def test_an_answer_that_is_stopped_is_remembered_as_far_as_it_came() -> None:
    gateway = Gateway(piece("one"), piece("two"), DONE)
    with talking(gateway) as talk:
        first = talk.ask("count", conversation.Turn())
        assert next(first) == "one"
        first.close()
        list(talk.ask("go on", conversation.Turn()))
    assert [each["content"] for each in gateway.asked[1]["messages"]] == ["count", "one", "go on"]


def test_thoughts_are_shown_too() -> None:
    thought = f"data: {json.dumps({'choices': [{'delta': {'reasoning_content': 'hm'}}]})}\n\n"
    with talking(Gateway(thought, DONE)) as talk:
        assert list(talk.ask("hi", conversation.Turn())) == ["hm"]


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (Gateway('{"error": {"message": "no such model"}}', status=404), "no such model"),
        (Gateway('{"error": "plain"}', status=400), "plain"),
        (Gateway("<html>", status=502), "the gateway answered 502: <html>"),
        (Gateway("[]", status=500), r"the gateway answered 500: \[\]"),
        (Gateway(piece("a"), breaks=True), "the answer broke off: the connection was reset"),
        (Gateway(breaks=True), "no answer from http://g/v1/chat/completions: the connection was reset"),
        (Gateway(piece("a"), 'data: {"error": {"message": "engine died"}}\n\n'), "the answer broke off: engine died"),
        (Gateway("data: {nonsense\n\n"), "something that is no JSON: '{nonsense'"),
    ],
)
def test_a_turn_that_fails_says_why_and_the_next_may_not(gateway: Gateway, said: str) -> None:
    with talking(gateway) as talk:
        for _ in range(2):
            with pytest.raises(conversation.ChatFailed, match=said):
                list(talk.ask("hi", conversation.Turn()))


@pytest.mark.parametrize(("status", "hint"), [(401, "BRICKYARD_API_KEY"), (429, "user list"), (404, "status")])
def test_a_refusal_brings_the_next_step(status: int, hint: str) -> None:
    with (
        talking(Gateway('{"error": {"message": "no"}}', status=status)) as talk,
        pytest.raises(conversation.ChatFailed) as caught,
    ):
        list(talk.ask("hi", conversation.Turn()))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, ""),
        ({"OPENAI_API_KEY": "unused"}, ""),
        ({"OPENAI_API_KEY": "sk-of-another-service"}, ""),
        ({"OPENAI_API_KEY": "bk-one"}, "bk-one"),
        ({"OPENAI_API_KEY": "bk-one", "BRICKYARD_API_KEY": "two"}, "two"),
    ],
)
def test_whose_key_is_sent(environ: dict[str, str], key: str) -> None:
    assert conversation.credentials(environ) == ({"authorization": f"Bearer {key}"} if key else {})


def test_a_question_without_an_answer_is_forgotten() -> None:
    gateway = Gateway('{"error": {"message": "too long"}}', status=400)
    with talking(gateway) as talk:
        for question in ("long", "short"):
            with pytest.raises(conversation.ChatFailed):
                list(talk.ask(question, conversation.Turn()))
    assert [each["content"] for each in gateway.asked[1]["messages"]] == ["short"]


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (conversation.Turn(), "no text"),
        (conversation.Turn("a", "", 0.1, 0.1, 1), "first token after 100 ms, 1 token"),
        (conversation.Turn("a", "pod", 0.1, 0.1, 2), "first token after 100 ms, 2 tokens, by pod"),
    ],
)
def test_what_is_told_of_a_turn(turn: conversation.Turn, said: str) -> None:
    assert str(turn) == said


def test_a_model_cannot_steer_the_terminal() -> None:
    assert conversation.printable("a\x1b[2J\x07b\u009b31m\r\n\tä") == "a[2Jb31m\n\tä"


def test_the_terminal_goes_on_after_a_turn_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    questions = iter(["first", "", "second"])

    def ask(_: str) -> str:
        try:
            return next(questions)
        except StopIteration:
            raise EOFError from None

    gateway = Gateway(piece("well"), breaks=True)
    with talking(gateway) as talk:
        chat.converse(talk, ask)
    shown = capsys.readouterr()
    assert shown.out == "well\nwell\n\n"
    assert shown.err.count("error: the answer broke off: the connection was reset") == 2
    assert [len(each["messages"]) for each in gateway.asked] == [1, 3]
