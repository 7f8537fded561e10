from __future__ import annotations

import pathlib

import httpx2
import pytest

from brickyard.kube.client import errors, tokens
from brickyard.lib import clock


def sent(auth: tokens.TokenFileAuth, *statuses: int) -> list[str]:
    """The Authorization headers that are sent when the answers have these statuses."""
    flow = auth.sync_auth_flow(httpx2.Request("GET", "https://cluster/api"))
    headers = [next(flow).headers["Authorization"].removeprefix("Bearer ")]
    for status in statuses:
        try:
            headers.append(flow.send(httpx2.Response(status)).headers["Authorization"].removeprefix("Bearer "))
        except StopIteration:
            break
    return headers


def test_a_rotated_token_is_used_within_a_minute(tmp_path: pathlib.Path) -> None:
    path, time = tmp_path / "token", clock.ManualClock()
    path.write_text("one\n")
    auth = tokens.TokenFileAuth(path, time)
    assert sent(auth, 200) == ["one"]
    path.write_text("two")
    time.advance(59)
    assert sent(auth, 200) == ["one"]
    time.advance(1)
    assert sent(auth, 200) == ["two"]


def test_a_refused_token_is_read_again_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    auth = tokens.TokenFileAuth(path, clock.ManualClock())
    assert sent(auth, 401) == ["one"]  # the same again would be refused again
    path.write_text("two")
    assert sent(auth, 401, 401) == ["one", "two"]


def test_a_file_that_is_away_or_being_written_leaves_the_last_token(tmp_path: pathlib.Path) -> None:
    path, time = tmp_path / "token", clock.ManualClock()
    path.write_text("one")
    auth = tokens.TokenFileAuth(path, time)
    assert sent(auth, 200) == ["one"]
    time.advance(100)
    path.write_text("")
    assert sent(auth, 200) == ["one"]
    time.advance(100)
    path.unlink()
    assert sent(auth, 200) == ["one"]


def test_without_any_token_the_file_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(errors.Unauthorized, match=f"{path} cannot be read"):
        sent(tokens.TokenFileAuth(path))
    path.write_bytes(b"\xff")
    with pytest.raises(errors.Unauthorized, match="cannot be read"):
        sent(tokens.TokenFileAuth(path))
    path.write_text(" \n")
    with pytest.raises(errors.Unauthorized, match="is empty"):
        sent(tokens.TokenFileAuth(path))
    assert sent(tokens.TokenFileAuth(path, first="given")) == ["given"]
