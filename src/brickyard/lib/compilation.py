"""Whether this installation runs its hot path as C extensions (``tools/compiling.py``) or as the Python that stands beside them."""

from __future__ import annotations

import importlib.machinery
import pathlib

_HOT = pathlib.Path(__file__).parents[1] / "gateway" / "proxy" / "client"


def compiled() -> bool:
    """Python prefers an extension, so that one that is there is the one that runs."""
    return any(_HOT.with_suffix(suffix).exists() for suffix in importlib.machinery.EXTENSION_SUFFIXES)


def words() -> str:
    """``compiled`` or ``interpreted``, for people."""
    return "compiled" if compiled() else "interpreted"
