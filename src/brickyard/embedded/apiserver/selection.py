"""Which objects of a collection a client asked for."""

from __future__ import annotations

import dataclasses

from brickyard.embedded.apiserver import contract, errors, records
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import selectors


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Namespace ("" for all), labels and fields. Matching costs nothing where a part is empty."""

    namespace: str = ""
    labels: selectors.LabelSelector = selectors.EVERYTHING
    fields: selectors.FieldSelector = dataclasses.field(default_factory=selectors.FieldSelector)

    @property
    def whole(self) -> bool:
        """Whether labels and fields leave everything in, so that an object never enters or leaves by changing."""
        return self.labels.is_everything and not self.fields.requirements

    def matches(self, record: records.Record) -> bool:
        """Whether ``record`` is one of those asked for."""
        if self.namespace and record.key.namespace != self.namespace:
            return False
        if not self.labels.is_everything and not self.labels.matches(record.labels):
            return False
        return not self.fields.requirements or self.fields.matches(record.field)

    def seen_as(self, change: records.Change) -> records.ChangeType | None:
        """What ``change`` is to a watcher of this selection; None when it concerns only others.

        before   after    told
        in       in       MODIFIED
        out      in       ADDED
        in       out      DELETED (also by a change that makes it no longer match)
        out      out      nothing
        """
        if self.namespace and change.record.key.namespace != self.namespace:
            return None
        if self.whole:
            return change.type
        was = change.previous is not None and self.matches(change.previous)
        now = change.type != "DELETED" and self.matches(change.record)
        if now:
            return "MODIFIED" if was else "ADDED"
        return "DELETED" if was else None


_EVERYWHERE = frozenset({"metadata.name", "metadata.namespace"})


def parse(resource: contract.Resource, namespace: str, label_text: str, field_text: str) -> Selection:
    """The selection of a list or watch.

    Raises:
        BadRequestError: a selector does not parse, or selects by a field the kind cannot be selected by.
    """
    try:
        labels, fields = selectors.parse_labels(label_text), selectors.parse_fields(field_text)
    except object_errors.SelectorError as error:
        raise errors.BadRequestError(str(error)) from error
    known = _EVERYWHERE | {path.removeprefix(".") for path in resource.selectable_fields}
    for path, _, _ in fields.requirements:
        if path not in known:
            raise errors.BadRequestError(
                f'Unable to find "{resource.type.api_version}, Resource={resource.type.plural}" that match label selector '
                f'"{label_text}", field selector "{field_text}": field label not supported: {path}'
            )
    return Selection(namespace, labels, fields)
