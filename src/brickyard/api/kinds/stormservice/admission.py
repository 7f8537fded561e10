"""The rules of a StormService: its roles get the runtime sidecar where it asks for that; its names must leave room.

    when created                                             text
    name longer than 63                                      StormService name must be no more than 63 characters
    name + longest name of a role with groups + 36 > 63      combined length of ...
    two roles of one name                                    Duplicate value

A spec or template that is null is stored, as published samples are; nothing is made of it.
"""

from __future__ import annotations

from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import contract, faults, resources, shapes, sidecar
from brickyard.api.kinds.roleset import admission as roleset
from brickyard.api.kinds.stormservice import legacy, types

POD_SET_SUFFIX: Final = 36
"""Characters that a pod of a PodSet has in its name beside those of the StormService and the role."""

_ROLES: Final = ("spec", "template", "spec", "roles")


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def default(self, obj: resources.Object) -> resources.Object:
        if names.SIDECAR_INJECTION not in shapes.mapping(obj, "metadata", "annotations"):
            return obj
        image = shapes.annotation(obj, names.SIDECAR_RUNTIME_IMAGE)
        engine = shapes.annotation(shapes.at(obj, "spec", "template"), names.MODEL_ENGINE)
        roles = shapes.sequence(obj, *_ROLES)
        shaped = [_with_sidecar(each, image, engine) for each in roles]
        same = all(new is old for new, old in zip(shaped, roles, strict=True))
        return obj if same else shapes.placed(obj, _ROLES, shaped)

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        if old is not None:
            return
        yield from _name(shapes.text(obj, "metadata", "name") or "", shapes.sequence(obj, *_ROLES))
        yield from roleset.role_faults("spec.template.spec", shapes.at(obj, "spec", "template", "spec"))


def _with_sidecar(role: Any, image: str, engine: str) -> Any:
    template = shapes.at(role, "template")
    shaped = sidecar.injected(template, image, engine)
    return role if shaped is template else shapes.placed(role, ("template",), shaped)


def _name(name: str, roles: Any) -> faults.Errors:
    if len(name) > types.MAX_NAME_LENGTH:
        text = f"StormService name must be no more than {types.MAX_NAME_LENGTH} characters"
        yield faults.invalid("metadata.name", name, text)
    grouped = [
        len(shapes.text(each, "name") or "") for each in roles if (shapes.integer(each, "podGroupSize") or 0) > 1
    ]
    if not grouped:
        return
    estimate = len(name) + max(grouped) + POD_SET_SUFFIX
    if estimate > types.MAX_NAME_LENGTH:
        text = (
            f"combined length of StormService name ({len(name)}) and longest PodSet-enabled role name ({max(grouped)}) "
            f"may produce PodSet names exceeding {types.MAX_NAME_LENGTH} characters (estimated: {estimate})"
        )
        yield faults.invalid("metadata.name", name, text)
