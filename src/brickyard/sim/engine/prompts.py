"""Completion requests read: the prompt's tokens, how long the answers are and what they say, decided before the first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from brickyard.sim.engine.core import errors, speech, tokens

MAX_CHOICES: Final = 128


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its tokens, how many bytes of their text are shown, and why it ends (``stop`` or ``length``)."""

    prompt: bytes
    output: bytes
    visible: int
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request. ``prompts`` counts distinct prompts, of which each has ``len(answers) / prompts`` answers."""

    model: str
    stream: bool
    include_usage: bool
    priority: int
    prompts: int
    prompt_tokens: int
    salt: str
    answers: tuple[Answered, ...]


def chat(body: Mapping[str, Any], *, longest: int, seed: int) -> Asked:
    """A ``/v1/chat/completions`` body.

    Raises:
        RejectedError: it cannot be answered.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise errors.RejectedError("messages must be a list of at least one message", "messages")
    if (given := body.get("prompt_token_ids")) is not None:
        prompt = tokens.from_ids(_list(given, "prompt_token_ids"))
    else:
        prompt = tokens.encode(tokens.render(messages, prompt=body.get("add_generation_prompt") is not False))
    return _asked(body, [prompt], longest, seed)


def completion(body: Mapping[str, Any], *, longest: int, seed: int) -> Asked:
    """A ``/v1/completions`` body.

    Raises:
        RejectedError: it cannot be answered.
    """
    if body.get("echo"):
        raise errors.RejectedError("echo is not supported: leave it out", "echo")
    return _asked(body, _prompts(body.get("prompt")), longest, seed)


def texts(given: Any, name: str) -> list[bytes]:
    """One text or token list, or several, as OpenAI takes them for prompts and embeddings.

    Raises:
        RejectedError: it is none.
    """
    if isinstance(given, str):
        return [tokens.encode(given, begin=True)]
    if not isinstance(given, list) or not given:
        raise errors.RejectedError(f"{name} must be text, token ids, or a list of either", name)
    if all(isinstance(item, str) for item in given):
        return [tokens.encode(item, begin=True) for item in given]
    if all(isinstance(item, list) for item in given):
        return [tokens.from_ids(item) for item in given]
    return [tokens.from_ids(given)]


def _prompts(given: Any) -> list[bytes]:
    found = texts(given, "prompt")
    if len(found) > MAX_CHOICES:
        raise errors.RejectedError(f"prompt holds {len(found)} prompts: send {MAX_CHOICES} at most", "prompt")
    return found


def _asked(body: Mapping[str, Any], prompts: list[bytes], longest: int, own_seed: int) -> Asked:
    number = _whole(body, "n", 1, least=1)
    if number * len(prompts) > MAX_CHOICES:
        raise errors.RejectedError(f"n must be {MAX_CHOICES} at most", "n")
    wanted = body.get("max_completion_tokens")
    name = "max_tokens" if wanted is None else "max_completion_tokens"
    limit = _whole(body, name, 0, least=1)
    least = _whole(body, "min_tokens", 0)
    seed = own_seed + _whole(body, "seed", 0, least=-(2**63))
    stops = _stops(body.get("stop"))
    options = body.get("stream_options")
    answers = [
        _answer(prompt, speech.offset(prompt, seed, index), _Length(limit, least, longest), stops)
        for prompt in prompts
        for index in range(number)
    ]
    return Asked(
        model=str(body.get("model") or ""),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        priority=_whole(body, "priority", 0, least=-(2**31)),
        prompts=len(prompts),
        prompt_tokens=sum(map(tokens.count, prompts)),
        salt=str(body.get("cache_salt") or ""),
        answers=tuple(answers),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Length:
    """``limit`` tokens when the request says so, else the answer's own length, ``least`` at least; ``longest`` with the prompt."""

    limit: int
    least: int
    longest: int

    def of(self, prompt: bytes, start: int) -> tuple[int, str]:
        room = self.longest - tokens.count(prompt)
        if self.limit:
            return self.limit, "length"
        natural = max(speech.natural_length(start), self.least)
        return (natural, "stop") if natural <= room else (max(1, room), "length")


def _answer(prompt: bytes, start: int, length: _Length, stops: list[bytes]) -> Answered:
    number, reason = length.of(prompt, start)
    output = speech.say(start, min(number, length.longest))
    cut = speech.stopped(output[: tokens.WIDTH * number], stops) if stops else None
    if cut is not None and cut[1] >= length.least:
        visible, number = cut
        return Answered(prompt, output[: tokens.WIDTH * number], visible, "stop")
    if number > length.longest:
        # Too long for the model: the scheduler refuses it, in the words in which engines do.
        output += b" " * (tokens.WIDTH * (min(number, 2 * length.longest) - length.longest))
    return Answered(prompt, output, len(output), reason)


def _whole(body: Mapping[str, Any], name: str, default: int, *, least: int = 0) -> int:
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or value < least:
        raise errors.RejectedError(f"{name} must be a whole number, {least} or more", name)
    return value


def _list(given: Any, name: str) -> list[int]:
    if not isinstance(given, list) or not given:
        raise errors.RejectedError(f"{name} must be a list of token ids", name)
    return given


def _stops(given: Any) -> list[bytes]:
    if given is None:
        return []
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise errors.RejectedError("stop must be text or a list of texts", "stop")
    return [item.encode() for item in found if item]
