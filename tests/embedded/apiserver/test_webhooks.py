"""Registered webhooks over real HTTPS: who is asked what, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from brickyard.embedded.apiserver import testing
from brickyard.embedded.apiserver.webhooks import plan
from brickyard.embedded.apiserver.webhooks import testing as hooks

HOOKS = "/apis/admissionregistration.k8s.io/v1"
MUTATING = f"{HOOKS}/mutatingwebhookconfigurations"
VALIDATING = f"{HOOKS}/validatingwebhookconfigurations"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


async def register(api: testing.Api, phase: plan.Phase, client: dict[str, Any], **fields: Any) -> None:
    made = hooks.configuration(phase, client, **fields)
    await api.created(MUTATING if phase == "mutating" else VALIDATING, made)


def labelled(key: str) -> dict[str, Any]:
    return hooks.patching({"op": "add", "path": "/metadata/labels", "value": {key: "yes"}})


async def test_a_validating_webhook_hears_of_every_write(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(
        tmp_path, lambda request: {"allowed": True, "warnings": [f"saw {request['name']}"]}
    ) as hook:
        await register(api, "validating", hook.client())
        made = await api.post(f"{CONFIG_MAPS}?fieldManager=me", config_map())
        assert made.code == 201
        assert made.headers["warning"] == '299 - "saw a"'
        changed = await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "v"}})
        await api.delete(f"{CONFIG_MAPS}/a?dryRun=All")
        await api.delete(f"{CONFIG_MAPS}/a")
    create, update, rehearsal, delete = hook.heard
    assert hook.paths[0] == "/hook?timeout=10s"
    assert create["operation"] == "CREATE"
    assert create["kind"] == create["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (create["namespace"], create["name"], create["dryRun"]) == ("default", "a", False)
    assert create["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"}
    assert "system:masters" in create["userInfo"]["groups"]
    assert create["object"]["metadata"]["uid"] == made.body["metadata"]["uid"]
    assert create["oldObject"] is None
    assert (update["operation"], update["object"]["data"]) == ("UPDATE", {"k": "v"})
    assert update["oldObject"]["metadata"]["resourceVersion"] == made.body["metadata"]["resourceVersion"]
    assert (rehearsal["operation"], rehearsal["dryRun"]) == ("DELETE", True)
    assert (delete["operation"], delete["object"], delete["dryRun"]) == ("DELETE", None, False)
    assert delete["oldObject"]["metadata"]["resourceVersion"] == changed.body["metadata"]["resourceVersion"]


async def test_an_apply_brings_the_warnings_of_webhooks_back(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True, "warnings": ["mind"]}) as hook:
        await register(api, "validating", hook.client())
        for code, data in ((201, "1"), (200, "2")):
            body = config_map(data={"k": data})
            where = f"{CONFIG_MAPS}/a?fieldManager=me"
            reply = await api.call("PATCH", where, body, content_type="application/apply-patch+yaml")
            assert (reply.code, reply.headers["warning"]) == (code, '299 - "mind"')


async def test_a_mutating_webhook_changes_what_is_stored(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: labelled("seen")) as hook:
        await register(api, "mutating", hook.client())
        made = await api.created(CONFIG_MAPS, config_map())
        assert made["metadata"]["labels"] == {"seen": "yes"}
        replaced = await api.put(f"{CONFIG_MAPS}/a", config_map(data={"k": "v"}))
        assert replaced.body["metadata"]["labels"] == {"seen": "yes"}
    assert (await api.get(f"{CONFIG_MAPS}/a")).body == replaced.body


async def test_mutating_comes_first_and_is_asked_again_when_it_wants(api: testing.Api, tmp_path: pathlib.Path) -> None:
    def first(request: dict[str, Any]) -> dict[str, Any]:
        labels = request["object"]["metadata"].get("labels") or {}
        return hooks.patching({"op": "add", "path": "/metadata/labels", "value": {**labels, "first": str(len(labels))}})

    async with (
        hooks.answering(tmp_path / "1", first) as one,
        hooks.answering(tmp_path / "2", lambda _: labelled("second")) as two,
        hooks.answering(tmp_path / "3", lambda _: {"allowed": True}) as judge,
    ):
        await register(api, "validating", judge.client())
        await register(api, "mutating", one.client(), name="a", reinvocationPolicy="IfNeeded")
        await register(api, "mutating", two.client(), name="b")
        made = await api.created(CONFIG_MAPS, config_map())
    assert made["metadata"]["labels"] == {"second": "yes", "first": "1"}
    assert (len(one.heard), len(two.heard)) == (2, 1)
    assert judge.heard[0]["object"]["metadata"]["labels"] == made["metadata"]["labels"]


DENIED = 'admission webhook "hooks.example.com" denied the request'


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        (None, (400, None, f"{DENIED} without explanation")),
        ({"message": "no"}, (400, None, f"{DENIED}: no")),
        ({"reason": "Forbidden", "code": 403}, (403, "Forbidden", f"{DENIED}: Forbidden")),
        ({"code": 200, "message": "no"}, (400, None, f"{DENIED}: no")),
    ],
)
@pytest.mark.parametrize("phase", ["mutating", "validating"])
async def test_a_denial(api: testing.Api, tmp_path: pathlib.Path, phase: plan.Phase, status: Any, seen: Any) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": False, "status": status}) as hook:
        # A denial is an answer: failurePolicy has no say in it.
        await register(api, phase, hook.client(), failurePolicy="Ignore")
        reply = await api.post(CONFIG_MAPS, config_map())
    assert (reply.code, reply.body.get("reason"), reply.body["message"]) == seen
    assert reply.body["code"] == reply.code
    assert (await api.get(f"{CONFIG_MAPS}/a")).code == 404


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"no json", "the body is no JSON"),
        (b"{}", "webhook response is missing"),
        ({"allowed": True, "uid": "other"}, "expected response.uid="),
        ({"allowed": True, "patch": "W10=", "patchType": "JSONPatch"}, "validating webhooks may not return"),
        ({"allowed": "yes"}, "response.allowed is no boolean"),
    ],
)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_an_answer_that_is_none(
    api: testing.Api, tmp_path: pathlib.Path, answer: Any, message: str, policy: str
) -> None:
    async with hooks.answering(tmp_path, lambda _: answer) as hook:
        await register(api, "validating", hook.client(), failurePolicy=policy)
        reply = await api.post(CONFIG_MAPS, config_map())
    if policy == "Ignore":
        assert reply.code == 201
        return
    assert (reply.code, reply.body["reason"]) == (500, "InternalError")
    said = 'Internal error occurred: failed calling webhook "hooks.example.com": received invalid webhook response: '
    assert reply.body["message"].startswith(said + message)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_a_webhook_that_nobody_answers_or_trusts(api: testing.Api, tmp_path: pathlib.Path, policy: str) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        trusted = hook.client()
        distrusted = {"url": trusted["url"]}
    await register(api, "validating", trusted, failurePolicy=policy)
    reply = await api.post(CONFIG_MAPS, config_map())
    await api.delete(f"{VALIDATING}/hooks")
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        distrusted = {"url": hook.client()["url"]}
        await register(api, "validating", distrusted, failurePolicy=policy)
        doubted = await api.post(CONFIG_MAPS, config_map("b"))
        assert hook.heard == []
    if policy == "Ignore":
        assert (reply.code, doubted.code) == (201, 201)
        return
    assert (reply.code, doubted.code) == (500, 500)
    assert 'failed to call webhook: Post "https://localhost:' in reply.body["message"]
    assert "certificate" in doubted.body["message"].lower()


async def test_a_webhook_that_takes_too_long(api: testing.Api, tmp_path: pathlib.Path) -> None:
    never = asyncio.Event()

    async def wait(_: dict[str, Any]) -> dict[str, Any]:
        await never.wait()
        return {}

    async with hooks.answering(tmp_path, wait) as hook:
        await register(api, "validating", hook.client(), timeoutSeconds=1)
        reply = await api.post(CONFIG_MAPS, config_map())
        never.set()
    assert reply.code == 500
    assert reply.body["message"].endswith('?timeout=1s": context deadline exceeded')


async def test_an_http_error_is_no_answer(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        hook.code = 503
        await register(api, "validating", hook.client())
        reply = await api.post(CONFIG_MAPS, config_map())
    assert "the server answered 503" in reply.body["message"]


async def test_a_service_is_called_at_a_ready_address(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        service = {"name": "hook", "namespace": "default", "path": "/here"}
        await register(api, "validating", hook.client(service=service))
        missing = await api.post(CONFIG_MAPS, config_map())
        assert 'service "hook" not found' in missing.body["message"]
        ports = [{"name": "web", "port": 443, "targetPort": 8443}]
        await api.created(
            "/api/v1/namespaces/default/services", {"metadata": {"name": "hook"}, "spec": {"ports": ports}}
        )
        unready = await api.post(CONFIG_MAPS, config_map())
        assert 'no endpoints available for service "hook"' in unready.body["message"]
        endpoints = {
            "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["127.0.0.9"], "conditions": {"ready": False}},
                {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
            ],
            "ports": [{"name": "web", "port": hook.port}],
        }
        await api.created("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", endpoints)
        # Its certificate is one for other names: hook.default.svc is what a Service is called by.
        misnamed = await api.post(CONFIG_MAPS, config_map())
        assert "hook.default.svc" in misnamed.body["message"]
        await api.delete(f"{VALIDATING}/hooks")
        named = hook.client(service={**service, "name": "kubernetes"})
        await register(api, "validating", named)
        kept = await api.patch(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/hook-1",
            {"metadata": {"labels": {"kubernetes.io/service-name": "kubernetes"}}},
        )
        assert kept.code == 200
        await api.post(
            "/api/v1/namespaces/default/services", {"metadata": {"name": "kubernetes"}, "spec": {"ports": ports}}
        )
        await api.patch(
            "/api/v1/namespaces/default/services/kubernetes", {"spec": {"ports": [{"port": 443, "name": "web"}]}}
        )
        assert (await api.post(CONFIG_MAPS, config_map())).code == 201
    assert hook.paths == ["/here?timeout=10s"]


async def test_dry_run_asks_only_those_without_side_effects(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        await register(api, "validating", hook.client(), sideEffects="NoneOnDryRun")
        reply = await api.post(f"{CONFIG_MAPS}?dryRun=All", config_map())
        assert (reply.code, hook.heard[0]["dryRun"]) == (201, True)
    assert (await api.get(f"{CONFIG_MAPS}/a")).code == 404


async def test_a_patch_that_makes_an_invalid_object(api: testing.Api, tmp_path: pathlib.Path) -> None:
    patch = hooks.patching({"op": "add", "path": "/data", "value": {"bad key!": "v"}})
    async with hooks.answering(tmp_path, lambda _: patch) as hook:
        await register(api, "mutating", hook.client())
        reply = await api.post(CONFIG_MAPS, config_map())
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")


async def test_a_patch_that_does_not_fit(api: testing.Api, tmp_path: pathlib.Path) -> None:
    patch = hooks.patching({"op": "remove", "path": "/data/nothing"})
    async with hooks.answering(tmp_path, lambda _: patch) as hook:
        await register(api, "mutating", hook.client())
        reply = await api.post(CONFIG_MAPS, config_map())
    assert reply.code == 500
    assert 'the patch of admission webhook "hooks.example.com" does not fit' in reply.body["message"]


async def test_a_write_that_came_in_between_is_decided_anew(api: testing.Api, tmp_path: pathlib.Path) -> None:
    meddling: list[str] = []

    async def meddle(request: dict[str, Any]) -> dict[str, Any]:
        if meddling:
            label = {"other": meddling.pop()}
            await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": label}})
        return {"allowed": True}

    made = await api.created(CONFIG_MAPS, config_map())
    async with hooks.answering(tmp_path, meddle) as hook:
        await register(api, "validating", hook.client())
        meddling.append("x")
        patched = await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "v"}})
        # Asked about the patch, about the other's write in between, and about the patch again.
        assert [each["object"]["metadata"].get("labels") for each in hook.heard] == [
            None,
            {"other": "x"},
            {"other": "x"},
        ]
        assert (patched.body["data"], patched.body["metadata"]["labels"]) == ({"k": "v"}, {"other": "x"})
        meddling.append("y")
        # An update that names the revision it was made for is not decided anew: it lost.
        lost = await api.put(f"{CONFIG_MAPS}/a", {**patched.body, "data": {"k": "w"}})
        assert (lost.code, lost.body["reason"]) == (409, "Conflict")
    found = (await api.get(f"{CONFIG_MAPS}/a")).body
    assert (found["data"], found["metadata"]["labels"]) == ({"k": "v"}, {"other": "y"})
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_write_that_others_never_leave_alone(api: testing.Api, tmp_path: pathlib.Path) -> None:
    busy = False
    count = 0

    async def meddle(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal busy, count
        if not busy:
            busy = True
            count += 1
            await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"other": str(count)}}})
            busy = False
        return {"allowed": True}

    await api.created(CONFIG_MAPS, config_map())
    async with hooks.answering(tmp_path, meddle) as hook:
        await register(api, "validating", hook.client())
        reply = await api.delete(f"{CONFIG_MAPS}/a")
    assert (reply.code, reply.body["reason"], count) == (409, "Conflict", 5)


async def test_a_create_that_lost_against_another(api: testing.Api, tmp_path: pathlib.Path) -> None:
    turns = 0

    async def meddle(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal turns
        turns += 1
        if turns == 1:
            await api.created(CONFIG_MAPS, config_map(data={"first": "yes"}))
        return {"allowed": True}

    async with hooks.answering(tmp_path, meddle) as hook:
        await register(api, "validating", hook.client())
        reply = await api.post(CONFIG_MAPS, config_map())
    assert (reply.code, reply.body["reason"]) == (409, "AlreadyExists")
    assert (await api.get(f"{CONFIG_MAPS}/a")).body["data"] == {"first": "yes"}


async def test_a_webhook_over_everything_can_be_taken_away(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": False}) as hook:
        rules = [hooks.EVERYTHING]
        await register(api, "validating", hook.client(), rules=rules)
        assert (await api.post("/api/v1/namespaces", {"metadata": {"name": "n"}})).code == 400
        assert hook.heard[0]["namespace"] == "n"
        assert (await api.delete(f"{VALIDATING}/hooks")).code == 200
    assert (await api.post("/api/v1/namespaces", {"metadata": {"name": "n"}})).code == 201


async def test_a_restart_asks_nobody_before_it_serves(tmp_path: pathlib.Path) -> None:
    client = {"url": "https://localhost:1/nobody"}
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        await register(api, "validating", client, rules=[hooks.EVERYTHING])
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        assert (await api.post(CONFIG_MAPS, config_map())).code == 500


CONDITIONS = [{"name": "wanted", "expression": "object.metadata.name.startsWith('a') && request.operation == 'CREATE'"}]


async def test_conditions_choose_what_is_asked_about(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async with hooks.answering(tmp_path, lambda _: {"allowed": True}) as hook:
        await register(api, "validating", hook.client(), matchConditions=CONDITIONS)
        await api.created(CONFIG_MAPS, config_map("a"))
        await api.created(CONFIG_MAPS, config_map("b"))
        await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "v"}})
    assert [each["name"] for each in hook.heard] == ["a"]


@pytest.mark.parametrize(("policy", "code"), [("Fail", 403), ("Ignore", 201)])
async def test_a_condition_without_an_answer(api: testing.Api, tmp_path: pathlib.Path, policy: str, code: int) -> None:
    unanswered = [{"name": "odd", "expression": "object.data.k == 'v'"}]
    async with hooks.answering(tmp_path, lambda _: {"allowed": False}) as hook:
        await register(api, "validating", hook.client(), matchConditions=unanswered, failurePolicy=policy)
        reply = await api.post(CONFIG_MAPS, config_map())
        assert (reply.code, hook.heard) == (code, [])
        if policy == "Fail":
            assert reply.body["message"] == 'configmaps "a" is forbidden: match condition "odd": no such key: data'
        # A condition that is false outweighs the one without an answer.
        await api.delete(f"{VALIDATING}/hooks")
        both = [*unanswered, {"name": "no", "expression": "false"}]
        await register(api, "validating", hook.client(), matchConditions=both, failurePolicy=policy)
        assert (await api.post(CONFIG_MAPS, config_map("c"))).code == 201


async def test_conditions_that_are_none(api: testing.Api) -> None:
    wrong = [{"name": "x", "expression": "object.metadata."}, {"name": "x", "expression": "1 + 1"}, {"name": "y"}]
    made = hooks.configuration("validating", {"url": "https://localhost:1"}, matchConditions=wrong)
    reply = await api.post(VALIDATING, made)
    assert reply.code in (400, 422)
    causes = {(each["field"], each["reason"]) for each in reply.body["details"]["causes"]}
    at = "webhooks[0].matchConditions"
    assert causes == {
        (f"{at}[0].expression", "FieldValueInvalid"),
        (f"{at}[1].expression", "FieldValueInvalid"),
        (f"{at}[1].name", "FieldValueDuplicate"),
        (f"{at}[2].expression", "FieldValueRequired"),
    }


async def test_what_a_webhook_keeps_in_a_going_namespace_holds_up_nothing_else(
    api: testing.Api, tmp_path: pathlib.Path
) -> None:
    def guard(request: dict[str, Any]) -> dict[str, Any]:
        kept = request["operation"] == "DELETE" and request["name"] == "a"
        return {"allowed": not kept, "status": {"message": "not yet"}}

    maps = "/api/v1/namespaces/team/configmaps"
    await api.created("/api/v1/namespaces", {"metadata": {"name": "team"}})
    for name in ("a", "b"):
        await api.created(maps, config_map(name))
    async with hooks.answering(tmp_path, guard) as hook:
        await register(api, "validating", hook.client())
        await api.delete("/api/v1/namespaces/team")
        await api.gone(maps, "b")
        going = await api.until("/api/v1/namespaces", "team", lambda state: "not yet" in str(state))
        assert going is not None
        failure = going["status"]["conditions"][0]
        assert (failure["type"], failure["status"]) == ("NamespaceDeletionContentFailure", "True")
        await api.delete(f"{VALIDATING}/{(await api.get(VALIDATING)).body['items'][0]['metadata']['name']}")
        await api.gone("/api/v1/namespaces", "team")


async def test_no_acknowledged_write_of_many_is_lost(api: testing.Api, tmp_path: pathlib.Path) -> None:
    async def slow(request: dict[str, Any]) -> dict[str, Any]:
        del request
        await asyncio.sleep(0.005)
        return {"allowed": True}

    await api.created(CONFIG_MAPS, config_map())
    async with hooks.answering(tmp_path, slow) as hook:
        await register(api, "mutating", hook.client())

        async def write(key: str) -> tuple[str, int]:
            return key, (await api.patch(f"{CONFIG_MAPS}/a", {"data": {key: "v"}})).code

        outcomes = dict(await asyncio.gather(*(write(f"k{number}") for number in range(12))))
    assert set(outcomes.values()) <= {200, 409}
    kept = {key for key, code in outcomes.items() if code == 200}
    assert kept
    assert set((await api.get(f"{CONFIG_MAPS}/a")).body["data"]) == kept


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/metadata", "value": "x"},
        {"op": "remove", "path": "/metadata"},
        {"op": "add", "path": "/metadata/labels", "value": ["x"]},
        {"op": "add", "path": "/metadata/labels", "value": {"x": 1}},
        {"op": "replace", "path": "/kind", "value": "Secret"},
        {"op": "add", "path": "/data", "value": 5},
        {"op": "replace", "path": "", "value": {}},
        {"op": "replace", "path": "/metadata/namespace", "value": "elsewhere"},
    ],
)
async def test_a_webhook_that_breaks_the_object(
    api: testing.Api, tmp_path: pathlib.Path, operation: dict[str, Any]
) -> None:
    selector = {"matchExpressions": [{"key": "not", "operator": "DoesNotExist"}]}
    async with hooks.answering(tmp_path, lambda _: hooks.patching(operation)) as hook:
        for name in ("a", "b"):
            fields = {"reinvocationPolicy": "IfNeeded", "objectSelector": selector}
            await register(api, "mutating", hook.client(), name=name, **fields)
        reply = await api.post(CONFIG_MAPS, config_map())
    assert reply.code >= 400
    assert "the server's log says more" not in reply.body["message"]
    assert (await api.get(f"{CONFIG_MAPS}/a")).code == 404
