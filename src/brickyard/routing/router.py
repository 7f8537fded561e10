"""The one door to routing for whoever moves requests: choose an endpoint, then say how the request goes on.

A ``Router`` owns the state behind policies: one ledger per declared input. It reads the ledgers that the chosen strategy needs just before
the decision and tells them what becomes of each request, through the ``Ticket`` of its decision. A ledger is told from the moment on
that a strategy first needs it: what nobody reads costs nothing. Single-threaded, clock-free.

Ledgers may come from third parties as the parts of a profile do, and the worst they achieve is the same: one that raises when it is
asked is left out of that decision, one that raises when it is told is named in every later decision that reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.routing import contract, errors, modelconfig, pipeline, registry

MIXES_KEPT: Final = 1024
"""Strategies of which it is remembered that their ledgers are awake."""
_Named = tuple[tuple[str, contract.Ledger], ...]
_Told = tuple[_Named, _Named]
"""Those that hear of requests, and those among them that hear of answers."""

NO_LEDGERS: Final[Mapping[str, contract.Ledger]] = {}


def response_headers(decision: contract.Decision) -> Mapping[str, str]:
    """Headers that the decision's policies and its profile have for the client's answer; empty as a rule."""
    told: dict[str, str] = {}
    if decision.config_profile:
        told[names.HEADER_AIBRIX_CONFIG_PROFILE] = decision.config_profile
    for scorer, _ in decision.profile.scorers:
        # Asked for by name: a runtime check of the protocol would cost more than the decision's other parts.
        headers = getattr(scorer, "response_headers", None)
        if headers is not None:
            told |= headers(decision.endpoint)
    return told


class Ticket:
    """A request that is under way. Whatever is called how often in whatever order: ``ledgers`` hear of one end, ``listeners`` among
    them of one answer.
    """

    __slots__ = ("_broken", "_decision", "_quiet", "ledgers", "listeners")

    def __init__(self, decision: contract.Decision, told: _Told, broken: dict[str, str], now: float) -> None:
        self._decision: contract.Decision | None = decision
        self.ledgers, self.listeners = told
        self._broken = broken
        self._quiet = True
        if self.ledgers:
            self._tell(self.ledgers, contract.Chosen(decision, now))

    def answered(self, now: float) -> None:
        """The first byte of the answer came."""
        decision = self._decision
        if self.listeners and decision is not None and self._quiet:
            self._quiet = False
            self._tell(self.listeners, contract.Answered(decision, now))

    def finished(self, now: float, usage: contract.Usage | None = None) -> None:
        """The request ended, well or not."""
        decision, self._decision = self._decision, None
        if self.ledgers and decision is not None:
            self._tell(self.ledgers, contract.Finished(decision, now, usage))

    def _tell(self, ledgers: _Named, event: contract.Event) -> None:
        for name, ledger in ledgers:
            try:
                ledger.observe(event)
            except Exception as error:  # noqa: BLE001 - border to plug-ins: the others must hear of it, and the request end
                self._broken[name] = f"input {name} raised {type(error).__name__}: {error} when told of a request"


class Router:
    """Strategies, their state and the default among them.

    ``provided`` are ledgers by input's name that only the process around can make; they come before what inputs make themselves.
    An input that nobody provides stays empty and its policy says so in its explanations.

    Raises:
        PolicyError: the default strategy does not exist or cannot be mixed, or two policies mean different facts by one name.
    """

    def __init__(
        self, policies: registry.Registry, default: str, provided: Mapping[str, contract.Ledger] = NO_LEDGERS
    ) -> None:
        try:
            policies.profile(default)
        except errors.BadRequestError as error:
            raise errors.PolicyError(
                f"default strategy: {error}", hint="correct --strategy or ROUTING_ALGORITHM"
            ) from error
        self._policies = policies
        self._default = default
        self._usual = modelconfig.Choice(default, "default")
        made = {name: each.make() for name, each in policies.inputs().items() if each.make and name not in provided}
        self._ledgers: dict[str, contract.Ledger] = {**made, **provided}
        self._awake: dict[str, contract.Ledger] = {}
        self._told: _Told = ((), ())
        self._broken: dict[str, str] = {}
        self._roused: set[str] = set()
        self._wake(policies.profile(default))

    def resolve(self, request: contract.Request, config: modelconfig.ModelConfig | None) -> modelconfig.Choice:
        """The strategy of ``request`` and where it comes from; its profile may limit requests per second."""
        if config is None and not request.strategy:
            return self._usual
        features = modelconfig.Features(request.input_tokens, request.max_tokens)
        return modelconfig.choose(config, request.strategy, request.profile, self._default, features)

    def choose(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float, rng: contract.Random
    ) -> contract.Decision | contract.NoDecision:
        """Choose an endpoint, or say why there is none. Never raises."""
        choice = self.resolve(request, snapshot.config)
        try:
            profile = self._policies.profile(choice.strategy)
        except errors.BadRequestError as error:
            return contract.NoDecision(request, snapshot, contract.NOTHING_REMOVED, str(error), now, bad_request=True)
        faults: tuple[str, ...] = ()
        if profile.inputs and snapshot.endpoints:
            snapshot, faults = self._informed(request, snapshot, profile, now)
        made = pipeline.route(request, snapshot, profile, now, rng)
        if (choice.name or faults) and isinstance(made, contract.Decision):
            return dataclasses.replace(made, config_profile=choice.name, faults=faults + made.faults)
        return made

    def begin(self, decision: contract.Decision, now: float) -> Ticket:
        """The request goes to ``decision.endpoint``. The ticket must be finished, whatever happens."""
        return Ticket(decision, self._told, self._broken, now)

    def _wake(self, profile: contract.Profile) -> None:
        """Let the ledgers of ``profile`` hear from now on."""
        for each in profile.inputs:
            if each.name in self._ledgers:
                self._awake[each.name] = self._ledgers[each.name]
        every = tuple(self._awake.items())
        self._told = every, tuple(each for each in every if getattr(each[1], "hears_answers", True))
        if len(self._roused) >= MIXES_KEPT:  # mixes are made up by clients
            self._roused.clear()
        self._roused.add(profile.name)

    def _informed(
        self,
        request: contract.Request,
        snapshot: contract.EndpointSnapshot,
        profile: contract.Profile,
        now: float,
    ) -> tuple[contract.EndpointSnapshot, tuple[str, ...]]:
        """``snapshot`` with the facts that the profile's policies read, and what went wrong with them."""
        awake, faults = self._awake, list[str]()
        data: dict[str, Any] = {}
        if len(awake) < len(self._ledgers) and profile.name not in self._roused:
            self._wake(profile)
        for each in profile.inputs:
            name, ledger = each.name, awake.get(each.name)
            if ledger is None:
                continue
            if name in self._broken:
                faults.append(f"{self._broken[name]}; what it says may be wrong")
            try:
                data[name] = ledger.facts(request, snapshot, now)
            except Exception as error:  # noqa: BLE001 - border to plug-ins: broken facts are no facts, and the request goes on
                faults.append(f"input {name} raised {type(error).__name__}: {error}; it was ignored")
        # The constructor in full: dataclasses.replace costs several times as much, on every request.
        told = contract.EndpointSnapshot(
            snapshot.endpoints,
            snapshot.in_flight,
            snapshot.loads,
            snapshot.load_ages,
            snapshot.version,
            snapshot.barred,
            snapshot.config,
            data,
            snapshot.young,
        )
        return told, tuple(faults)
