"""Virtual token counter: who used much lately is sent to other endpoints than who used little, and nobody to a full one.

    bucket  = max(min_tokens, (least used by any user + most) / 2)
    place   = min(used by this user / bucket, candidates - 1)
    fair    = |i - place|                                     i: the candidate's place, the idlest first
    load    = min(requests in flight / max_pod_load, 1)
    score   = fairness_weight * fair + utilization_weight * load + noise, 0..0.1        the least is best

Candidates stand by requests in flight, those with equally many in an order of the user's own: so who used little gets the idlest, and users
that used as much as each other do not all stand before the same endpoint.

A request without a user goes anywhere; in a mix it has no say. Tokens are charged when the request is sent, by estimate, and put right when
the engine has told what it counted.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from brickyard.api.names import environment
from brickyard.lib import settings
from brickyard.routing import contract, noise, pickers, scorers
from brickyard.routing.policies.vtc_basic import usage

NAME = "vtc-basic"
NOISE: Final = 0.1
USERS_KEPT: Final = 1024
"""Users whose preferences are kept; those of more are worked out anew."""

UNITS: Final = {"minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}


@dataclasses.dataclass(frozen=True)
class VtcBasicParameters:
    """Strategy `vtc-basic`: window, bounds and weights."""

    window_size: int = settings.field(
        5, env=environment.VTC_WINDOW_SIZE, help="How far back tokens count, in time units."
    )
    time_unit: str = settings.field(
        "minutes", env=environment.VTC_TIME_UNIT, help="Of the window: minutes, seconds or milliseconds."
    )
    min_tokens: float = settings.field(
        1000.0,
        env=environment.VTC_MIN_TOKENS,
        help="The smallest bucket, and the least used while nobody used anything.",
    )
    max_tokens: float = settings.field(
        8000.0, env=environment.VTC_MAX_TOKENS, help="The most used while nobody used anything."
    )
    max_pod_load: float = settings.field(
        100.0, env=environment.VTC_MAX_POD_LOAD, help="Requests in flight that count as a full endpoint."
    )
    input_token_weight: float = settings.field(
        1.0, env=environment.VTC_INPUT_TOKEN_WEIGHT, help="What a token of a prompt costs its user."
    )
    output_token_weight: float = settings.field(
        2.0, env=environment.VTC_OUTPUT_TOKEN_WEIGHT, help="What a generated token costs its user."
    )
    fairness_weight: float = settings.field(
        1.0, env=environment.VTC_FAIRNESS_WEIGHT, help="What distance from the user's place counts."
    )
    utilization_weight: float = settings.field(
        1.0, env=environment.VTC_UTILIZATION_WEIGHT, help="What an endpoint's load counts."
    )

    def __post_init__(self) -> None:
        if self.time_unit not in UNITS:
            raise ValueError(f"time_unit must be one of {', '.join(UNITS)}, not {self.time_unit!r}")
        if self.window_size < 1:
            raise ValueError("window_size must be at least 1")
        if self.min_tokens <= 0 or self.max_pod_load <= 0:
            raise ValueError("min_tokens and max_pod_load must be above 0")

    @property
    def rules(self) -> usage.Rules:
        """What the users' counters go by."""
        unit = UNITS[self.time_unit]
        return usage.Rules(
            window=self.window_size * unit,
            slice=0.001 if self.time_unit == "milliseconds" else 1.0,
            input_weight=self.input_token_weight,
            output_weight=self.output_token_weight,
            least=self.min_tokens,
            most=self.max_tokens,
        )


class Fair:
    """The formula, as a measure of which the least is best."""

    def __init__(self, parameters: VtcBasicParameters, used: contract.Input[usage.Used]) -> None:
        self._given = parameters
        self._input = used
        self._places: dict[str, Sequence[float]] = {}
        self._endpoints: tuple[contract.Endpoint, ...] = ()
        self._salts: Sequence[int] = ()

    def __call__(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        facts = self._input.of(snapshot)
        if facts is None or not request.user:
            return [scorers.UNKNOWN] * len(rows)
        given, in_flight = self._given, snapshot.in_flight
        place = min(facts.own / bucket(facts, given.min_tokens), len(rows) - 1)
        fairness, utilization, most = given.fairness_weight, given.utilization_weight, given.max_pod_load
        own = self._own(request.user, snapshot.endpoints)
        order = sorted(range(len(rows)), key=[in_flight[row] + own[row] for row in rows].__getitem__)
        fair = [0.0] * len(rows)
        for at, position in enumerate(order):
            fair[position] = fairness * abs(at - place)
        chances = noise.row(request.id, len(in_flight))
        return [
            each + utilization * min(in_flight[row] / most, 1.0) + chances[row] * NOISE
            for each, row in zip(fair, rows, strict=True)
        ]

    def _own(self, user: str, endpoints: tuple[contract.Endpoint, ...]) -> Sequence[float]:
        """A number for each endpoint by which the user prefers it. It goes by the endpoint's key, so that others may come and go."""
        if endpoints is not self._endpoints or len(self._places) >= USERS_KEPT:
            self._endpoints, self._places = endpoints, {}
            self._salts = [crc32(endpoint.key.encode()) for endpoint in endpoints]
        own = self._places.get(user)
        if own is None:
            own = self._places[user] = noise.spread(user, self._salts)
        return own

    def words(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        """``user at 1.4 buckets of 4500 tokens, 2 requests in flight``."""
        facts = self._input.of(snapshot)
        if facts is None or math.isnan(facts.own):
            return f"no user, {scorers.told_in_flight(snapshot, row)}"
        size = bucket(facts, self._given.min_tokens)
        return f"user at {facts.own / size:.1f} buckets of {size:.0f} tokens, {scorers.told_in_flight(snapshot, row)}"


def bucket(facts: usage.Used, least: float) -> float:
    """Tokens by which a user moves one place on."""
    return max(least, (facts.least + facts.most) / 2)


def profile(parameters: VtcBasicParameters) -> contract.Profile:
    """One scorer and the best of it."""
    used = contract.Input("vtc", usage.Used, functools.partial(usage.UsageLedger, parameters.rules))
    fair = Fair(parameters, used)
    scorer = scorers.Ranking(NAME, fair, fair.words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best(), inputs=(used,))


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="heavy and light users to different endpoints, and nobody to a full one",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.PROMPT, contract.Need.USER}),
    build=profile,
    parameters=VtcBasicParameters,
)
