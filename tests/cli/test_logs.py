"""Spans of time as people write them; the rest of `logs` is tested as a process."""

from __future__ import annotations

import pytest

from brickyard.cli import logs
from brickyard.lib import errors


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800), ("90", 90), ("1ms", 1), ("0", 1)],
)
def test_a_span(span: str, seconds: int) -> None:
    assert logs.seconds(span) == seconds


@pytest.mark.parametrize("span", ["", "soon", "5 m", "-5m", "5m later", "m", "1.2.3s", "٣m", "٣"])
def test_what_is_no_span(span: str) -> None:
    with pytest.raises(errors.UsageError, match="no span of time"):
        logs.seconds(span)
