"""Which policies there are, and the profile that a strategy's text stands for.

A registry is made once from a list of policies and their parameters; it builds every profile at once, so that whatever is
wrong stops the start and not a request.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.routing import capabilities, contract, errors, filters, params, pickers, strategy

MIXES_KEPT = 256
"""Mixed profiles kept for reuse. Clients write the texts, so the number is bounded."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class Registry:
    """Policies by name and alias, and their profiles. ``before``: filters that every profile runs ahead of its own.

    Raises:
        PolicyError: two policies of one name, a name that no header could carry, parameters for a policy that does not exist,
            parameters that do not fit, or a factory that fails.
    """

    def __init__(
        self,
        policies: Iterable[contract.Policy],
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        before: tuple[contract.Filter, ...] = (),
    ) -> None:
        self._policies: dict[str, contract.Policy] = {}
        self._aliases: dict[str, str] = {}
        for policy in policies:
            self._add(policy)
        given = parameters or {}
        for name in given:
            if name not in self._policies:
                raise errors.PolicyError(
                    f"parameters are given for policy {name!r}, which does not exist: {self._did_you_mean(name)}"
                )
        built = {
            name: _build(policy, given.get(name, {}), filters.ALWAYS + before)
            for name, policy in self._policies.items()
        }
        self._profiles = built | {alias: built[name] for alias, name in self._aliases.items()}
        self._alone = {name for name in self._profiles if self._policies[self._aliases.get(name, name)].alone}
        self._mixes: dict[str, contract.Profile] = {}

    def names(self) -> tuple[str, ...]:
        """All policies, by name; aliases are not among them."""
        return tuple(sorted(self._policies))

    def policies(self) -> tuple[contract.Policy, ...]:
        """All policies, in the order of their names."""
        return tuple(self._policies[name] for name in self.names())

    def needs(self) -> frozenset[contract.Need]:
        """The data that at least one policy reads."""
        return frozenset(need for policy in self._policies.values() for need in policy.needs)

    def needs_of(self, text: str) -> frozenset[contract.Need]:
        """The data that strategy ``text`` reads; nothing for one that ``profile`` refuses."""
        try:
            names = [self._aliases.get(item.name, item.name) for item in self._items(text)]
        except errors.BadRequestError:
            return frozenset()
        return frozenset(need for name in names for need in self._policies[name].needs)

    def inputs(self) -> Mapping[str, contract.Input[Any]]:
        """Name → the input that at least one policy reads.

        Raises:
            PolicyError: two policies mean different facts by one name.
        """
        found: dict[str, contract.Input[Any]] = {}
        for profile in self._profiles.values():
            for each in profile.inputs:
                if found.setdefault(each.name, each).kind is not each.kind:
                    raise errors.PolicyError(
                        f"policy {profile.name!r} reads other facts as {each.name!r} than others do"
                    )
        return found

    def profile(self, text: str) -> contract.Profile:
        """The profile of strategy ``text``: a policy's name or a mix (see ``strategy``).

        Raises:
            UnknownStrategyError: no policy has that name; the known ones are listed.
            BadStrategyError: ``text`` cannot be read, or one of its policies has no scores to mix.
        """
        found = self._profiles.get(text) or self._mixes.get(text)
        if found is not None:
            return found
        items = self._items(text)
        mixed = self._profiles[items[0].name] if len(items) == 1 else self._mix(items)
        if len(self._mixes) >= MIXES_KEPT:
            self._mixes.clear()
        self._mixes[text] = mixed
        return mixed

    def _items(self, text: str) -> tuple[strategy.Item, ...]:
        """The items that decide: those of the text, or the first that takes over the whole."""
        items = strategy.parse(text)
        for item in items:
            if item.name not in self._profiles:
                raise errors.UnknownStrategyError(
                    f"unknown routing strategy {item.name!r}: {self._did_you_mean(item.name)}"
                )
        lone = next((item for item in items if item.name in self._alone), None)
        return items if lone is None else (lone,)

    def _add(self, policy: contract.Policy) -> None:
        taken = [*self._policies, *self._aliases]
        for name in (policy.name, *policy.aliases):
            if not _NAME.fullmatch(name):
                raise errors.PolicyError(
                    f"policy name {name!r} does not fit a header: use lower-case letters, digits and inner dashes"
                )
            if name in taken:
                raise errors.PolicyError(f"two policies are called {name!r}: uninstall one or rename it")
            taken.append(name)
        self._policies[policy.name] = policy
        self._aliases |= dict.fromkeys(policy.aliases, policy.name)

    def _did_you_mean(self, name: str) -> str:
        return f"{errors.nearest(name, [*self._policies, *self._aliases])}known: {', '.join(self.names())}"

    def _mix(self, items: tuple[strategy.Item, ...]) -> contract.Profile:
        """All filters and scorers of the items; each item's scorers share its weight."""
        parts = [(item, self._profiles[item.name]) for item in items]
        for item, profile in parts:
            if not profile.mixable:
                able = ", ".join(name for name in self.names() if self._profiles[name].mixable)
                raise errors.BadStrategyError(
                    f"strategy {item.name!r} gives no scores and cannot be mixed; these can: {able}"
                )
        every: dict[int, contract.Filter] = {id(each): each for _, profile in parts for each in profile.filters}
        inputs = {each.name: each for _, profile in parts for each in profile.inputs}
        scorers = [pair for item, profile in parts for pair in _scaled(profile.mixable, item.weight)]
        name = ",".join(f"{item.name}:{item.weight}" for item in items)
        return contract.Profile(
            name, tuple(every.values()), tuple(scorers), pickers.Best(), inputs=tuple(inputs.values())
        )


def _scaled(scorers: contract.Weighted, weight: float) -> list[tuple[contract.Scorer, float]]:
    whole = sum(own for _, own in scorers)
    return [(scorer, weight * own / whole) for scorer, own in scorers]


def _build(policy: contract.Policy, given: Mapping[str, Any], before: tuple[contract.Filter, ...]) -> contract.Profile:
    """The policy's profile behind the filters that every request passes."""
    profile = policy.build(params.parse(policy.parameters, given, policy.name))
    for scorer, weight in (*profile.scorers, *profile.mixable):
        if not 0 < weight < float("inf"):
            raise errors.PolicyError(f"policy {policy.name!r} weighs {scorer.name!r} by {weight}: weights are above 0")
    general, handler = before + profile.filters, profile.handler
    if isinstance(handler, capabilities.StandsBehind):
        handler = handler.behind(general)
    return dataclasses.replace(profile, filters=general, handler=handler)
