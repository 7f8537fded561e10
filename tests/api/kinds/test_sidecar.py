"""The runtime sidecar: what it is, where it stands, and that it is injected once."""

import copy
from typing import Any

import pytest

from brickyard.api.kinds import resources, sidecar
from brickyard.api.kinds.deployment import admission as deployment
from brickyard.api.kinds.stormservice import admission as stormservice

INJECT = "model.aibrix.ai/sidecar-injection"
IMAGE = "model.aibrix.ai/sidecar-runtime-image"
ENGINE = "model.aibrix.ai/engine"
VLLM = {"name": "vllm", "image": "vllm/vllm-openai:v0.7.1"}
MOUNT = {"name": "adapter-storage", "mountPath": "/tmp/aibrix/adapters"}

CONTAINER = {
    "name": "aibrix-runtime",
    "image": "aibrix/runtime:v0.5.0",
    "command": ["aibrix_runtime", "--port", "8080"],
    "env": [
        {"name": "INFERENCE_ENGINE", "value": "vllm"},
        {"name": "INFERENCE_ENGINE_ENDPOINT", "value": "http://localhost:8000"},
    ],
    "ports": [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}],
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 3, "periodSeconds": 2},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "initialDelaySeconds": 5, "periodSeconds": 10},
    "resources": {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    },
    "volumeMounts": [MOUNT],
}


def template(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers), **spec}}


class TestInjected:
    def test_exactly(self) -> None:
        asked = template(VLLM)
        before = copy.deepcopy(asked)
        assert sidecar.injected(asked, "", "") == {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [CONTAINER, {**VLLM, "volumeMounts": [MOUNT]}],
                "volumes": [{"name": "adapter-storage", "emptyDir": {}}],
            },
        }
        assert asked == before

    def test_it_stands_first(self) -> None:
        made = sidecar.injected(template(VLLM, {"name": "other"}), "", "")
        assert [each["name"] for each in made["spec"]["containers"]] == ["aibrix-runtime", "vllm", "other"]

    def test_once(self) -> None:
        made = sidecar.injected(template(VLLM), "", "")
        assert sidecar.injected(made, "other:1", "sglang") is made

    def test_one_that_is_there_stays_as_it_is(self) -> None:
        asked = template(VLLM, {"name": "aibrix-runtime", "image": "own:1"})
        assert sidecar.injected(asked, "", "") is asked

    def test_image_and_engine(self) -> None:
        made = sidecar.injected(template(VLLM), "own:1", "xllm")["spec"]["containers"][0]
        assert made["image"] == "own:1"
        assert made["env"][0]["value"] == "xllm"

    @pytest.mark.parametrize("asked", [None, {}, [], "x", template(), {"spec": None}, {"spec": {"containers": {}}}])
    def test_nothing_to_stand_beside(self, asked: Any) -> None:
        assert sidecar.injected(asked, "", "") is asked

    @pytest.mark.parametrize("strange", [None, 1, "x", [], {"name": 7}, {"volumeMounts": "x"}, {"volumeMounts": [1]}])
    def test_strange_containers(self, strange: Any) -> None:
        made = sidecar.injected(template(strange), "", "")
        assert made["spec"]["containers"][0]["env"][0]["value"] == "unknown"

    def test_an_emptydir_of_that_name_stays(self) -> None:
        own = {"name": "adapter-storage", "emptyDir": {"sizeLimit": "1Gi"}}
        assert sidecar.injected(template(VLLM, volumes=[own]), "", "")["spec"]["volumes"] == [own]

    def test_another_volume_of_that_name_becomes_one(self) -> None:
        volumes = [{"name": "m", "hostPath": {"path": "/m"}}, {"name": "adapter-storage", "hostPath": {"path": "/a"}}]
        made = sidecar.injected(template(VLLM, volumes=volumes), "", "")["spec"]["volumes"]
        assert made == [volumes[0], {"name": "adapter-storage", "emptyDir": {}}]

    @pytest.mark.parametrize(
        "mount",
        [
            {"name": "adapter-storage", "mountPath": "/elsewhere"},
            {"name": "models", "mountPath": "/tmp/aibrix/adapters"},
        ],
    )
    def test_a_container_keeps_its_own_mount(self, mount: dict[str, str]) -> None:
        made = sidecar.injected(template({**VLLM, "volumeMounts": [mount]}), "", "")
        assert made["spec"]["containers"][1]["volumeMounts"] == [mount]

    def test_other_mounts_stay(self) -> None:
        models = {"name": "models", "mountPath": "/models"}
        made = sidecar.injected(template({**VLLM, "volumeMounts": [models]}), "", "")
        assert made["spec"]["containers"][1]["volumeMounts"] == [models, MOUNT]


class TestEngine:
    @pytest.mark.parametrize(
        ("images", "engine"),
        [
            (["vllm/vllm-openai:v0.7.1"], "vllm"),
            (["registry/VLLM:1"], "vllm"),
            (["lmsysorg/sglang:latest"], "sglang"),
            (["ghcr.io/huggingface/text-generation-inference:2"], "tgi"),
            (["own/tgi:1"], "tgi"),
            (["nvcr.io/nvidia/tritonserver:24"], "triton"),
            (["ghcr.io/ggml-org/llama.cpp:server"], "llamacpp"),
            (["own/llama:1"], "unknown"),
            (["own/cpp:1"], "unknown"),
            ([], "unknown"),
            ([None], "unknown"),
            # The first container with a known image tells; within one image, the first engine of the list.
            (["busybox", "lmsysorg/sglang", "vllm/vllm-openai"], "sglang"),
            (["own/sglang-vllm:1"], "vllm"),
            (["own/triton-tgi:1"], "tgi"),
        ],
    )
    def test_row(self, images: list[str], engine: str) -> None:
        assert sidecar.engine_of([{"image": each} for each in images]) == engine


class TestDeployment:
    RULES = deployment.Rules()

    def make(self, annotations: Any, **spec: Any) -> resources.Object:
        return {"metadata": {"annotations": annotations}, "spec": {"template": template(VLLM), **spec}}

    @pytest.mark.parametrize(
        "annotations", [None, {}, {INJECT: "false"}, {INJECT: ""}, {INJECT: "True"}, {INJECT: True}]
    )
    def test_not_asked(self, annotations: Any) -> None:
        obj = self.make(annotations)
        assert self.RULES.default(obj) is obj

    def test_asked(self) -> None:
        obj = self.make({INJECT: "true", IMAGE: "own:1", ENGINE: "xllm"}, replicas=3)
        before = copy.deepcopy(obj)
        made = self.RULES.default(obj)
        assert obj == before
        assert made["spec"] == {"replicas": 3, "template": sidecar.injected(template(VLLM), "own:1", "xllm")}
        assert self.RULES.default(made) is made

    @pytest.mark.parametrize("spec", [None, [], {}, {"template": None}, {"template": "x"}])
    def test_without_a_template(self, spec: Any) -> None:
        obj = {"metadata": {"annotations": {INJECT: "true"}}, "spec": spec}
        assert self.RULES.default(obj) is obj

    def test_nothing_else(self) -> None:
        obj = self.make({INJECT: "true"})
        assert self.RULES.convert(obj).obj is obj
        assert list(self.RULES.validate(obj, None)) == []


class TestStormService:
    RULES = stormservice.Rules()

    def make(self, annotations: Any, *roles: Any, engine: str = "") -> resources.Object:
        inner = {"annotations": {ENGINE: engine}} if engine else {}
        return {
            "metadata": {"annotations": annotations},
            "spec": {"template": {"metadata": inner, "spec": {"roles": list(roles)}}},
        }

    @pytest.mark.parametrize("annotations", [None, {}, {ENGINE: "vllm"}])
    def test_not_asked(self, annotations: Any) -> None:
        obj = self.make(annotations, {"name": "a", "template": template(VLLM)})
        assert self.RULES.default(obj) is obj

    @pytest.mark.parametrize("value", ["true", "false", ""])
    def test_every_role_whatever_the_value(self, value: str) -> None:
        roles = [{"name": "prefill", "template": template(VLLM)}, {"name": "decode", "template": template(VLLM)}]
        made = self.RULES.default(self.make({INJECT: value}, *roles))
        found = made["spec"]["template"]["spec"]["roles"]
        assert found == [{**each, "template": sidecar.injected(template(VLLM), "", "")} for each in roles]
        assert self.RULES.default(made) is made

    def test_the_engine_stands_on_the_template(self) -> None:
        role = {"name": "a", "template": template({"name": "c", "image": "own:1"})}
        made = self.RULES.default(self.make({INJECT: "", IMAGE: "own:2", ENGINE: "ignored"}, role, engine="sglang"))
        container = made["spec"]["template"]["spec"]["roles"][0]["template"]["spec"]["containers"][0]
        assert container["env"][0]["value"] == "sglang"
        assert container["image"] == "own:2"

    def test_a_role_that_has_one_stays(self) -> None:
        own = {"name": "a", "template": template(VLLM, {"name": "aibrix-runtime"})}
        made = self.RULES.default(self.make({INJECT: ""}, own, {"name": "b", "template": template(VLLM)}))
        roles = made["spec"]["template"]["spec"]["roles"]
        assert roles[0] == own
        assert roles[1]["template"]["spec"]["containers"][0]["name"] == "aibrix-runtime"

    @pytest.mark.parametrize(
        "spec", [None, {}, {"template": None}, {"template": {"spec": None}}, {"template": {"spec": {"roles": [1]}}}]
    )
    def test_without_roles(self, spec: Any) -> None:
        obj = {"metadata": {"annotations": {INJECT: ""}}, "spec": spec}
        assert self.RULES.default(obj) is obj
