from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from brickyard.kube.reconcile import errors, selection

KNOWN = ("pod-autoscaler-controller", "kv-cache-controller", "model-adapter-controller")
POD, KV, ADAPTER = KNOWN


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("*", set(KNOWN)),
        ("", set()),
        (" , ", set()),
        (POD, {POD}),
        (f" {POD} ,{KV}", {POD, KV}),
        (f"*,-{KV}", {POD, ADAPTER}),
        (f"-{KV},*", set(KNOWN)),
        (f"{POD},-{POD}", set()),
        (f"-{POD},{POD}", {POD}),
        (f"-{POD}", set()),
    ],
)
def test_the_list(text: str, chosen: set[str]) -> None:
    assert selection.selected(text, KNOWN) == chosen


@pytest.mark.parametrize("text", ["kv-cache-controler", "-kv-cache-controler", f"*,{KV}x"])
def test_an_unknown_name_is_refused_and_the_nearest_told(text: str) -> None:
    with pytest.raises(errors.UnknownController) as failed:
        selection.selected(text, KNOWN)
    assert failed.value.hint == f"did you mean {KV}?"


def test_a_name_like_no_other_is_told_what_there_is() -> None:
    with pytest.raises(errors.UnknownController) as failed:
        selection.selected("zzz", KNOWN)
    assert all(each in failed.value.hint for each in KNOWN)


@hypothesis.given(strategies.lists(strategies.sampled_from(["*", *KNOWN, *(f"-{each}" for each in KNOWN)])))
def test_the_last_word_on_each_counts(entries: list[str]) -> None:
    chosen = selection.selected(",".join(entries), KNOWN)
    for name in KNOWN:
        last = next((each for each in reversed(entries) if each in ("*", name, f"-{name}")), "-")
        assert (name in chosen) == (not last.startswith("-"))
