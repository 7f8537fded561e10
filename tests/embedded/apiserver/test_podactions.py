"""What is asked of a pod by a POST below it: a node, or to go."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.apiserver import errors, evictions, testing

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "example/image:1"}]}
    return {"metadata": {"name": name, "labels": {"app": "a"}, **metadata}, "spec": spec}


def binding(node: str = "n1", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p", **metadata},
        "target": {"kind": "Node", "name": node},
    }


async def running(api: testing.Api, name: str) -> None:
    await api.created(PODS, pod(name))
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    reply = await api.patch(f"{PODS}/{name}/status", {"status": ready})
    assert reply.code == 200


class TestBinding:
    async def test_a_pod_gets_its_node(self, api: testing.Api) -> None:
        made = await api.created(PODS, pod("p"))
        reply = await api.post(f"{PODS}/p/binding", binding(annotations={"k": "v"}, uid=made["metadata"]["uid"]))
        assert (reply.code, reply.body["status"]) == (201, "Success")
        found = (await api.get(f"{PODS}/p")).body
        assert found["spec"]["nodeName"] == "n1"
        assert found["metadata"]["annotations"] == {"k": "v"}
        assert [(each["type"], each["status"]) for each in found["status"]["conditions"]] == [("PodScheduled", "True")]

    async def test_once(self, api: testing.Api) -> None:
        await api.created(PODS, pod("p"))
        await api.post(f"{PODS}/p/binding", binding())
        again = await api.post(f"{PODS}/p/binding", binding("n2"))
        assert (again.code, again.body["reason"]) == (409, "Conflict")
        assert again.body["message"] == (
            'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
        )

    async def test_dry_run(self, api: testing.Api) -> None:
        await api.created(PODS, pod("p"))
        assert (await api.post(f"{PODS}/p/binding?dryRun=All", binding())).code == 201
        assert "nodeName" not in (await api.get(f"{PODS}/p")).body["spec"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ([], 400),
            ({"kind": "Pod"}, 400),
            ({**binding(), "target": {}}, 400),
            ({**binding(), "target": 3}, 400),
            ({**binding(), "target": {"kind": "Pod", "name": "x"}}, 400),
            (binding(name="other"), 400),
            (binding(namespace="other"), 400),
            (binding(uid="other"), 409),
            ({**binding(), "metadata": 3}, 400),
        ],
    )
    async def test_refusals(self, api: testing.Api, body: Any, code: int) -> None:
        await api.created(PODS, pod("p"))
        reply = await api.post(f"{PODS}/p/binding", body)
        assert (reply.code, reply.body["kind"]) == (code, "Status")
        assert "nodeName" not in (await api.get(f"{PODS}/p")).body["spec"]

    async def test_nobody(self, api: testing.Api) -> None:
        assert (await api.post(f"{PODS}/p/binding", binding())).code == 404
        assert (await api.get(f"{PODS}/p/binding")).code == 405


class TestEviction:
    async def test_without_a_budget_a_pod_goes(self, api: testing.Api) -> None:
        await running(api, "p")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "default"}}
        rehearsed = await api.post(f"{PODS}/p/eviction", {**eviction, "deleteOptions": {"dryRun": ["All"]}})
        assert rehearsed.code == 201
        assert (await api.get(f"{PODS}/p")).code == 200
        assert (await api.post(f"{PODS}/p/eviction", eviction)).code == 201
        assert (await api.get(f"{PODS}/p")).code == 404

    async def test_a_budget_counts(self, api: testing.Api) -> None:
        await running(api, "p")
        await running(api, "q")
        budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}
        await api.created(BUDGETS, {"metadata": {"name": "b"}, "spec": budget})
        assert (await api.post(f"{PODS}/p/eviction", {"metadata": {"name": "p"}})).code == 201
        refused = await api.post(f"{PODS}/q/eviction", {"metadata": {"name": "q"}})
        assert (refused.code, refused.body["reason"]) == (429, "TooManyRequests")
        assert refused.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
        assert refused.body["details"]["causes"][0]["message"] == (
            "The disruption budget b needs 1 healthy pods and has 1 currently"
        )
        assert refused.headers["retry-after"] == "10"
        assert (await api.get(f"{PODS}/q")).code == 200

    async def test_a_pod_that_is_going_is_not_counted_on(self, api: testing.Api) -> None:
        for name in ("p", "q"):
            await running(api, name)
            await api.created(f"{PODS}/{name}/binding", binding(name=name))
        limits = {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}
        await api.created(BUDGETS, {"metadata": {"name": "b"}, "spec": limits})
        assert (await api.post(f"{PODS}/p/eviction", {})).code == 201
        assert (await api.get(f"{PODS}/p")).body["metadata"]["deletionTimestamp"]
        assert (await api.post(f"{PODS}/q/eviction", {})).code == 429
        assert (await api.post(f"{PODS}/p/eviction", {})).code == 201

    async def test_what_a_status_allows_is_used_up(self, api: testing.Api) -> None:
        for name in ("p", "q", "r"):
            await running(api, name)
        limits = {"minAvailable": 2, "selector": {"matchLabels": {"app": "a"}}}
        await api.created(BUDGETS, {"metadata": {"name": "b"}, "spec": limits})
        status = {**OBSERVED, "disruptionsAllowed": 1, "expectedPods": 3}
        assert (await api.patch(f"{BUDGETS}/b/status", {"status": status})).code == 200
        rehearsed = await api.post(f"{PODS}/p/eviction?dryRun=All", {})
        assert rehearsed.code == 201
        assert (await api.post(f"{PODS}/p/eviction", {})).code == 201
        found = (await api.get(f"{BUDGETS}/b")).body["status"]
        assert (found["disruptionsAllowed"], list(found["disruptedPods"])) == (0, ["p"])
        assert (await api.post(f"{PODS}/q/eviction", {})).code == 429

    async def test_it_is_discovered_as_drain_looks_for_it(self, api: testing.Api) -> None:
        found = (await api.get("/api/v1")).body["resources"]
        entry = next(each for each in found if each["name"] == "pods/eviction")
        assert (entry["group"], entry["version"], entry["kind"]) == ("policy", "v1", "Eviction")
        assert entry["verbs"] == ["create"]


def budget(**spec: Any) -> dict[str, Any]:
    status = spec.pop("status", {})
    everything = {"selector": {"matchLabels": {"app": "a"}}, **spec}
    return {"metadata": {"name": "b", "generation": 1}, "spec": everything, "status": status}


def member(ready: bool = True, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"labels": {"app": "a"}, **metadata}, "status": {"phase": phase, "conditions": conditions}}


OBSERVED = {"observedGeneration": 1, "currentHealthy": 3, "desiredHealthy": 2}


@pytest.mark.parametrize(
    ("pod", "others", "budget", "goes"),
    [
        (member(), 2, budget(minAvailable=2), True),
        (member(), 1, budget(minAvailable=2), False),
        (member(), 2, budget(minAvailable="50%"), True),
        (member(), 2, budget(minAvailable="67%"), False),
        (member(), 0, budget(minAvailable="1%"), False),
        (member(), 2, budget(maxUnavailable=1), True),
        (member(), 2, budget(maxUnavailable=0), False),
        (member(), 2, budget(maxUnavailable="1%"), True),
        (member(), 0, budget(), True),
        (member(ready=False), 1, budget(minAvailable=1), True),
        (member(ready=False), 1, budget(minAvailable=2), False),
        (member(ready=False), 1, budget(minAvailable=2, unhealthyPodEvictionPolicy="AlwaysAllow"), True),
        (member(phase="Pending"), 0, budget(minAvailable=5), True),
        (member(phase="Failed"), 0, budget(minAvailable=5), True),
        (member(deletionTimestamp="x"), 0, budget(minAvailable=5), True),
        (member(), 0, budget(minAvailable=5, status={**OBSERVED, "disruptionsAllowed": 1}), True),
        (member(), 9, budget(minAvailable=1, status={**OBSERVED, "disruptionsAllowed": 0}), False),
        (member(), 0, {**budget(minAvailable=5), "spec": {"minAvailable": 5}}, True),
    ],
)
def test_budgets(pod: dict[str, Any], others: int, budget: dict[str, Any], goes: bool) -> None:
    pods = [pod, *(member() for _ in range(others)), {"metadata": {"labels": {"app": "b"}}}]
    if goes:
        evictions.check(pod, pods, [budget])
        return
    with pytest.raises(errors.TooManyRequestsError):
        evictions.check(pod, pods, [budget])


def test_pods_that_are_going_hold_no_budget() -> None:
    pods = [member(), member(), member(deletionTimestamp="x")]
    with pytest.raises(errors.TooManyRequestsError, match="disruption budget"):
        evictions.check(pods[0], pods, [budget(minAvailable=2)])


def test_more_than_one_budget() -> None:
    with pytest.raises(errors.InternalError, match="more than one PodDisruptionBudget"):
        evictions.check(member(), [member()], [budget(), budget()])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{PODS}/p/proxy", "status.podIP"),
        (f"{PODS}/p/ephemeralcontainers", "kubectl exec"),
        ("/api/v1/namespaces/default/serviceaccounts/default/token", "lies in the kubeconfig"),
    ],
)
async def test_what_is_not_served_says_what_to_use(api: testing.Api, path: str, words: str) -> None:
    reply = await api.post(path, {})
    assert (reply.code, reply.body["reason"]) == (501, "NotImplemented")
    assert words in reply.body["message"]
