"""A built-in kind's ``Admission``: its definition for what is known of types and fields, its two functions for what is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import orjson

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources, rules
from brickyard.embedded.apiserver import definitions, schema
from brickyard.embedded.apiserver.admission import metadata

Fill = Callable[[resources.Object], None]
"""Fills absent fields of a draft, which it may change freely."""
Judge = Callable[[resources.Object, resources.Object | None], faults.Errors]
"""Everything wrong with an object beyond its metadata; ``old`` is what it replaces."""


def nothing(draft: resources.Object) -> None:
    """Fills in nothing."""


def anything(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Complains of nothing."""
    del obj, old
    yield from ()


@dataclasses.dataclass(frozen=True, slots=True)
class KindAdmission:
    """Fills ``contract.Admission`` for a kind with a definition. ``name_rule`` judges ``metadata.name``; None where there is none."""

    type: resources.ResourceType
    fill: Fill = nothing
    judge: Judge = anything
    name_rule: metadata.NameRule | None = metadata.dns_subdomain

    @property
    def _node(self) -> schema.Node:
        name = definitions.name_of(self.type)
        if name is None:
            raise LookupError(f"{self.type.kind} has no definition: add it to tools/make_openapi.py")
        return schema.of_definition(name)

    @property
    def _rules(self) -> kinds.KindRules:
        return rules.of(self.type.group, self.type.kind)

    def convert(self, obj: resources.Object) -> kinds.Converted:
        return self._rules.convert(obj)

    def check_types(self, obj: resources.Object) -> None:
        schema.check_types(self._node, obj, self.type)

    def unknown_fields(self, obj: resources.Object) -> Sequence[str]:
        return schema.unknown_fields(self._node, obj)

    def prune(self, obj: resources.Object) -> resources.Object:
        """Without unknown fields and without nulls: what a typed decoder keeps."""
        pruned: resources.Object = schema.pruned(self._node, obj)
        return pruned

    def default(self, obj: resources.Object) -> resources.Object:
        draft: resources.Object = orjson.loads(orjson.dumps(obj))
        self.fill(draft)
        shaped = self._rules.default(draft)
        if shaped is not draft:
            draft = orjson.loads(orjson.dumps(shaped))
            self.fill(draft)  # what the rules brought along has defaults too
        return draft

    def validate(self, obj: resources.Object, old: resources.Object | None) -> Sequence[faults.FieldError]:
        named = self.name_rule
        return [
            *(metadata.validate(obj, self.type.namespaced, named) if named else ()),
            *self.judge(obj, old),
            *self._rules.validate(obj, old),
        ]
