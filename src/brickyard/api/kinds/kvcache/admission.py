"""The rules of a KVCache: which backend holds the cache is said by an annotation, vineyard where it is not.

when created         text
annotation backend   invalid backend "..." specified, supported backends are: vineyard, hpkv, infinistore
"""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.kvcache import legacy

BACKENDS: Final = (legacy.VINEYARD, legacy.HPKV, legacy.INFINISTORE)


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def default(self, obj: resources.Object) -> resources.Object:
        """The mode's annotation is filled too: clients of AIBrix see both."""
        if not isinstance(shapes.mapping(obj, "metadata").get("annotations", {}), dict | None):
            return obj
        chosen = backend(obj)
        for key, value in ((legacy.BACKEND, chosen), (legacy.MODE, legacy.VINEYARD)):
            if shapes.text(obj, "metadata", "annotations", key) == "":
                obj = shapes.placed(obj, ("metadata", "annotations", key), value)
        return obj

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        chosen = backend(obj)
        if old is None and chosen not in BACKENDS:
            text = f'invalid backend "{chosen}" specified, supported backends are: {", ".join(BACKENDS)}'
            yield faults.invalid(f"metadata.annotations[{legacy.BACKEND}]", chosen, text)


def backend(obj: resources.Object) -> str:
    """The backend that ``obj`` asks for: by its own annotation, else by that of its mode, else vineyard."""
    mode = shapes.annotation(obj, legacy.MODE)
    return shapes.annotation(obj, legacy.BACKEND) or legacy.BACKEND_OF_MODE.get(mode, legacy.VINEYARD)
