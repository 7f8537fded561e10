"""The rules of a ModelClaim that need no pod to be checked. They are those of vLLM's flags, for which the pool decides memory.

field                                              kind of error  text
engineConfig.args[--gpu-memory-utilization]        Forbidden      the pool decides
engineConfig.args[--tensor-parallel-size],         Invalid        must be a positive integer
  [--pipeline-parallel-size], [--data-parallel-size]
engineConfig.args[--data-parallel-size]            Invalid        must be 1
"""

from __future__ import annotations

from typing import Any, Final

from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.modelclaim import parallelism, types

MEMORY: Final = "--gpu-memory-utilization"

_ARGS: Final = "spec.engineConfig.args"


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        spec = obj.get("spec")
        if old is not None and old.get("spec") == spec:
            return
        yield from engine_faults(spec)


def engine_faults(spec: Any) -> faults.Errors:
    """What is wrong with the engine's flags."""
    if (shapes.text(spec, "engine") or types.VLLM) != types.VLLM:
        return
    args = shapes.mapping(spec, "engineConfig", "args")
    for flag in args:
        if parallelism.canonical(flag) == MEMORY:
            yield faults.forbidden(
                f"{_ARGS}[{flag}]", "models of a pool share its memory, and the pool decides; leave it out"
            )
    for flag, text in parallelism.faults(args):
        yield faults.invalid(f"{_ARGS}[{flag}]", args[flag], text)
