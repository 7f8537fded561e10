"""Engines by name: ``<gpu>/<model>``, ``<gpu>x<n>/<model>``, or one of ``NAMED``.

Derived, not measured: an engine of n GPUs computes a prompt token in ``2 · parameters / (n · FLOP/s · 0.5)`` seconds and reads its
weights and the KV cache of its batch at ``n · bandwidth · 0.7``. The two shares of the peak are what serving engines commonly reach
on large batches; ``OVERHEAD`` is a scheduler's and launcher's time per step. GPU numbers are the vendors' data sheets (dense bf16, no
sparsity), model numbers the ``config.json`` that each model is published with. A fit to your own measurements belongs into a
file: ``--params``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from brickyard.sim.engine.core import errors, params

COMPUTE_SHARE: Final = 0.5
BANDWIDTH_SHARE: Final = 0.7
MEMORY_SHARE: Final = 0.9
"""Of the GPU's memory, as engines reserve by default."""
OVERHEAD: Final = 0.002
PER_SEQUENCE: Final = 10e-6
"""Sampling, detokenizing and bookkeeping of one sequence in one step."""
NETWORK: Final = 25e9
"""Bytes per second between engines: one 200 Gbit/s port."""
_BYTES: Final = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Gpu:
    """``flops`` dense bf16 per second, ``bandwidth`` bytes per second, ``memory`` bytes."""

    flops: float
    bandwidth: float
    memory: float


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """``heads`` and ``kv_heads`` per layer, each of ``head_size``; ``context`` tokens."""

    parameters: float
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context: int

    @property
    def kv_bytes(self) -> int:
        """Bytes of KV cache per token."""
        return 2 * self.layers * self.kv_heads * self.head_size * _BYTES


GPUS: Final[Mapping[str, Gpu]] = {
    "v100": Gpu(125e12, 900e9, 32e9),
    "l4": Gpu(121e12, 300e9, 24e9),
    "a10": Gpu(125e12, 600e9, 24e9),
    "a40": Gpu(150e12, 696e9, 48e9),
    "l40s": Gpu(362e12, 864e9, 48e9),
    "a100": Gpu(312e12, 2039e9, 80e9),
    "h100": Gpu(989e12, 3350e9, 80e9),
    "h200": Gpu(989e12, 4800e9, 141e9),
    "mi300x": Gpu(1307e12, 5300e9, 192e9),
}

MODELS: Final[Mapping[str, Model]] = {
    "llama-2-7b": Model(6.74e9, 32, 32, 32, 128, 4096),
    "llama-3.1-8b": Model(8.03e9, 32, 32, 8, 128, 131072),
    "llama-3.1-70b": Model(70.6e9, 80, 64, 8, 128, 131072),
    "mistral-7b": Model(7.25e9, 32, 32, 8, 128, 32768),
    "qwen2.5-7b": Model(7.62e9, 28, 28, 4, 128, 32768),
    "qwen2.5-32b": Model(32.8e9, 64, 40, 8, 128, 32768),
    "deepseek-r1-distill-llama-8b": Model(8.03e9, 32, 32, 8, 128, 131072),
}

NAMED: Final[Mapping[str, params.Params]] = {
    # As fast as this machine: for loading a gateway.
    "instant": params.Params(),
    # The constants of AIBrix' own mock, without its jitter and its penalty for concurrent requests.
    "aibrix-mock": params.Params(timing=params.Timing(request=0.03, prefill_token=20e-6, step=0.002)),
    # Fast enough for a demonstration on a laptop, slow enough to watch.
    "demo": params.Params(
        timing=params.Timing(step=0.015, prefill_token=100e-6, decode_sequence=500e-6, decode_kv_token=50e-9),
        max_num_seqs=64,
        blocks=8192,
    ),
}

_PAIR: Final = re.compile(r"([a-z0-9]+?)(?:x(\d+))?/([a-z0-9.\-]+)")


def preset(name: str) -> params.Params:
    """The engine called ``name``.

    Raises:
        ParamsError: there is none, or the model does not fit into the GPUs' memory.
    """
    if name in NAMED:
        return NAMED[name]
    found = _PAIR.fullmatch(name)
    if found is None or found[1] not in GPUS or found[3] not in MODELS:
        raise errors.ParamsError(
            f"there is no preset {name!r}: take one of {', '.join(NAMED)}, or <gpu>[x<n>]/<model> "
            f"of the GPUs {', '.join(GPUS)} and the models {', '.join(MODELS)}"
        )
    number = int(found[2] or 1)
    if not 1 <= number <= 64:
        raise errors.ParamsError(f"an engine has 1 to 64 GPUs, not {number}")
    return derive(GPUS[found[1]], MODELS[found[3]], number)


def derive(gpu: Gpu, model: Model, number: int = 1) -> params.Params:
    """The engine of ``number`` GPUs that serves ``model``.

    Raises:
        ParamsError: the weights leave no room for a KV cache.
    """
    block_size = 16
    weights = model.parameters * _BYTES
    room = gpu.memory * number * MEMORY_SHARE - weights
    blocks = int(room // (model.kv_bytes * block_size))
    if blocks < 1:
        need = int(weights / (gpu.memory * MEMORY_SHARE)) + 1
        raise errors.ParamsError(f"the model's weights do not fit into {number} of these GPUs: take {need} or more")
    compute = gpu.flops * number * COMPUTE_SHARE
    bandwidth = gpu.bandwidth * number * BANDWIDTH_SHARE
    timing = params.Timing(
        step=OVERHEAD + weights / bandwidth,
        prefill_token=2 * model.parameters / compute,
        # Two matrix products per head and layer, each 2 · head_size operations per pair.
        prefill_pair=4 * model.layers * model.heads * model.head_size / compute,
        decode_sequence=PER_SEQUENCE,
        decode_kv_token=model.kv_bytes / bandwidth,
        adapter=0.0005,
        transfer_token=model.kv_bytes / NETWORK,
    )
    return params.Params(
        timing=timing, blocks=blocks, block_size=block_size, max_model_len=min(model.context, blocks * block_size)
    )
