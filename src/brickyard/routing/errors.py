"""What can go wrong in routing, and who should react.

    RoutingError
    ├── ModelConfigError          the model's owner: the annotation is left aside
    ├── GpuProfileError           the optimizer: the profile is left aside
    ├── BadRequestError           the client: HTTP 400, header x-error-routing
    │   ├── UnknownStrategyError      no policy of that name
    │   ├── BadStrategyError          a mix of strategies that cannot be read or cannot be mixed
    │   └── BadLabelFilterError       the external-filter header is no label selector
    └── PolicyError               the operator: the gateway refuses to start, exit code 2
        ├── UnknownParameterError     a policy takes no such parameter
        └── BadParameterError         a parameter's value does not fit

The absence of endpoints is no error but a ``contract.NoDecision``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from brickyard.lib import errors


class RoutingError(errors.BrickyardError):
    """Something that routing cannot do."""


class ModelConfigError(RoutingError):
    """The annotation with a model's routing profiles cannot be read."""


class GpuProfileError(RoutingError):
    """What the optimizer wrote about a deployment cannot be read."""


class BadRequestError(RoutingError):
    """The request asks for what cannot be; sending it again does not help."""


class UnknownStrategyError(BadRequestError):
    """No policy has the name asked for; the message lists those that exist."""


class BadStrategyError(BadRequestError):
    """A mix such as ``a:2,b`` that cannot be read, or whose parts cannot be mixed."""


class BadLabelFilterError(BadRequestError):
    """The label filter is no label selector."""


class PolicyError(RoutingError):
    """A policy or its configuration is unusable."""

    exit_code = 2


class UnknownParameterError(PolicyError):
    """A policy takes no parameter of that name; the message names the nearest."""


class BadParameterError(PolicyError):
    """A parameter's value is not of its type or out of its range."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` and a blank, with the most similar of ``known``, or "" when nothing is similar."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""
