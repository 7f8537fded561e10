"""A request as a value: where it points and what its query says. Pure."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import deletion, drafts, errors, managing, writes

_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True", ""})
_FALSE = frozenset({"false", "0", "f", "F", "FALSE", "False"})
_PATCH_OPTIONS = resources.ResourceType("meta.k8s.io", "v1", "", "PatchOptions", namespaced=False)
_NAMESPACE_PARTS = frozenset({"status", "finalize"})
_STRICTNESS: Mapping[str, drafts.Strictness] = {"": "Warn", "Strict": "Strict", "Warn": "Warn", "Ignore": "Ignore"}
_POLICIES: Mapping[str, deletion.Policy] = {
    "": "",
    "Background": "Background",
    "Foreground": "Foreground",
    "Orphan": "Orphan",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a resource path names; empty parts were not there."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows a subresource, as in ``…/pods/x/proxy/index.html``."""


def target(path: str) -> Target | None:
    """The target of ``/api/v1/…`` or ``/apis/GROUP/VERSION/…``; None when the path names no resource."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3 and parts[1]:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    if not all(parts):
        return None
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and not (len(parts) == 3 and parts[2] in _NAMESPACE_PARTS):
        namespace, parts = parts[1], parts[2:]
    named = (*parts[:3], "", "")
    return Target(group, version, named[0], namespace, named[1], named[2], "/".join(parts[3:]))


class Query:
    """A query string; of repeated parameters the first counts."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, str] = {}
        for key, value in urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=200):
            self._values.setdefault(key, value)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str:
        """The value, "" where it is absent."""
        return self._values.get(key, "")

    def flag(self, key: str) -> bool:
        """Whether a boolean parameter is on; it is when it is given without a value.

        Raises:
            BadRequestError: it is neither true nor false.
        """
        value = self._values.get(key, "false")
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise errors.BadRequestError(f'invalid value for {key}: "{value}": write true or false')

    def number(self, key: str) -> int | None:
        """A whole number that is not negative; None where it is absent.

        Raises:
            BadRequestError: it is none.
        """
        value = self._values.get(key, "")
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise errors.BadRequestError(f'invalid value for {key}: "{value}": write a whole number')
        return int(value)

    def dry_run(self) -> bool:
        """Whether nothing shall be stored."""
        return _dry_run(self._values.get("dryRun", ""))

    def write_options(self, part: str = "", agent: str = "") -> writes.Options:
        """How to write; ``agent`` is the client's ``User-Agent``.

        Raises:
            BadRequestError: ``fieldValidation`` or ``dryRun`` has no such value.
            InvalidError: ``fieldManager`` is no name.
        """
        strictness = _STRICTNESS.get(self.text("fieldValidation"))
        if strictness is None:
            raise errors.BadRequestError(
                f'fieldValidation: Unsupported value: "{self.text("fieldValidation")}": '
                'supported values: "", "Ignore", "Strict", "Warn"'
            )
        asked = self.text("fieldManager")
        if fault := managing.name_fault(asked):
            raise options_fault("fieldManager", "FieldValueInvalid", fault)
        return writes.Options(strictness, self.dry_run(), part, managing.Writer(managing.manager_name(asked, agent)))

    def apply_options(self, part: str = "") -> writes.Options:
        """How to apply. Raises as ``write_options``, and where nobody is named that applies."""
        if not self.text("fieldManager"):
            raise options_fault("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
        options = self.write_options(part)
        writer = dataclasses.replace(options.writer, force=self.flag("force"))
        return dataclasses.replace(options, writer=writer)

    def patch_options(self, part: str, agent: str) -> writes.Options:
        """How to write a patch that is no apply. Raises as ``write_options``, and where it shall be forced."""
        if self.text("force"):
            why = "Forbidden: may not be specified for non-apply patch"
            raise options_fault("force", "FieldValueForbidden", why)
        return self.write_options(part, agent)


def options_fault(field: str, reason: str, text: str) -> errors.InvalidError:
    """The refusal of a query parameter of a patch, as Kubernetes words it."""
    return errors.invalid(_PATCH_OPTIONS, "", [faults.FieldError(field, reason, text)])


def _dry_run(value: str) -> bool:
    if value not in ("", "All"):
        raise errors.BadRequestError(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return value == "All"


def delete_options(query: Query, body: Any) -> deletion.Options:
    """``DeleteOptions`` of a body (None where there was none), completed by the query.

    Raises:
        BadRequestError: they are none.
        InvalidError: they contradict each other, or ask for a propagation that there is not.
    """
    body = {} if body is None else body
    if not isinstance(body, dict):
        raise errors.BadRequestError("the body of a delete is a DeleteOptions object")
    preconditions, dry_run = body.get("preconditions") or {}, body.get("dryRun") or []
    if not isinstance(preconditions, dict) or not isinstance(dry_run, list):
        raise errors.BadRequestError("DeleteOptions: preconditions is an object, dryRun a list")
    asked_dry = [_dry_run(str(each)) for each in dry_run]
    return deletion.Options(
        grace=_grace(query, body.get("gracePeriodSeconds")),
        policy=_policy(query, body),
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=query.dry_run() or any(asked_dry),
    )


def _grace(query: Query, asked: Any) -> int | None:
    if asked is None:
        return query.number("gracePeriodSeconds")
    if isinstance(asked, bool) or not isinstance(asked, int) or abs(asked) > 2**31:
        raise errors.BadRequestError("DeleteOptions: gracePeriodSeconds is a whole number of seconds")
    return asked


def _policy(query: Query, body: dict[str, Any]) -> deletion.Policy:
    text = str(body.get("propagationPolicy") or query.text("propagationPolicy"))
    orphan = _orphan(query, body.get("orphanDependents"))
    if orphan is not None:
        if text:
            why = "orphanDependents and deletionPropagation cannot be both set"
            raise errors.invalid_options("DeleteOptions", [faults.invalid("propagationPolicy", text, why)])
        return "Orphan" if orphan else "Background"
    policy = _POLICIES.get(text)
    if policy is None:
        wrong = faults.not_supported("propagationPolicy", text, ("Background", "Foreground", "Orphan"))
        raise errors.invalid_options("DeleteOptions", [wrong])
    return policy


def _orphan(query: Query, asked: Any) -> bool | None:
    if asked is None:
        return query.flag("orphanDependents") if "orphanDependents" in query else None
    if not isinstance(asked, bool):
        raise errors.BadRequestError("DeleteOptions: orphanDependents is true or false")
    return asked
