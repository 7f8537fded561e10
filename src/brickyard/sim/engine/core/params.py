"""What an engine is like: how long things take, how much fits. Frozen, checked, written as JSON or as flags.

A step takes, in seconds,

    step + prefill_token · P + prefill_pair · Σ(tokens · context) + decode_sequence · D + decode_kv_token · K + adapter · A

with P prompt tokens computed in it, D sequences that decode, K tokens of KV cache they read and A distinct adapters. ``step`` is
what a step costs whatever is in it, mostly reading the weights. The form is linear so that it can be fitted to measurements by
least squares; ``presets`` derives it from data sheets where there are none.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, Self

from brickyard.sim.engine.core import errors

POLICIES: Final = ("fcfs", "priority")
MAX_BLOCKS: Final = 16_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. All zero is an engine that answers as fast as the machine it runs on.

    Attributes:
        request: once per request, when it enters the batch.
        step: per step, whatever is in it.
        prefill_token: per prompt token computed; tokens found in the cache cost nothing.
        prefill_pair: per prompt token and token of context before it.
        decode_sequence: per sequence that decodes.
        decode_kv_token: per token of KV cache that decoding sequences read.
        adapter: per distinct adapter in the batch.
        transfer_token: per token whose KV cache comes from another engine.
    """

    request: float = 0.0
    step: float = 0.0
    prefill_token: float = 0.0
    prefill_pair: float = 0.0
    decode_sequence: float = 0.0
    decode_kv_token: float = 0.0
    adapter: float = 0.0
    transfer_token: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise errors.ParamsError(f"timing.{field.name} must be seconds, zero or more, not {value!r}")

    def faster(self, factor: float) -> Timing:
        """The same engine with time running ``factor`` times as fast."""
        if not factor > 0 or not math.isfinite(factor):
            raise errors.ParamsError(f"speed must be a number above zero, not {factor!r}")
        return Timing(**{field.name: getattr(self, field.name) / factor for field in dataclasses.fields(self)})


@dataclasses.dataclass(frozen=True, slots=True)
class Params:
    """One engine.

    Attributes:
        timing: how long a step takes.
        max_num_seqs: sequences in the batch at most.
        max_num_batched_tokens: tokens computed in one step at most.
        max_model_len: tokens of prompt and output together at most.
        block_size: tokens per KV block.
        blocks: KV blocks there are.
        prefix_caching: full blocks are found again by their content.
        chunked_prefill: a long prompt may be computed over several steps.
        policy: ``fcfs``, or ``priority`` (lower numbers first, later arrivals are preempted first).
        max_loras: distinct adapters in one batch at most; 0 is an engine without adapters.
        max_queued: requests that may wait; 0 is without limit.
    """

    timing: Timing = Timing()
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    max_model_len: int = 16384
    block_size: int = 16
    blocks: int = 32768
    prefix_caching: bool = True
    chunked_prefill: bool = True
    policy: str = "fcfs"
    max_loras: int = 8
    max_queued: int = 0

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_num_batched_tokens", "max_model_len", "block_size", "blocks"):
            _whole(name, getattr(self, name), 1)
        for name in ("max_loras", "max_queued"):
            _whole(name, getattr(self, name), 0)
        if self.blocks > MAX_BLOCKS:
            raise errors.ParamsError(f"blocks must be {MAX_BLOCKS} at most, not {self.blocks}")
        if self.policy not in POLICIES:
            raise errors.ParamsError(f"policy must be one of {', '.join(POLICIES)}, not {self.policy!r}")
        if not self.chunked_prefill and self.max_num_batched_tokens < self.max_model_len:
            raise errors.ParamsError(
                f"without chunked_prefill, max_num_batched_tokens ({self.max_num_batched_tokens}) "
                f"must reach max_model_len ({self.max_model_len})"
            )

    @property
    def capacity(self) -> int:
        """Tokens whose KV cache fits."""
        return self.blocks * self.block_size

    def to_json(self) -> str:
        """One JSON object, all fields."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of ``to_json``; fields left out keep their defaults.

        Raises:
            ParamsError: the text is no JSON object, a field is unknown, or a value cannot be.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise errors.ParamsError(f"parameters are not valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise errors.ParamsError("parameters must be a JSON object")
        fields = dict(document)
        timing = fields.pop("timing", {})
        if not isinstance(timing, dict):
            raise errors.ParamsError("timing must be a JSON object")
        _known(cls, fields)
        _known(Timing, timing, "timing.")
        return cls(timing=Timing(**timing), **fields)


def _whole(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise errors.ParamsError(f"{name} must be a whole number, {least} or more, not {value!r}")


def _known(cls: type, given: Mapping[str, Any], prefix: str = "") -> None:
    known = {field.name for field in dataclasses.fields(cls)}
    if unknown := sorted(given.keys() - known):
        raise errors.ParamsError(
            f"there is no parameter {prefix}{unknown[0]}; there are {', '.join(sorted(known - {'timing'}))}"
        )


_COUNT: Final = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)")
_UNITS: Final = {"": 1, "k": 1000, "K": 1024, "m": 1_000_000, "M": 1024**2, "g": 1_000_000_000, "G": 1024**3}


def count(text: str) -> int:
    """A whole number as vLLM's flags write it: ``4096``, ``8k`` (decimal), ``8K`` (binary).

    Raises:
        ValueError: the text is none.
    """
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no whole number: write 4096, 8k or 8K")
    value = float(found[1]) * _UNITS[found[2]]
    if value != int(value):
        raise ValueError(f"{text!r} is no whole number")
    return int(value)
