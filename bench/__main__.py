"""``python -m bench [part …]``: measure, print tables.

Parts: apiserver, gateway (beside peers), kubeclients, kvindex, limits, routing, sim, startup; all without arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from bench import apiserver, gateway, kubeclients, kvindex, limits, routing, sim, startup

PARTS: Mapping[str, Callable[[], None]] = {
    "apiserver": apiserver.main,
    "gateway": gateway.main,
    "kubeclients": kubeclients.main,
    "kvindex": kvindex.main,
    "limits": limits.main,
    "routing": routing.main,
    "sim": sim.main,
    "startup": startup.main,
}


def main(wanted: list[str]) -> int:
    """Exit code 2 for a part that is none."""
    unknown = set(wanted) - PARTS.keys()
    if unknown:
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in wanted or PARTS:
        print(f"\n== {name}")
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
