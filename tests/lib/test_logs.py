from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from brickyard.lib import logs


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("brickyard")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], root.level, ours.level = before


def lines(*, json: bool) -> tuple[io.StringIO, logs.Log]:
    stream = io.StringIO()
    logs.setup("info", json=json, stream=stream)
    return stream, logs.get("brickyard.kubelet")


def test_text_is_a_message_and_key_values() -> None:
    stream, log = lines(json=False)
    log.info("pod started", pod="a", why="no reason")
    assert stream.getvalue().endswith("Z INFO    kubelet: pod started pod=a why='no reason'\n")


def test_json_is_one_object_a_line() -> None:
    stream, log = lines(json=True)
    log.warning("slow", seconds=2)
    record = orjson.loads(stream.getvalue())
    assert (record["msg"], record["level"], record["seconds"]) == ("slow", "warning", 2)


def test_the_request_id_comes_along() -> None:
    stream, log = lines(json=True)
    token = logs.request_id.set("r-1")
    log.info("routed")
    logs.request_id.reset(token)
    assert orjson.loads(stream.getvalue())["request_id"] == "r-1"


def test_debug_is_silent_unless_asked() -> None:
    stream, log = lines(json=False)
    log.debug("detail")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("json", [True, False])
def test_an_error_brings_its_traceback(*, json: bool) -> None:
    stream, log = lines(json=json)
    log.error("failed", exc=ValueError("seven"))
    assert "ValueError: seven" in stream.getvalue()
