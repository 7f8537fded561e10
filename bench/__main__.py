"""``python -m bench [part …]``: measure, print tables. ``python -m bench PART OPTIONS…`` gives one part its options.

Parts: apiserver, autoscaler (settings of one), autoscalers (many), autoscaler-sources, gateway (beside peers), kubeclients, kvindex,
limits, quality (of routing), routing, scaling, sharing (of several gateways), sim, startup; all without arguments.
Options have: autoscaler, autoscalers, gateway, quality, routing (``--help`` tells).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence

from bench import (
    apiserver,
    autoscaler_sources,
    autoscalers,
    gateway,
    kubeclients,
    kvindex,
    limits,
    quality,
    replays,
    routing,
    scaling,
    sharing,
    sim,
    startup,
)

WITH_OPTIONS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "autoscaler": replays.main,
    "autoscalers": autoscalers.main,
    "gateway": gateway.main,
    "quality": quality.main,
    "routing": routing.main,
}
PLAIN: Mapping[str, Callable[[], None]] = {
    "apiserver": apiserver.main,
    "autoscaler-sources": autoscaler_sources.main,
    "kubeclients": kubeclients.main,
    "kvindex": kvindex.main,
    "limits": limits.main,
    "scaling": scaling.main,
    "sharing": sharing.main,
    "sim": sim.main,
    "startup": startup.main,
}


def main(words: list[str]) -> int:
    """Exit code 2 for a part that is none, and for options that nobody or more than one would take."""
    wanted = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    options = words[len(wanted) :]
    if options and not (len(wanted) == 1 and wanted[0] in WITH_OPTIONS):
        # Whatever follows a part's first option is that part's, such as the values of an option.
        print(f"options follow one of {', '.join(WITH_OPTIONS)}: not {' '.join(words)!r}", file=sys.stderr)
        return 2
    parts = sorted({*WITH_OPTIONS, *PLAIN})
    if unknown := sorted(set(wanted) - set(parts)):
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    for name in wanted or parts:
        print(f"\n== {name}")
        if name in WITH_OPTIONS:
            WITH_OPTIONS[name](options)
        else:
            PLAIN[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
