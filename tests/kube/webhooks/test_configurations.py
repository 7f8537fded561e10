from __future__ import annotations

import base64

from brickyard.api.kinds import resources
from brickyard.kube.webhooks import configurations, contract, injector


def row(phase: contract.Phase, kind: resources.ResourceType) -> contract.Webhook:
    name = f"{phase.value}.{kind.plural}.example.com"
    return contract.Webhook(name, f"/{phase.value}-{kind.plural}", phase, kind, lambda _: contract.Allowed())


ROWS = [
    row(contract.Phase.MUTATING, resources.DEPLOYMENT),
    row(contract.Phase.VALIDATING, resources.DEPLOYMENT),
    row(contract.Phase.VALIDATING, resources.NAMESPACE),
]
REACH = configurations.Reach("hook", "sys")


def test_a_configuration_lists_the_rows_of_its_phase() -> None:
    made = configurations.configuration("v", contract.Phase.VALIDATING, ROWS, REACH)
    assert made["kind"] == "ValidatingWebhookConfiguration"
    assert [each["name"] for each in made["webhooks"]] == [each.name for each in ROWS[1:]]
    first, second = made["webhooks"]
    assert first["clientConfig"] == {
        "service": {"name": "hook", "namespace": "sys", "path": "/validating-deployments", "port": 443}
    }
    assert (first["failurePolicy"], first["sideEffects"]) == ("Ignore", "None")
    assert first["admissionReviewVersions"] == ["v1"]
    rule = first["rules"][0]
    assert (rule["apiGroups"], rule["apiVersions"], rule["resources"]) == (["apps"], ["v1"], ["deployments"])
    assert rule["operations"] == ["CREATE", "UPDATE"]
    assert (rule["scope"], second["rules"][0]["scope"]) == ("Namespaced", "Cluster")


def test_a_url_instead_of_a_service() -> None:
    reach = configurations.Reach(url="https://127.0.0.1:9443")
    made = configurations.configuration("m", contract.Phase.MUTATING, ROWS, reach, b"PEM")
    assert made["webhooks"][0]["clientConfig"] == {
        "url": "https://127.0.0.1:9443/mutating-deployments",
        "caBundle": base64.b64encode(b"PEM").decode(),
    }
    assert reach.dns_names == ()
    assert REACH.dns_names[0] == "hook.sys.svc"


def test_injecting_changes_nothing_else_and_nothing_twice() -> None:
    made = configurations.configuration("v", contract.Phase.VALIDATING, ROWS, REACH)
    new = injector.injected(made, b"PEM")
    assert injector.injected(new, b"PEM") is new
    for before, after in zip(made["webhooks"], new["webhooks"], strict=True):
        assert "caBundle" not in before["clientConfig"]
        assert base64.b64decode(after["clientConfig"].pop("caBundle")) == b"PEM"
        assert after == before
