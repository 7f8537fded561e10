"""What the compiler is shown means what people read, line for line."""

from __future__ import annotations

import dataclasses
import pathlib
import textwrap
from typing import Any

import pytest

from tools import compiling, staging

VALUES = """
    from __future__ import annotations

    import dataclasses

    from brickyard.lib import values

    NOTHING: dict[str, int] = {}


    @values.value
    class Value:
        \"\"\"Made per request.\"\"\"

        name: str
        count: int = 3
        parts: list[int] = dataclasses.field(default_factory=list)
        known: dict[str, int] = dataclasses.field(default_factory=lambda: NOTHING)
    """


def run(source: str) -> dict[str, Any]:
    made: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "staged", "exec"), made)
    return made


def test_a_value_is_made_as_before() -> None:
    source = textwrap.dedent(VALUES)
    before, after = run(source)["Value"], run(staging.staged(source))["Value"]
    for given in (("a",), ("a", 4), ("a", 4, [1], {"b": 2})):
        assert dataclasses.asdict(after(*given)) == dataclasses.asdict(before(*given))
        assert repr(after(*given)) == repr(before(*given))
    assert after("a").parts is not after("a").parts
    assert after("a").known is after("b").known
    assert dataclasses.replace(after("a"), count=7) == after("a", 7) != after("a")


def test_its_constructor_is_written_out() -> None:
    staged = staging.staged(textwrap.dedent(VALUES))
    assert "    def __init__(self, name: str, count: int = 3, parts: list[int] | None = None," in staged
    assert "values" not in staged


@pytest.mark.parametrize(
    "head",
    ["@dataclasses.dataclass(frozen=True, slots=True)", "@dataclasses.dataclass(slots=True, kw_only=True)", "@other"],
)
def test_other_classes_stay(head: str) -> None:
    source = f'{head}\nclass Other:\n    """Words."""\n\n    name: str\n'
    assert staging.staged(source) == source


def test_fields_that_say_more_are_left_to_the_library() -> None:
    source = '@dataclasses.dataclass(slots=True)\nclass Other:\n    """Words."""\n\n    name: str = dataclasses.field(repr=False)\n'
    assert staging.staged(source) == source


@pytest.mark.parametrize("name", compiling.modules())
def test_no_line_moves(name: str) -> None:
    source = (compiling.SOURCE / name).read_text()
    staged = staging.staged(source)
    compile(staged, name, "exec")
    before, after = source.split("\n"), staged.split("\n")
    assert len(before) == len(after)
    # What changes is a decorator, an import, or a blank line.
    for was, now in zip(before, after, strict=True):
        assert was == now or not was.strip() or was.startswith(("@values.value", "from brickyard.lib import values"))


def test_every_file_that_is_compiled_is_there() -> None:
    assert all((compiling.SOURCE / name).is_file() for name in compiling.modules())
    assert len(set(compiling.modules())) == len(compiling.modules())


def test_sources_stay_free_of_extensions() -> None:
    assert not list(pathlib.Path(compiling.SOURCE).rglob("*.so"))
