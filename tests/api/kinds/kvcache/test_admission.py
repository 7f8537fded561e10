"""The backend of a KVCache: what is defaulted, what is refused."""

import copy
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.api.kinds.kvcache import admission

RULES = admission.Rules()
BACKEND = "kvcache.orchestration.aibrix.ai/backend"
MODE = "kvcache.orchestration.aibrix.ai/mode"


def cache(annotations: Any = None) -> resources.Object:
    return {"metadata": {"name": "c"} | ({} if annotations is None else {"annotations": annotations}), "spec": {}}


# annotations | backend | annotations with defaults
ROWS: list[tuple[dict[str, str] | None, str, dict[str, str]]] = [
    (None, "vineyard", {BACKEND: "vineyard", MODE: "vineyard"}),
    ({}, "vineyard", {BACKEND: "vineyard", MODE: "vineyard"}),
    ({BACKEND: ""}, "vineyard", {BACKEND: "vineyard", MODE: "vineyard"}),
    ({BACKEND: "hpkv"}, "hpkv", {BACKEND: "hpkv", MODE: "vineyard"}),
    ({BACKEND: "infinistore"}, "infinistore", {BACKEND: "infinistore", MODE: "vineyard"}),
    ({MODE: "distributed"}, "infinistore", {BACKEND: "infinistore", MODE: "distributed"}),
    ({MODE: "centralized"}, "vineyard", {BACKEND: "vineyard", MODE: "centralized"}),
    ({MODE: "else"}, "vineyard", {BACKEND: "vineyard", MODE: "else"}),
    ({BACKEND: "hpkv", MODE: "distributed"}, "hpkv", {BACKEND: "hpkv", MODE: "distributed"}),
]


class TestBackend:
    @pytest.mark.parametrize(("given", "chosen", "wanted"), ROWS)
    def test_row(self, given: dict[str, str] | None, chosen: str, wanted: dict[str, str]) -> None:
        obj = cache(given)
        before = copy.deepcopy(obj)
        assert admission.backend(obj) == chosen
        made = RULES.default(obj)
        assert obj == before
        assert made["metadata"]["annotations"] == wanted
        assert RULES.default(made) is made
        assert list(RULES.validate(obj, None)) == []
        assert list(RULES.validate(made, None)) == []

    @pytest.mark.parametrize("backend", ["memcached", "Vineyard", " hpkv"])
    def test_unknown(self, backend: str) -> None:
        (error,) = RULES.validate(cache({BACKEND: backend}), None)
        assert error.path == f"metadata.annotations[{BACKEND}]"
        assert error.message == (
            f'Invalid value: "{backend}": invalid backend "{backend}" specified, supported backends are: vineyard, hpkv, infinistore'
        )

    def test_updates_are_not_judged(self) -> None:
        assert list(RULES.validate(cache({BACKEND: "memcached"}), cache())) == []

    @pytest.mark.parametrize("obj", [{"metadata": None}, {"metadata": {"annotations": None}}, {}])
    def test_nulls_are_absences(self, obj: resources.Object) -> None:
        assert RULES.default(obj)["metadata"]["annotations"][BACKEND] == "vineyard"

    @pytest.mark.parametrize(
        "obj", [{"metadata": []}, {"metadata": {"annotations": "x"}}, {"metadata": {"annotations": []}}]
    )
    def test_strange_shapes(self, obj: resources.Object) -> None:
        assert RULES.default(obj) is obj

    def test_an_annotation_of_another_type_is_the_schema_s_to_refuse(self) -> None:
        made = RULES.default(cache({BACKEND: 7}))
        assert made["metadata"]["annotations"][BACKEND] == 7
