"""Outstanding tokens: what comes in goes out, to exactly zero."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, testing
from brickyard.routing.ledgers import prefixes, work
from brickyard.routing.policies import least_tokens


def world(rows: int = 2) -> testing.World:
    return testing.World([least_tokens.POLICY], rows, random.Random(3))


def owed(there: testing.World) -> list[tuple[int, int]]:
    made = there.choose(testing.request())
    facts = work.INPUT.of(made.snapshot)
    assert facts is not None
    assert made.faults == ()
    return list(zip(facts.prefill, facts.decode, strict=True))


def asked(tokens: int, most: int | None = None) -> contract.Request:
    return dataclasses.replace(testing.request(), prompt_tokens=tokens, max_tokens=most)


def test_prompt_until_the_first_byte_answer_until_the_end() -> None:
    there = world(1)
    made = there.send(asked(100, 50))
    assert owed(there) == [(100, 50)]
    there.answer(made)
    assert owed(there) == [(0, 50)]
    there.end(made)
    assert owed(there) == [(0, 0)]


def test_a_request_that_fails_before_it_answers_owes_nothing_more() -> None:
    there = world(1)
    there.end(there.send(asked(100, 50)))
    assert owed(there) == [(0, 0)]


def test_a_prompt_nobody_counted_has_a_token_for_every_four_bytes() -> None:
    there = world(1)
    there.send(dataclasses.replace(testing.request(prompt=b"x" * 41), max_tokens=0))
    assert owed(there) == [(11, 0)]


def test_answers_are_as_long_as_they_were_lately_and_no_longer_than_allowed() -> None:
    there = world(1)
    assert _expected(there, asked(100)) == work.EXPECTED
    assert _expected(there, asked(100, 20)) == 20
    for tokens in (60, 64, 70):
        there.end(there.send(asked(100)), contract.Usage(100, tokens))
    assert _expected(there, asked(100)) == 64
    assert _expected(there, asked(100, 20)) == 20
    assert _expected(there, asked(5000)) == work.EXPECTED
    assert _expected(there, dataclasses.replace(asked(100), model="another")) == work.EXPECTED


def test_an_engine_that_tells_no_prompt_is_taken_at_our_own_count() -> None:
    """Answers are remembered by the length of their prompts: 100 tokens are near 100, and not near 5000."""
    there = world(1)
    for _ in range(3):
        there.end(there.send(asked(100)), contract.Usage(None, 32))
        there.end(there.send(asked(100)), contract.Usage(5000, 128))
        there.end(there.send(asked(100)), contract.Usage(100, None))
    assert _expected(there, asked(100)) == 32
    assert _expected(there, asked(5000)) == 128


def _expected(there: testing.World, request: contract.Request) -> int:
    made = there.choose(request)
    facts = work.INPUT.of(made.snapshot)
    assert facts is not None
    assert made.faults == ()
    return facts.expected


def test_what_is_cached_need_not_be_computed() -> None:
    ledger = work.WorkLedger()
    snapshot = dataclasses.replace(testing.snapshot(0, 0), data={prefixes.NAME: prefixes.Matches((1, 3), 4)})
    decision = contract.Decision(
        asked(100, 0), snapshot.endpoints[1], any_profile(), snapshot, (0, 1), contract.UNJUDGED, {}, 0.0, row=1
    )
    ledger.observe(contract.Chosen(decision, 0.0))
    assert list(ledger.facts(asked(1), snapshot, 0.0).prefill) == [0, 25]


def any_profile() -> contract.Profile:
    return contract.Profile("x", (), (), testing.FakePicker())


def test_ends_of_requests_it_never_heard_of_change_nothing() -> None:
    ledger = work.WorkLedger()
    made = world(1).choose(asked(10))
    ledger.observe(contract.Answered(made, 1.0))
    ledger.observe(contract.Finished(made, 1.0, contract.Usage(1, 1)))
    assert ledger.facts(asked(1), testing.snapshot(0), 2.0).prefill == (0,)


def test_an_end_that_is_told_twice_is_one() -> None:
    ledger, there = work.WorkLedger(), world(1)
    made, other = there.choose(asked(100, 10)), there.choose(asked(20, 2))
    for each in (made, other):
        ledger.observe(contract.Chosen(each, 0.0))
    for _ in range(2):
        ledger.observe(contract.Finished(made, 1.0, contract.Usage(100, 64)))
    facts = ledger.facts(asked(1), made.snapshot, 2.0)
    assert (facts.prefill, facts.decode) == ((20,), (2,))


def test_where_nobody_is_nothing_is_owed() -> None:
    """Whatever is outstanding elsewhere."""
    ledger = work.WorkLedger()
    ledger.observe(contract.Chosen(world(1).choose(asked(10)), 0.0))
    assert ledger.facts(asked(1), testing.snapshot(), 1.0) == work.Work((), (), 256)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5), st.booleans()), max_size=25), st.integers(0, 2**32)
)
def test_it_always_comes_back_to_zero(requests: list[tuple[int, int, bool]], seed: int) -> None:
    there, rng = world(3), random.Random(seed)
    made = [(there.send(asked(tokens, most)), answers) for tokens, most, answers in requests]
    assert sum(prefill for prefill, _ in owed(there)) == sum(tokens for tokens, _, _ in requests)
    rng.shuffle(made)
    for decision, answers in made:
        if answers:
            there.answer(decision)
        there.end(decision)
    assert owed(there) == [(0, 0)] * 3


def test_models_that_are_silent_longest_are_forgotten_first() -> None:
    ledger, snapshot = work.WorkLedger(), testing.snapshot(0)
    there = world(1)

    def serve(model: str) -> None:
        made = there.choose(dataclasses.replace(asked(8), model=model))
        ledger.observe(contract.Chosen(made, 0.0))
        ledger.observe(contract.Finished(made, 0.0, contract.Usage(8, 4)))

    for at in range(work.MODELS_KEPT):
        serve(f"m{at}")
    serve("m0")  # the oldest has something to say again
    serve("one more")
    for model, expected in (("m0", 4), ("m1", work.EXPECTED), ("m2", 4), ("one more", 4)):
        assert ledger.facts(dataclasses.replace(asked(8), model=model), snapshot, 1.0).expected == expected


Act = tuple[str, int, int, int]
ACTS = st.lists(
    st.tuples(st.sampled_from(["send", "answer", "end"]), st.integers(0, 5000), st.integers(0, 900), st.integers(0, 4)),
    max_size=40,
)


@given(ACTS)
def test_it_is_the_sum_of_what_is_open(acts: list[Act]) -> None:
    """In whatever order: prompts, less what is cached, until they are answered; answers until they end."""
    ledger, rows = work.WorkLedger(), testing.snapshot(0, 0, 0)
    open_ones: list[tuple[contract.Decision, int, int]] = []
    for act, tokens, most, quarter in acts:
        if act == "send":
            row = tokens % 3
            held = [0, 0, 0]
            held[row] = quarter
            there = dataclasses.replace(rows, data={prefixes.NAME: prefixes.Matches(held, 4)})
            made = contract.Decision(
                asked(tokens, min(most, work.EXPECTED)), there.endpoints[row], any_profile(), there, (0, 1, 2),
                contract.UNJUDGED, {}, 0.0, row=row,
            )  # fmt: skip
            ledger.observe(contract.Chosen(made, 0.0))
            open_ones.append((made, tokens - int(tokens * quarter / 4), min(most, work.EXPECTED)))
        elif open_ones and act == "answer":
            at = tokens % len(open_ones)
            made, _, decode = open_ones[at]
            ledger.observe(contract.Answered(made, 0.0))
            open_ones[at] = (made, 0, decode)
        elif open_ones:
            ledger.observe(contract.Finished(open_ones.pop(tokens % len(open_ones))[0], 0.0, None))
        facts = ledger.facts(asked(1), rows, 0.0)
        for row in range(3):
            mine = [each for each in open_ones if each[0].row == row]
            assert facts.prefill[row] == sum(prefill for _, prefill, _ in mine)
            assert facts.decode[row] == sum(decode for *_, decode in mine)
    for made, *_ in open_ones:
        ledger.observe(contract.Finished(made, 0.0, None))
    assert ledger.facts(asked(1), rows, 0.0) == work.Work((0, 0, 0), (0, 0, 0), work.EXPECTED)


def test_rows_tell_what_was_counted() -> None:
    facts = work.Work((3, 0), (5, 7), 9)
    assert facts.row(1) == {"prefill_tokens": 0, "decode_tokens": 7, "expected_tokens": 9}
    assert facts.age(testing.snapshot(0, 0)) == 0.0
