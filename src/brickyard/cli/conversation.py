"""A conversation with a model over the OpenAI API: one turn after the other, each streamed and timed."""

from __future__ import annotations

import dataclasses
import http
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final

import httpx2
import orjson

from brickyard.accounts import tokens
from brickyard.api import names
from brickyard.lib import errors

TIMEOUT: Final = httpx2.Timeout(600.0, connect=5.0, write=30.0)
"""An engine that is busy, or that thinks before it answers, may be silent for minutes."""
KEY: Final = "BRICKYARD_API_KEY"
LONGEST_REFUSAL: Final = 300
_DONE: Final = "[DONE]"


class ChatFailed(errors.BrickyardError):
    """The turn got no answer, or none to its end; the text says why."""


@dataclasses.dataclass(slots=True)
class Turn:
    """What became of one turn so far. Times are seconds.

    Attributes:
        text: the answer.
        replica: the pod that answered, "" when the gateway does not say.
        first: from the question to the first piece of text, None before it.
        last: from the question to the last piece of text.
        tokens: tokens of the answer as the engine counts them, else the pieces that came.
    """

    text: str = ""
    replica: str = ""
    first: float | None = None
    last: float = 0.0
    tokens: int = 0

    def __str__(self) -> str:
        if self.first is None:
            return f"no text{self._by}"
        between = self.last - self.first
        # The first token belongs to the prompt's time: the rate is that of those after it.
        rate = f", {(self.tokens - 1) / between:.1f} tokens/s" if self.tokens > 1 and between > 0 else ""
        plural = "" if self.tokens == 1 else "s"
        return f"first token after {self.first * 1000:.0f} ms, {self.tokens} token{plural}{rate}{self._by}"

    @property
    def _by(self) -> str:
        return f", by {self.replica}" if self.replica else ""


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The header with a user's API key: ``BRICKYARD_API_KEY``, else ``OPENAI_API_KEY`` where no other service's key is meant by it."""
    usual = environ.get("OPENAI_API_KEY", "")
    key = environ.get(KEY) or (usual if usual.startswith(tokens.PREFIX) else "")
    return {"authorization": f"Bearer {key}"} if key else {}


class Conversation:
    """Turns with ``model`` at ``gateway``, each with all that was said before.

    Args:
        client: closed by whoever made it.
        gateway: URL of the gateway, without ``/v1``.
        options: further fields of every request, such as ``max_tokens``.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(
        self, client: httpx2.Client, gateway: str, model: str, *, clock: Callable[[], float], system: str = "",
        options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._client = client
        self._url = f"{gateway.rstrip('/')}/v1/chat/completions"
        self._fixed = {"model": model, "stream": True, "stream_options": {"include_usage": True}, **(options or {})}
        self._said = [{"role": "system", "content": system}] if system else []
        self._clock = clock

    def ask(self, question: str, turn: Turn) -> Generator[str, None, None]:
        """The pieces of the answer as they come; ``turn`` is kept current. Read it to its end, or close it to stop the answer.

        An answer that was stopped is remembered as far as it came; a question without any answer is forgotten.

        Raises:
            ChatFailed: there was no answer, or it broke off.
        """
        asked = [*self._said, {"role": "user", "content": question}]
        begun = self._clock()
        try:
            for piece in self._stream({**self._fixed, "messages": asked}, turn):
                turn.last = self._clock() - begun
                turn.first = turn.last if turn.first is None else turn.first
                turn.text += piece
                yield piece
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            text = f"the answer broke off: {error}" if turn.text else f"no answer from {self._url}: {error}"
            raise ChatFailed(text, hint="is Brickyard up? `brickyard status`") from error
        finally:
            if turn.text:
                self._said = [*asked, {"role": "assistant", "content": turn.text}]

    def _stream(self, body: dict[str, Any], turn: Turn) -> Iterator[str]:
        headers = {"content-type": "application/json"}
        with self._client.stream("POST", self._url, content=orjson.dumps(body), headers=headers) as answer:
            turn.replica = answer.headers.get(names.HEADER_TARGET_POD, "")
            if answer.status_code != 200:
                raise ChatFailed(_refusal(answer.status_code, answer.read()), hint=_hint(answer.status_code))
            for line in answer.iter_lines():
                field, _, value = line.partition(":")
                if field != "data" or not value.strip():
                    continue
                if value.strip() == _DONE:
                    return
                yield from _pieces(value, turn)


def _pieces(data: str, turn: Turn) -> Iterator[str]:
    """The text in one event of the stream, if any."""
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ChatFailed(f"the answer holds something that is no JSON: {data.strip()[:80]!r}") from error
    if told.get("error"):
        raise ChatFailed(f"the answer broke off: {_words(told['error'])}")
    counted = (told.get("usage") or {}).get("completion_tokens")
    for choice in told.get("choices") or ():
        delta = choice.get("delta") or {}
        # Models that think first send their thoughts in a field of their own.
        text = delta.get("content") or delta.get("reasoning_content")
        if text:
            turn.tokens += 1
            yield text
    if counted is not None:
        turn.tokens = counted


def _refusal(status: int, body: bytes) -> str:
    """What an answer that is no stream says."""
    try:
        return _words(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"the gateway answered {status}: {body[:LONGEST_REFUSAL].decode(errors='replace').strip()}"


def _hint(status: int) -> str:
    if status == http.HTTPStatus.UNAUTHORIZED:
        return f"set {KEY} to a user's API key: `brickyard user keys create NAME` makes one"
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "`brickyard user list` shows who may ask how much"
    return "what is served: `brickyard status`"


def _words(error: Any) -> str:
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)


def printable(text: str) -> str:
    """``text`` without what a terminal would obey: control characters but for line ends and tabs."""
    return "".join(each for each in text if each in "\n\t" or not (ord(each) < 32 or 127 <= ord(each) < 160))
