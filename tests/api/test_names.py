from __future__ import annotations

import ast
import pathlib
import re
from collections import Counter
from types import ModuleType

import pytest

from brickyard.api import names
from brickyard.api.names import environment, ports

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "brickyard"

LABEL_KEY = re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9]")
# An aibrix key as a literal of its own, rather than in a sentence.
AIBRIX_KEY = re.compile(r"([a-z0-9-]+\.)*aibrix\.(ai|io)/[A-Za-z0-9._-]*")


def constants(module: ModuleType) -> dict[str, object]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


def test_the_names_that_manifests_rely_on() -> None:
    """A sample of the API surface, written out: renaming a constant's value is a break."""
    assert names.MODEL_NAME == "model.aibrix.ai/name"
    assert names.METRIC_PORT == "model.aibrix.ai/metric-port"
    assert names.ADAPTER_ENABLED == "adapter.model.aibrix.ai/enabled"
    assert names.POOL_POLICY == "pool.aibrix.ai/policy"
    assert names.POD_GROUP_INDEX == "stormservice.orchestration.aibrix.ai/pod-group-index"
    assert names.KV_CACHE_BACKEND == "kvcache.orchestration.aibrix.ai/backend"
    assert names.HPKV_RDMA_PORT == "hpkv.kvcache.orchestration.aibrix.ai/rdma-port"
    assert names.SCALE_DOWN_COOLDOWN == "autoscaling.aibrix.ai/scale-down-cooldown-window"
    assert names.RAY_CLUSTER_FLEET_NAME == "orchestration.aibrix.ai/raycluster-fleet-name"
    assert names.STORM_SERVICE_FINALIZER == "orchestration.aibrix.ai/stormservice-finalizer"
    assert names.HEADER_PREFILL_TARGET_POD == "prefill-target-pod"
    assert names.ERROR_RPM_EXCEEDED == "x-error-rpm-exceeded"
    assert environment.ROLE_SET_INDEX == "ROLESET_INDEX"
    assert environment.KV_CACHE_BLOCK_SIZE == "AIBRIX_KVCACHE_BLOCK_SIZE_IN_BYTES"
    assert ports.HPKV_RDMA == 18512


@pytest.mark.parametrize("module", [names, environment], ids=["names", "environment"])
def test_each_literal_stands_once(module: ModuleType) -> None:
    count = Counter(constants(module).values())
    assert {value: times for value, times in count.items() if times > 1} == {}


def test_labels_annotations_and_finalizers_are_legal_keys() -> None:
    keys = {name: value for name, value in constants(names).items() if isinstance(value, str) and "/" in value}
    assert len(keys) > 100
    wrong = [name for name, value in keys.items() if not LABEL_KEY.fullmatch(value.removesuffix("."))]
    assert [name for name in wrong if not name.endswith("_PREFIX")] == []


def test_headers_are_lower_case() -> None:
    """HTTP/2 knows no other, and our parser hands them over so."""
    found = {name: value for name, value in constants(names).items() if name.startswith(("HEADER_", "ERROR_"))}
    assert {name for name, value in found.items() if not re.fullmatch(r"[a-z][a-z-]*", str(value))} == set()
    assert all(str(value).startswith("x-error-") for name, value in found.items() if name.startswith("ERROR_"))


def test_variables_are_what_a_shell_can_set() -> None:
    wrong = {value for value in constants(environment).values() if not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(value))}
    assert wrong == {environment.DATA_PARALLEL_SIZE}


def test_ports_are_ports() -> None:
    assert all(isinstance(value, int) and 0 < value < 65536 for value in constants(ports).values())


# Words of everyday use are no sign of a name: those with a slash, a dash, or two words in capitals are.
TELLING = re.compile(r".*[/-].*|[A-Z]+(_[A-Z]+)+")


def literals(path: pathlib.Path, wanted: frozenset[object]) -> list[str]:
    """Where ``path`` spells one of ``wanted``, or any key of AIBrix, as a literal of its own rather than in a sentence."""
    return [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.value}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (node.value in wanted or AIBRIX_KEY.fullmatch(node.value))
    ]


def test_nobody_else_spells_a_name() -> None:
    known = {**constants(names), **{f"env {name}": value for name, value in constants(environment).items()}}
    wanted = frozenset(value for value in known.values() if isinstance(value, str) and TELLING.fullmatch(value))
    assert len(wanted) > 200
    sources = [path for path in sorted(SOURCE.rglob("*.py")) if "names" not in path.parts]
    assert [each for path in sources for each in literals(path, wanted)] == []
    assert literals(SOURCE / "api" / "names" / "__init__.py", wanted), "the search finds what it looks for"
