"""Sets of completion indexes as a Job's status writes them: ``1,3-5,7``. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def parse(text: str | None) -> frozenset[int]:
    """The indexes that ``text`` names; what cannot be read counts as none."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def text(indexes: Iterable[int]) -> str:
    """The shortest text: three or more in a row are a range, as are two."""
    parts: list[str] = []
    run: list[int] = []
    for each in [*sorted(indexes), None]:
        if run and (each is None or each != run[-1] + 1):
            parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
            run = []
        if each is not None:
            run.append(each)
    return ",".join(parts)
