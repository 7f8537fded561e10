"""The pages that the gateway answers itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import prometheus_client

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import contract, errors
from brickyard.gateway.proxy import answers, heads, router


@dataclasses.dataclass(frozen=True, slots=True)
class Pages:
    """``unready`` says why traffic should go elsewhere for now, "" when it need not."""

    director: contract.Director
    registry: prometheus_client.CollectorRegistry
    unready: Callable[[], str]

    def table(self, *, debug: bool) -> Mapping[str, router.Page]:
        """Pages by path, in the order in which error messages list them."""
        pages = {
            "/v1/models": self.models,
            "/v1/models/{id}": self.model,
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
        }
        inner = {"/debug/models": self.summary, "/debug/requests/{id}": self.decision}
        return {**pages, **inner} if debug else pages

    def models(self, _rest: str) -> answers.Answer:
        """``GET /v1/models``."""
        return answers.document(200, {"object": "list", "data": [_card(card) for card in self.director.models()]})

    def model(self, name: str) -> answers.Answer:
        """``GET /v1/models/{id}``; ids may hold slashes."""
        for card in self.director.models():
            if card.id == name:
                return answers.document(200, _card(card))
        return answers.refusal(unknown_model(name, self.director))

    def healthz(self, _rest: str) -> answers.Answer:
        """The process answers."""
        return answers.Answer(200, b"ok\n", "text/plain; charset=utf-8")

    def readyz(self, _rest: str) -> answers.Answer:
        """The process knows whom to ask and is not about to stop."""
        reason = self.unready()
        if reason:
            return answers.Answer(503, f"not ready: {reason}\n".encode(), "text/plain; charset=utf-8")
        return answers.Answer(200, b"ready\n", "text/plain; charset=utf-8")

    def metrics(self, _rest: str) -> answers.Answer:
        """Prometheus text."""
        page = prometheus_client.generate_latest(self.registry)
        return answers.Answer(200, page, prometheus_client.CONTENT_TYPE_LATEST)

    def summary(self, _rest: str) -> answers.Answer:
        """Every model with its endpoints' loads, its rate and its latest decision."""
        return answers.document(200, {"models": list(self.director.summary())})

    def decision(self, request_id: str) -> answers.Answer:
        """Why a request went where it went; ``last`` is the latest one."""
        found = self.director.explain("" if request_id == "last" else request_id)
        if found is not None:
            return answers.document(200, found)
        message = (
            "no request has been routed yet"
            if request_id == "last"
            else f"no decision is held for request {request_id}: only the latest ones are kept, and only of requests that were routed"
        )
        return answers.refusal(errors.RefusedError(openai.ApiError(404, message, "decision_not_found")))


def texts(made: Mapping[str, Callable[[str], bytes]]) -> Mapping[str, router.Page]:
    """Pages of series that others write."""
    return {path: _text(write) for path, write in made.items()}


def documents(made: Mapping[str, Callable[[], Iterable[object]]]) -> Mapping[str, router.Page]:
    """Pages of lists that others make."""
    return {path: _document(write) for path, write in made.items()}


def _document(write: Callable[[], Iterable[object]]) -> router.Page:
    return lambda _rest: answers.document(200, {"items": list(write())})


def _text(write: Callable[[str], bytes]) -> router.Page:
    return lambda rest: answers.Answer(200, write(rest), prometheus_client.CONTENT_TYPE_LATEST)


def _card(card: contract.ModelCard) -> dict[str, object]:
    told = {"max_model_len": card.max_model_len, "root": card.root, "parent": card.parent}
    return {
        "id": card.id,
        "object": "model",
        "created": card.created,
        "owned_by": card.owned_by,
        "ready_endpoints": card.ready,
        **{name: value for name, value in told.items() if value is not None},
    }


def unknown_model(name: str, director: contract.Director) -> errors.RefusedError:
    """404 with the names that exist."""
    known = [card.id for card in director.models()]
    listed = f"served are {', '.join(known[:50])}" if known else "none is served yet"
    return errors.RefusedError(
        openai.ApiError(404, f"model {name[:200]} does not exist: {listed}", "model_not_found", "model"),
        ((names.ERROR_NO_MODEL_BACKENDS, heads.field_text(name[:200]).decode()),),
    )
