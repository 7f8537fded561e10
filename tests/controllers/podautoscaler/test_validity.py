"""Reasons of specs that cannot be worked with."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.controllers.podautoscaler import testing, validity

BOTH: dict[str, Any] = {"scalingStrategy": "Magic", "minReplicas": -1}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"scaleTargetRef": {"kind": "Deployment", "name": ""}}, "MissingScaleTargetRef"),  # PA7
        ({"scaleTargetRef": {"kind": "", "name": "a"}}, "MissingScaleTargetRef"),
        ({"minReplicas": 10, "maxReplicas": 5}, "InvalidBounds"),  # PA4, PA7
        ({"minReplicas": -1}, "InvalidBounds"),
        ({"maxReplicas": 0}, "InvalidBounds"),
        ({"scalingStrategy": "Magic"}, "InvalidScalingStrategy"),
        ({"scalingStrategy": "HPA", "subTargetSelector": {"roleName": "decode"}}, "InvalidScalingStrategy"),  # PA6
        ({"observeWindowSeconds": 30}, "InvalidSpec"),  # PA5: the panic window is longer
        ({"observeWindowSeconds": 4000}, "InvalidSpec"),
        ({"panicWindowSeconds": 120, "observeWindowSeconds": 60}, "InvalidSpec"),
        ({"schedules": []}, "InvalidSpec"),
        ({"metricsSources": []}, "MetricsConfigError"),
        ({"metricsSources": [testing.source(path="")]}, "MetricsConfigError"),
        ({"metricsSources": [testing.source(metric="")]}, "MetricsConfigError"),
        ({"metricsSources": [testing.source(value="")]}, "MetricsConfigError"),
        (BOTH, "InvalidBounds"),  # the first row wins
        ({}, None),  # PA2
        ({"metricsSources": [testing.source("lots")]}, None),  # PA9 is left to the settings
        ({"subTargetSelector": {"roleName": "decode"}}, None),
    ],
)
def test_reasons(spec: dict[str, Any], reason: str | None) -> None:
    found = validity.fault(testing.autoscaler(**spec))
    assert (found.reason if found else None) == reason
    assert found is None or found.text.startswith("spec.")


def test_older_forms_are_brought_up_to_date_before_they_are_judged() -> None:
    old = testing.autoscaler(metricsSources=None, targetMetric="cpu", targetValue="50")
    assert validity.fault(old) is not None
    assert validity.fault(validity.converted(old)) is None
