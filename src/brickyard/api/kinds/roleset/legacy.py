"""RoleSets as earlier releases wrote them, on their own and inside a StormService.

    found                         taken for
    schedulingStrategy.podGroup   schedulingStrategy.godelSchedulingStrategy, with the same fields
    updateStrategy: ""            none: Sequential
    roles[].updateStrategy.type   where "", none: Recreate
    roles[].podGroupSize < 1      none: pods without groups

``podGroup`` does not stay: a scheduling strategy holds one member.
"""

from __future__ import annotations

from typing import Any, Final

from brickyard.api.kinds import contract, conversion, resources, shapes

_SPEC: Final = ("spec",)


def convert(obj: resources.Object) -> contract.Converted:
    """``obj`` in today's form."""
    draft = conversion.Draft(obj)
    convert_spec(draft, _SPEC)
    return draft.done()


def convert_spec(draft: conversion.Draft, path: conversion.Path) -> None:
    """The RoleSet's spec at ``path`` of ``draft`` in today's form."""
    shown = ".".join(path)
    _pod_group(draft, (*path, "schedulingStrategy"))
    if draft.at(*path, "updateStrategy") == "":
        draft.drop((*path, "updateStrategy"))
        draft.warn(f"{shown}.updateStrategy is empty and taken for Sequential; write that or leave it out")
    roles = shapes.sequence(draft.at(*path, "roles"))
    today = [_role(draft, f"{shown}.roles[{index}]", each) for index, each in enumerate(roles)]
    if any(new is not old for new, old in zip(today, roles, strict=True)):
        draft.replace((*path, "roles"), today)


def _pod_group(draft: conversion.Draft, path: conversion.Path) -> None:
    found = draft.at(*path, "podGroup")
    if not isinstance(found, dict):
        return
    shown = ".".join(path)
    draft.drop((*path, "podGroup"))
    today = draft.at(*path)
    others = [key for key in today if key != "godelSchedulingStrategy"] if isinstance(today, dict) else []
    if not others and draft.fill((*path, "godelSchedulingStrategy"), found):
        draft.warn(
            f"{shown}.podGroup is taken for godelSchedulingStrategy; write {shown}.godelSchedulingStrategy instead"
        )
    else:
        draft.warn(f"{shown}.podGroup is not read beside a scheduling strategy of today; leave it out")


def _role(draft: conversion.Draft, shown: str, role: Any) -> Any:
    size = shapes.integer(role, "podGroupSize")
    if size is not None and size < 1:
        role = shapes.without(role, ("podGroupSize",))
        draft.warn(f"{shown}.podGroupSize {size} is taken for pods without groups; leave it out, or write 1 to 100")
    if shapes.at(role, "updateStrategy", "type") == "":
        role = shapes.without(role, ("updateStrategy", "type"))
        draft.warn(f"{shown}.updateStrategy.type is empty and taken for Recreate; write that or leave it out")
    return _without_empty_annotations(draft, shown, role)


def _without_empty_annotations(draft: conversion.Draft, shown: str, role: Any) -> Any:
    path = ("template", "metadata", "annotations")
    found = shapes.mapping(role, *path)
    empty = [key for key, value in found.items() if value is None]
    for key in empty:
        draft.warn(f"{shown}.{'.'.join(path)}[{key}] has no value and is dropped; give it one or leave it out")
    return shapes.placed(role, path, {key: found[key] for key in found if key not in empty}) if empty else role
