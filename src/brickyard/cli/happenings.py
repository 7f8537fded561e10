"""Events as lines for people. Pure.

An event that happens again is one object with a count; its line shows the last time it happened and how often it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import meta, paths
from brickyard.lib import timestamps

_WIDTHS = {"NAMESPACE": 9, "LAST SEEN": 9, "TYPE": 7, "REASON": 16, "OBJECT": 24}
"""Least widths of columns, so that lines which come later stand below those that came first."""
_MESSAGE = "MESSAGE"


def selector(kind: str, name: str, *, warnings: bool) -> str:
    """The field selector of the events about ``kind`` and ``name``; "" for either means any."""
    fields = {"involvedObject.kind": kind, "involvedObject.name": name, "type": "Warning" if warnings else ""}
    return ",".join(f"{field}={value}" for field, value in fields.items() if value)


def last_seen(event: resources.Object) -> str:
    """The RFC 3339 moment at which it last happened, "" where none is told."""
    series = paths.get(event, "series.lastObservedTime")
    moment = series or event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    return str(moment or meta.metadata(event).get("creationTimestamp") or "")


class Lines:
    """The lines of one listing and of what follows it: columns keep their widths, and no event is told twice."""

    def __init__(self, *, namespaces: bool) -> None:
        self._widths = {name: width for name, width in _WIDTHS.items() if namespaces or name != "NAMESPACE"}
        self._told: dict[meta.Key, str] = {}
        self._headed = False

    def listed(self, events: Iterable[resources.Object], now: float) -> list[str]:
        """The lines of everything there is, oldest first, but for what was told before; a header comes before the first line."""
        there = {meta.key(each): each for each in events}
        new = [each for key, each in there.items() if self._told.get(key) != meta.resource_version(each)]
        self._told = {key: meta.resource_version(each) for key, each in there.items()}
        return self._lines(sorted(new, key=_order), now)

    def happened(self, event: resources.Object, now: float) -> list[str]:
        """The line of one more."""
        self._told[meta.key(event)] = meta.resource_version(event)
        return self._lines([event], now)

    def forget(self, event: resources.Object) -> None:
        """It has expired."""
        self._told.pop(meta.key(event), None)

    def _lines(self, events: list[resources.Object], now: float) -> list[str]:
        rows = [_row(event, now) for event in events]
        if not self._headed and rows:
            for name, width in self._widths.items():
                self._widths[name] = max(width, *(len(row[name]) for row in rows))
            rows.insert(0, {name: name for name in (*self._widths, _MESSAGE)})
            self._headed = True
        return [
            "   ".join([*(row[name].ljust(width) for name, width in self._widths.items()), row[_MESSAGE]]).rstrip()
            for row in rows
        ]


def _order(event: resources.Object) -> tuple[float, int]:
    moment = last_seen(event)
    try:
        at = timestamps.parse_rfc3339(moment) if moment else 0.0
    except ValueError:
        at = 0.0
    version = meta.resource_version(event)
    return at, int(version) if version.isdigit() else 0


def _row(event: resources.Object, now: float) -> dict[str, str]:
    about = event.get("involvedObject") or {}
    count = paths.get(event, "series.count") or event.get("count") or 1
    again = f" (x{count})" if count > 1 else ""
    return {
        "NAMESPACE": meta.namespace(event),
        "LAST SEEN": cells.age_of(last_seen(event), now),
        "TYPE": str(event.get("type") or ""),
        "REASON": str(event.get("reason") or ""),
        "OBJECT": f"{str(about.get('kind') or '').lower()}/{about.get('name') or ''}",
        _MESSAGE: " ".join(str(event.get("message") or "").split()) + again,
    }
