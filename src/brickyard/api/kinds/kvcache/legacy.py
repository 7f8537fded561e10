"""KVCaches as earlier releases wrote them.

    found                                      taken for
    replicas                                   cache.replicas
    etcdReplicas                               nothing
    cacheSpec.image, imagePullPolicy, env,     the same below cache
      resources
    cacheSpec.cpu, memory                      cache.resources, requests and limits alike
    cacheSpec.replicas, sharedMemorySize       nothing
    metadata.etcd or .redis: image, replicas,  the same below its runtime
      resources
    metadata.etcd or .redis: storage           nothing
    no metadata                                metadata.etcd with one replica, which such caches always had
    service without ports                      one port: service.port, else 9600
    mode: centralized without metadata,        metadata.etcd with one replica: without it such a cache does not work
      vineyard
    annotation mode: distributed, centralized  annotation backend: infinistore, vineyard

The rows of ``metadata`` and ``service`` are read so only in an object that is legacy by some other sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import contract, conversion, resources, shapes
from brickyard.api.kinds.kvcache import types

BACKEND_OF_MODE: Final[Mapping[str, str]] = {types.DISTRIBUTED: types.INFINISTORE, types.CENTRALIZED: types.VINEYARD}

_SERVICE_PORT: Final = 9600
_CPU: Final = "1"
_MEMORY: Final = "2Gi"
_RUNTIME_FIELDS: Final = ("image", "replicas", "resources")


def convert(obj: resources.Object) -> contract.Converted:
    """``obj`` in today's form."""
    draft = conversion.Draft(obj)
    _backend(draft)
    if _is_legacy(draft.at("spec")):
        _replicas(draft)
        _cache(draft)
        _image(draft)
        _stores(draft)
        _service(draft)
    _metadata(draft, legacy=_is_legacy(draft.at("spec")))
    return draft.done()


def _is_legacy(spec: Any) -> bool:
    if any(shapes.at(spec, each) is not None for each in ("replicas", "etcdReplicas", "cacheSpec")):
        return True
    if shapes.at(spec, "service", "port") is not None:
        return True
    stores = shapes.mapping(spec, "metadata").values()
    return any(shapes.at(store, key) is not None for store in stores for key in ("storage", *_RUNTIME_FIELDS))


def _backend(draft: conversion.Draft) -> None:
    backend = BACKEND_OF_MODE.get(draft.text("metadata", "annotations", names.KV_CACHE_MODE))
    path = ("metadata", "annotations", names.KV_CACHE_BACKEND)
    if backend and (not draft.text(*path) or not draft.given(path)):
        if draft.at(*path) == "":
            draft.drop(path)
        draft.fill(path, backend)
        draft.warn(
            f"annotation {names.KV_CACHE_MODE} is taken for {names.KV_CACHE_BACKEND}: {backend}; write that instead"
        )


def _moved(draft: conversion.Draft, old: conversion.Path, new: conversion.Path) -> None:
    """What lies at ``old`` counts at ``new``, where nothing was given."""
    value = draft.at(*old)
    if value is None:
        return
    before, today = ".".join(old), ".".join(new)
    if draft.fill(new, value):
        draft.warn(f"{before} is taken for {today}; write that instead")
    else:
        draft.warn(f"{before} is not read beside {today}; leave it out")


def _meaningless(draft: conversion.Draft, path: conversion.Path) -> None:
    if draft.at(*path) is not None:
        draft.warn(f"{'.'.join(path)} has no effect; leave it out")


def _replicas(draft: conversion.Draft) -> None:
    _moved(draft, ("spec", "replicas"), ("spec", "cache", "replicas"))
    _meaningless(draft, ("spec", "etcdReplicas"))


def _cache(draft: conversion.Draft) -> None:
    for field in ("image", "imagePullPolicy", "env", "resources"):
        _moved(draft, ("spec", "cacheSpec", field), ("spec", "cache", field))
    for field in ("replicas", "sharedMemorySize"):
        _meaningless(draft, ("spec", "cacheSpec", field))
    found = shapes.mapping(draft.at("spec", "cacheSpec"))
    amounts = {key: found[key] for key in ("cpu", "memory") if found.get(key) is not None}
    if not amounts:
        return
    wanted = {"cpu": _CPU, "memory": _MEMORY} | amounts
    shown = " and ".join(f"spec.cacheSpec.{key}" for key in amounts)
    path = ("spec", "cache", "resources")
    if found.get("resources") is None and draft.fill(path, {"requests": wanted, "limits": wanted}):
        draft.warn(f"{shown} {_verb(amounts)} taken for spec.cache.resources, requests and limits; write those instead")
    else:
        draft.warn(
            f"{shown} {_verb(amounts)} not read beside resources; leave {'it' if len(amounts) == 1 else 'them'} out"
        )


def _image(draft: conversion.Draft) -> None:
    """The schema defaults the image of an absent cache only; this one has just come to be."""
    if isinstance(draft.at("spec", "cache"), dict) and draft.at("spec", "cacheSpec", "image") is None:
        draft.fill(("spec", "cache", "image"), types.DEFAULT_IMAGE)


def _verb(subjects: Mapping[str, Any]) -> str:
    return "is" if len(subjects) == 1 else "are"


def _stores(draft: conversion.Draft) -> None:
    for store in ("etcd", "redis"):
        path = ("spec", "metadata", store)
        if not isinstance(draft.at(*path), dict):
            continue
        for field in _RUNTIME_FIELDS:
            _moved(draft, (*path, field), (*path, "runtime", field))
        if draft.at(*path, "externalConnection") is None and draft.at(*path, "runtime") is None:
            draft.fill((*path, "runtime", "replicas"), 1)
        _meaningless(draft, (*path, "storage"))


def _service(draft: conversion.Draft) -> None:
    service, ports = draft.at("spec", "service"), ("spec", "service", "ports")
    if not isinstance(service, dict):
        return
    if draft.given(ports):
        _meaningless(draft, ("spec", "service", "port"))
        return
    port = shapes.integer(service, "port") or _SERVICE_PORT
    node_port = shapes.integer(service, "nodePort")
    entry = {"name": "service", "port": port, "protocol": "TCP"} | ({"nodePort": node_port} if node_port else {})
    draft.fill(ports, [entry])
    found = "spec.service.port" if service.get("port") is not None else "spec.service without ports"
    draft.warn(f"{found} is taken for spec.service.ports with the port {port}; write those instead")


def _metadata(draft: conversion.Draft, *, legacy: bool) -> None:
    spec = draft.at("spec")
    if not isinstance(spec, dict) or _has_store(draft):
        return
    centralized = spec.get("mode") == types.CENTRALIZED and draft.text(
        "metadata", "annotations", names.KV_CACHE_BACKEND
    ) in ("", types.VINEYARD)
    if not legacy and not centralized:
        return
    draft.fill(("spec", "metadata", "etcd"), {"runtime": {"image": "", "replicas": 1}})
    draft.warn(
        "spec.metadata is not given: it is taken for an etcd with one replica; write spec.metadata.etcd.runtime.replicas: 1"
    )


def _has_store(draft: conversion.Draft) -> bool:
    """Whether the client gave a metadata store."""
    return any(draft.given(("spec", "metadata", store)) for store in ("etcd", "redis"))
