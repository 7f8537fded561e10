"""The cache behind an informer: objects by namespace and name, and by whatever else they are looked up.

Pure and synchronous. Objects are handed out as they are held: **read-only**, shared by everybody who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta

Indexer = Callable[[resources.Object], Iterable[str]]
"""The values under which an object is found in an index; none is fine."""


class Store:
    """Objects of one kind. Answers are in a stable order: by namespace, then name."""

    def __init__(self, indexers: Mapping[str, Indexer]) -> None:
        self._indexers = dict(indexers)
        self._objects: dict[meta.Key, resources.Object] = {}
        self._namespaces: dict[str, set[meta.Key]] = {}
        self._indexes: dict[str, dict[str, set[meta.Key]]] = {name: {} for name in indexers}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: meta.Key) -> resources.Object | None:
        return self._objects.get(key)

    def known(self) -> Sequence[meta.Key]:
        """The keys of what is held, as they are now."""
        return sorted(self._objects)

    def list(self, namespace: str = "") -> Sequence[resources.Object]:
        """Every object, or those of one namespace."""
        keys = self._namespaces.get(namespace, set()) if namespace else self._objects
        return [self._objects[key] for key in sorted(keys)]

    def indexed(self, index: str, value: str) -> Sequence[resources.Object]:
        """Objects that ``index`` files under ``value``.

        Raises:
            KeyError: there is no such index.
        """
        return [self._objects[key] for key in sorted(self._indexes[index].get(value, ()))]

    def add_index(self, name: str, indexer: Indexer) -> None:
        """File what is held, and what will be, under ``indexer`` too. The same index again changes nothing.

        Raises:
            ValueError: ``name`` means another indexer.
        """
        if (known := self._indexers.get(name)) is not None:
            if known is not indexer:
                raise ValueError(f"the index {name!r} means something else already")
            return
        filed: dict[str, set[meta.Key]] = {}
        for key, obj in self._objects.items():
            for value in set(indexer(obj)):
                filed.setdefault(value, set()).add(key)
        self._indexers[name], self._indexes[name] = indexer, filed

    def put(self, obj: resources.Object) -> resources.Object | None:
        """Hold ``obj`` in place of what had its key, which is returned."""
        key = meta.key(obj)
        # Values are asked for first: an indexer that raises leaves the store as it was.
        values = {name: set(indexer(obj)) for name, indexer in self._indexers.items()}
        old = self.remove(key)
        self._objects[key] = obj
        self._namespaces.setdefault(key.namespace, set()).add(key)
        for name, found in values.items():
            for value in found:
                self._indexes[name].setdefault(value, set()).add(key)
        return old

    def remove(self, key: meta.Key) -> resources.Object | None:
        """Forget the object at ``key`` and return it; None when there is none."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        _discard(self._namespaces, key.namespace, key)
        for name, indexer in self._indexers.items():
            for value in set(indexer(old)):
                _discard(self._indexes[name], value, key)
        return old


def _discard(buckets: dict[str, set[meta.Key]], name: str, key: meta.Key) -> None:
    bucket = buckets[name]
    bucket.discard(key)
    if not bucket:
        del buckets[name]
