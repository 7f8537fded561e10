"""How commands word their help: ``--port PORT`` and ``brickyard chat MODEL`` instead of the types that the parser goes by.

    --gateway-port PORT       Port of the OpenAI API.  [default: 8888]

An option's word is the last one of its name, an argument's its name; a ``metavar`` given where an option is declared wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import typer
from typer import core

_WORDS: Final = {
    "about": "KIND/NAME",
    "burst": "N",
    "config": "FILE",
    "controllers": "NAMES",
    "deadline": "SPAN",
    "dir": "FOLDER",
    "duration": "SPAN",
    "env": "NAME=VALUE",
    "factor": "NUMBER",
    "filename": "FILE",
    "gateway": "URL",
    "gpus": "N",
    "host": "ADDRESS",
    "kubeconfig": "FILE",
    "label": "TEXT",
    "limit": "SPAN",
    "message": "TEXT",
    "metric": "NAME=TARGET",
    "out": "FILE",
    "output": "FORMAT",
    "period": "SECONDS",
    "qps": "N",
    "replicas": "N",
    "rpm": "N",
    "selector": "LABELS",
    "set": "KEY=VALUE",
    "since": "SPAN",
    "start": "SPAN",
    "system": "TEXT",
    "tail": "LINES",
    "temperature": "NUMBER",
    "timeout": "SECONDS",
    "tokens": "N",
    "tpm": "N",
    "trace": "FILE",
    "what": "KIND/NAME",
    "workers": "N",
}
"""What is written where the last word of a name does not say it."""


class Command(core.TyperCommand):
    """A command whose help names what is to be written."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        for each in self.params:
            if each.metavar is None and not getattr(each, "is_flag", False):
                each.metavar = _word(each)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The line of usage: what is needed plainly, what may be left out in brackets."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options, each by its word."""
        arguments: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is None:
                continue
            if each.param_type_name == "argument":
                arguments.append((str(each.metavar), record[1]))
            else:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class App(typer.Typer):
    """An application, or a group of commands, in which every command's help is worded so."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """As ``typer.Typer.command``."""
        settings.setdefault("cls", Command)
        return super().command(name, **settings)


def _word(param: Any) -> str:
    if param.param_type_name == "argument":
        name = str(param.name)
        return _WORDS.get(name, name.replace("_", "-").upper())
    last = str(max(param.opts, key=len)).rpartition("-")[2]
    return _WORDS.get(last, last.upper())
