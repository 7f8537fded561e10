"""The engines Brickyard knows, in one list. Nothing registers itself at import."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Final

from brickyard.engines import contract
from brickyard.engines.llamacpp import launch as llamacpp_launch
from brickyard.engines.llamacpp import metrics as llamacpp_metrics
from brickyard.engines.llamacpp import series as llamacpp_series
from brickyard.engines.sglang import handover as sglang_handover
from brickyard.engines.sglang import launch as sglang_launch
from brickyard.engines.sglang import lora as sglang_lora
from brickyard.engines.sglang import metrics as sglang_metrics
from brickyard.engines.sglang import series as sglang_series
from brickyard.engines.sim import launch as sim_launch
from brickyard.engines.sim import metrics as sim_metrics
from brickyard.engines.sim import series as sim_series
from brickyard.engines.trtllm import handover as trtllm_handover
from brickyard.engines.trtllm import launch as trtllm_launch
from brickyard.engines.trtllm import metrics as trtllm_metrics
from brickyard.engines.trtllm import series as trtllm_series
from brickyard.engines.vllm import handover as vllm_handover
from brickyard.engines.vllm import kvevents as vllm_kvevents
from brickyard.engines.vllm import launch as vllm_launch
from brickyard.engines.vllm import lora as vllm_lora
from brickyard.engines.vllm import metrics as vllm_metrics
from brickyard.engines.vllm import series as vllm_series
from brickyard.engines.xllm import launch as xllm_launch
from brickyard.engines.xllm import metrics as xllm_metrics
from brickyard.engines.xllm import series as xllm_series

_ENGINES: Final = (
    contract.Engine("llamacpp", llamacpp_launch.Launcher(), llamacpp_metrics.PAGE, series=llamacpp_series.PAGE),
    contract.Engine(
        "sglang",
        sglang_launch.launcher(),
        sglang_metrics.PAGE,
        series=sglang_series.PAGE,
        kv_events=vllm_kvevents.DECODER,  # it speaks vLLM's format
        lora=sglang_lora.PROTOCOL,
        handovers=sglang_handover.CONNECTORS,
    ),
    contract.Engine(
        "sim",
        sim_launch.Launcher(),
        sim_metrics.PAGE,
        kv_events=vllm_kvevents.DECODER,
        series=sim_series.Imitated((vllm_series.PAGE, sglang_series.PAGE, trtllm_series.PAGE, xllm_series.PAGE)),
    ),
    contract.Engine(
        "trtllm",
        trtllm_launch.launcher(),
        trtllm_metrics.PAGE,
        series=trtllm_series.PAGE,
        handovers=trtllm_handover.CONNECTORS,
    ),
    contract.Engine(
        "vllm",
        vllm_launch.launcher(),
        vllm_metrics.PAGE,
        series=vllm_series.PAGE,
        kv_events=vllm_kvevents.DECODER,
        lora=vllm_lora.PROTOCOL,
        handovers=vllm_handover.CONNECTORS,
    ),
    contract.Engine("xllm", xllm_launch.launcher(), xllm_metrics.PAGE, series=xllm_series.PAGE),
)


def engines() -> Mapping[str, contract.Engine]:
    """Every engine by the value of its ``model.aibrix.ai/engine`` label."""
    return types.MappingProxyType({engine.name: engine for engine in _ENGINES})


def kv_events() -> Mapping[str, contract.KvEventDecoder]:
    """The decoders of KV events, by engine name."""
    return types.MappingProxyType(
        {engine.name: engine.kv_events for engine in _ENGINES if engine.kv_events is not None}
    )


def series() -> Mapping[str, contract.SeriesReader]:
    """The readers of everything that AIBrix has a name for, by engine name."""
    return types.MappingProxyType({engine.name: engine.series for engine in _ENGINES if engine.series is not None})


def launchers() -> tuple[contract.Launcher, ...]:
    """The launchers, in the order in which their image patterns are tried."""
    return tuple(engine.launcher for engine in _ENGINES if engine.launcher is not None)


def readers() -> Mapping[str, contract.MetricsReader]:
    """The metrics readers by engine name."""
    return types.MappingProxyType({engine.name: engine.metrics for engine in _ENGINES})
