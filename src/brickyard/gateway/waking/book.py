"""Autoscalers and targets as they come, found by model. Fed by watches; no I/O of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.gateway.waking import sleepers
from brickyard.kube.objects import meta


class Book:
    """Which autoscalers stand for which model. Both may come in any order, change and go."""

    def __init__(self) -> None:
        self._sleepers: dict[meta.Key, sleepers.Sleeper] = {}
        self._targets: dict[tuple[resources.ResourceType, meta.Key], resources.Object] = {}
        self._models: dict[str, dict[meta.Key, sleepers.Sleeper]] = {}
        self._filed: dict[meta.Key, frozenset[str]] = {}
        self._scaled: dict[tuple[resources.ResourceType, meta.Key], set[meta.Key]] = {}

    def autoscaler_changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """Handler of autoscalers."""
        gone = old if old is not None else new
        if gone is not None:
            self._drop(meta.key(gone))
        if new is not None and not meta.is_deleting(new):
            self._add(sleepers.read(new))

    def target_changed(
        self, kind: resources.ResourceType, old: resources.Object | None, new: resources.Object | None
    ) -> None:
        """Handler of targets of ``kind``."""
        told = new if new is not None else old
        if told is None:
            return
        place = (kind, meta.key(told))
        if new is None or meta.is_deleting(new):
            self._targets.pop(place, None)
        else:
            # What names models is all that is looked at; a status changes all the time and may be large.
            self._targets[place] = {"metadata": new.get("metadata"), "spec": new.get("spec")}
        for key in tuple(self._scaled.get(place, ())):
            self._refile(self._sleepers[key])

    def of(self, model: str) -> Sequence[sleepers.Sleeper]:
        """The autoscalers of ``model``, by namespace and name."""
        found = self._models.get(model)
        return () if found is None else tuple(each for _, each in sorted(found.items()))

    def knows(self, model: str) -> bool:
        """Whether an autoscaler stands for ``model``."""
        return model in self._models

    def wakes(self, model: str) -> bool:
        """Whether one of its autoscalers wakes it when it is told to."""
        return any(not each.refusal for each in self._models.get(model, {}).values())

    def models(self) -> Mapping[str, Mapping[meta.Key, sleepers.Sleeper]]:
        """Every model that has an autoscaler."""
        return self._models

    def _add(self, found: sleepers.Sleeper) -> None:
        self._sleepers[found.autoscaler] = found
        if found.target is not None:
            self._scaled.setdefault((found.target.kind, found.target.key), set()).add(found.autoscaler)
        self._refile(found)

    def _drop(self, key: meta.Key) -> None:
        found = self._sleepers.pop(key, None)
        if found is None:
            return
        self._unfile(key)
        if found.target is not None:
            place = (found.target.kind, found.target.key)
            self._scaled[place].discard(key)
            if not self._scaled[place]:
                del self._scaled[place]

    def _refile(self, found: sleepers.Sleeper) -> None:
        self._unfile(found.autoscaler)
        served = self._served(found)
        self._filed[found.autoscaler] = served
        for model in served:
            self._models.setdefault(model, {})[found.autoscaler] = found

    def _unfile(self, key: meta.Key) -> None:
        for model in self._filed.pop(key, ()):
            del self._models[model][key]
            if not self._models[model]:
                del self._models[model]

    def _served(self, found: sleepers.Sleeper) -> frozenset[str]:
        if found.named:
            return frozenset({found.named})
        if found.target is None:
            return frozenset()
        target = self._targets.get((found.target.kind, found.target.key))
        return frozenset() if target is None else sleepers.models(target, found.target.role)
