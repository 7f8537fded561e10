"""ModelAdapters as earlier releases wrote them.

    found          taken for
    replicas > 1   no replicas: every matching pod

Names of schedulers and keys of ``additionalConfig`` that no release reads any more pass through unread.
"""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, conversion, resources, shapes

_REPLICAS: Final = ("spec", "replicas")


def convert(obj: resources.Object) -> contract.Converted:
    """``obj`` in today's form."""
    draft = conversion.Draft(obj)
    replicas = shapes.integer(draft.at(*_REPLICAS))
    if replicas is not None and replicas > 1:
        draft.drop(_REPLICAS)
        draft.warn(
            f"spec.replicas {replicas} is taken for every matching pod: a number of pods cannot be chosen; "
            "leave replicas out, or write 1 for one pod"
        )
    return draft.done()
