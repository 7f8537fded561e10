"""Metrics pages of several workers as one.

Every series gets the label ``worker``. Nothing is summed here: what may be summed and what may not (a histogram may, the age of
something may not) is known to whoever asks, and ``sum without (worker) (…)`` says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def merged(pages: Mapping[str, bytes]) -> bytes:
    """Prometheus' text format (UTF-8) of all ``pages``, which are keyed by worker; families in the order of their first appearance."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in sorted(pages.items()):
        label = f'worker="{worker}"'
        for family, head, lines in _families(page.decode()):
            heads.setdefault(family, head)
            samples.setdefault(family, []).extend(_labelled(line, label) for line in lines)
    parts = [line for family, head in heads.items() for line in (*head, *samples[family])]
    parts += ["# HELP gateway_workers Workers whose series are on this page", "# TYPE gateway_workers gauge"]
    parts.append(f"gateway_workers {len(pages)}.0")
    return "\n".join(parts).encode() + b"\n"


def _families(page: str) -> Iterator[tuple[str, list[str], Iterable[str]]]:
    """Name, comment lines and samples of each family. A family begins with its HELP."""
    name, head, lines = "", list[str](), list[str]()
    for line in page.splitlines():
        if line.startswith("# HELP "):
            if name:
                yield name, head, lines
            name, head, lines = line.split(" ", 3)[2], [line], []
        elif line.startswith("#"):
            head.append(line)
        elif line:
            lines.append(line)
    if name:
        yield name, head, lines


def _labelled(line: str, label: str) -> str:
    """A sample with one label more. A metric's name holds neither blanks nor braces; labels' values may hold both."""
    bare, blank, value = line.partition(" ")
    name, brace, _ = bare.partition("{")
    if brace:
        return f"{name}{{{label},{line[len(name) + 1 :]}"
    return f"{name}{{{label}}}{blank}{value}"
