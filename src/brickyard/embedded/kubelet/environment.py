"""A container's environment and words, as Kubernetes builds them. Pure: the objects it needs are given.

Order, later wins: what the agent itself adds, service variables, ``envFrom``, ``env``. ``$(NAME)`` in a value of ``env`` means what is
defined by then; in ``command`` and ``args`` it means the whole environment. ``$$(NAME)`` stays as ``$(NAME)``, and what is not defined
stays as it is written.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import errors
from brickyard.kube.objects import quantities

POD_ADDRESS = "BRICKYARD_POD_IP"
"""The pod's address, for programs that must be told what to bind to."""

CONFIG_ERROR = "CreateContainerConfigError"
_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, and the volume that it is bound to, if it is."""

    claim: resources.Object
    volume: resources.Object | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What a pod's environment is made of.

    Attributes:
        pod: the pod object.
        node: name of the node. ``host_address`` and ``address``: the node's and the pod's.
        config_maps, secrets, claims: those that are referred to, by name; None for one that does not exist.
        services: services of the pod's namespace.
        capacity: what can be had of the machine, for ``resourceFieldRef`` without a limit.
    """

    pod: resources.Object
    node: str
    host_address: str
    address: str
    config_maps: Mapping[str, resources.Object | None] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, resources.Object | None] = dataclasses.field(default_factory=dict)
    claims: Mapping[str, Claimed | None] = dataclasses.field(default_factory=dict)
    services: Sequence[resources.Object] = ()
    capacity: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class References:
    """Names of objects in the pod's namespace that its containers or volumes are made of."""

    config_maps: frozenset[str]
    secrets: frozenset[str]
    claims: frozenset[str]


def references(pod: resources.Object) -> References:
    """Every ConfigMap, Secret and claim that the pod needs to start."""
    spec = pod["spec"]
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        sources = [each.get("valueFrom") or {} for each in container.get("env") or ()]
        config_maps |= set(_named(sources, "configMapKeyRef")) | set(_named(container.get("envFrom"), "configMapRef"))
        secrets |= set(_named(sources, "secretKeyRef")) | set(_named(container.get("envFrom"), "secretRef"))
    volumes = spec.get("volumes") or ()
    projected = [each for volume in volumes for each in (volume.get("projected") or {}).get("sources") or ()]
    config_maps |= set(_named((*volumes, *projected), "configMap"))
    secrets |= set(_named(projected, "secret"))
    secrets |= {name for each in volumes if (name := (each.get("secret") or {}).get("secretName"))}
    claims = {name for each in volumes if (name := claim_name(pod, each))}
    return References(frozenset(config_maps), frozenset(secrets), frozenset(claims))


def claim_name(pod: resources.Object, volume: Mapping[str, Any]) -> str:
    """The claim behind one of the pod's volumes; "" where there is none."""
    if "ephemeral" in volume:
        return f"{pod['metadata']['name']}-{volume['name']}"
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")


def _named(items: Iterable[Mapping[str, Any]] | None, field: str) -> Iterator[str]:
    for each in items or ():
        if name := (each.get(field) or {}).get("name"):
            yield name


def build(container: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    """The container's own variables, in order.

    Raises:
        NotStarted: something it needs does not exist or makes no sense (CreateContainerConfigError).
    """
    env = {"HOSTNAME": facts.pod["metadata"]["name"], POD_ADDRESS: facts.address}
    if facts.pod["spec"].get("enableServiceLinks", True):
        for service in facts.services:
            env.update(service_variables(service))
    for source in container.get("envFrom") or ():
        env.update(_from_source(source, facts))
    for each in container.get("env") or ():
        value = _value(each, container, facts, env)
        if value is not None:
            env[each["name"]] = value
    for name, value in env.items():
        if "\0" in value:
            text = f"the value of variable {name} holds a NUL, which no variable can: mount its source as a volume"
            raise errors.NotStarted(CONFIG_ERROR, text)
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """``text`` with ``$(NAME)`` replaced; ``$$`` is one dollar that begins nothing."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(words: Iterable[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """Each word expanded."""
    return tuple(expand(word, env) for word in words)


# One variable.


def _value(each: Mapping[str, Any], container: Mapping[str, Any], facts: Facts, env: Mapping[str, str]) -> str | None:
    source = each.get("valueFrom")
    if not source:
        return expand(str(each.get("value") or ""), env)
    if reference := source.get("configMapKeyRef"):
        return _key(reference, facts.config_maps, "configmap")
    if reference := source.get("secretKeyRef"):
        return _key(reference, facts.secrets, "secret")
    if reference := source.get("fieldRef"):
        return field(reference["fieldPath"], facts)
    if reference := source.get("resourceFieldRef"):
        return resource(reference, container, facts)
    raise errors.NotStarted(CONFIG_ERROR, f"env {each['name']}: valueFrom {', '.join(source)} is not supported here")


def field(path: str, facts: Facts) -> str:
    """The value of a ``fieldRef``."""
    meta, spec = facts.pod["metadata"], facts.pod["spec"]
    if found := _SUBSCRIPT.fullmatch(path):
        return str((meta.get(found[1]) or {}).get(found[2], ""))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta.get("uid", ""),
        "metadata.labels": _pairs(meta.get("labels")),
        "metadata.annotations": _pairs(meta.get("annotations")),
        "spec.nodeName": facts.node,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": facts.host_address,
        "status.hostIPs": facts.host_address,
        "status.podIP": facts.address,
        "status.podIPs": facts.address,
    }
    if path not in known:
        raise errors.NotStarted(CONFIG_ERROR, f"fieldRef {path!r} is not supported; known are {', '.join(known)}")
    return str(known[path])


def _pairs(fields: Mapping[str, str] | None) -> str:
    """One per line, values in quotes, so that a value of several lines stays one line."""
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted((fields or {}).items()))


def resource(reference: Mapping[str, Any], container: Mapping[str, Any], facts: Facts) -> str:
    """The value of a ``resourceFieldRef``: of the container it names, else of ``container``; rounded up.

    A limit that is not set is what the node has; a request that is not set is the limit, or 0 without one.
    """
    part, _, name = str(reference["resource"]).partition(".")
    named = reference.get("containerName")
    if named:
        everyone = [*(facts.pod["spec"].get("initContainers") or ()), *facts.pod["spec"]["containers"]]
        container = next((each for each in everyone if each["name"] == named), container)
    sizes = container.get("resources") or {}
    limits = sizes.get("limits") or {}
    if part == "requests":
        found = (sizes.get("requests") or {}).get(name, limits.get(name, "0"))
    else:
        found = limits.get(name, facts.capacity.get(name, "0"))
    value = quantities.parse(found)
    divisor = quantities.parse(reference.get("divisor") or "1") or quantities.parse("1")
    return str(math.ceil(value / divisor))


def _key(reference: Mapping[str, Any], held: Mapping[str, resources.Object | None], kind: str) -> str | None:
    name, key = reference.get("name", ""), reference.get("key", "")
    obj = held.get(name)
    value = None if obj is None else data(obj).get(key)
    if value is not None:
        return value.decode(errors="replace")
    if reference.get("optional"):
        return None
    if obj is None:
        raise errors.NotStarted(CONFIG_ERROR, f'{kind} "{name}" not found')
    raise errors.NotStarted(CONFIG_ERROR, f"couldn't find key {key} in {kind} {name}")


def _from_source(source: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    tables = (("configMapRef", facts.config_maps, "configmap"), ("secretRef", facts.secrets, "secret"))
    for field_name, held, kind in tables:
        if reference := source.get(field_name):
            obj = held.get(reference.get("name", ""))
            if obj is None and not reference.get("optional"):
                raise errors.NotStarted(CONFIG_ERROR, f'{kind} "{reference.get("name", "")}" not found')
            return {f"{prefix}{key}": value.decode(errors="replace") for key, value in data(obj or {}).items()}
    return {}


def data(obj: resources.Object) -> dict[str, bytes]:
    """What a ConfigMap or Secret holds, by key."""
    if obj.get("kind") == "Secret" or "type" in obj:
        return {key: _decoded(obj, key, text) for key, text in (obj.get("data") or {}).items()}
    plain = {key: str(text).encode() for key, text in (obj.get("data") or {}).items()}
    return plain | {key: _decoded(obj, key, text) for key, text in (obj.get("binaryData") or {}).items()}


def _decoded(obj: resources.Object, key: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        name = obj["metadata"]["name"]
        raise errors.NotStarted(CONFIG_ERROR, f"{name}: the value of key {key} is no base64") from error


# Services.


def service_variables(service: resources.Object) -> dict[str, str]:
    """``<NAME>_SERVICE_HOST``, ``<NAME>_SERVICE_PORT`` and the older Docker links; none without a cluster address."""
    spec = service.get("spec") or {}
    host, ports = spec.get("clusterIP"), spec.get("ports") or ()
    if not host or host == "None" or not ports:
        return {}
    name = _variable(service["metadata"]["name"])
    env = {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
    env.update(
        {f"{name}_SERVICE_PORT_{_variable(each['name'])}": str(each["port"]) for each in ports if each.get("name")}
    )
    env[f"{name}_PORT"] = _link(host, ports[0])
    for each in ports:
        stem = f"{name}_PORT_{each['port']}_{each.get('protocol', 'TCP')}"
        env[stem] = _link(host, each)
        env[f"{stem}_PROTO"] = each.get("protocol", "TCP").lower()
        env[f"{stem}_PORT"] = str(each["port"])
        env[f"{stem}_ADDR"] = host
    return env


def _link(host: str, port: Mapping[str, Any]) -> str:
    return f"{port.get('protocol', 'TCP').lower()}://{host}:{port['port']}"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
