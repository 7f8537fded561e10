"""What arrives when. A prompt is a list of block numbers; equal numbers stand for equal text, as in the traces that Mooncake publishes.

A block is ``BLOCK`` tokens of four bytes. Its text is made from its number when it is needed: a trace of sixty million tokens is a few
megabytes of numbers, and what is written here is all that any two prompts have in common.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from brickyard.sim.engine.core import tokens
from brickyard.sim.fleet import errors

BLOCK: Final = 512
"""Tokens of a block, as Mooncake cuts them."""
_FIELDS: Final = '{"timestamp": ms, "input_length": tokens, "output_length": tokens, "hash_ids": [block, …]}'


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """One request: when (seconds from the trace's start), its prompt's blocks and tokens, and the tokens it is answered with.

    ``user`` and ``session`` are what the client says of itself, "" where the trace does not tell.
    """

    at: float
    blocks: tuple[int, ...]
    prompt: int
    output: int
    user: str = ""
    session: str = ""

    def text(self) -> bytes:
        """The prompt, four bytes a token."""
        whole = b"".join([_text(number) for number in self.blocks])
        return whole[: self.prompt * tokens.WIDTH]


@functools.lru_cache(maxsize=8192)
def _text(number: int) -> bytes:
    return hashlib.shake_128(b"%d" % number).digest(BLOCK * tokens.WIDTH)


def read(lines: Iterable[str], limit: int | None = None) -> list[Arrival]:
    """A trace in Mooncake's form, one JSON object a line; the first ``limit`` requests of it. Blank lines are passed over.

    Raises:
        TraceError: a line is none.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    found = [_arrival(number, line) for number, line in itertools.islice(numbered, limit)]
    return sorted(found, key=lambda each: each.at)


def _arrival(number: int, line: str) -> Arrival:
    try:
        told: Any = json.loads(line)
        made = Arrival(
            float(told["timestamp"]) / 1000,
            tuple(int(each) for each in told["hash_ids"]),
            int(told["input_length"]),
            max(1, int(told["output_length"])),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise errors.TraceError(f"line {number} is no request: write {_FIELDS}") from error
    if not 0 < made.prompt <= len(made.blocks) * BLOCK or made.at < 0:
        raise errors.TraceError(
            f"line {number} has {made.prompt} tokens in {len(made.blocks)} blocks of {BLOCK} at {made.at} s: "
            "a prompt has at least one token, as many blocks as it fills, and a time from 0 on"
        )
    return made


def write(arrivals: Iterable[Arrival]) -> Iterator[str]:
    """The inverse of ``read``, line by line; users and sessions have no place in that form."""
    for each in arrivals:
        told = {
            "timestamp": round(each.at * 1000),
            "input_length": each.prompt,
            "output_length": each.output,
            "hash_ids": list(each.blocks),
        }
        yield json.dumps(told)


def paced(arrivals: Sequence[Arrival], pace: float) -> list[Arrival]:
    """The same requests, coming ``pace`` times as fast."""
    if not pace > 0:
        raise errors.TraceError(f"a pace is above 0, not {pace!r}")
    return [dataclasses.replace(each, at=each.at / pace) for each in arrivals]


@dataclasses.dataclass(frozen=True, slots=True)
class Conversations:
    """People who talk to an assistant, made up from a seed.

    Each conversation begins with one of ``systems`` prompts of ``system_blocks`` blocks, the first of them the most popular (Zipf), and
    brings ``turns`` requests on average; each turn's prompt is all that was said before and some new text. Block numbers differ between
    seeds, so that traces can be laid one after another.

    Attributes:
        number: conversations.
        every: mean seconds between the beginnings of two.
        think: mean seconds from one turn to the next.
        systems, system_blocks: distinct system prompts and the length of each.
        turns: mean number of turns.
        said: mean blocks of new text per turn, the last answer among it.
        output: mean tokens of an answer.
        seed: of all chance.
    """

    number: int = 100
    every: float = 1.0
    think: float = 20.0
    systems: int = 4
    system_blocks: int = 4
    turns: float = 5.0
    said: float = 3.0
    output: int = 120
    seed: int = 0

    def arrivals(self) -> list[Arrival]:
        """In the order of their times."""
        rng = random.Random(self.seed)  # noqa: S311 - it makes up a load and guards nothing
        fresh = itertools.count(self.seed * 10_000_000 + self.systems * self.system_blocks)
        weights = [1 / rank for rank in range(1, self.systems + 1)]
        made: list[Arrival] = []
        begin = 0.0
        for conversation in range(self.number):
            system = rng.choices(range(self.systems), weights)[0]
            made += self._conversation(f"c{conversation}", begin, system, fresh, rng)
            begin += rng.expovariate(1 / self.every)
        return sorted(made, key=lambda each: each.at)

    def _conversation(
        self, name: str, begin: float, system: int, fresh: Iterator[int], rng: random.Random
    ) -> Iterator[Arrival]:
        first = self.seed * 10_000_000 + system * self.system_blocks
        said = list(range(first, first + self.system_blocks))
        at = begin
        for _ in range(1 + int(rng.expovariate(1 / max(0.01, self.turns - 1)))):
            said += itertools.islice(fresh, 1 + int(rng.expovariate(1 / self.said)))
            output = 1 + int(rng.expovariate(1 / self.output))
            unfilled = rng.randrange(BLOCK)  # the last block is as full as it happens to be
            yield Arrival(at, tuple(said), len(said) * BLOCK - unfilled, output, name, name)
            at += rng.expovariate(1 / self.think)
