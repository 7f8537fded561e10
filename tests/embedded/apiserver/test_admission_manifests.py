"""Every manifest that users of AIBrix publish is accepted as it stands."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver import catalog, companions
from brickyard.embedded.apiserver.admission import testing

MANIFESTS = pathlib.Path(__file__).resolve().parents[4] / "shared" / "manifests"


def documents() -> list[tuple[str, resources.Object]]:
    return [
        (f"{path.name}:{index}", document)
        for path in sorted(MANIFESTS.glob("*.yaml"))
        for index, document in enumerate(yaml.safe_load_all(path.read_text()))
    ]


@pytest.fixture(scope="module")
def served() -> catalog.BuiltinCatalog:
    made = catalog.BuiltinCatalog()
    for definition in [*crds.definitions(), *companions.definitions()]:
        made.install(definition)
    return made


@pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the published manifests are not on this machine")
def test_there_are_manifests() -> None:
    kinds = {document["kind"] for _, document in documents()}
    assert {"Deployment", "Service", "PodAutoscaler", "ModelAdapter", "KVCache", "RayClusterFleet"} <= kinds


@pytest.mark.parametrize(("where", "document"), documents(), ids=[where for where, _ in documents()])
def test_a_published_manifest_is_accepted(
    served: catalog.BuiltinCatalog, where: str, document: resources.Object
) -> None:
    resource = served.of_kind(document["apiVersion"], document["kind"])
    assert resource is not None, f"{where}: {document['kind']} is not served"
    document["metadata"].setdefault("namespace", "default")
    assert resource.admission.unknown_fields(document) == []
    assert testing.complaints(resource, document) == []
    kept = testing.admitted(resource, document)
    if resource.type.group not in ("", "apps"):
        assert lost(document["spec"], kept["spec"]) == []


def lost(given: Any, kept: Any, path: str = "spec") -> list[str]:
    """Where something of ``given`` is not in ``kept``, which may hold more: defaults."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [each for name in given for each in lost(given[name], kept.get(name), f"{path}.{name}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        pairs = zip(given, kept, strict=True)
        return [each for index, (a, b) in enumerate(pairs) for each in lost(a, b, f"{path}[{index}]")]
    return [] if given == kept else [path]
