"""Configurations of admission webhooks: whom to ask about which writes."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, workloads
from brickyard.embedded.apiserver.webhooks import conditions

Spec = Mapping[str, Any]

_MOST_CONDITIONS = 64
_FAILURE = ("Fail", "Ignore")
_MATCH = ("Equivalent", "Exact")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_REVIEWS = ("v1", "v1beta1")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_REINVOCATION = ("IfNeeded", "Never")


def fill_validating(draft: resources.Object) -> None:
    """Fill in a ValidatingWebhookConfiguration."""
    for webhook in draft.get("webhooks") or ():
        webhook["failurePolicy"] = webhook.get("failurePolicy") or "Fail"
        webhook["matchPolicy"] = webhook.get("matchPolicy") or "Equivalent"
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("timeoutSeconds", 10)
        for rule in webhook.get("rules") or ():
            rule["scope"] = rule.get("scope") or "*"
        service = (webhook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)


def fill_mutating(draft: resources.Object) -> None:
    """Fill in a MutatingWebhookConfiguration."""
    fill_validating(draft)
    for webhook in draft.get("webhooks") or ():
        webhook["reinvocationPolicy"] = webhook.get("reinvocationPolicy") or "Never"


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a configuration of either kind."""
    del old
    hooks = obj.get("webhooks") or ()
    for index, hook in enumerate(hooks):
        yield from _hook(f"webhooks[{index}]", hook)
    yield from faults.unique("webhooks", [(f"[{index}].name", each.get("name")) for index, each in enumerate(hooks)])


def _hook(path: str, hook: Spec) -> faults.Errors:
    yield from _name(f"{path}.name", hook.get("name") or "")
    yield from _reviews(f"{path}.admissionReviewVersions", hook.get("admissionReviewVersions") or ())
    for index, rule in enumerate(hook.get("rules") or ()):
        yield from _rule(f"{path}.rules[{index}]", rule)
    words = (("failurePolicy", _FAILURE), ("matchPolicy", _MATCH), ("reinvocationPolicy", _REINVOCATION))
    for name, supported in words:
        if hook.get(name) and hook[name] not in supported:
            yield faults.not_supported(f"{path}.{name}", hook[name], supported)
    if not hook.get("sideEffects"):
        yield faults.required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    elif hook["sideEffects"] not in _SIDE_EFFECTS:
        yield faults.not_supported(f"{path}.sideEffects", hook["sideEffects"], _SIDE_EFFECTS)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        yield faults.invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    for name in ("namespaceSelector", "objectSelector"):
        yield from workloads.label_selector(f"{path}.{name}", hook.get(name) or {})
    yield from _conditions(f"{path}.matchConditions", hook.get("matchConditions") or ())
    yield from _client(f"{path}.clientConfig", hook.get("clientConfig") or {})


def _name(path: str, name: str) -> faults.Errors:
    if not name:
        yield faults.required(path)
    elif problem := metadata.dns_subdomain(name):
        yield faults.invalid(path, name, problem)
    elif name.count(".") < 2:
        yield faults.invalid(path, name, "should be a domain with at least three segments separated by dots")


def _reviews(path: str, versions: Any) -> faults.Errors:
    if not versions:
        yield faults.required(path, f"must specify one of {', '.join(_REVIEWS)}")
    elif not set(versions) & set(_REVIEWS):
        yield faults.invalid(path, versions, f"must include at least one of {', '.join(_REVIEWS)}")
    yield from faults.unique(path, [(f"[{index}]", each) for index, each in enumerate(versions)])


def _rule(path: str, rule: Spec) -> faults.Errors:
    for name in ("operations", "apiGroups", "apiVersions", "resources"):
        found = rule.get(name) or ()
        if not found:
            yield faults.required(f"{path}.{name}")
        elif name != "resources" and "*" in found and len(found) > 1:
            yield faults.invalid(f"{path}.{name}", found, f"if '*' is present, must not specify other {_plain(name)}")
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            yield faults.not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS)
    for name in ("apiVersions", "resources"):
        for index, each in enumerate(rule.get(name) or ()):
            if not each:
                yield faults.required(f"{path}.{name}[{index}]")
    if rule.get("scope") and rule["scope"] not in _SCOPES:
        yield faults.not_supported(f"{path}.scope", rule["scope"], _SCOPES)


def _plain(name: str) -> str:
    return {"apiGroups": "API groups", "apiVersions": "API versions"}.get(name, name)


def _conditions(path: str, found: Sequence[Spec]) -> faults.Errors:
    if len(found) > _MOST_CONDITIONS:
        yield faults.too_many(path, len(found), _MOST_CONDITIONS)
    for index, each in enumerate(found[:_MOST_CONDITIONS]):
        if not each.get("name"):
            yield faults.required(f"{path}[{index}].name")
        if not each.get("expression"):
            yield faults.required(f"{path}[{index}].expression")
        elif problem := conditions.fault(each["expression"]):
            yield faults.invalid(f"{path}[{index}].expression", each["expression"], problem)
    yield from faults.unique(path, [(f"[{index}].name", each.get("name")) for index, each in enumerate(found)])


def _client(path: str, client: Spec) -> faults.Errors:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        yield faults.required(path, "exactly one of url or service is required")
    if url is not None:
        yield from _url(f"{path}.url", url)
    if service is not None:
        for name in ("name", "namespace"):
            if not service.get(name):
                yield faults.required(f"{path}.service.{name}", f"service {name} is required")
        port, where = service.get("port"), service.get("path")
        if port is not None and not 1 <= port <= 65535:
            text = "port is not valid: must be between 1 and 65535, inclusive"
            yield faults.invalid(f"{path}.service.port", port, text)
        if where and not where.startswith("/"):
            yield faults.invalid(f"{path}.service.path", where, "must start with a '/'")


def _url(path: str, url: str) -> faults.Errors:
    form = "; desired format: https://host[/path]"
    try:
        found = urllib.parse.urlsplit(url)
    except ValueError as error:
        yield faults.required(path, f"url must be a valid URL: {error}{form}")
        return
    if found.scheme != "https":
        yield faults.invalid(path, found.scheme, f"'https' is the only allowed URL scheme{form}")
    if not found.netloc:
        yield faults.invalid(path, found.netloc, f"host must be specified{form}")
    for part, word in (
        (found.username, "user information"),
        (found.fragment, "fragments"),
        (found.query, "query parameters"),
    ):
        if part:
            yield faults.invalid(path, part, f"{word} are not permitted in the URL")
