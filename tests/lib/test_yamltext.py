"""Faults of YAML as one line."""

from __future__ import annotations

import pytest
import yaml

from brickyard.lib import yamltext


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("models: [\n", "line 2, column 1: "),
        ("a: [b\n", "line 2, column 1: "),
        ("a: b: c\n", "line 1, column 5: "),
        ("a: *x\n", "line 1, "),
    ],
)
def test_a_fault_tells_its_place_and_no_file_that_is_none(loader: type[yaml.SafeLoader], text: str, place: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text, Loader=loader)
    said = yamltext.fault(caught.value)
    assert said.startswith(place)
    assert "unicode string" not in said
    assert "\n" not in said


def test_a_fault_without_a_place_is_said_as_it_is() -> None:
    assert yamltext.fault(yaml.YAMLError("odd\n  bytes")) == "odd bytes"
