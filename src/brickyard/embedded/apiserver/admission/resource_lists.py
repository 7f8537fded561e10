"""``resources`` of containers: names that exist, quantities that parse, requests within limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import metadata
from brickyard.kube.objects import errors, quantities

_STANDARD = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"


def judge(path: str, found: Mapping[str, Any]) -> faults.Errors:
    """Everything wrong with the ``resources`` at ``path``."""
    limits, requests = found.get("limits") or {}, found.get("requests") or {}
    for field, listed in (("limits", limits), ("requests", requests)):
        for name, quantity in listed.items():
            yield from _entry(f"{path}.{field}", name, quantity)
    for name, request in requests.items():
        yield from _within(f"{path}.requests", name, request, limits.get(name))


def _is_standard(name: str) -> bool:
    return name in _STANDARD or name.startswith(_HUGE_PAGES)


def _entry(path: str, name: str, quantity: Any) -> faults.Errors:
    if problem := metadata.qualified_name(name):
        yield faults.invalid(path, name, problem)
    elif "/" not in name and not _is_standard(name):
        yield faults.invalid(path, name, "must be a standard resource for containers")
    try:
        amount = quantities.parse(quantity)
    except errors.QuantityError:
        yield faults.invalid(f"{path}[{name}]", quantity, "must be a quantity such as 500m, 2, 1Gi or 1e3")
        return
    if amount < 0:
        yield faults.invalid(f"{path}[{name}]", str(quantity), "must be greater than or equal to 0")
    elif not _is_standard(name) and amount != amount.to_integral_value():
        yield faults.invalid(f"{path}[{name}]", str(quantity), "must be an integer")


def _within(path: str, name: str, request: Any, limit: Any) -> faults.Errors:
    if limit is None:
        if "/" in name:
            yield faults.required(
                path.replace(".requests", ".limits"), "Limit must be set for non overcommitable resources"
            )
        return
    if not (quantities.is_quantity(request) and quantities.is_quantity(limit)):
        return
    wanted, allowed = quantities.parse(request), quantities.parse(limit)
    if not _is_standard(name) and wanted != allowed:
        yield faults.invalid(path, str(request), f"must be equal to {name} limit of {limit}")
    elif wanted > allowed:
        yield faults.invalid(path, str(request), f"must be less than or equal to {name} limit of {limit}")
