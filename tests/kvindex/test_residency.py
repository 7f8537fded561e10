"""What engines say they hold: names translated, chains followed, drops honoured for the one who dropped."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from brickyard.engines import contract as engines
from brickyard.kvindex import accuracy, residency

SIZE = 4


def fresh(entries: int = 4096) -> residency.Residency:
    return residency.Residency(residency.Chain("m"), entries, 1 << 22)


def stored(names: list[int], tokens: list[int], parent: int | None = None, adapter: str = "") -> engines.BlocksStored:
    return engines.BlocksStored(tuple(names), parent, tuple(tokens), SIZE, "GPU", adapter)


def asked(tokens: list[int], adapter: str = "") -> list[int]:
    return residency.Chain("m").hashes(tokens, SIZE, adapter)


TOKENS = list(range(100, 112))


def test_blocks_of_one_event_are_a_chain() -> None:
    held = fresh()
    held.take("a", [stored([1, 2, 3], TOKENS)])
    assert held.match(asked(TOKENS), ["a", "b"]) == {"a": 3}
    assert held.match(asked([*TOKENS[:8], 9, 9, 9, 9]), ["a"]) == {"a": 2}
    assert held.match(asked(TOKENS[4:]), ["a"]) == {}
    assert (held.block_size("a"), held.held("a"), held.counts.stored) == (SIZE, 3, 3)


def test_a_later_event_goes_on_from_its_parent() -> None:
    held = fresh()
    held.take("a", [stored([1], TOKENS[:4]), stored([2, 3], TOKENS[4:], parent=1)])
    assert held.match(asked(TOKENS), ["a"]) == {"a": 3}


def test_engines_with_other_names_for_the_same_blocks_are_compared() -> None:
    held = fresh()
    held.take("a", [stored([1, 2, 3], TOKENS)])
    held.take("b", [stored([71, 72], TOKENS[:8])])
    assert held.match(asked(TOKENS), ["a", "b"]) == {"a": 3, "b": 2}


def test_an_unknown_parent_is_no_root() -> None:
    held = fresh()
    held.take("a", [stored([2], TOKENS[:4], parent=1), stored([3], TOKENS[4:8], parent=2)])
    assert held.match(asked(TOKENS), ["a"]) == {}
    assert (held.counts.orphans, held.held("a")) == (2, 0)


def test_dropped_is_dropped_for_the_one_who_dropped() -> None:
    held = fresh()
    held.take("a", [stored([1, 2, 3], TOKENS)])
    held.take("b", [stored([1, 2, 3], TOKENS)])
    held.take("a", [engines.BlocksRemoved((2, 99))])
    assert held.match(asked(TOKENS), ["a", "b"]) == {"a": 1, "b": 3}
    assert held.counts.removed == 1
    held.take("b", [engines.BlocksCleared()])
    assert held.match(asked(TOKENS), ["a", "b"]) == {"a": 1}
    held.remove("a")
    assert held.match(asked(TOKENS), ["a", "b"]) == {}
    assert (held.held("a"), held.block_size("a")) == (0, 0)


def test_adapters_and_models_hold_different_things() -> None:
    held = fresh()
    held.take("a", [stored([1], TOKENS[:4], adapter="french")])
    assert held.match(asked(TOKENS), ["a"]) == {}
    assert held.match(asked(TOKENS, "french"), ["a"]) == {"a": 1}
    assert residency.Chain("n").hashes(TOKENS, SIZE) != asked(TOKENS)
    assert residency.Chain("m", seed=1).hashes(TOKENS, SIZE) != asked(TOKENS)


def test_tokens_that_do_not_fill_the_blocks_are_refused() -> None:
    held = fresh()
    held.take("a", [stored([1, 2], TOKENS[:7])])
    assert (held.counts.odd, held.match(asked(TOKENS), ["a"])) == (2, {})


def test_a_name_given_again_means_the_new_block() -> None:
    held = fresh()
    held.take("a", [stored([1], TOKENS[:4]), stored([1], TOKENS[4:8])])
    assert held.match(asked(TOKENS[:4]), ["a"]) == {}
    assert held.match(asked(TOKENS[4:8]), ["a"]) == {"a": 1}
    assert held.held("a") == 1


def test_names_of_any_64_bits_are_taken() -> None:
    held = fresh()
    held.take("a", [stored([0, 2**64 - 1, 2**63], TOKENS)])
    assert held.match(asked(TOKENS), ["a"]) == {"a": 3}
    held.take("a", [engines.BlocksRemoved((0,))])
    assert held.match(asked(TOKENS), ["a"]) == {}


def test_what_there_is_no_room_for_is_missed_and_counted() -> None:
    held = fresh(entries=8)
    for number in range(40):
        held.take("a", [stored([number + 1], [number] * SIZE)])
    found = sum(bool(held.match(asked([number] * SIZE), ["a"])) for number in range(40))
    assert (found, held.counts.displaced) == (8, 32)
    held.clear("a")
    assert not any(held.match(asked([number] * SIZE), ["a"]) for number in range(40))


PROMPT = st.lists(st.integers(0, 1), min_size=1, max_size=4).map(
    lambda bits: [bit for bit in bits for _ in range(SIZE)]
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["store", "store", "drop", "clear", "gone"]), st.sampled_from("abc"), PROMPT), max_size=40
)


@hypothesis(max_examples=150)
@given(STEPS, PROMPT)
def test_it_agrees_with_sets_of_prefixes(steps: list[tuple[str, str, list[int]]], prompt: list[int]) -> None:
    """Each engine is a set of the prefixes it holds; its names are numbers that tell nothing."""
    held = fresh()
    model: dict[str, set[tuple[int, ...]]] = {name: set() for name in "abc"}

    def name_of(engine: str, prefix: tuple[int, ...]) -> int:
        return hash((engine, prefix)) & (2**64 - 1)

    for action, engine, tokens in steps:
        prefixes = [tuple(tokens[: end + SIZE]) for end in range(0, len(tokens), SIZE)]
        if action == "store":
            held.take(engine, [stored([name_of(engine, each) for each in prefixes], tokens)])
            model[engine] |= set(prefixes)
        elif action == "drop":
            held.take(engine, [engines.BlocksRemoved((name_of(engine, prefixes[-1]),))])
            model[engine].discard(prefixes[-1])
        elif action == "clear":
            held.take(engine, [engines.BlocksCleared()])
            model[engine].clear()
        else:
            held.remove(engine)
            model[engine].clear()
    expected = {}
    for engine, prefixes_held in model.items():
        depth = 0
        while depth * SIZE < len(prompt) and tuple(prompt[: (depth + 1) * SIZE]) in prefixes_held:
            depth += 1
        if depth:
            expected[engine] = depth
    assert held.match(asked(prompt), "abc") == expected
    assert [held.held(engine) for engine in "abc"] == [len(model[engine]) for engine in "abc"]


def test_accuracy_sums_what_agreed() -> None:
    sums = accuracy.Accuracy()
    assert (sums.precision, sums.recall) == (None, None)
    for predicted, actual in [(100, 80), (0, 20), (50, -5)]:
        sums.note(predicted, actual)
    assert (sums.requests, sums.predicted, sums.actual, sums.agreed) == (3, 150, 100, 80)
    assert (sums.precision, sums.recall) == (80 / 150, 0.8)


class Heard:
    """A watch that writes down what it hears."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def stored(self, endpoint: str, parent: int, keys: Sequence[int]) -> None:
        self.said.append(("stored", endpoint, parent, list(keys)))

    def dropped(self, endpoint: str, key: int, *, last: bool) -> None:
        self.said.append(("dropped", endpoint, key, last))


def test_a_watch_hears_where_blocks_hang_and_when_the_last_holder_drops_them() -> None:
    heard = Heard()
    held = residency.Residency(residency.Chain("m"), 4096, 1 << 22, watch=heard)
    one, two, three = asked(TOKENS)
    held.take("a", [stored([1], TOKENS[:4]), stored([2, 3], TOKENS[4:], parent=1)])
    held.take("b", [stored([7], TOKENS[:4]), stored([8], TOKENS[4:8], parent=99)])
    assert heard.said == [("stored", "a", 0, [one]), ("stored", "a", one, [two, three]), ("stored", "b", 0, [one])]
    heard.said.clear()
    held.take("a", [engines.BlocksRemoved((1, 3))])
    held.take("b", [engines.BlocksRemoved((7, 7, 8))])
    assert heard.said == [("dropped", "a", one, False), ("dropped", "a", three, True), ("dropped", "b", one, True)]


def test_a_name_that_is_given_to_the_same_block_again_drops_nothing() -> None:
    heard = Heard()
    held = residency.Residency(residency.Chain("m"), 4096, 1 << 22, watch=heard)
    held.take("a", [stored([1], TOKENS[:4]), stored([1], TOKENS[:4]), stored([1], TOKENS[4:8])])
    (one, *_), (other, *_) = asked(TOKENS), asked(TOKENS[4:8])
    assert heard.said == [
        ("stored", "a", 0, [one]),
        ("stored", "a", 0, [one]),
        ("dropped", "a", one, True),
        ("stored", "a", 0, [other]),
    ]


def test_chained_hashes_are_the_same_on_every_machine_and_in_every_version() -> None:
    """They stand for the same blocks wherever they are compared: 4 bytes a token, the most significant first."""
    assert asked([1, 2, 3, 4, 5, 6, 7, 8]) == [7_431_824_465_326_725_382, 4_708_092_543_337_420_953]
    assert asked([1, 2, 3, 4], adapter="sql") == [1_934_060_820_196_464_258]
