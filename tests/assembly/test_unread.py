"""Variables that are known and not read."""

from __future__ import annotations

import logging
import pathlib
import re

import pytest

import brickyard
from brickyard.api.names import environment
from brickyard.assembly import unread

SOURCE = pathlib.Path(brickyard.__file__).parent
READERS = [path for path in SOURCE.rglob("*.py") if path.name not in {"environment.py", "unread.py"}]


def read() -> set[str]:
    """Names of constants that somebody else uses."""
    return {name for path in READERS for name in re.findall(r"\benvironment\.([A-Z][A-Z_0-9]+)\b", path.read_text())}


def test_what_is_called_unread_is_read_by_nobody() -> None:
    values = {getattr(environment, name) for name in read() if hasattr(environment, name)}
    assert {each.name for each in unread.UNREAD} & values == set()


def test_what_aibrix_has_by_default_is_silent() -> None:
    assert list(unread.found({each.name: each.default for each in unread.UNREAD})) == []
    assert list(unread.found({environment.STATE_SYNC_ENABLED: " False "})) == []
    assert list(unread.found({"PATH": "/bin", environment.ROUTING_ALGORITHM: "random"})) == []


def test_what_would_mean_a_change_is_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    environ = {
        environment.STATE_SYNC_ENABLED: "true",
        environment.POD_METRIC_REFRESH_INTERVAL_MS: "100",
        environment.PROMETHEUS_ENDPOINT: "http://user:hunter2@prometheus",
    }
    with caplog.at_level(logging.WARNING):
        unread.tell(environ)
    assert len(caplog.records) == 3
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("each", unread.UNREAD, ids=lambda each: each.name)
def test_each_says_what_to_know_instead(each: unread.Unread) -> None:
    assert len(each.instead) > 20
    named = re.findall(r"BRICKYARD_[A-Z_]+", each.instead)
    settings = "".join(path.read_text() for path in SOURCE.rglob("settings.py"))
    assert all(f'"{name}"' in settings for name in named)
