"""The rules of a RoleSet, checked when it is created: no two of its roles have one name, by which their pods are told apart."""

from __future__ import annotations

from typing import Any

from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.roleset import legacy


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        if old is None:
            yield from role_faults("spec", obj.get("spec"))


def role_faults(path: str, spec: Any) -> faults.Errors:
    """What is wrong with the roles of the RoleSet's ``spec`` at ``path``."""
    names = ((index, shapes.text(each, "name")) for index, each in enumerate(shapes.sequence(spec, "roles")))
    yield from faults.unique(f"{path}.roles", ((f"[{index}].name", name) for index, name in names))
