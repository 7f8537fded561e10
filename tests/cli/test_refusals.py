"""Refusals told where they happen."""

from __future__ import annotations

import pytest

from brickyard.cli import refusals
from brickyard.kube.client import errors
from brickyard.lib import errors as roots

TWO = [
    {"reason": "FieldValueInvalid", "field": "spec.minReplicas", "message": "Invalid value: 5: too many"},
    {"reason": "FieldValueInvalid", "field": "spec.maxReplicas", "message": "Invalid value: 2: too few"},
]
SAID = 'PodAutoscaler "chat" is invalid: [spec.minReplicas: Invalid value: 5: too many, spec.maxReplicas: Invalid value: 2: too few]'


def test_each_fault_of_an_object_has_a_line() -> None:
    assert refusals.lines(errors.Invalid(SAID, details={"causes": TWO})) == [
        'PodAutoscaler "chat" is invalid:',
        "  spec.minReplicas: Invalid value: 5: too many",
        "  spec.maxReplicas: Invalid value: 2: too few",
    ]


@pytest.mark.parametrize(
    "error",
    [
        errors.Invalid("one: no", details={"causes": TWO[:1]}),
        errors.Invalid("said otherwise", details={"causes": TWO}),
        errors.NotFound("gone"),
        roots.BrickyardError("plain"),
    ],
)
def test_anything_else_is_said_as_it_is(error: roots.BrickyardError) -> None:
    assert refusals.lines(error) == [str(error)]


def test_a_refusal_is_told_with_its_faults_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise errors.Invalid(SAID, details={"causes": TWO})

    refused = refusals.Refusals(2, "applied")
    with refused.told("a.yaml: PodAutoscaler chat"):
        refuse()
    assert capsys.readouterr().err.splitlines() == [
        'a.yaml: PodAutoscaler chat: PodAutoscaler "chat" is invalid:',
        "  spec.minReplicas: Invalid value: 5: too many",
        "  spec.maxReplicas: Invalid value: 2: too few",
    ]
    with pytest.raises(refusals.SomeRefused, match="1 of 2 objects were not applied"):
        refused.check()
