"""The pages that people read: their links lead somewhere, their commands exist, and the index names them all."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer import main as typer

from brickyard.cli import main

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(brickyard [^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    links = [each.partition("#")[0] for each in LINK.findall(page.read_text())]
    lost = [each for each in links if each and "://" not in each and not (page.parent / each).exists()]
    assert lost == []


def test_the_index_names_every_page() -> None:
    named = set(LINK.findall((ROOT / "docs" / "README.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= named


def commands(text: str) -> Iterator[list[str]]:
    """The words of each `brickyard …` in code, up to whatever the shell does with it."""
    lines = [line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *INLINE.findall(text)]:
        for part in re.split(r"[;|&>]|\$\(|\)", line.partition(" #")[0]):
            said = re.match(r"\s*\$?\s*(?:[A-Z_]+=\S* )*(brickyard .*)", part)
            if said:
                words = said[1].replace('"', "").replace("'", "").replace("…", "")
                yield shlex.split(words)[1:]


def unknown(words: list[str]) -> str:
    """What of a command line does not exist, "" when all of it does."""
    found: Any = typer.get_command(main.app)
    rest = list(words)
    while rest and hasattr(found, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in found.commands:
            return "" if name.isupper() else name
        found = found.commands[name]
    options = {"--help"} | {name for each in found.params for name in (*each.opts, *each.secondary_opts)}
    given = [word.partition("=")[0] for word in rest[: rest.index("--") if "--" in rest else None]]
    return next((word for word in given if re.fullmatch(r"--[a-z][a-z-]*|-[a-zA-Z]", word) and word not in options), "")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: pathlib.Path) -> None:
    wrong = {f"{' '.join(words)}: {fault}" for words in commands(page.read_text()) if (fault := unknown(words))}
    assert wrong == set()


def test_a_command_that_does_not_exist_would_be_found() -> None:
    text = "```\n$ brickyard up --detached\n$ X=1 brickyard servce m # no\n```\nsay `brickyard why --las` and `brickyard down`"
    assert [unknown(words) for words in commands(text)] == ["--detached", "servce", "--las", ""]
