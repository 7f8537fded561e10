"""What users read of whole decisions, case by case, in ``data/explained.txt``.

The file is for people: whoever changes a word reads all of it. ``python tests/scaling/test_explained.py`` writes it anew.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract, explain, rounding, testing

EXPLAINED = pathlib.Path(__file__).parent / "data" / "explained.txt"
KPA, APA, HPA = contract.Strategy.KPA, contract.Strategy.APA, contract.Strategy.HPA
WAITING, CACHE = "num_requests_waiting", "gpu_cache_usage_perc"
SHARE = f"{CACHE} is a share of 1 and its target 50 percent: values are multiplied by 100"
Told = tuple[contract.Settings, contract.Recommendation]


def own(strategy: contract.Strategy = KPA, bounds: tuple[int, int | None] = (1, 10), **more: Any) -> contract.Settings:
    return testing.settings(strategy, testing.metric(WAITING), bounds=bounds, **more)


def two() -> contract.Settings:
    return testing.settings(APA, testing.metric(WAITING), testing.metric(CACHE, 50), bounds=(1, 10))


def look(given: contract.Settings, replicas: int, *values: float | str | None) -> Told:
    return given, testing.Workload(given, replicas).look(testing.pods(*values, key=WAITING))


def shared(demand: float, load: testing.Workload) -> tuple[contract.Observation, ...]:
    return (testing.shared(demand, load.replicas, WAITING),)


def after(given: contract.Settings, *loads: tuple[float, float], replicas: int = 1) -> Told:
    """The last look after each demand was there for so many seconds."""
    load = testing.Workload(given, replicas)
    for demand, seconds in loads:
        load.run(seconds, functools.partial(shared, demand))
    return given, load.made[-1]


def noted() -> Told:
    seen = dataclasses.replace(testing.pods(62.5, 71.0, key=CACHE), notes=(SHARE,))
    return two(), testing.Workload(two(), 2).look(testing.pods(4.0, 5.0, key=WAITING), seen)


def unread() -> Told:
    silent = "http://10.0.0.7:8000/metrics answered 404: it has no such page; correct path or port"
    seen = (testing.pods(1.0, 0.0, key=WAITING), testing.pods(silent, silent, key=CACHE))
    return two(), testing.Workload(two(), 2).look(*seen)


def nightly() -> Told:
    night = schedules.Window("night", frozenset(range(7)), 0, 8 * 60 + 30, 0, 2, own_minimum=True)
    return look(own(hours=(night,)), 2, 30.0, 31.0)


def optimizer() -> Told:
    given = testing.settings(KPA, testing.metric("vllm:deployment_replicas", 100, whole=True, exact=True))
    return given, testing.Workload(given, 2).look(testing.whole(400.0, "vllm:deployment_replicas"))


def panic_over_soon() -> Told:
    given = own()
    load = testing.Workload(given, 1)
    load.step(testing.pods(95.0, key=WAITING))
    load.run(120, functools.partial(shared, 5.0))
    return given, load.made[-1]


CASES: Mapping[str, Callable[[], Told]] = {
    "one replica, all is well": lambda: look(own(), 1, 9.0),
    "a rush": lambda: look(own(), 1, 95.123456),
    "after a rush": panic_over_soon,
    "up within one step": lambda: look(own(APA), 2, 14.0, 13.0),
    "on the edge of the band": lambda: look(own(APA), 2, 11.0, 11.0),
    "down, held by what was recommended": lambda: after(own(), (40, 900), (12, 100), replicas=4),
    "down": lambda: after(own(APA), (4, 310), replicas=2),
    "just begun to watch": lambda: look(own(down_window=0.0), 4, 1.0, 1.0, 0.0, 1.0),
    "on its way to zero": lambda: after(own(bounds=(0, 10)), (0, 100)),
    "to zero": lambda: after(own(bounds=(0, 10)), (0, 310)),
    "asleep": lambda: look(own(bounds=(0, 10)), 0),
    "switched off by hand": lambda: look(own(), 0),
    "above the maximum": lambda: look(own(bounds=(1, 4)), 9, *[3.0] * 9),
    "held by the maximum": lambda: look(own(bounds=(1, 3)), 3, 20.0, 20.0, 20.0),
    "no maximum": lambda: look(own(bounds=(1, None)), 1, 8.0),
    "some pods silent": lambda: look(own(), 3, 2.0, "http://10.0.0.7:8000/metrics did not answer within 2 s", None),
    "all pods silent": lambda: look(own(), 2, *["it has no address yet"] * 2),
    "no pod ready yet": lambda: look(own(), 1, None),
    "a unit that was converted": noted,
    "one of two metrics unread": unread,
    "bounds of a schedule": nightly,
    "an optimizer's wish": optimizer,
    "Kubernetes' formula": lambda: look(own(HPA), 2, 20.0, "timed out"),
}


def told(name: str) -> str:
    given, made = CASES[name]()
    return "\n".join([f"## {name}", "", explain.short(made), "", *explain.lines(given, made), ""])


@pytest.mark.parametrize("name", CASES)
def test_as_users_read_it(name: str) -> None:
    known = re.split(r"(?m)^(?=## )", EXPLAINED.read_text())
    assert told(name).strip() == next(each for each in known if each.startswith(f"## {name}\n")).strip()


def test_nothing_else_is_in_the_file() -> None:
    assert re.findall(r"(?m)^## (.*)$", EXPLAINED.read_text()) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_everything_says_what_comes_next(name: str) -> None:
    given, made = CASES[name]()
    assert explain.lines(given, made)[-1].startswith("Next: ")


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_their_nouns_agree(name: str) -> None:
    text = told(name)
    assert not re.search(r"\b1 (replicas|pods)\b(?! to)", text)
    assert not re.search(r"\b([02-9]|\d\d+) (replica|pod)\b", text)
    assert not re.search(r"there were 1 |\b1 were |None|nan|e[-+]\d\d", text)
    assert str(rounding.MOST) not in text


if __name__ == "__main__":
    EXPLAINED.write_text("\n".join(told(name) for name in CASES))
