from __future__ import annotations

from brickyard.assembly import admission
from brickyard.kube.webhooks import configurations, contract, service

EXPECTED = {
    "medeployment.aibrix.ai": "/mutate-apps-v1-deployment",
    "mkvcache-v1alpha1.kb.io": "/mutate-orchestration-aibrix-ai-v1alpha1-kvcache",
    "mmodeladapter.kb.io": "/mutate-model-aibrix-ai-v1alpha1-modeladapter",
    "mpodautoscaler-v1alpha1.kb.io": "/mutate-autoscaling-aibrix-ai-v1alpha1-podautoscaler",
    "mstormservice.kb.io": "/mutate-orchestration-aibrix-ai-v1alpha1-stormservice",
    "vedeployment.aibrix.ai": "/validate-apps-v1-deployment",
    "vkvcache-v1alpha1.kb.io": "/validate-orchestration-aibrix-ai-v1alpha1-kvcache",
    "vmodeladapter.kb.io": "/validate-model-aibrix-ai-v1alpha1-modeladapter",
    "vpodautoscaler-v1alpha1.kb.io": "/validate-autoscaling-aibrix-ai-v1alpha1-podautoscaler",
    "vstormservice.kb.io": "/validate-orchestration-aibrix-ai-v1alpha1-stormservice",
}


def test_names_and_paths_are_those_of_the_manifests() -> None:
    assert {each.name: each.path for each in admission.webhooks()} == EXPECTED


def test_each_phase_has_its_own_configuration() -> None:
    names = service.Names()
    for phase, name in names.configurations.items():
        made = configurations.configuration(name, phase, admission.webhooks(), names.reach)
        assert len(made["webhooks"]) == 5
        assert made["metadata"]["name"] == f"aibrix-{phase.value}-webhook-configuration"
        paths = [each["clientConfig"]["service"]["path"] for each in made["webhooks"]]
        assert all(each.startswith("/mutate" if phase is contract.Phase.MUTATING else "/validate") for each in paths)


def test_an_object_without_anything_is_answered() -> None:
    for each in admission.webhooks():
        asked = contract.Request(
            "u",
            contract.Operation.CREATE,
            each.kind.group,
            each.kind.kind,
            "default",
            "x",
            {"metadata": {"name": "x"}},
            None,
        )
        assert isinstance(each.handler(asked), contract.Allowed | contract.Patched | contract.Denied)
