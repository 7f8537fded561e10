"""Settings of the API server."""

from __future__ import annotations

import dataclasses
import pathlib

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class ApiServerSettings:
    """The API server of one machine."""

    data_dir: pathlib.Path = settings.field(
        pathlib.Path("~/.local/share/brickyard").expanduser(),
        env="BRICKYARD_DATA_DIR",
        help="where objects, certificates and the kubeconfig live",
    )
    host: str = settings.field("127.0.0.1", env="BRICKYARD_API_HOST", help="loopback address to listen on")
    port: int = settings.field(
        6443,
        env="BRICKYARD_API_PORT",
        help="TCP port of the Kubernetes API; 0 takes a free one",
        within=settings.PORTS,
    )
    max_body: int = settings.field(3 * 1024 * 1024, help="largest request body in bytes; more is refused with 413")
    max_connections: int = settings.field(
        1000,
        help="connections open at once; then the one idle longest makes room, and where none is idle the new one goes",
    )
    max_streams: int = settings.field(
        64,
        env="BRICKYARD_MAX_STREAMS",
        help="streams into pods (exec, attach, port-forward) open at once; more are refused",
    )
    stream_idle: float = settings.field(
        4 * 3600.0,
        env="BRICKYARD_STREAM_IDLE",
        help="seconds after which a stream into a pod ends on which nothing is said either way",
    )
    history_events: int = settings.field(8192, help="changes held per kind for watches to resume from")
    history_bytes: int = settings.field(16 * 1024 * 1024, help="bytes of changes held per kind")
    watch_queue: int = settings.field(8192, help="changes a watch may lag behind before it is cut off")
    event_ttl: float = settings.field(3600.0, help="seconds after which an Event is forgotten")
    max_events: int = settings.field(10_000, help="Events kept at most; the oldest go first")
    landmarks: bool = settings.field(
        True, help="keep what every cluster has: default ServiceAccounts, kube-root-ca.crt, the Service kubernetes"
    )
    stop_grace: float = settings.field(1.0, help="seconds that requests under way get when the server stops")
