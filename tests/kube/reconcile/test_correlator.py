from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.reconcile import correlator
from brickyard.kube.reconcile.correlator import Verdict

STARTED = correlator.Told("u1", "Normal", "Started", "it started", "")


def judge(found: correlator.Correlator, told: correlator.Told, now: float) -> tuple[Verdict, int]:
    """The verdict and the count; what is created is taken as stored."""
    verdict, record = found.judge(told, now)
    if verdict is Verdict.CREATE:
        record.name = "stored"
    return verdict, record.count


def test_the_same_again_is_counted() -> None:
    found = correlator.Correlator()
    assert judge(found, STARTED, 0.0) == (Verdict.CREATE, 1)
    assert judge(found, STARTED, 1.0) == (Verdict.COUNT, 2)
    assert judge(found, STARTED, 2.0) == (Verdict.COUNT, 3)


def test_anything_different_is_something_else() -> None:
    found = correlator.Correlator()
    variants = [
        STARTED,
        STARTED._replace(uid="u2"),
        STARTED._replace(type="Warning"),
        STARTED._replace(reason="Stopped"),
        STARTED._replace(message="again"),
        STARTED._replace(field_path="spec.containers{a}"),
    ]
    assert [judge(found, each, 0.0) for each in variants] == [(Verdict.CREATE, 1)] * len(variants)


def test_after_a_long_silence_it_is_told_anew() -> None:
    found = correlator.Correlator()
    judge(found, STARTED, 0.0)
    assert judge(found, STARTED, correlator.WINDOW) == (Verdict.COUNT, 2)
    assert judge(found, STARTED, 2 * correlator.WINDOW + 1) == (Verdict.CREATE, 1)


def test_what_was_never_stored_is_created_with_its_count() -> None:
    found = correlator.Correlator()
    found.judge(STARTED, 0.0)
    assert judge(found, STARTED, 1.0) == (Verdict.CREATE, 2)


def test_what_has_expired_is_created_anew() -> None:
    found = correlator.Correlator()
    judge(found, STARTED, 0.0)
    found.forget(STARTED)
    assert judge(found, STARTED, 1.0) == (Verdict.CREATE, 1)


def test_who_talks_too_much_is_cut_short_alone() -> None:
    found = correlator.Correlator()
    verdicts = [judge(found, STARTED._replace(message=str(number)), 0.0)[0] for number in range(40)]
    assert verdicts == [Verdict.CREATE] * correlator.BURST + [Verdict.DROP] * (40 - correlator.BURST)
    assert judge(found, STARTED._replace(uid="quiet"), 0.0) == (Verdict.CREATE, 1)
    assert judge(found, STARTED, correlator.REFILL)[0] is Verdict.CREATE
    assert judge(found, STARTED, correlator.REFILL)[0] is Verdict.DROP


def test_memory_is_bounded() -> None:
    found = correlator.Correlator()
    for number in range(correlator.REMEMBERED + 100):
        judge(found, STARTED._replace(uid=str(number)), 0.0)
    assert len(found._records) == correlator.REMEMBERED
    assert len(found._tokens) == correlator.REMEMBERED


@given(gaps=st.lists(st.floats(0, 120), min_size=1, max_size=200))
def test_no_object_tells_more_than_its_share(gaps: list[float]) -> None:
    found, now, told = correlator.Correlator(), 0.0, 0
    for gap in gaps:
        now += gap
        told += judge(found, STARTED._replace(message=str(now)), now)[0] is not Verdict.DROP
    assert told <= correlator.BURST + now / correlator.REFILL + 1
