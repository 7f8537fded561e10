"""What is wrong with a YAML text, in a line that a person can act on."""

from __future__ import annotations

import yaml


def fault(error: yaml.YAMLError) -> str:
    """``line 3, column 1: expected the node content, but found '<stream end>'``; without a place where the parser knows none."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if not problem:
        return " ".join(str(error).split())
    context = getattr(error, "context", None)
    text = f"{problem} {context}" if context else str(problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {text}" if mark else text
