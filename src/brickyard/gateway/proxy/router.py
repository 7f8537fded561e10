"""Which path is whose: engines' endpoints by dialect, the gateway's own pages, and what is said about the rest."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract
from brickyard.gateway.proxy import answers

Page = Callable[[str], answers.Answer | Coroutine[Any, Any, answers.Answer]]
"""A page of the gateway's own, at once or soon; the argument is what stands behind the route's prefix, decoded, "" when there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One path, or one prefix.

    Attributes:
        path: as listed to people: ``/v1/models/{id}``.
        methods: allowed ones, OPTIONS apart.
        dialect: reads the body of what goes to an engine.
        page: answers what does not.
        rest: decoded remainder of a prefix route's path.
    """

    path: str
    methods: tuple[bytes, ...]
    dialect: contract.Dialect | None = None
    page: Page | None = None
    rest: str = ""

    @property
    def allow(self) -> str:
        return ", ".join((*(method.decode() for method in self.methods), "OPTIONS"))


_READ = (b"GET", b"HEAD")


class Router:
    """Finds routes. ``pages`` are keyed as listed; one that ends in ``{id}`` is a prefix."""

    def __init__(self, dialects: Mapping[str, contract.Dialect], pages: Mapping[str, Page]) -> None:
        routes = [Route(path, (b"POST",), dialect=dialect) for path, dialect in dialects.items()]
        routes += [Route(path, _READ, page=page) for path, page in pages.items()]
        self._exact = {route.path.encode(): route for route in routes if not route.path.endswith("{id}")}
        self._prefixes = [
            (route.path.removesuffix("{id}").encode(), route) for route in routes if route.path.endswith("{id}")
        ]
        self._listing = ", ".join(f"{route.methods[0].decode()} {route.path}" for route in routes)

    def find(self, method: bytes, path: bytes) -> Route:
        """The route that answers.

        Raises:
            RefusedError: 404 when nobody serves the path, 405 when not by this method.
        """
        route = self._exact.get(path) or self._by_prefix(path)
        if method not in route.methods and method != b"OPTIONS":
            name = method.decode("latin-1")
            raise errors.RefusedError(
                openai.ApiError(405, f"{name} is not allowed on {route.path}: use {route.methods[0].decode()}"),
                (("allow", route.allow),),
            )
        return route

    def _by_prefix(self, path: bytes) -> Route:
        for prefix, route in self._prefixes:
            if path.startswith(prefix) and len(path) > len(prefix):
                rest = urllib.parse.unquote(path[len(prefix) :].decode("latin-1"), errors="replace")
                return dataclasses.replace(route, rest=rest)
        if path == b"*":
            return self._exact[b"/healthz"]
        if path != b"/" and path.endswith(b"/") and path[:-1] in self._exact:
            return self._exact[path[:-1]]
        shown = path[:200].decode("latin-1")
        raise errors.RefusedError(openai.ApiError(404, f"nothing is served at {shown}; served are {self._listing}"))
