"""What each pod was asked and what it used, under AIBrix' names and labels.

A pod's series live as long as the pod: whoever shows them says which pods there are. Ports of one pod count together.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import core

from brickyard.api import names
from brickyard.gateway import distributions
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing

MAX_PODS: Final = 4096
"""Pods that are counted between two scrapes; those beyond count as one."""
CLIENT_GONE: Final = 499
"""The status under which a request is counted whose client left before its answer was complete."""

POD_LABELS: Final = ("namespace", "pod", "model", "engine_type", "roleset", "role", "role_replica_index")
"""Labels of everything that is told of a pod, in this order; ``gateway_pod`` follows."""

_LENGTHS: Final = 64
"""Bit lengths of counts of tokens, which are below 2⁵³."""
_NOBODY: Final = routing.Endpoint("", "", "", "", 0, "other", "")
_SUCCESS: Final = "gateway_rsp_body_success"
_CANCELLED: Final = "client_cancelled_eof"
_BROKEN: Final = "gateway_rsp_body_fail"
_REFUSED: Final = "gateway_rsp_headers_fail"
_UNROUTED: Final = "gateway_req_body_fail"


def pod_labels(endpoint: routing.Endpoint) -> tuple[str, ...]:
    """The values of ``POD_LABELS``; "" where the pod does not say."""
    labels = endpoint.labels
    return (
        endpoint.namespace,
        endpoint.pod,
        endpoint.model,
        endpoint.engine,
        labels.get(names.ROLE_SET_NAME, ""),
        labels.get(names.ROLE_NAME, ""),
        labels.get(names.ROLE_REPLICA_INDEX, ""),
    )


class PodCounts:
    """One pod's requests. ``broken`` are those that ended after their status was sent. Lists are counts by range, those of tokens by
    bit length, which falls on AIBrix' borders and costs half as much to find."""

    __slots__ = (
        "broken",
        "completion",
        "endpoint",
        "input_tokens",
        "output_tokens",
        "per_token",
        "prompt",
        "statuses",
        "total_time",
        "ttft",
        "with_usage",
    )

    def __init__(self, endpoint: routing.Endpoint) -> None:
        self.endpoint = endpoint
        self.statuses: dict[int, int] = {}
        self.broken: dict[int, int] = {}
        self.with_usage = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.prompt = [0] * _LENGTHS
        self.completion = [0] * _LENGTHS
        self.ttft = [0] * len(distributions.DELAY_RANGES)
        self.per_token = [0] * len(distributions.DELAY_RANGES)
        self.total_time = [0] * len(distributions.TOTAL_RANGES)

    def ended(self, status: int, *, broken: bool) -> None:
        """A request ended with ``status``; ``broken``: what went wrong did so after the status was sent."""
        counted = self.broken if broken else self.statuses
        counted[status] = counted.get(status, 0) + 1

    def used(self, spent: usage.Usage, duration: float, first_token: float | None) -> None:
        """It used tokens. ``first_token``: seconds until the body began, of a stream."""
        find = bisect.bisect_right  # as ``distributions.place``, without a call for each
        prompt, completion = spent.prompt, spent.completion
        self.with_usage += 1
        self.input_tokens += prompt
        self.output_tokens += completion
        self.prompt[prompt.bit_length()] += 1
        self.completion[completion.bit_length()] += 1
        self.total_time[find(distributions.TOTALS, duration)] += 1
        if first_token is not None:
            self.ttft[find(distributions.DELAYS, first_token)] += 1
            if completion:
                self.per_token[find(distributions.DELAYS, (duration - first_token) / completion)] += 1


class Traffic:
    """The counts of all pods. ``present`` says which endpoints there are, by key; None: nobody knows, and all are kept."""

    def __init__(self) -> None:
        self.present: Callable[[], Collection[str]] | None = None
        self._by_key: dict[str, PodCounts] = {}
        self._by_pod: dict[tuple[str, str, str], PodCounts] = {}
        self._others = PodCounts(_NOBODY)

    def of(self, endpoint: routing.Endpoint) -> PodCounts:
        """The counts of the endpoint's pod."""
        found = self._by_key.get(endpoint.key)
        if found is None:
            found = self._new(endpoint)
        return found

    def _new(self, endpoint: routing.Endpoint) -> PodCounts:
        if len(self._by_key) >= MAX_PODS:
            self.forget_gone()
        if len(self._by_key) >= MAX_PODS:
            return self._others
        identity = (endpoint.namespace, endpoint.pod, endpoint.model)
        found = self._by_pod.setdefault(identity, PodCounts(endpoint))
        found.endpoint = endpoint
        self._by_key[endpoint.key] = found
        return found

    def forget_gone(self) -> None:
        """Drop the counts of pods that are no more. A pod of the same name starts at 0."""
        if self.present is None:
            return
        here = self.present()
        for key in [key for key in self._by_key if key not in here]:
            del self._by_key[key]
        kept = {id(counts) for counts in self._by_key.values()}
        self._by_pod = {pod: counts for pod, counts in self._by_pod.items() if id(counts) in kept}

    def pods(self) -> Iterable[PodCounts]:
        """Every pod that is there, and whoever there was no room for."""
        self.forget_gone()
        crowd = (self._others,) if self._others.statuses else ()
        return (*self._by_pod.values(), *crowd)


def outcomes(
    pods: Iterable[PodCounts], unrouted: Mapping[str, Mapping[int, int]], gateway: str
) -> Iterator[core.Metric]:
    """How requests ended; ``unrouted`` are those that reached no pod, by model and status."""
    labels = ("model", "status", "status_code", "pod_name", "gateway_pod")
    good = core.CounterMetricFamily("gateway_request_model_success", "Requests answered in full", labels=labels)
    bad = core.CounterMetricFamily("gateway_request_model_fail", "Requests that failed, and where", labels=labels)
    for counts in pods:
        who = counts.endpoint
        for status, count in sorted(counts.statuses.items()):
            word, family = _word(status), bad if status >= 400 or not status else good
            family.add_metric((who.model, word, str(status), who.pod, gateway), count)
        for status, count in sorted(counts.broken.items()):
            bad.add_metric((who.model, _BROKEN, str(status), who.pod, gateway), count)
    for model, statuses in unrouted.items():
        for status, count in sorted(statuses.items()):
            word = _CANCELLED if status == CLIENT_GONE else _UNROUTED
            bad.add_metric((model, word, str(status), "", gateway), count)
    yield good
    yield bad


def _word(status: int) -> str:
    if status == CLIENT_GONE:
        return _CANCELLED
    return _REFUSED if status >= 400 or not status else _SUCCESS


def tokens(pods: Iterable[PodCounts], gateway: str) -> Iterator[core.Metric]:
    """What requests used and how long that took, per pod."""
    plain = (*POD_LABELS, "gateway_pod")
    read = core.CounterMetricFamily("gateway_input_tokens", "Tokens that prompts had", labels=plain)
    written = core.CounterMetricFamily("gateway_output_tokens", "Tokens that were generated", labels=plain)
    told = core.CounterMetricFamily(
        "gateway_requests_with_usage", "Requests whose tokens are known or guessed", labels=(*plain, "has_usage")
    )
    ranged = {
        name: core.CounterMetricFamily(name, text, labels=(*plain, "bucket"))
        for name, text in (
            ("gateway_prompt_token_bucket", "Requests by tokens of their prompts"),
            ("gateway_completion_token_bucket", "Requests by tokens generated"),
            ("gateway_ttft_bucket", "Streams by their time to the first token"),
            ("gateway_tpot_bucket", "Streams by their time per generated token"),
            ("gateway_total_time_bucket", "Requests by their whole duration"),
        )
    }
    for counts in pods:
        who = (*pod_labels(counts.endpoint), gateway)
        if not counts.with_usage:
            continue
        read.add_metric(who, counts.input_tokens)
        written.add_metric(who, counts.output_tokens)
        told.add_metric((*who, "true"), counts.with_usage)
        for family, (labels, numbers) in zip(ranged.values(), _ranged(counts), strict=True):
            for label, number in zip(labels, numbers, strict=True):
                if number:
                    family.add_metric((*who, label), number)
    yield from (read, written, told)
    yield from ranged.values()


def _ranged(counts: PodCounts) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    yield distributions.TOKEN_RANGES, _folded(counts.prompt)
    yield distributions.TOKEN_RANGES, _folded(counts.completion)
    yield distributions.DELAY_RANGES, counts.ttft
    yield distributions.DELAY_RANGES, counts.per_token
    yield distributions.TOTAL_RANGES, counts.total_time


def _folded(by_length: list[int]) -> list[int]:
    """Counts by bit length as counts by range: the first range holds all lengths up to that of its border."""
    first, last = distributions.TOKENS[0].bit_length(), distributions.TOKENS[-1].bit_length()
    return [sum(by_length[:first]), *by_length[first:last], sum(by_length[last:])]
