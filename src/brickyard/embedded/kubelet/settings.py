"""What the node agent can be told."""

from __future__ import annotations

import dataclasses
import pathlib
import platform
import re

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class KubeletSettings:
    """The node agent: pods as processes on this machine."""

    data_dir: pathlib.Path = settings.field(
        pathlib.Path("~/.local/share/brickyard/kubelet"),
        env="BRICKYARD_KUBELET_DIR",
        help="folder of pods (records, logs, volumes) and of images.yaml",
    )
    node_name: str = settings.field("", env="BRICKYARD_NODE_NAME", help="name of the Node; empty means the host's name")
    max_pods: int = settings.field(250, env="BRICKYARD_MAX_PODS", help="pods that are bound to this machine at most")
    shutdown_limit: float = settings.field(
        10.0,
        env="BRICKYARD_SHUTDOWN_LIMIT",
        help="seconds that containers get at most when everything is shut down, whatever their own grace",
    )
    resources: str = settings.field(
        "",
        env="BRICKYARD_NODE_RESOURCES",
        help="extended resources of this machine, as amd.com/gpu=2,example.com/x=1; NVIDIA GPUs are found without",
    )
    gpu_sharing: int = settings.field(
        1,
        env="BRICKYARD_GPU_SHARING",
        help="how many containers may have one NVIDIA GPU; above 1, GPUs are offered as nvidia.com/gpu.shared",
    )
    mounts: bool = settings.field(
        True,
        env="BRICKYARD_MOUNTS",
        help="mount volumes and names of Services into containers where this machine allows it; false replaces paths in their words",
    )
    log_limit: int = settings.field(
        10 * 1024 * 1024,
        env="BRICKYARD_LOG_LIMIT",
        help="bytes after which a container's log is rotated",
    )
    log_files: int = settings.field(
        5, env="BRICKYARD_LOG_FILES", help="files of a container's log that are kept, the one being written included"
    )

    @property
    def folder(self) -> pathlib.Path:
        """``data_dir``, absolute."""
        return self.data_dir.expanduser().absolute()

    @property
    def node(self) -> str:
        """The node's name: a DNS subdomain, whatever the host calls itself."""
        name = re.sub(r"[^a-z0-9.-]+", "-", (self.node_name or platform.node()).lower()).strip(".-")
        return name or "localhost"
