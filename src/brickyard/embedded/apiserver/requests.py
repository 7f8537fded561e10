"""A request as a value: where it points and what its query says. Pure."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver import deletion, drafts, errors, managing, writes

_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True", ""})
_FALSE = frozenset({"false", "0", "f", "F", "FALSE", "False"})
_NAMESPACE_PARTS = frozenset({"status", "finalize"})
_STRICTNESS: Mapping[str, drafts.Strictness] = {"": "Warn", "Ignore": "Ignore", "Strict": "Strict", "Warn": "Warn"}
_POLICIES: Mapping[str, deletion.Policy] = {
    "": "",
    "Background": "Background",
    "Foreground": "Foreground",
    "Orphan": "Orphan",
}
Verb = Literal["CreateOptions", "UpdateOptions", "PatchOptions"]
"""Whose options a query holds: how Kubernetes calls them when it refuses them."""


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
    """A query string; of repeated parameters the first counts, except where a list is asked for."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, str] = {}
        self._pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=200)
        for key, value in self._pairs:
            self._values.setdefault(key, value)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str:
        """The value, "" where it is absent."""
        return self._values.get(key, "")

    def texts(self, key: str) -> Sequence[str]:
        """Every value, in order."""
        return [value for found, value in self._pairs if found == key]

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

    def write_options(self, verb: Verb, part: str = "", agent: str = "") -> writes.Options:
        """How to write; ``agent`` is the client's ``User-Agent``.

        Raises:
            InvalidError: ``fieldManager`` is no name, ``fieldValidation`` or ``dryRun`` has no such value; all that is wrong is named.
        """
        return self._options(verb, part, agent, ())

    def _options(self, verb: Verb, part: str, agent: str, more: Sequence[faults.FieldError]) -> writes.Options:
        found = [*more, *self._faults()]
        if found:
            raise errors.invalid_options(verb, found)
        strictness = _STRICTNESS[self.text("fieldValidation")]
        writer = managing.Writer(managing.manager_name(self.text("fieldManager"), agent))
        return writes.Options(strictness, bool(self.texts("dryRun")), part, writer)

    def _faults(self) -> faults.Errors:
        if fault := managing.name_fault(self.text("fieldManager")):
            yield faults.FieldError("fieldManager", "FieldValueInvalid", fault)
        yield from _dry_run_faults(self.texts("dryRun"))
        if self.text("fieldValidation") not in _STRICTNESS:
            yield faults.not_supported("fieldValidation", self.text("fieldValidation"), _STRICTNESS)

    def apply_options(self, part: str = "") -> writes.Options:
        """How to apply. Raises as ``write_options``, and where nobody is named that applies."""
        unnamed = [] if self.text("fieldManager") else [faults.required("fieldManager", "is required for apply patch")]
        options = self._options("PatchOptions", part, "", unnamed)
        writer = dataclasses.replace(options.writer, force=self.flag("force"))
        return dataclasses.replace(options, writer=writer)

    def patch_options(self, part: str, agent: str) -> writes.Options:
        """How to write a patch that is no apply. Raises as ``write_options``, and where it shall be forced."""
        forced = [faults.forbidden("force", "may not be specified for non-apply patch")] if "force" in self else []
        return self._options("PatchOptions", part, agent, forced)


def _dry_run_faults(asked: Sequence[str]) -> faults.Errors:
    """``All`` or nothing. An empty value is no way to say nothing: its author believes that nothing will be stored."""
    if any(each != "All" for each in asked):
        shown = ", ".join(orjson.dumps(each).decode() for each in asked)
        text = f'Unsupported value: []string{{{shown}}}: supported values: "All"'
        yield faults.FieldError("dryRun", "FieldValueNotSupported", text)


def delete_options(query: Query, body: Any) -> deletion.Options:
    """``DeleteOptions`` of a body (None where there was none), completed by the query.

    Raises:
        BadRequestError: they are none.
        InvalidError: they contradict each other, or ask for a propagation or a dry run that there is not.
    """
    body = {} if body is None else body
    if not isinstance(body, dict):
        raise errors.BadRequestError("the body of a delete is a DeleteOptions object")
    preconditions, dry_run = body.get("preconditions") or {}, body.get("dryRun") or []
    if not isinstance(preconditions, dict) or not isinstance(dry_run, list):
        raise errors.BadRequestError("DeleteOptions: preconditions is an object, dryRun a list")
    asked_dry = [*query.texts("dryRun"), *(str(each) for each in dry_run)]
    wrong = list(_dry_run_faults(asked_dry))
    if wrong:
        raise errors.invalid_options("DeleteOptions", wrong)
    return deletion.Options(
        grace=_grace(query, body.get("gracePeriodSeconds")),
        policy=_policy(query, body),
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=bool(asked_dry),
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
