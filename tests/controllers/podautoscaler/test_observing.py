"""Measuring within a deadline, and witnesses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from brickyard.controllers.podautoscaler import observing, targets, testing
from brickyard.scaling import contract, settings

pytestmark = pytest.mark.looptime

HELD = contract.Metric("held", "requests held", 1.0, contract.Form.WHOLE)


def subject(*sources: dict[str, str]) -> observing.Subject:
    scaler = testing.autoscaler(metricsSources=list(sources))
    wanted = targets.reference(scaler)
    size = targets.size(wanted, testing.deployment())
    return observing.Subject(scaler, settings.read(scaler)[0], wanted, size, [testing.pod("chat-0")])


class Gateway:
    """A witness that holds requests."""

    def testify(self, found: observing.Subject, now: float) -> Sequence[tuple[contract.Metric, contract.Observation]]:
        assert found.size.replicas == 1
        return [(HELD, contract.Observation(HELD.key, now, whole=7.0))]


async def test_every_metric_is_measured_at_once() -> None:
    dials = testing.Dials(each=3.0, slow=2.0)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    asked, snapshot = await observing.Observer(dials).observe(
        subject(testing.source(metric="a"), testing.source(metric="b")), 100.0
    )
    assert loop.time() - begin == pytest.approx(2.0)
    assert [each.metric for each in snapshot.observations] == [each.key for each in asked.metrics]
    assert [str(each.source.target_metric) for each in dials.asked] == ["a", "b"]
    assert dials.asked[0].selector == "app=chat"


async def test_what_does_not_answer_is_told_as_that() -> None:
    observer = observing.Observer(testing.Dials(slow=60.0), deadline=3.0)
    _, snapshot = await observer.observe(subject(testing.source()), 100.0)
    (seen,) = snapshot.observations
    assert seen.why == "num_requests_waiting could not be read within 3 s"


async def test_a_source_without_a_usable_target_is_not_asked() -> None:
    dials = testing.Dials()
    await observing.Observer(dials).observe(subject(testing.source("lots"), testing.source("5", "b")), 100.0)
    assert [str(each.source.target_metric) for each in dials.asked] == ["b"]


async def test_witnesses_are_heard_beside_the_metrics_of_the_spec() -> None:
    asked, snapshot = await observing.Observer(testing.Dials(), [Gateway()]).observe(subject(testing.source()), 100.0)
    assert asked.metrics[-1] == HELD
    assert snapshot.observations[-1].whole == 7.0
    assert len(snapshot.observations) == 2
