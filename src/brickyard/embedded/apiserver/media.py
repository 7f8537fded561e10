"""Media types: what a client accepts, and what it sent. Pure."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import orjson
import yaml

from brickyard.embedded.apiserver import contract, errors
from brickyard.embedded.apiserver.protobuf import bodies

Shape = Literal["Object", "Table", "PartialObjectMetadata"]
"""How an object or list is shown."""

_SERVED = "application/json, application/yaml"
_UNREAD = f"the body of the request was in an unknown format - accepted media types include: {_SERVED}"
_JSON_TYPES = frozenset({"application/json", "application/*", "*/*"})


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What the answer shall be: a shape, as JSON or YAML."""

    shape: Shape = "Object"
    yaml: bool = False


def _entries(header: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    found: list[tuple[str, Mapping[str, str]]] = []
    for entry in header.split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        found.append((media_type.lower(), {name.strip().lower(): value.strip() for name, _, value in pairs}))
    return found


def accepted(header: str) -> Accepted:
    """The first entry of an ``Accept`` header that can be served; quality values are not weighed, as clients send them in order.

    Raises:
        NotAcceptableError: none can.
    """
    for media_type, parameters in _entries(header or "*/*"):
        if media_type in _JSON_TYPES:
            shape = _shape(parameters)
            if shape is not None:
                return Accepted(shape)
        elif media_type in ("application/yaml", "application/x-yaml", "text/yaml") and "as" not in parameters:
            return Accepted(yaml=True)
    raise errors.NotAcceptableError(f"only the following media types are accepted: {_SERVED}")


def _shape(parameters: Mapping[str, str]) -> Shape | None:
    wanted = parameters.get("as", "")
    if not wanted:
        return "Object"
    if parameters.get("g", "meta.k8s.io") != "meta.k8s.io" or parameters.get("v", "v1") != "v1":
        return None
    if wanted == "Table":
        return "Table"
    return "PartialObjectMetadata" if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList") else None


def essence(content_type: str) -> str:
    """A ``Content-Type`` without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_yaml(kind: str) -> bool:
    """Whether a media type without parameters is YAML."""
    return kind in ("application/yaml", "application/x-yaml", "text/yaml") or kind.endswith("+yaml")


def decode(content_type: str, body: bytes) -> Any:
    """The value of a JSON, YAML or protobuf body.

    Raises:
        UnsupportedMediaError: it is something else, or protobuf of a kind whose binary form is not known.
        BadRequestError: it does not parse, or JSON could not carry it.
    """
    kind = essence(content_type)
    if kind in ("", "application/json") or kind.endswith("+json"):
        return _json(body)
    if is_yaml(kind):
        return _yaml(body)
    if kind == bodies.MEDIA_TYPE:
        return _protobuf(body)
    raise errors.UnsupportedMediaError(_UNREAD)


def _protobuf(body: bytes) -> Any:
    try:
        return bodies.decode(body)
    except bodies.UnknownKindError as error:
        raise errors.UnsupportedMediaError(f"{_UNREAD} ({error})") from error
    except contract.UndecodableError as error:
        raise errors.BadRequestError(str(error)) from error


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.BadRequestError(f"couldn't get version/kind; json parse error: {error}") from error


class _Loader(yaml.CSafeLoader):
    """YAML as JSON knows it: no times, and keys are strings."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        return {
            _key(self.construct_object(key, deep=True)): self.construct_object(value, deep=deep)
            for key, value in node.value
        }


def _key(key: Hashable) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(body: bytes) -> Any:
    if body.lstrip()[:1] == b"{":
        # Most of what is sent as YAML is JSON, which is YAML as well, and read a hundred times faster.
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(body)
    try:
        # A few bytes of aliases can stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, _Loader)):
            raise errors.BadRequestError("YAML aliases are not read here: write the values out, or send JSON")
        found = yaml.load(body, _Loader)  # noqa: S506 - a safe loader, made stricter
        return orjson.loads(orjson.dumps(found))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise errors.BadRequestError(f"error converting YAML to JSON: {error}") from error


def to_yaml(body: bytes) -> bytes:
    """A JSON document as YAML."""
    text = yaml.dump(orjson.loads(body), Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True)
    return str(text).encode()
