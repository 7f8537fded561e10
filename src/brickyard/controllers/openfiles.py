"""How many files the controllers' process may have open: a connection to each pod of a large fleet stays open between two looks.

The soft limit is meant for programs that do not know better (1024 in many shells); it is raised as far as the hard one allows. Who sets
the hard one lower than a large fleet needs is told what that costs.
"""

from __future__ import annotations

import resource
from typing import Final

from brickyard.controllers.podautoscaler.sources import fetching
from brickyard.lib import logs

WANTED: Final = fetching.KEPT + fetching.OTHER_FILES
"""A connection to each pod of the largest fleet that is kept connected, and what else a process opens."""
log = logs.get(__name__)


def allow(wanted: int = WANTED) -> int:
    """Raise the soft limit of open files to ``wanted``, or as far as the hard one lets; what holds then. Never lowers it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    if raised < wanted:
        hint = "raise the hard limit (ulimit -Hn, LimitNOFILE=, or the container runtime's)"
        text = "few files may be open: beyond that many pods, metrics pages are read over new connections each time"
        log.warning(text, files=raised, wanted=wanted, hint=hint)
    return raised
