"""Which controllers run: the ``--controllers`` list. Pure.

    *                     all
    *,-kv-cache           all but one
    pod-autoscaler        one only
    -x,*                  all: a later entry overrides an earlier one

What is not spoken of does not run.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

from brickyard.kube.reconcile import errors


def selected(text: str, known: Collection[str]) -> frozenset[str]:
    """Which of ``known`` the list ``text`` turns on.

    Raises:
        UnknownController: an entry names none of them; the message says which come near.
    """
    chosen: dict[str, bool] = {}
    for entry in (each.strip() for each in text.split(",")):
        name = entry.removeprefix("-")
        if not entry:
            continue
        if entry == "*":
            chosen.update(dict.fromkeys(known, True))
        elif name in known:
            chosen[name] = not entry.startswith("-")
        else:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
            raise errors.UnknownController(f"there is no controller {name!r}", hint=hint)
    return frozenset(name for name, on in chosen.items() if on)
