"""The scale subresource: any kind that counts replicas, seen as ``autoscaling/v1`` Scale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import contract, errors
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import paths, selectors

SCALE = resources.ResourceType("autoscaling", "v1", "scales", "Scale")

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def view(obj: resources.Object, where: contract.ScalePaths) -> resources.Object:
    """The Scale of ``obj``."""
    metadata = obj["metadata"]
    status: dict[str, Any] = {"replicas": paths.get(obj, where.status, 0)}
    if where.selector and (selector := _selector(paths.get(obj, where.selector))):
        status["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: metadata[key] for key in _COPIED if key in metadata},
        "spec": {"replicas": paths.get(obj, where.spec, 0)},
        "status": status,
    }


def check_told(obj: resources.Object, where: contract.ScalePaths) -> None:
    """Refuse to read the scale of an object that does not say how many it wants: it is not none.

    Raises:
        InternalError: as Kubernetes calls it.
    """
    if paths.get(obj, where.spec) is None:
        said = f'the spec replicas field "{where.spec}" does not exist'
        raise errors.InternalError(f"Internal error occurred: {said}", {"causes": [{"message": said}]})


def _selector(found: Any) -> str:
    """Workloads keep a selector as an object, custom kinds as text."""
    if not isinstance(found, Mapping):
        return str(found) if found else ""
    try:
        return str(selectors.from_label_selector(found))
    except object_errors.SelectorError:
        return ""


def applied(obj: resources.Object, scale: Any, where: contract.ScalePaths) -> resources.Object:
    """``obj`` with the replicas of ``scale``, made for the revision and life that ``scale`` names.

    Raises:
        BadRequestError: ``scale`` is no Scale of this object.
        InvalidError: its replicas are negative.
    """
    replicas, metadata = _read(scale)
    name = obj["metadata"]["name"]
    if metadata.get("name") not in (None, "", name):
        raise errors.BadRequestError(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    if replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise errors.invalid(SCALE, name, [faults.FieldError("spec.replicas", "FieldValueInvalid", text)])
    scaled = paths.put(obj, where.spec, replicas)
    asked = {key: metadata[key] for key in ("resourceVersion", "uid") if metadata.get(key)}
    return {**scaled, "metadata": {**obj["metadata"], **asked}}


def _read(scale: Any) -> tuple[int, Mapping[str, Any]]:
    if not isinstance(scale, Mapping):
        raise errors.BadRequestError(
            "the object provided is unrecognized (must be of type Scale): the body must be a JSON object"
        )
    if (scale.get("apiVersion", SCALE.api_version), scale.get("kind", SCALE.kind)) != (SCALE.api_version, SCALE.kind):
        raise errors.BadRequestError(
            "the object provided is unrecognized (must be of type Scale): write autoscaling/v1 Scale"
        )
    spec, metadata = scale.get("spec") or {}, scale.get("metadata") or {}
    if not isinstance(spec, Mapping) or not isinstance(metadata, Mapping):
        raise errors.BadRequestError(
            'Scale in version "v1" cannot be handled as a Scale: metadata and spec are objects'
        )
    replicas = spec.get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool) or abs(replicas) >= 2**31:
        raise errors.BadRequestError(
            'Scale in version "v1" cannot be handled as a Scale: '
            "json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    return replicas, metadata
