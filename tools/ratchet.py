"""The size ratchet: what the linters cannot count, held to the house numbers.

Limits: a file 600 lines, a function 60 lines, 2 escapes (``type: ignore``, ``noqa``) and 1 broad ``except`` per 1000 lines.
Whatever is over a limit stands in ``tools/ratchet.json`` with its size; that file may only shrink:

    python tools/ratchet.py             fail when something is over and not listed, grew, or shrank without the file
    python tools/ratchet.py --shrink    write smaller numbers; never larger ones, never new names
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import pathlib
import re
import statistics
import sys
from collections.abc import Iterator, Mapping

FILE_LINES = 600
FUNCTION_LINES = 60
ESCAPES_PER_1000 = 2.0
BROAD_EXCEPTS_PER_1000 = 1.0

_ESCAPE = re.compile(r"#\s*(type:\s*ignore|noqa)")
_BARE_ESCAPE = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:))")
_BROAD = {"Exception", "BaseException"}


@dataclasses.dataclass(frozen=True)
class Report:
    """What was measured. ``over`` maps ``path`` or ``path::function`` to its lines; ``faults`` are rules without a ratchet."""

    over: Mapping[str, int]
    faults: tuple[str, ...]
    summary: str


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and length in lines of every function, its docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None and first.end_lineno:
                lines -= first.end_lineno - first.lineno + 1
            yield node.name, lines


def broad_excepts(tree: ast.AST) -> int:
    """How many handlers catch ``Exception``, ``BaseException`` or everything."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            names = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"BaseException"}
            count += bool(names & _BROAD)
    return count


def measure(root: pathlib.Path, folders: tuple[str, ...] = ("src", "tests", "tools", "bench")) -> Report:
    """Measure every Python file below ``folders`` of ``root``."""
    over: dict[str, int] = {}
    faults: list[str] = []
    sizes: list[int] = []
    lengths: list[int] = []
    totals = {"lines": 0, "escapes": 0, "broad": 0}
    for path in sorted(p for folder in folders for p in (root / folder).rglob("*.py") if "results" not in p.parts):
        text = path.read_text()
        name = str(path.relative_to(root))
        tree = ast.parse(text)
        lines = text.count("\n")
        sizes.append(lines)
        if lines > FILE_LINES:
            over[name] = lines
        for function, length in functions(tree):
            lengths.append(length)
            if length > FUNCTION_LINES:
                over[f"{name}::{function}"] = length
        faults += [f"{name}: an escape without a code: {line.strip()}" for line in text.splitlines() if _bare(line)]
        if folder_of(name) == "src":
            totals["lines"] += lines
            totals["escapes"] += len(_ESCAPE.findall(text))
            totals["broad"] += broad_excepts(tree)
    faults += _densities(totals)
    return Report(over, tuple(faults), _summary(sizes, lengths, totals))


def folder_of(name: str) -> str:
    """The first part of a relative path."""
    return name.split("/", 1)[0]


def _bare(line: str) -> bool:
    return bool(_BARE_ESCAPE.search(line)) and "_BARE_ESCAPE" not in line and "_ESCAPE" not in line


def _densities(totals: Mapping[str, int]) -> Iterator[str]:
    thousands = max(totals["lines"] / 1000, 1.0)
    if totals["escapes"] / thousands > ESCAPES_PER_1000:
        yield f"{totals['escapes']} escapes in {totals['lines']} lines of src: more than {ESCAPES_PER_1000} per 1000"
    if totals["broad"] / thousands > BROAD_EXCEPTS_PER_1000:
        yield f"{totals['broad']} broad excepts in {totals['lines']} lines of src: more than {BROAD_EXCEPTS_PER_1000} per 1000"


def _summary(sizes: list[int], lengths: list[int], totals: Mapping[str, int]) -> str:
    if len(sizes) < 2 or len(lengths) < 2:
        return f"{len(sizes)} files"
    files = statistics.quantiles(sizes, n=10)
    calls = statistics.quantiles(lengths, n=10)
    return (
        f"{len(sizes)} files: median {statistics.median(sizes):.0f}, p90 {files[8]:.0f} lines; "
        f"{len(lengths)} functions: median {statistics.median(lengths):.0f}, p90 {calls[8]:.0f} lines; "
        f"src {totals['lines']} lines, {totals['escapes']} escapes, {totals['broad']} broad excepts"
    )


def judge(report: Report, allowed: Mapping[str, int]) -> list[str]:
    """Everything that breaks the ratchet, in words."""
    complaints = list(report.faults)
    for name, lines in report.over.items():
        if name not in allowed:
            complaints.append(f"{name}: {lines} lines, over the limit")
        elif lines > allowed[name]:
            complaints.append(f"{name}: grew from {allowed[name]} to {lines} lines")
        elif lines < allowed[name]:
            complaints.append(f"{name}: shrank from {allowed[name]} to {lines} lines: run tools/ratchet.py --shrink")
    complaints += [
        f"{name}: within limits now: run tools/ratchet.py --shrink" for name in allowed if name not in report.over
    ]
    return complaints


def main() -> int:
    """Exit code 0 when everything holds."""
    parser = argparse.ArgumentParser(description="hold sizes to the house numbers")
    parser.add_argument("--shrink", action="store_true", help="write smaller numbers to tools/ratchet.json")
    args = parser.parse_args()
    root = pathlib.Path(__file__).parent.parent
    ledger = root / "tools" / "ratchet.json"
    allowed: dict[str, int] = json.loads(ledger.read_text())
    report = measure(root)
    if args.shrink:
        allowed = {name: min(lines, report.over[name]) for name, lines in allowed.items() if name in report.over}
        ledger.write_text(json.dumps(allowed, indent=2, sort_keys=True) + "\n")
    complaints = judge(report, allowed)
    for complaint in complaints:
        print(f"ratchet: {complaint}", file=sys.stderr)
    print(f"ratchet: {report.summary}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
