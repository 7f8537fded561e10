"""Pauses of the cyclic garbage collector, kept short in processes that answer requests.

What a process has imported and set up by the time it is ready lives as long as it does: a few hundred thousand objects, which a full
collection walks through for nothing, 50 to 100 ms in which nobody is answered. They are put aside. Reference counts free nearly all of
what comes after; the collector then looks seldom, at little at a time.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (2000, 10, 50)
"""Containers made and not freed between two looks at the youngest, and how many such looks between two at the next older ones. What two
looks at the middle generation lie apart, 20 000 containers, is what the longer of the usual pauses is spent on: about two milliseconds."""


def settle() -> None:
    """Put aside all there is; to be called once, when a process that will run for long is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
