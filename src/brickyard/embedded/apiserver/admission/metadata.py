"""Rules of ``metadata``, which all kinds share: names, labels, annotations, finalizers, owners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.kube.objects import names

NameRule = Callable[[str], str]
"""What is wrong with a name; "" when nothing is."""

_ANNOTATIONS_LIMIT = 256 * 1024
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def dns_label(name: str) -> str:
    """RFC 1123 label: namespaces, containers, volumes."""
    return _judged(name, names.is_dns_label, names.LABEL_LIMIT, _LABEL_TEXT)


def dns1035_label(name: str) -> str:
    """RFC 1035 label: Services."""
    return _judged(name, names.is_dns1035_label, names.LABEL_LIMIT, _LABEL_1035_TEXT)


def dns_subdomain(name: str) -> str:
    """RFC 1123 subdomain: most objects."""
    return _judged(name, names.is_dns_subdomain, names.SUBDOMAIN_LIMIT, _SUBDOMAIN_TEXT)


def path_segment(name: str) -> str:
    """Anything that can stand in a URL path."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    found = next((each for each in "/%" if each in name), "")
    return f"may not contain '{found}'" if found else ""


def qualified_name(key: str) -> str:
    """A label or annotation key, a resource name, a finalizer."""
    if names.is_qualified_name(key):
        return ""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (problem := dns_subdomain(prefix)):
        return f"prefix part {problem}"
    if not name:
        return f"name part must be non-empty; {_QUALIFIED_TEXT}"
    return f"name part {_too_long(names.LABEL_LIMIT)}" if len(name) > names.LABEL_LIMIT else _QUALIFIED_TEXT


def label_value(value: str) -> str:
    """The value of a label."""
    return _judged(value, names.is_label_value, names.LABEL_LIMIT, _LABEL_VALUE_TEXT)


def _judged(text: str, accepts: Callable[[str], bool], limit: int, rule: str) -> str:
    if accepts(text):
        return ""
    return _too_long(limit) if len(text) > limit else rule


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def label_map(path: str, found: Mapping[str, str] | None) -> faults.Errors:
    """Every key and value of a label map that stands at ``path``."""
    for key, value in (found or {}).items():
        if problem := qualified_name(key):
            yield faults.invalid(path, key, problem)
        if problem := label_value(value):
            yield faults.invalid(path, value, problem)


def annotation_map(path: str, found: Mapping[str, str] | None) -> faults.Errors:
    """Keys are judged in lower case, values only by their sum."""
    total = 0
    for key, value in (found or {}).items():
        total += len(key) + len(value)
        if problem := qualified_name(key.lower()):
            yield faults.invalid(path, key, problem)
    if total > _ANNOTATIONS_LIMIT:
        yield faults.too_long(path, _ANNOTATIONS_LIMIT)


def template(path: str, found: Mapping[str, Any]) -> faults.Errors:
    """The metadata of an object yet to be made, such as a pod template's."""
    yield from label_map(f"{path}.labels", found.get("labels"))
    yield from annotation_map(f"{path}.annotations", found.get("annotations"))


def validate(obj: resources.Object, namespaced: bool, name_rule: NameRule) -> faults.Errors:
    """The whole ``metadata`` of an object about to be stored; its name is already generated."""
    found: Mapping[str, Any] = obj.get("metadata") or {}
    yield from _name(found, name_rule)
    namespace = found.get("namespace") or ""
    if namespaced and not namespace:
        yield faults.required("metadata.namespace")
    elif not namespaced and namespace:
        yield faults.forbidden("metadata.namespace", "not allowed on this type")
    elif namespace and (problem := dns_label(namespace)):
        yield faults.invalid("metadata.namespace", namespace, problem)
    yield from template("metadata", found)
    for index, finalizer in enumerate(found.get("finalizers") or ()):
        yield from _finalizer(f"metadata.finalizers[{index}]", finalizer)
    yield from _owners(found.get("ownerReferences") or ())


def _name(found: Mapping[str, Any], name_rule: NameRule) -> faults.Errors:
    name, prefix = found.get("name") or "", found.get("generateName") or ""
    # A generated prefix may end in a dash: the suffix follows.
    if prefix and (problem := name_rule(prefix.rstrip("-") if len(prefix) > 1 else prefix)):
        yield faults.invalid("metadata.generateName", prefix, problem)
    if not name:
        yield faults.required("metadata.name", "name or generateName is required")
    elif problem := name_rule(name):
        yield faults.invalid("metadata.name", name, problem)


_PLAIN_FINALIZERS = {"orphan", "foregroundDeletion", "kubernetes", "customresourcecleanup.apiextensions.k8s.io"}


def _finalizer(path: str, finalizer: str) -> faults.Errors:
    if problem := qualified_name(finalizer):
        yield faults.invalid(path, finalizer, problem)
    elif "/" not in finalizer and finalizer not in _PLAIN_FINALIZERS:
        yield faults.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")


def _owners(references: Any) -> faults.Errors:
    controllers = [each for each in references if each.get("controller")]
    for index, reference in enumerate(references):
        path = f"metadata.ownerReferences[{index}]"
        for field, detail in (("apiVersion", "version"), ("kind", ""), ("name", ""), ("uid", "")):
            if not reference.get(field):
                text = f"{detail or field} must not be empty"
                yield faults.invalid(f"{path}.{field}", reference.get(field) or "", text)
    if len(controllers) > 1:
        first, second = controllers[:2]
        text = (
            "Only one reference can have Controller set to true. Found "
            f'"true" in references for {first.get("kind")}/{first.get("name")} and {second.get("kind")}/{second.get("name")}'
        )
        yield faults.invalid("metadata.ownerReferences", references, text)


def immutable(path: str, value: Any, old: Any, text: str = "field is immutable") -> faults.Errors:
    """``value`` at ``path`` must still be what it was."""
    if value != old:
        yield faults.invalid(path, value, text)
