"""An endpoint where the request's LoRA adapter is at work already, else one that has room for it.

The adapter's name is the request's model. By what the engine last said of its adapters:

| adapter | score |
|---|---|
| runs | 1.0 |
| does not, and the batch has room for another | 0.8 |
| does not, but a request for it waits there already | 0.6 |
| does not, and the batch is full of others | 0.0 |
| the engine does not tell | 0.0 |

Equals go to the one with the fewest requests in flight. Which endpoints can serve the adapter at all is no question here: those are
the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brickyard.api import serving
from brickyard.routing import contract, pickers, scorers

NAME = "lora-affinity"
RUNS: Final = 1.0
ROOM: Final = 0.8
WAITS: Final = 0.6
FULL: Final = 0.0
TIEBREAK: Final = 0.05
"""What requests in flight count beside the adapter: less than any two rows of the table differ by."""


class Adapter:
    """The table above."""

    name = NAME

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        return [_score(snapshot.loads[row], request.model) for row in rows]

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        load = snapshot.loads[row]
        running = load.loras_running if load is not None else None
        if running is None:
            return "adapters unknown"
        return f"adapters {', '.join(running)} at work" if running else "no adapter at work"


def _score(load: serving.EngineLoad | None, adapter: str) -> float:
    if load is None or load.loras_running is None:
        return FULL
    if adapter in load.loras_running:
        return RUNS
    waiting = load.loras_waiting or ()
    slots = load.lora_slots
    if slots is not None and (
        len(load.loras_running) + len(waiting) < slots or len({*load.loras_running, *waiting}) < slots
    ):
        return ROOM
    return WAITS if adapter in waiting else FULL


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """The adapter, and requests in flight where that leaves a choice."""
    judged = ((Adapter(), 1.0), (scorers.least_request("in-flight"), TIEBREAK))
    return contract.Profile(NAME, filters=(), scorers=judged, picker=pickers.Best(), blend=((Adapter(), 1.0),))


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.BETA,
    summary="an endpoint where the request's LoRA adapter is at work already",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.LOADS}),
    build=profile,
)
