"""Which kinds are served: the built-in ones, and those that CustomResourceDefinitions add and take away at run time.

Not for several threads: the API server asks and changes it from its own loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract, custom


class NameConflictError(ValueError):
    """Another kind of the group goes by one of the names. ``reason`` is Kubernetes' word for which."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class BuiltinCatalog:
    """Fills ``contract.Catalog``. A custom kind never hides a built-in one, nor one that another definition brought."""

    def __init__(self, builtin: Iterable[contract.Resource] = builtin_kinds.SERVED) -> None:
        self._builtin = tuple(builtin)
        self._custom: dict[str, tuple[contract.Resource, ...]] = {}
        self._version = 0
        self._index()

    @property
    def version(self) -> int:
        return self._version

    def find(self, group: str, version: str, plural: str) -> contract.Resource | None:
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> contract.Resource | None:
        return self._by_kind.get((api_version, kind))

    def served(self) -> Sequence[contract.Resource]:
        return self._served

    def install(self, definition: resources.Object) -> Sequence[contract.Resource]:
        """Serve every served version of ``definition``, replacing what it served before.

        Raises:
            ValueError: the definition cannot be served, or a kind of its name or plural is served already.
        """
        name = definition["metadata"]["name"]
        made = tuple(custom.resources_of(definition))
        self._refuse_collisions(name, made)
        self._custom[name] = made
        self._index()
        return made

    def uninstall(self, definition_name: str) -> None:
        if self._custom.pop(definition_name, None) is not None:
            self._index()

    def _refuse_collisions(self, name: str, made: Sequence[contract.Resource]) -> None:
        others = [*self._builtin, *(each for key, kinds in self._custom.items() if key != name for each in kinds)]
        for each in made[:1]:
            beside = [other for other in others if other.type.group == each.type.group]
            called = {word for other in beside for word in (other.type.plural, other.singular, *other.short_names)}
            kinds = {word for other in beside for word in (other.type.kind, other.list_kind)}
            for reason, words, taken in (
                ("PluralConflict", (each.type.plural,), called),
                ("SingularConflict", (each.singular,), called),
                ("ShortNamesConflict", each.short_names, called),
                ("KindConflict", (each.type.kind,), kinds),
                ("ListKindConflict", (each.list_kind,), kinds),
            ):
                if held := [word for word in words if word in taken]:
                    raise NameConflictError(reason, f'"{held[0]}" is already in use')

    def _index(self) -> None:
        self._version += 1
        ordered = [each for _, kinds in sorted(self._custom.items()) for each in kinds]
        self._served = (*self._builtin, *ordered)
        self._by_path = {(each.type.group, each.type.version, each.type.plural): each for each in self._served}
        self._by_kind = {(each.type.api_version, each.type.kind): each for each in self._served}
