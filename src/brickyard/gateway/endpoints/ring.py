"""The latest decisions and how they ended, by request id.

Bounded twice: by entries, and by table rows over all entries, so that a thousand endpoints cost no more memory than eight. Prompt
and user are dropped on the way in and other texts of the client cut short: who wrote what is none of an operator's business, and it
can be megabytes.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator

from brickyard.gateway import contract
from brickyard.routing import contract as routing
from brickyard.routing.ledgers import prefixes

ROWS_PER_ENTRY = 64
"""The average table size that the full number of entries is kept for."""

LONGEST = 1000
"""Characters kept of any text that a client had a hand in."""


class Entry:
    """One finished request, which forgets its prompt here. ``prompt_bytes`` is how long that was."""

    __slots__ = ("decision", "outcome", "prompt_bytes", "rows")

    def __init__(self, decision: routing.Decision | routing.NoDecision, outcome: contract.Outcome) -> None:
        if isinstance(decision, routing.NoDecision) and len(decision.reason) > LONGEST:
            decision = dataclasses.replace(decision, reason=decision.reason[:LONGEST])
        self.decision = decision
        self.outcome = outcome
        self.prompt_bytes = len(decision.request.prompt)
        decision.request.forget(LONGEST)
        self.rows = 1 + len(decision.snapshot.endpoints)


class Ring:
    """At most ``capacity`` entries and ``capacity`` x 64 rows; the oldest go first, one entry at least stays.

    ``dropped`` counts those that went: until there are any, what is held is all there ever was.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._rows_allowed = self._capacity * ROWS_PER_ENTRY
        self._entries: collections.deque[Entry] = collections.deque()
        self._by_id: dict[str, Entry] = {}
        self._rows = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, decision: routing.Decision | routing.NoDecision, outcome: contract.Outcome) -> None:
        """Keep a decision. Of several with one request id, the latest is found."""
        entry = Entry(decision, outcome)
        self._entries.append(entry)
        self._by_id[decision.request.id] = entry
        self._rows += entry.rows
        while len(self._entries) > self._capacity or (self._rows > self._rows_allowed and len(self._entries) > 1):
            self._drop()

    def find(self, request_id: str) -> Entry | None:
        """The entry of ``request_id``; of ``""`` the latest."""
        if request_id:
            return self._by_id.get(request_id)
        return self._entries[-1] if self._entries else None

    def newest_first(self) -> Iterator[Entry]:
        """Every entry that is held, the latest first."""
        return reversed(self._entries)

    def _drop(self) -> None:
        oldest = self._entries.popleft()
        self._rows -= oldest.rows
        self.dropped += 1
        key = oldest.decision.request.id
        if self._by_id.get(key) is oldest:  # a client may have used the id again since
            del self._by_id[key]


def ending(entry: Entry) -> dict[str, object]:
    """How the request ended, as JSON-ready data: what Outcome and Course say, times in seconds.

    ``usage`` is None where nobody told or guessed; its ``cached_tokens_predicted`` is what the prefix index foresaw, None where no policy
    asked it. ``limits`` are the ``x-ratelimit-`` headers that went out.
    """
    outcome = entry.outcome
    course, used = outcome.course or contract.Course(), outcome.usage
    return {
        "status": outcome.status,
        "attempts": outcome.attempts,
        "admission": course.admission,
        "queue": course.queue,
        "waking": course.waking,
        "connect": course.connect,
        "first_byte": outcome.first_byte,
        "first_token": course.first_token,
        "duration": outcome.duration,
        "error": outcome.error,
        "usage": None
        if used is None
        else {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.completion,
            "cached_tokens": used.cached,
            "cached_tokens_predicted": _predicted(entry, used.prompt),
            "estimated": used.estimated,
        },
        "limits": _limits(course.limits),
    }


def _predicted(entry: Entry, prompt_tokens: int) -> int | None:
    decision = entry.decision
    matches = decision.snapshot.data.get(prefixes.NAME)
    if not isinstance(decision, routing.Decision) or not isinstance(matches, prefixes.Matches) or decision.row < 0:
        return None
    return round(matches.held[decision.row] / max(1, entry.prompt_bytes) * prompt_tokens)


def _limits(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(b":") for line in lines.splitlines())
    return {name.decode("latin-1"): value.strip().decode("latin-1") for name, _, value in pairs if name}
