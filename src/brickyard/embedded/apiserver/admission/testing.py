"""Objects to start from and a way to bend them, for tests of what kinds fill in and refuse."""

from __future__ import annotations

import copy
import re
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract

ABSENT: Final = object()
"""Given as a value: take the field away."""


def pod(**spec: Any) -> resources.Object:
    """A small valid pod; ``spec`` is added to its spec."""
    body = {"containers": [{"name": "main", "image": "engine:1"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}, "spec": body}


def deployment(**spec: Any) -> resources.Object:
    """A small valid Deployment; ``spec`` is added to its spec."""
    body = {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": pod()["spec"]},
        **spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": body,
    }


def service(**spec: Any) -> resources.Object:
    """A small valid Service; ``spec`` is added to its spec."""
    body = {"selector": {"app": "a"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "default"}, "spec": body}


def definition(schema: resources.Object | None = None) -> resources.Object:
    """A small valid CustomResourceDefinition of ``widgets.example.com``; ``schema`` is that of its only version."""
    structure = schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": structure}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "widgets", "kind": "Widget"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def bent(obj: resources.Object, path: str, value: Any) -> resources.Object:
    """A copy of ``obj`` with ``value`` at ``path``, such as ``spec.containers[0].image``. Absent objects on the way are made.

    A key that holds dots is written ``metadata.labels[a.b/c]``: in brackets, not a number.
    """
    steps: list[str | int] = []
    for match in re.finditer(r"\[([^\]]*)\]|([^.\[\]]+)", path):
        inside = match[1]
        steps.append(match[2] if inside is None else int(inside) if inside.isdigit() else inside)
    result = copy.deepcopy(obj)
    holder: Any = result
    for step in steps[:-1]:
        holder = holder[step] if isinstance(step, int) else holder.setdefault(step, {})
    last: Any = steps[-1]
    if value is ABSENT:
        del holder[last]
    else:
        holder[last] = value
    return result


def admitted(resource: contract.Resource, obj: resources.Object) -> resources.Object:
    """What would be judged: ``obj`` checked, pruned and filled in."""
    resource.admission.check_types(obj)
    return resource.admission.default(resource.admission.prune(obj))


def complaints(resource: contract.Resource, obj: resources.Object, old: resources.Object | None = None) -> list[str]:
    """Everything wrong with ``obj`` as ``path: message``. ``old`` is filled in too."""
    before = None if old is None else admitted(resource, old)
    found = resource.admission.validate(admitted(resource, obj), before)
    return [f"{each.path}: {each.message}" for each in found]
