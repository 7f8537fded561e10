"""What is said of a pod that wants more CPU or memory than is left. Pure.

Such a pod is bound nevertheless: the requests of published manifests are those of a data centre, and on one machine most of them
would wait for ever. Memory that is really missing shows as MemoryPressure of the node, or as a container over its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import placement
from brickyard.kube.objects import quantities

RESOURCES = ("cpu", "memory")


def words(pod: resources.Object, others: Iterable[resources.Object], allocatable: Mapping[str, str]) -> str:
    """Which requests of ``pod`` and the ``others`` on the node come to more than it has; "" when none do, or not by this pod."""
    wanted = requests(pod)
    if not wanted:
        return ""
    live = [requests(each) for each in others if not placement.is_over(each)]
    found = []
    for name, size in wanted.items():
        total = size + sum((each.get(name, Decimal()) for each in live), Decimal())
        if name in allocatable and total > quantities.parse(allocatable[name]):
            text = quantities.format_binary(total) if name == "memory" else quantities.format_decimal(total)
            found.append(f"{text} of {quantities.canonical(allocatable[name])} {name}")
    if not found:
        return ""
    return f"requests on this node come to {' and '.join(found)}: nothing is reserved, and all may run short"


def requests(pod: resources.Object) -> dict[str, Decimal]:
    """CPU and memory that a pod asks for at a time: init containers run alone, everything else together. What is 0 is left out."""
    spec = pod["spec"]
    init = spec.get("initContainers") or ()
    lasting = [*spec["containers"], *(each for each in init if each.get("restartPolicy") == "Always")]
    found = {name: sum((_request(each, name) for each in lasting), Decimal()) for name in RESOURCES}
    for each in init:
        if each.get("restartPolicy") != "Always":
            found = {name: max(size, _request(each, name)) for name, size in found.items()}
    return {name: size for name, size in found.items() if size}


def _request(container: Mapping[str, Any], name: str) -> Decimal:
    """A limit stands for a request that is not made."""
    sizes = container.get("resources") or {}
    asked = (sizes.get("requests") or {}).get(name, (sizes.get("limits") or {}).get(name, 0))
    return quantities.parse(asked)
