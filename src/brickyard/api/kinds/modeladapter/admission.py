"""The rules of a ModelAdapter, checked when it is created.

    field         kind of error   text
    artifactURL   Invalid         artifactURL is invalid: ...
    artifactURL   Invalid         unsupported schema "...", supported schemas are [...]
    replicas      Invalid         replicas must be greater than 0
    podSelector   Required        which pods get the adapter

A manifest without any spec is stored: published samples have none. Nothing is done for it.
"""

from __future__ import annotations

import re
from typing import Final

from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.modeladapter import legacy

SCHEMES: Final = ("s3://", "gcs://", "tos://", "huggingface://", "hf://", "/")
"""What an artifactURL may begin with."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_HOST: Final = re.compile(r"(?:[^@]*@)?(?:\[[0-9A-Fa-f:.%A-Za-z]*\]|[^\s<>\"\[\]\\^`{}|:]*)(?::[0-9]*)?", re.ASCII)


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        spec = obj.get("spec")
        if old is not None or spec is None:
            return
        yield from _artifact(shapes.text(spec, "artifactURL"))
        replicas = shapes.integer(spec, "replicas")
        if replicas is not None and replicas <= 0:
            yield faults.invalid("spec.replicas", replicas, "replicas must be greater than 0")
        if shapes.at(spec, "podSelector") is None:
            yield faults.required("spec.podSelector", "which pods get the adapter; {} means all")


def _artifact(url: str | None) -> faults.Errors:
    if url is None:
        return
    fault = url_fault(url)
    if fault:
        yield faults.invalid("spec.artifactURL", url, f"artifactURL is invalid: {fault}")
    if not url.startswith(SCHEMES):
        text = f'unsupported schema "{url}", supported schemas are [{" ".join(SCHEMES)}]'
        yield faults.invalid("spec.artifactURL", url, text)


def url_fault(url: str) -> str:
    """Why ``url`` is no absolute URI or path as an HTTP request line has one; "" where it is."""
    if not url:
        return "it is empty"
    if any(letter < " " or letter == "\x7f" for letter in url):
        return "it holds a control character"
    scheme = _SCHEME.match(url)
    if scheme is None and not url.startswith("/"):
        return "it needs a scheme such as s3:// or a leading /"
    rest = url[scheme.end() :] if scheme else url
    if scheme and rest.startswith("//"):
        host = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
        if not _HOST.fullmatch(host):
            return f"{host!r} is no host"
        rest = rest[2 + len(host) :]
    bad = _BAD_ESCAPE.search(rest.partition("?")[0])
    return f"{rest[bad.start() : bad.start() + 3]!r} is no escape" if bad else ""
