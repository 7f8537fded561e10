"""Finds the pods of a selector among very many, without looking at all of them.

Labels are indexed when a selector first asks for them: a fleet of ten thousand pods has dozens of labels, and autoscalers ask for two or
three. The smallest heap that an exact requirement names is searched; a selector that names none has its namespace searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brickyard.api.kinds import resources
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, selectors

_Heap = dict[meta.Key, resources.Object]
_ENDED = ("Succeeded", "Failed")
_EXACT = (selectors.Operator.EQUALS, selectors.Operator.IN)


def counts(pod: resources.Object) -> bool:
    """Whether a pod is a replica: it has not ended and is not asked to."""
    return not meta.is_deleting(pod) and (pod.get("status") or {}).get("phase") not in _ENDED


class Pods:
    """Pods of ``informer`` by selector. Objects are shared: never change one."""

    def __init__(self, informer: informers.Informer) -> None:
        self._informer = informer
        self._labels: dict[str, dict[tuple[str, str], _Heap]] = {}
        informer.subscribe(self._changed)

    def find(self, namespace: str, selector: selectors.LabelSelector) -> Sequence[resources.Object]:
        """Replicas in ``namespace`` that ``selector`` selects, by name."""
        if selector.nothing:
            return ()
        found = (pod for pod in self._candidates(namespace, selector) if selector.matches(meta.labels(pod)))
        return sorted(filter(counts, found), key=meta.name)

    def _candidates(self, namespace: str, selector: selectors.LabelSelector) -> Iterable[resources.Object]:
        heaps = [
            self._index(each.key).get((namespace, each.values[0]), {})
            for each in selector.requirements
            if each.operator in _EXACT and len(each.values) == 1
        ]
        return min(heaps, key=len).values() if heaps else self._informer.list(namespace)

    def _index(self, label: str) -> dict[tuple[str, str], _Heap]:
        found = self._labels.get(label)
        if found is None:
            found = self._labels[label] = {}
            for pod in self._informer.list():
                _file(found, label, pod)
        return found

    def _changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        for label, heaps in self._labels.items():
            if old is not None and (value := meta.labels(old).get(label)) is not None:
                place = (meta.namespace(old), value)
                heap = heaps.get(place, {})
                heap.pop(meta.key(old), None)
                if not heap:
                    heaps.pop(place, None)
            if new is not None:
                _file(heaps, label, new)


def _file(heaps: dict[tuple[str, str], _Heap], label: str, pod: resources.Object) -> None:
    value = meta.labels(pod).get(label)
    if value is not None:
        heaps.setdefault((meta.namespace(pod), value), {})[meta.key(pod)] = pod
