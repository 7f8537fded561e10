"""What a decision of an autoscaler costs: 500 autoscalers over 20 pods each, a pass every 10 seconds, in microseconds of one core.

The windows are full, as they are after an hour, and demand moves up and down, so that panic, stabilisation and rates all have something
to do. No metric is fetched and nothing is written. The budget is 200 µs.
"""

from __future__ import annotations

import gc
import random
import time

from rich.console import Console
from rich.table import Table

from brickyard.scaling import contract, decide, explain, testing

AUTOSCALERS = 500
PODS = 20
PASSES = 5


def load(own: contract.Settings, seed: int) -> testing.Workload:
    """An autoscaler whose windows are full."""
    made = testing.Workload(own, PODS)
    rng = random.Random(seed)
    for _ in range(int(own.stable_window / testing.PERIOD) + 20):
        values = [rng.uniform(0, 25)] * 2
        seen = tuple(testing.pods(*values, key=each.key, at=made.now) for each in own.metrics)
        decide.decide(own, made.memory, contract.Snapshot(PODS, seen), made.now)
        made.now += testing.PERIOD
    return made


def observed(own: contract.Settings, rng: random.Random, at: float) -> list[contract.Observation]:
    """One observation for each metric; a pod in twenty is silent."""
    values: list[float | str | None] = [rng.uniform(0, 25) for _ in range(PODS - 1)]
    return [testing.pods(*values, "timed out", key=each.key, at=at) for each in own.metrics]


def cost(own: contract.Settings, *, told: bool = False) -> float:
    """Microseconds of a decision, the fastest of several passes over all autoscalers."""
    made = [load(own, seed) for seed in range(AUTOSCALERS)]
    rng, best = random.Random(1), float("inf")
    for _ in range(PASSES):
        seen = [(each, contract.Snapshot(PODS, tuple(observed(own, rng, each.now)))) for each in made]
        gc.collect()
        begin = time.process_time()
        for each, snapshot in seen:
            found = decide.decide(own, each.memory, snapshot, each.now)
            if told:
                explain.short(found)
        best = min(best, (time.process_time() - begin) / AUTOSCALERS)
        for each in made:
            each.now += testing.PERIOD
    return best * 1e6


def main() -> None:
    """Print the table."""
    table = Table("settings", "µs", title=f"a decision over {PODS} pods")
    one, three = (testing.metric(),), tuple(testing.metric(key) for key in "abc")
    for strategy in contract.Strategy:
        table.add_row(strategy.value, f"{cost(testing.settings(strategy, *one)):.0f}")
    table.add_row("KPA, three metrics", f"{cost(testing.settings(contract.Strategy.KPA, *three)):.0f}")
    hour = testing.settings(contract.Strategy.KPA, *one, stable_window=3600.0)
    table.add_row("KPA, windows of an hour", f"{cost(hour):.0f}")
    table.add_row("KPA, and told in a line", f"{cost(testing.settings(), told=True):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
