"""Write the OpenAPI definitions of the kinds the embedded API server serves, from Kubernetes' own schemas.

    python tools/make_openapi.py           write src/brickyard/embedded/apiserver/data/openapi.json.gz
    python tools/make_openapi.py --check   fail when that file is not what would be written

Source: the JSON schemas inside the development dependency ``kubernetes-validate``. They are JSON Schema in which every field may be
null and apiVersion and kind are enumerations; here they become the OpenAPI v2 definitions that Kubernetes publishes.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/brickyard/embedded/apiserver/data/openapi.json.gz"
VERSION = "v1.37.0"
LIMIT = 400 * 1024

_API = "io.k8s.api."
_CORE = _API + "core.v1."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
KINDS = (
    *(_CORE + kind for kind in ("Namespace", "Node", "Pod", "Service", "ConfigMap", "Secret", "Event")),
    *(_CORE + kind for kind in ("ServiceAccount", "Endpoints", "PersistentVolumeClaim")),
    *(_CORE + kind for kind in ("PersistentVolume", "ResourceQuota", "LimitRange")),
    *(_API + "apps.v1." + kind for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")),
    _API + "apps.v1.ControllerRevision",
    *(_API + "batch.v1." + kind for kind in ("Job", "CronJob")),
    _API + "autoscaling.v2.HorizontalPodAutoscaler",
    _API + "coordination.v1.Lease",
    _API + "discovery.v1.EndpointSlice",
    *(_API + "networking.v1." + kind for kind in ("Ingress", "NetworkPolicy")),
    _API + "policy.v1.PodDisruptionBudget",
    *(_API + "rbac.v1." + kind for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
    _API + "resource.v1.ResourceClaimTemplate",
    _API + "scheduling.v1.PriorityClass",
    _API + "storage.v1.StorageClass",
    *(_API + f"admissionregistration.v1.{kind}WebhookConfiguration" for kind in ("Mutating", "Validating")),
    _EXTENSIONS + "CustomResourceDefinition",
)
# Kinds that are never stored have no lists.
REVIEWS = (
    *(_API + "authentication.v1." + kind for kind in ("TokenReview", "SelfSubjectReview")),
    *(_API + f"authorization.v1.{kind}AccessReview" for kind in ("Subject", "SelfSubject", "LocalSubject")),
    _API + "authorization.v1.SelfSubjectRulesReview",
)
ROOTS = (
    *KINDS,
    *(kind + "List" for kind in KINDS),
    *REVIEWS,
    _API + "autoscaling.v1.Scale",
    _META + "Status",
    _META + "DeleteOptions",
    _META + "Patch",
)
# Types with their own JSON form: what Kubernetes publishes for them.
_SPECIAL: Mapping[str, Mapping[str, Any]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "description": "IntOrString is a type that can hold an int32 or a string.",
        "type": "string",
        "format": "int-or-string",
    },
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "description": "Quantity is a number with an optional decimal or binary suffix, such as 250m, 1.5, 64Mi or 1e3.",
        "type": "string",
    },
}
_REFERENCE = "#/$defs/"


def source() -> dict[str, Any]:
    """Every definition of the source, by full name."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise SystemExit("kubernetes-validate is not installed: pip install -e '.[dev]'")
    folder = pathlib.Path(spec.origin).parent / "kubernetes-json-schema" / f"{VERSION}-local"
    if not folder.is_dir():
        raise SystemExit(f"kubernetes-validate has no schemas for {VERSION}: install a version that has")
    definitions: dict[str, Any] = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return definitions


def references(schema: Any) -> Iterator[str]:
    """Names of the definitions that ``schema`` refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REFERENCE)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def closure(definitions: Mapping[str, Any], roots: Iterable[str]) -> set[str]:
    """``roots`` and everything they reach."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(references(definitions[name]))
    return found


def converted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One schema as OpenAPI v2."""
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: _property(name, each) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = converted(value)
        elif key == "type" and isinstance(value, list):
            (result[key],) = (each for each in value if each != "null")
        elif key == "$ref":
            result[key] = "#/definitions/" + value.removeprefix(_REFERENCE)
        else:
            result[key] = value
    return result


def _property(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if name in ("apiVersion", "kind"):
        schema = {key: value for key, value in schema.items() if key != "enum"}
    return converted(schema)


def document() -> dict[str, Any]:
    """What is shipped: ``{"version": …, "definitions": {name: schema}}``."""
    definitions = source()
    names = closure(definitions, ROOTS)
    served = {
        _identity(each) for name in ROOTS for each in definitions[name].get("x-kubernetes-group-version-kind", ())
    }
    result = {}
    for name in sorted(names):
        schema = {**(_SPECIAL.get(name) or converted(definitions[name]))}
        kinds = schema.pop("x-kubernetes-group-version-kind", ())
        # DeleteOptions and its like name every group there is; only ours mean something here.
        ours = [each for each in kinds if name in ROOTS and len(kinds) == 1 and _identity(each) in served]
        result[name] = {**schema, **({"x-kubernetes-group-version-kind": ours} if ours else {})}
    return {"version": VERSION, "definitions": result}


def _identity(kind: Mapping[str, str]) -> tuple[str, str, str]:
    return kind["group"], kind["version"], kind["kind"]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when the file is out of date")
    options = parser.parse_args(arguments)
    text = json.dumps(document(), sort_keys=True, separators=(",", ":")).encode()
    if options.check:
        # Compared unpacked: two zlib builds may pack the same text differently.
        if not TARGET.exists() or gzip.decompress(TARGET.read_bytes()) != text:
            print(f"{TARGET.relative_to(ROOT)} is out of date: run python tools/make_openapi.py", file=sys.stderr)
            return 1
        return 0
    packed = gzip.compress(text, compresslevel=9, mtime=0)
    if len(packed) > LIMIT:
        print(f"{len(packed)} bytes packed is over the limit of {LIMIT}: serve fewer kinds", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(packed)
    print(f"{TARGET.relative_to(ROOT)}: {len(text)} bytes, {len(packed)} packed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
