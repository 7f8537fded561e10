"""Volumes of a pod: one source each, from where the kubelet takes files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import metadata

Volume = Mapping[str, Any]

_FILE_MODE = 0o644
_TOKEN_SECONDS = 3600
_HOST_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


def fill(volume: dict[str, Any]) -> None:
    """Fill in one volume. One without a source is an empty directory."""
    if not _sources(volume):
        volume["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if (source := volume.get(name)) is not None:
            source.setdefault("defaultMode", _FILE_MODE)
            _fill_fields(source.get("items"))
    if (host := volume.get("hostPath")) is not None:
        host.setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if (token := source.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", _TOKEN_SECONDS)
        _fill_fields((source.get("downwardAPI") or {}).get("items"))


def _fill_fields(items: Sequence[dict[str, Any]] | None) -> None:
    for item in items or ():
        if (reference := item.get("fieldRef")) is not None:
            reference.setdefault("apiVersion", "v1")


def _sources(volume: Volume) -> list[str]:
    return [key for key, value in volume.items() if key != "name" and value is not None]


def judge(path: str, volumes: Sequence[Volume]) -> faults.Errors:
    """Everything wrong with the volumes at ``path``."""
    for index, volume in enumerate(volumes):
        yield from _volume(f"{path}[{index}]", volume)
    yield from faults.unique(path, [(f"[{index}].name", each.get("name")) for index, each in enumerate(volumes)])


def _volume(path: str, volume: Volume) -> faults.Errors:
    name = volume.get("name")
    if not name:
        yield faults.required(f"{path}.name")
    elif problem := metadata.dns_label(name):
        yield faults.invalid(f"{path}.name", name, problem)
    sources = _sources(volume)
    if not sources:
        yield faults.required(path, "must specify a volume type")
    for extra in sources[1:]:
        yield faults.forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    for source in sources[:1]:
        check = _JUDGES.get(source)
        if check is not None:
            yield from check(f"{path}.{source}", volume[source])


def _host_path(path: str, source: Volume) -> faults.Errors:
    where = source.get("path")
    if not where:
        yield faults.required(f"{path}.path")
    elif ".." in where.split("/"):
        yield faults.invalid(f"{path}.path", where, "must not contain '..'")
    if source.get("type", "") not in _HOST_TYPES:
        yield faults.not_supported(f"{path}.type", source["type"], _HOST_TYPES)


def _secret(path: str, source: Volume) -> faults.Errors:
    if not source.get("secretName"):
        yield faults.required(f"{path}.secretName")
    yield from _files(path, source)


def _config_map(path: str, source: Volume) -> faults.Errors:
    if not source.get("name"):
        yield faults.required(f"{path}.name")
    yield from _files(path, source)


def _files(path: str, source: Volume) -> faults.Errors:
    yield from _mode(f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        if not item.get("key"):
            yield faults.required(f"{path}.items[{index}].key")
        yield from _inside(f"{path}.items[{index}].path", item.get("path"))
        yield from _mode(f"{path}.items[{index}].mode", item.get("mode"))


def _mode(path: str, mode: int | None) -> faults.Errors:
    if mode is not None and not 0 <= mode <= 0o777:
        text = "must be a number between 0 and 0777 (octal), both inclusive"
        yield faults.invalid(path, mode, text)


def _inside(path: str, where: str | None) -> faults.Errors:
    """A path below the volume."""
    if not where:
        yield faults.required(path)
    elif where.startswith("/"):
        yield faults.invalid(path, where, "must be a relative path")
    elif ".." in where.split("/"):
        yield faults.invalid(path, where, "must not contain '..'")


def _claim(path: str, source: Volume) -> faults.Errors:
    if not source.get("claimName"):
        yield faults.required(f"{path}.claimName")


def _downward(path: str, source: Volume) -> faults.Errors:
    yield from _mode(f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        yield from _inside(f"{path}.items[{index}].path", item.get("path"))
        if (item.get("fieldRef") is None) == (item.get("resourceFieldRef") is None):
            yield faults.required(f"{path}.items[{index}]", "one of fieldRef and resourceFieldRef is required")


def _projected(path: str, source: Volume) -> faults.Errors:
    yield from _mode(f"{path}.defaultMode", source.get("defaultMode"))
    for index, each in enumerate(source.get("sources") or ()):
        inner = f"{path}.sources[{index}]"
        if len(_sources(each)) > 1:
            yield faults.forbidden(inner, "may not specify more than 1 volume type per source")
        for kind in ("secret", "configMap"):
            if each.get(kind) is not None and not each[kind].get("name"):
                yield faults.required(f"{inner}.{kind}.name")
        if (token := each.get("serviceAccountToken")) is not None:
            yield from _inside(f"{inner}.serviceAccountToken.path", token.get("path"))


_JUDGES = {
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _config_map,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "projected": _projected,
}


def mount(path: str, found: Volume, volumes: Sequence[Any]) -> faults.Errors:
    """A ``volumeMounts`` item of a container; ``volumes`` are the names the pod has."""
    name = found.get("name")
    if not name:
        yield faults.required(f"{path}.name")
    elif name not in volumes:
        yield faults.not_found(f"{path}.name", name)
    if not found.get("mountPath"):
        yield faults.required(f"{path}.mountPath")
    if found.get("subPath") and found.get("subPathExpr"):
        yield faults.invalid(
            f"{path}.subPathExpr", found["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
        )
    for field in ("subPath", "subPathExpr"):
        if found.get(field):
            yield from _inside(f"{path}.{field}", found[field])
