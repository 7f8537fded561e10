"""Which routing profiles a model's pods carry, and which of their annotations nobody can read.

An annotation with a mistake in it is left aside, because a model that is served beats one that is not; but it is told: once in the log for
each text, as long as it is there in ``/debug/models``, and as a number of pods in ``gateway_model_config_errors``.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Final

from brickyard.api import names
from brickyard.gateway.endpoints import pods
from brickyard.lib import logs
from brickyard.routing import errors, modelconfig

log = logs.get(__name__)

REMEMBERED: Final = 512
"""Texts whose reading is kept: pods of one model carry the same one, and are looked at with each change of any of them."""


class Reader:
    """Reads annotations, each text once."""

    def __init__(self) -> None:
        self._read: collections.OrderedDict[str, modelconfig.ModelConfig | str] = collections.OrderedDict()

    def chosen(self, members: Iterable[pods.ModelPod]) -> tuple[modelconfig.ModelConfig | None, dict[str, str]]:
        """What holds for a model with these pods, in the order of their names; and what is wrong, by pod's key.

        The first annotation that can be read and has a profile or a lock decides; else the first label of earlier releases.
        """
        found: modelconfig.ModelConfig | None = None
        labelled: modelconfig.ModelConfig | None = None
        wrong: dict[str, str] = {}
        for pod in sorted(members, key=lambda pod: pod.key):
            read = self._of(pod) if pod.config else None
            if isinstance(read, str):
                wrong[pod.key] = read
            elif found is None and read is not None and (read.profiles or read.locked):
                found = read
            if labelled is None and pod.strategy.strip():
                labelled = modelconfig.of_label(pod.strategy)
        return found or labelled, wrong

    def _of(self, pod: pods.ModelPod) -> modelconfig.ModelConfig | str:
        """What the pod's annotation says, or what is wrong with it."""
        known = self._read.get(pod.config)
        if known is not None:
            self._read.move_to_end(pod.config)
            return known
        try:
            read: modelconfig.ModelConfig | str = modelconfig.parse(pod.config)
        except errors.ModelConfigError as error:
            read = str(error)
            log.warning(
                "model config is left aside: correct the annotation",
                annotation=names.MODEL_CONFIG,
                pod=pod.key,
                model=pod.model,
                error=error,
            )
        self._read[pod.config] = read
        if len(self._read) > REMEMBERED:
            self._read.popitem(last=False)
        return read
