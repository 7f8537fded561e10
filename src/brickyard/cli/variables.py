"""Every variable of the environment that Brickyard reads, so that one that is misspelt is told and not passed over."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Final

from brickyard.accounts import settings as accounts
from brickyard.controllers import settings as controllers
from brickyard.embedded import up
from brickyard.embedded.apiserver import settings as apiserver
from brickyard.embedded.kubelet import settings as kubelet
from brickyard.engines.llamacpp import server as llamacpp
from brickyard.gateway import settings as gateway
from brickyard.gateway import workers
from brickyard.gateway.endpoints import settings as endpoints
from brickyard.gateway.kvevents import settings as kvevents
from brickyard.gateway.limits import settings as gate
from brickyard.gateway.optimizer import settings as optimizer
from brickyard.gateway.queueing import settings as queueing
from brickyard.gateway.sharing import settings as sharing
from brickyard.gateway.waking import settings as waking
from brickyard.kvindex import settings as kvindex
from brickyard.lib import settings
from brickyard.routing.policies import (
    consistent_hash,
    least_tokens,
    prefix_and_load,
    prefix_cache,
    prefix_cache_preble,
    vtc_basic,
)
from brickyard.services import settings as services
from brickyard.sidecar.downloads import cache

SETTINGS: Final = (
    up.UpSettings,
    gateway.GatewaySettings,
    gate.GateSettings,
    queueing.QueueSettings,
    waking.WakingSettings,
    workers.WorkerSettings,
    endpoints.EndpointSettings,
    sharing.SharingSettings,
    kvindex.PrefixSettings,
    kvevents.KvEventSettings,
    optimizer.OptimizerSettings,
    prefix_cache.PrefixCacheParameters,
    prefix_cache_preble.PrebleParameters,
    prefix_and_load.PrefixAndLoadParameters,
    vtc_basic.VtcBasicParameters,
    least_tokens.LeastTokensParameters,
    consistent_hash.ConsistentHashParameters,
    controllers.ControllersSettings,
    services.ServicesSettings,
    accounts.AccountSettings,
    apiserver.ApiServerSettings,
    kubelet.KubeletSettings,
    llamacpp.ServerSettings,
    cache.ModelCacheSettings,
)
"""All classes of settings; ``docs/settings.md`` is made from them."""
ALIKE: Final = 0.8
"""How like a name must be to another, as ``difflib`` counts it, to be taken for it."""
OTHERS: Final = frozenset(
    settings.PREFIX + each
    for each in (
        *("API_KEY", "LOG_LEVEL", "VLLM", "SGLANG", "TRTLLM", "XLLM"),
        # What parts of Brickyard tell each other.
        *("CONTAINER_ID", "POD_IP", "READY_FD", "SHIM_OF", "SUPERVISOR_PID"),
        *("GATEWAY_WORKER", "GATEWAY_WORKERS_FOLDER"),
    )
)
"""Variables that are no setting's."""


def known() -> frozenset[str]:
    """The names of all of them that are Brickyard's own."""
    declared = (each.metadata.get("env", "") for cls in SETTINGS for each in dataclasses.fields(cls))
    return OTHERS | {name for name in declared if name.startswith(settings.PREFIX)}


def unread(environ: Iterable[str]) -> dict[str, str]:
    """Names in ``environ`` that look like Brickyard's and that nobody reads → the name that was meant, "" where none is like it."""
    endings, told = [name.removeprefix(settings.PREFIX) for name in known()], {}
    for name in sorted(environ):
        ending = name.removeprefix(settings.PREFIX)
        if ending != name and ending not in endings:
            alike = difflib.get_close_matches(ending, endings, n=1, cutoff=ALIKE)
            told[name] = settings.PREFIX + alike[0] if alike else ""
    return told


def words(name: str, meant: str) -> str:
    """What is told of one that nobody reads."""
    return f"{name} is not read: " + (f"did you mean {meant}?" if meant else "no setting has this name")
