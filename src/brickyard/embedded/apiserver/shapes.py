"""How objects and lists are shown: as they are, as a Table, or as their metadata alone. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, media, records, tables, writes

_META_VERSION = "meta.k8s.io/v1"


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """One client's wish. ``include`` is a Table's ``includeObject``."""

    resource: contract.Resource
    shape: media.Shape = "Object"
    include: str = "Metadata"

    @property
    def kind(self) -> resources.ResourceType:
        return self.resource.type

    def one(self, raw: bytes, now: float) -> bytes:
        """The JSON of one object, given its plain JSON."""
        if self.shape == "Object":
            return raw
        obj = orjson.loads(raw)
        # The object may be a Status: the answer to a delete has no row and no metadata of interest.
        if obj.get("kind") == "Status" and obj.get("apiVersion") == "v1":
            return raw
        if self.shape == "PartialObjectMetadata":
            return orjson.dumps(_partial(obj))
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return orjson.dumps(self._table([obj], now, meta, header=True))

    def event(self, record: records.Record, now: float, *, header: bool) -> bytes:
        """The JSON of an object in a watch event; a Table's columns are told once, with ``header``."""
        if self.shape == "Object":
            return writes.served(record, self.resource)
        obj = self._object(record)
        if self.shape == "PartialObjectMetadata":
            return orjson.dumps(_partial(obj))
        meta = {"resourceVersion": str(record.revision)}
        return orjson.dumps(self._table([obj], now, meta, header=header))

    def bookmark(self, revision: int, annotations: dict[str, str] | None) -> bytes:
        """The JSON of a bookmark's object, which carries nothing but a revision."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        if self.shape == "Table":
            row = {
                "cells": [],
                "object": {"kind": "PartialObjectMetadata", "apiVersion": _META_VERSION, "metadata": metadata},
            }
            meta = {"resourceVersion": str(revision)}
            return orjson.dumps(
                {
                    "kind": "Table",
                    "apiVersion": _META_VERSION,
                    "metadata": meta,
                    "columnDefinitions": None,
                    "rows": [row],
                }
            )
        if self.shape == "PartialObjectMetadata":
            return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": _META_VERSION, "metadata": metadata})
        return orjson.dumps({"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata})

    def list_head(self, meta: dict[str, Any], now: float) -> bytes:
        """The JSON of a list up to its items; ``]}`` ends it."""
        if self.shape == "Table":
            head = self._table([], now, meta, header=True)
            del head["rows"]
            return orjson.dumps(head)[:-1] + b',"rows":['
        kind, version = self.resource.list_kind, self.kind.api_version
        if self.shape == "PartialObjectMetadata":
            kind, version = "PartialObjectMetadataList", _META_VERSION
        head = {"kind": kind, "apiVersion": version, "metadata": meta}
        return orjson.dumps(head)[:-1] + b',"items":['

    def items(self, found: Iterable[records.Record], now: float) -> Sequence[bytes]:
        """The JSON of each item of a list, or of each row of a Table."""
        if self.shape == "Object":
            return [writes.served(record, self.resource) for record in found]
        objects = [self._object(record) for record in found]
        if self.shape == "PartialObjectMetadata":
            return [orjson.dumps(_partial(obj)) for obj in objects]
        return [orjson.dumps(row) for row in self._table(objects, now, {}, header=False)["rows"]]

    def _object(self, record: records.Record) -> resources.Object:
        return writes.shown(record, self.resource)

    def _table(
        self, found: Sequence[resources.Object], now: float, meta: dict[str, Any], *, header: bool
    ) -> dict[str, Any]:
        return tables.render(self.resource, found, now, include_object=self.include, header=header, metadata=meta)


def _partial(obj: resources.Object) -> resources.Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META_VERSION, "metadata": obj.get("metadata") or {}}
