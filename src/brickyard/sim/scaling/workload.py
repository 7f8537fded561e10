"""What arrives when: requests as a time and two numbers of tokens.

Files: Azure's CSV (``TIMESTAMP,ContextTokens,GeneratedTokens``), Mooncake's JSON lines (``timestamp`` in ms, ``input_length``,
``output_length``) and the workloads of AIBrix' generator (JSON lines of ``timestamp`` in ms and ``requests`` with ``prompt_length`` and
``output_length``). Which of them a file is stands in its first line.

Made up: Poisson arrivals at a rate that is constant, steps once or goes up and down, and lengths from exponential distributions.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import json
import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from brickyard.sim.scaling import errors

FORMS: Final = (
    "Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens), Mooncake's JSON lines (timestamp, input_length, output_length) "
    "or AIBrix' (timestamp, requests)"
)
LOADS: Final = "constant:RATE, step:BEFORE,AFTER,SECONDS or sine:LEAST,MOST,PERIOD, rates in requests per second"
MOST: Final = 5_000_000
"""Requests of a load at most: beyond that it is a mistyped rate."""
_SPREAD: Final = 5.0
"""Seconds within which the copies of a request come, when a load is multiplied."""
_LATER: Final = 10.0
"""Seconds by which a whole load comes later at most, when it is shaken."""


class Arrival(NamedTuple):
    """One request: seconds since the load's beginning, tokens of its prompt and of its answer."""

    at: float
    prompt: int
    output: int


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """Arrivals in the order of their times; ``start`` is the Unix time of second 0, ``seconds`` how long it lasts."""

    name: str
    arrivals: Sequence[Arrival]
    start: float
    seconds: float

    def times(self, factor: float, seed: int = 0) -> Load:
        """``factor`` times as many requests of the same lengths at about the same times.

        Each is repeated, or left out, as often as ``factor`` says on average; copies come within five seconds of each other.

        Raises:
            ReplayError: a factor that is not above 0, or too many requests.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise errors.ReplayError(f"a factor is above 0, not {factor!r}")
        if factor == 1:
            return self
        _check(len(self.arrivals) * factor)
        rng = random.Random(seed)  # noqa: S311 - it makes up a load and guards nothing
        whole, part = divmod(factor, 1)
        made: list[Arrival] = []
        for each in self.arrivals:
            for copy in range(int(whole) + (rng.random() < part)):
                late = rng.uniform(0.0, _SPREAD) if copy or whole == 0 else 0.0
                made.append(Arrival(min(self.seconds, each.at + late), each.prompt, each.output))
        return dataclasses.replace(self, name=f"{self.name} ×{factor:g}", arrivals=sorted(made))  # noqa: RUF001

    def shaken(self, seed: int) -> Load:
        """Another day like it: all requests up to 10 s later, each another 2.5 s earlier or later. 0 is the day itself.

        What depends on which arrival came before which look of an autoscaler differs from day to day; what does not, does not.
        """
        if not seed:
            return self
        rng = random.Random(seed)  # noqa: S311 - it makes up a load and guards nothing
        later = rng.uniform(0.0, _LATER)
        made = sorted(
            Arrival(max(0.0, each.at + later + rng.uniform(-_SPREAD / 2, _SPREAD / 2)), each.prompt, each.output)
            for each in self.arrivals
        )
        return dataclasses.replace(self, arrivals=made, seconds=max(self.seconds, made[-1].at))


def _check(number: float) -> None:
    if number > MOST:
        raise errors.ReplayError(f"{number:.0f} requests are more than the {MOST} that a replay takes: lower the rate")


def read(lines: Iterable[str], name: str) -> Load:
    """The load of a file's lines; its beginning is the first request's time, rounded down to a second where that is of a calendar.

    Raises:
        ReplayError: it is of none of the known forms, a line of it is not, or there is no request.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(numbered, (1, ""))
    if first[1].lstrip("\ufeff").lower().startswith("timestamp,"):
        found = list(_azure(first, numbered))
    elif first[1].lstrip().startswith("{"):
        found = [each for line in _chain(first, numbered) for each in _json(line)]
    else:
        raise errors.ReplayError(f"{name} begins with {first[1].strip()[:60]!r}: give it as {FORMS}")
    if not found:
        raise errors.ReplayError(f"{name} has no request")
    found.sort()
    start = found[0][0]
    arrivals = [Arrival(at - start, prompt, output) for at, prompt, output in found]
    return Load(name, arrivals, start, arrivals[-1].at)


_Line = tuple[int, str]
_Row = tuple[float, int, int]


def _chain(first: _Line, rest: Iterator[_Line]) -> Iterator[_Line]:
    yield first
    yield from rest


def _azure(header: _Line, rest: Iterator[_Line]) -> Iterator[_Row]:
    columns = {name.strip("\ufeff \n\r").lower(): place for place, name in enumerate(header[1].split(","))}
    for number, line in rest:
        cells = next(csv.reader([line]))
        try:
            when = datetime.datetime.fromisoformat(_microseconds(cells[columns["timestamp"]]))
            prompt, output = int(cells[columns["contexttokens"]]), int(cells[columns["generatedtokens"]])
        except (ValueError, IndexError, KeyError) as error:
            raise errors.ReplayError(f"line {number} is no request of {FORMS}: {line.strip()[:80]!r}") from error
        zoned = when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
        yield _row(number, zoned.timestamp(), prompt, output)


def _microseconds(text: str) -> str:
    """Python reads six places of a second's fraction; .NET writes seven."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text.strip())


def _json(numbered: _Line) -> Iterator[_Row]:
    number, line = numbered
    try:
        told: Any = json.loads(line)
        at = float(told["timestamp"]) / 1000
        if "requests" in told:
            rows = [(int(each["prompt_length"]), int(each["output_length"])) for each in told["requests"]]
        else:
            rows = [(int(told["input_length"]), int(told["output_length"]))]
    except (ValueError, TypeError, KeyError) as error:
        raise errors.ReplayError(f"line {number} is no request of {FORMS}: {line.strip()[:80]!r}") from error
    for prompt, output in rows:
        yield _row(number, at, prompt, output)


def _row(number: int, at: float, prompt: int, output: int) -> _Row:
    if prompt < 1 or output < 0 or not math.isfinite(at):
        raise errors.ReplayError(f"line {number} has {prompt} tokens of prompt and {output} of output at {at} s")
    return at, prompt, max(1, output)


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """Of a load that is made up: for how many seconds, and the mean tokens of prompts and answers."""

    seconds: float = 3600.0
    prompt: int = 1000
    output: int = 200
    seed: int = 0


def make(text: str, shape: Shape) -> Load:
    """The load that ``text`` names: ``constant:5``, ``step:2,10,600``, ``sine:2,10,1200``.

    Raises:
        ReplayError: it names none.
    """
    kind, _, rest = text.partition(":")
    try:
        numbers = [float(each) for each in rest.split(",")]
        rate, most = _RATES[kind](*numbers)
    except (KeyError, ValueError, TypeError) as error:
        raise errors.ReplayError(f"{text!r} is no load: write {LOADS}") from error
    lengths = math.isfinite(shape.seconds) and shape.seconds > 0 and shape.prompt > 0 and shape.output > 0
    if not (lengths and all(math.isfinite(each) and each >= 0 for each in numbers) and most > 0):
        raise errors.ReplayError(f"{text!r} over {shape.seconds:g} s is no load: rates, times and lengths are above 0")
    _check(most * shape.seconds)
    return Load(text, list(_poisson(rate, most, shape)), 0.0, shape.seconds)


_Rate = Callable[[float], float]


def _constant(rate: float) -> tuple[_Rate, float]:
    return lambda at: rate, rate


def _step(before: float, after: float, when: float) -> tuple[_Rate, float]:
    return lambda at: before if at < when else after, max(before, after)


def _sine(least: float, most: float, period: float) -> tuple[_Rate, float]:
    if not period > 0 or most < least:
        raise ValueError(period)
    middle, swing = (least + most) / 2, (most - least) / 2
    return lambda at: middle - swing * math.cos(2 * math.pi * at / period), most


_RATES: Final[dict[str, Callable[..., tuple[_Rate, float]]]] = {"constant": _constant, "step": _step, "sine": _sine}


def _poisson(rate: _Rate, most: float, shape: Shape) -> Iterator[Arrival]:
    """Arrivals at ``most`` requests per second, thinned to ``rate``."""
    rng = random.Random(shape.seed)  # noqa: S311 - it makes up a load and guards nothing
    at = rng.expovariate(most)
    while at < shape.seconds:
        kept = rng.random() * most < rate(at)
        if kept:
            yield Arrival(at, _length(rng, shape.prompt), _length(rng, shape.output))
        at += rng.expovariate(most)


def _length(rng: random.Random, mean: int) -> int:
    """At least 1, at most eight times the mean."""
    return max(1, min(8 * mean, round(rng.expovariate(1 / mean))))
