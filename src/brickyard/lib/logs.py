"""Structured logs: a constant message and key-values, one line each.

``log = logs.get(__name__)``; ``log.info("pod started", pod=name, pid=pid)``. Values are rendered by ``repr`` only where they
hold blanks or quotes; the request id of the current task, where one is set, comes first. Secrets never go in.
"""

from __future__ import annotations

import contextvars
import datetime
import logging
import sys
from typing import Any, TextIO

import orjson

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

_FIELDS = "brickyard_fields"


class Log:
    """A named logger that takes key-values."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, message: str, **fields: Any) -> None:
        """What a developer follows step by step."""
        self._emit(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """What an operator reads on a good day."""
        self._emit(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something is off and was handled."""
        self._emit(logging.WARNING, message, fields)

    def error(self, message: str, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Something failed; ``exc`` adds its traceback."""
        self._emit(logging.ERROR, message, fields, exc)

    def _emit(self, level: int, message: str, fields: dict[str, Any], exc: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={_FIELDS: fields}, exc_info=exc)


def get(name: str) -> Log:
    """The logger of a module: ``logs.get(__name__)``."""
    return Log(logging.getLogger(name))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, _FIELDS, {})
    current = request_id.get()
    return {"request_id": current, **fields} if current else fields


def _plain(value: Any) -> str:
    text = str(value)
    return repr(text) if not text or any(c in ' "=\n' for c in text) else text


class TextFormatter(logging.Formatter):
    """``2026-01-02T03:04:05.678Z INFO  kubelet: pod started pod=a pid=7``."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        head = f"{stamp[:-6]}Z {record.levelname:<7} {record.name.removeprefix('brickyard.')}: {record.getMessage()}"
        line = " ".join([head, *(f"{key}={_plain(value)}" for key, value in _fields(record).items())])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``ts``, ``level``, ``logger``, ``msg``, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        line.update(_fields(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def setup(level: str = "INFO", *, json: bool = False, stream: TextIO | None = None) -> None:
    """Send every ``brickyard`` log line to ``stream`` (standard error). Called once, by a process's entry point."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("brickyard").setLevel(level.upper())
