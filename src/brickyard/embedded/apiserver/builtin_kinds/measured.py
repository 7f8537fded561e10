"""Measurements: what pods and nodes use, answered and never stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import contract, measures
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import quantities


class _Unwritten:
    """Fills ``contract.Admission`` for a kind that nobody writes: there is nothing to admit."""

    def convert(self, obj: resources.Object) -> kinds.Converted:
        return kinds.Converted(obj)

    def check_types(self, obj: resources.Object) -> None:
        del obj

    def default(self, obj: resources.Object) -> resources.Object:
        return obj

    def validate(self, obj: resources.Object, old: resources.Object | None) -> Sequence[faults.FieldError]:
        del obj, old
        return ()

    def unknown_fields(self, obj: resources.Object) -> Sequence[str]:
        del obj
        return ()

    def prune(self, obj: resources.Object) -> resources.Object:
        return obj


def _used(name: str, show: Callable[[Decimal], str]) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        parts = obj.get("containers", [obj])
        return show(sum((quantities.parse(each["usage"][name]) for each in parts), Decimal()))

    return cell


_COLUMNS = (
    cells.NAME,
    contract.Column("CPU", _used("cpu", measures.cores), description="Cores in use."),
    contract.Column("Memory", _used("memory", measures.kibibytes), description="Memory in use."),
    contract.Column("Window", cells.at("window"), description="Time over which CPU was measured."),
)

ALL: tuple[contract.Resource, ...] = tuple(
    contract.Resource(kind, "", _Unwritten(), columns=_COLUMNS, measured=True)
    for kind in (resources.NODE_METRICS, resources.POD_METRICS)
)
