"""Settings: frozen dataclasses with documented fields, read once at the edge of a process.

    @dataclasses.dataclass(frozen=True)
    class GatewaySettings:
        port: int = settings.field(8888, env="BRICKYARD_GATEWAY_PORT", help="TCP port of the OpenAI API")

``load(GatewaySettings, os.environ, port=9000)`` takes a given value first, then the environment, then the default. The reference
page ``docs/settings.md`` is made from the same fields.
"""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from brickyard.lib import errors

T = TypeVar("T")

PREFIX: Final = "BRICKYARD_"
"""What the names of our variables begin with; AIBrix' have names of their own."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class SettingError(errors.UsageError):
    """A setting's text is not what its field takes."""


PORTS: Final = range(65536)
"""What a TCP port may be, 0 for a free one."""


def field(
    default: Any,
    *,
    help: str,  # noqa: A002 - the word people look for
    env: str = "",
    secret: bool = False,
    within: range | None = None,
) -> Any:
    """A documented field. ``env`` names the environment variable that fills it; empty means none. A ``secret`` is left out of ``repr``.

    A number that is not ``within`` its range is refused.
    """
    return dataclasses.field(default=default, repr=not secret, metadata={"help": help, "env": env, "within": within})


def seconds(text: str) -> float:
    """``"30"``, ``"1.5s"``, ``"250ms"``, ``"2m"``, ``"1h30m"`` as seconds.

    Raises:
        ValueError: the text is none of these, or negative.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration: write 30s, 250ms, 2m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _parse(text: str, kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError("write true or false")
        return _BOOLEANS[text.lower()]
    if kind is float:
        return seconds(text)
    if kind is int:
        if not re.fullmatch(r"[+-]?\d+", text.strip(), re.ASCII):
            raise ValueError("write a whole number")
        return int(text)
    if kind in (str, pathlib.Path):
        return kind(text)
    raise TypeError(f"settings have no parser for {kind!r}")


def load(cls: type[T], environ: Mapping[str, str], **given: Any) -> T:
    """An instance of ``cls``: each field from ``given`` unless None, else its environment variable, else its default.

    Raises:
        SettingError: an environment variable does not parse, or a number is out of its range; the message names it.
    """
    hints = typing.get_type_hints(cls)
    values = {name: value for name, value in given.items() if value is not None}
    for each in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = each.metadata.get("env", "")
        if each.name in values or not name or not environ.get(name):
            continue
        try:
            values[each.name] = _parse(environ[name], hints[each.name])
        except ValueError as error:
            raise SettingError(f"{name}={environ[name]!r} is not valid: {error}", hint=each.metadata["help"]) from error
    _check(cls, values)
    return cls(**values)


def _check(cls: type, values: Mapping[str, Any]) -> None:
    for each in dataclasses.fields(cls):
        within, value = each.metadata.get("within"), values.get(each.name)
        if within is not None and value is not None and value not in within:
            name = each.metadata["env"] or each.name
            text = f"{name}={value} is not valid: write a number from {within[0]} to {within[-1]}"
            raise SettingError(text, hint=each.metadata["help"])


def reference(classes: Iterable[type]) -> str:
    """The reference page: one Markdown table per class, fields in order."""
    head = "# Settings\n\nMade from the settings classes. A flag wins over its variable, a variable over the default.\n"
    return head + "".join(_table(cls) for cls in classes)


def _table(cls: type) -> str:
    hints = typing.get_type_hints(cls)
    rows = [_row(each, hints[each.name]) for each in dataclasses.fields(cls)]
    doc = inspect.cleandoc(cls.__doc__ or "")
    columns = "| setting | variable | type | default | meaning |\n|---|---|---|---|---|"
    return "\n".join([f"\n## {cls.__name__}\n\n{doc}\n", columns, *rows]) + "\n"


def _row(each: dataclasses.Field[Any], kind: Any) -> str:
    variable = f"`{each.metadata['env']}`" if each.metadata.get("env") else ""
    type_name = kind.__name__ if isinstance(kind, type) else str(kind).replace("|", "or")
    default = each.default
    if isinstance(default, pathlib.Path) and default.is_relative_to(pathlib.Path.home()):
        default = "~" / default.relative_to(pathlib.Path.home())
    return f"| `{each.name}` | {variable} | {type_name} | `{default}` | {each.metadata.get('help', '')} |"
