"""What `up` says of a start that failed."""

from __future__ import annotations

import pytest

from brickyard.embedded import up

# output of the command in the background, what of it is told
OUTPUTS = [
    ("", ""),
    ("error: no room\n", "no room"),
    ("error: no room\n  → make some\n", "no room\n  → make some"),
    ("WARNING part ended\nWARNING part ended\nerror: no room\n", "no room"),
    ("WARNING an error: of somebody's\nerror: no room\n", "no room"),
    ("Traceback\nValueError: x\n", "Traceback\nValueError: x"),
]


@pytest.mark.parametrize(("output", "told"), OUTPUTS)
def test_the_last_error_is_told_without_what_was_logged_before(output: str, told: str) -> None:
    assert up._last_error(output) == told
