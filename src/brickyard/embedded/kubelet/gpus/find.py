"""The GPUs of this machine that we may give away."""

from __future__ import annotations

from collections.abc import Mapping

from brickyard.embedded.kubelet.gpus import cards, driver, nvml
from brickyard.lib import logs

VISIBLE = "CUDA_VISIBLE_DEVICES"

log = logs.get(__name__)


def find(environ: Mapping[str, str]) -> list[cards.Card]:
    """The GPUs that can be found, of which our own ``CUDA_VISIBLE_DEVICES`` may leave some out. Blocks, for seconds at worst.

    Without a driver nobody is asked: it takes no time on machines without a GPU.
    """
    return cards.permitted(_found(), environ.get(VISIBLE))


def _found() -> list[cards.Card]:
    try:
        return nvml.find()
    except nvml.NoNvmlError as error:
        listed = driver.read()
        if listed:
            log.info("GPUs are looked for without NVML", reason=error)
            return driver.ask() or listed
    return driver.ask() or []
