"""Runs the tests of what is compiled against the compiled package: `make test-compiled`.

    .venv-compiled/bin/python tools/test_compiled.py [pytest's options]

All tests of the gateway, of routing and of the prefix indexes, most of which know the gateway by its sockets or a module by its public
names. Left out are those in ``LEFT_OUT``, most of which reach into a module: what the compiler has built in is not there to be replaced.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from brickyard.lib import compilation

WHERE: Final = ("tests/gateway", "tests/routing", "tests/kvindex")
LEFT_OUT: Final = {
    "tests/gateway/kvevents/test_vllm.py": "waits for a real vLLM, as `make test` does",
    "tests/gateway/test_traffic.py::test_models_are_bounded": "replaces metrics.MAX_MODELS",
    "tests/gateway/test_traffic.py::test_pods_are_bounded_also_where_nobody_scrapes": "replaces traffic.MAX_PODS",
    "tests/routing/policies/test_prefix_cache_preble.py::TestWindow::test_it_is_bounded": "replaces window.PROMPTS_KEPT",
    "tests/routing/policies/test_slo.py::test_lengths_of_models_that_nobody_asks_for_are_forgotten": (
        "replaces objectives.MODELS_KEPT"
    ),
    "tests/routing/policies/test_vtc_basic.py::TestUsage::test_old_time_goes_early_when_users_are_too_many": (
        "replaces usage.USERS_KEPT"
    ),
    "tests/routing/policies/test_vtc_basic.py::test_the_ends_of_totals_that_move_all_the_time": "replaces usage.STALE",
}


def main() -> None:
    """Become pytest."""
    if not compilation.compiled():
        sys.exit("the brickyard of this Python is not compiled: run `make compiled` and .venv-compiled/bin/python")
    for name, reason in LEFT_OUT.items():
        print(f"left out, since it {reason}: {name}")
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    sys.stdout.flush()
    os.execv(
        sys.executable, [sys.executable, "-m", "pytest", *WHERE, *left_out, "-p", "no:cacheprovider", *sys.argv[1:]]
    )


if __name__ == "__main__":
    main()
