"""The rules of a KVCache: which backend holds the cache is said by an annotation, vineyard where it is not.

when created         text
annotation backend   invalid backend "..." specified, supported backends are: vineyard, hpkv, infinistore
"""

from __future__ import annotations

from brickyard.api import names
from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.kvcache import legacy, types


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def default(self, obj: resources.Object) -> resources.Object:
        """The mode's annotation is filled too: clients of AIBrix see both."""
        for key, value in ((names.KV_CACHE_BACKEND, backend(obj)), (names.KV_CACHE_MODE, types.VINEYARD)):
            path = ("metadata", "annotations", key)
            if shapes.text(obj, *path) == "" and shapes.is_open(obj, path):
                obj = shapes.placed(obj, path, value)
        return obj

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        chosen = backend(obj)
        if old is None and chosen not in types.BACKENDS:
            text = f'invalid backend "{chosen}" specified, supported backends are: {", ".join(types.BACKENDS)}'
            yield faults.invalid(f"metadata.annotations[{names.KV_CACHE_BACKEND}]", chosen, text)


def backend(obj: resources.Object) -> str:
    """The backend that ``obj`` asks for: by its own annotation, else by that of its mode, else vineyard."""
    mode = shapes.annotation(obj, names.KV_CACHE_MODE)
    return shapes.annotation(obj, names.KV_CACHE_BACKEND) or legacy.BACKEND_OF_MODE.get(mode, types.VINEYARD)
