"""Manifests as people write them: several YAML or JSON documents in a text, lists among them."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from brickyard.api.kinds import resources
from brickyard.lib import errors, yamltext


class ManifestError(errors.UsageError):
    """A text that is no manifest; the message names the source and the document."""


def parse(text: str, source: str) -> list[resources.Object]:
    """The objects in ``text``, those inside a ``List`` one by one; ``source`` names it in errors.

    Raises:
        ManifestError: it does not parse, or a document lacks ``apiVersion``, ``kind`` or a name.
    """
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise ManifestError(f"{source} is not valid YAML: {yamltext.fault(error)}") from error
    found = [
        each
        for number, document in enumerate(documents, 1)
        if document is not None
        for each in _objects(document, f"{source}, document {number}")
    ]
    if not found:
        raise ManifestError(f"{source} holds no object")
    return found


def _objects(document: object, where: str) -> Iterator[resources.Object]:
    if not isinstance(document, dict):
        raise ManifestError(
            f"{where}: a manifest is a mapping with apiVersion, kind and metadata, not a {_kind(document)}"
        )
    if document.get("kind") == "List":
        for position, item in enumerate(document.get("items") or ()):
            yield from _objects(item, f"{where}, item {position}")
        return
    for name in ("apiVersion", "kind"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise ManifestError(f"{where}: {name} is missing")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise ManifestError(f"{where}: {document['kind']} has no metadata.name")
    yield document


def _kind(document: object) -> str:
    if isinstance(document, list):
        return "list"
    return "text" if isinstance(document, str) else type(document).__name__
