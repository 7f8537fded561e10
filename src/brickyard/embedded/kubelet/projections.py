"""Volumes that are made of the API's objects: ConfigMaps, Secrets, the pod's own fields, and several of them in one. Pure.

| source                | files                                                                                                    |
|-----------------------|----------------------------------------------------------------------------------------------------------|
| configMap, secret     | one for each key, or those of ``items`` under other names                                                |
| downwardAPI           | the pod's fields as they are now, and sizes of its containers                                            |
| projected             | all of these together; of two files of one name the later source's                                       |
| serviceAccountToken   | refused: there are no tokens of ServiceAccounts on one machine; the kubeconfig speaks for its one user   |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import atomicfiles, environment, errors

KINDS = ("configMap", "secret", "downwardAPI", "projected")
"""The sources of a volume that are files of this kind."""

Files = dict[str, atomicfiles.File]


def content(volume: Mapping[str, Any], facts: environment.Facts) -> Files:
    """Relative path → file, of a volume with one of ``KINDS``.

    Raises:
        NotStarted: something that is not optional does not exist.
    """
    if "configMap" in volume:
        return _config_map(volume["configMap"], facts, volume["configMap"].get("defaultMode"))
    if "secret" in volume:
        return _secret(volume["secret"], facts, volume["secret"].get("defaultMode"))
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], facts, volume["downwardAPI"].get("defaultMode"))
    found: Files = {}
    for source in volume["projected"].get("sources") or ():
        found |= _projected(volume["name"], source, facts, volume["projected"].get("defaultMode"))
    return found


def _projected(name: str, source: Mapping[str, Any], facts: environment.Facts, mode: int | None) -> Files:
    if "configMap" in source:
        return _config_map(source["configMap"], facts, mode)
    if "secret" in source:
        secret = source["secret"]
        return _secret({**secret, "secretName": secret.get("name", "")}, facts, mode)
    if "downwardAPI" in source:
        return _downward(source["downwardAPI"], facts, mode)
    if "serviceAccountToken" in source:
        hint = "give the pod a kubeconfig in a Secret, or set automountServiceAccountToken to false"
        raise refused(f"volume {name}: ServiceAccounts have no tokens on one machine: {hint}")
    raise refused(f"volume {name}: a projected {', '.join(source) or 'nothing'} is not supported on one machine")


def _config_map(source: Mapping[str, Any], facts: environment.Facts, mode: int | None) -> Files:
    return _object(source, source.get("name", ""), facts.config_maps, "configmap", mode)


def _secret(source: Mapping[str, Any], facts: environment.Facts, mode: int | None) -> Files:
    return _object(source, source.get("secretName", ""), facts.secrets, "secret", mode)


def _object(
    source: Mapping[str, Any],
    name: str,
    held: Mapping[str, resources.Object | None],
    kind: str,
    mode: int | None,
) -> Files:
    obj = held.get(name)
    if obj is None:
        if source.get("optional"):
            return {}
        raise refused(f'{kind} "{name}" not found')
    everything = environment.data(obj)
    items: Sequence[Mapping[str, Any]] = source.get("items") or [{"key": key, "path": key} for key in everything]
    missing = [each["key"] for each in items if each["key"] not in everything]
    if missing and not source.get("optional"):
        raise refused(f"couldn't find key {missing[0]} in {kind} {name}")
    return {
        each["path"]: atomicfiles.File(everything[each["key"]], _mode(each.get("mode"), mode))
        for each in items
        if each["key"] in everything
    }


def _downward(source: Mapping[str, Any], facts: environment.Facts, mode: int | None) -> Files:
    found: Files = {}
    for item in source.get("items") or ():
        if reference := item.get("fieldRef"):
            text = environment.field(reference["fieldPath"], facts)
        else:
            text = environment.resource(item["resourceFieldRef"], {}, facts)
        found[item["path"]] = atomicfiles.File(text.encode(), _mode(item.get("mode"), mode))
    return found


def _mode(own: int | None, default: int | None) -> int:
    """Never writable for others, whatever the manifest says."""
    wanted = default if own is None else own
    return (0o644 if wanted is None else int(wanted)) & 0o755


def refused(message: str) -> errors.NotStarted:
    """The refusal of a volume."""
    return errors.NotStarted(environment.CONFIG_ERROR, message)
