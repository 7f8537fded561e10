"""The double's routes: who may call, who answers, and how an error becomes an answer."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib import parse

from brickyard.sim.engine import bodies, canned, completions, http, pages
from brickyard.sim.engine.core import errors, faults, statistics

VERSION: Final = "0.13.0-mock"
Handler = Callable[[http.Exchange], None]
_OPEN: Final = frozenset(
    {
        "/health",
        "/health_generate",
        "/ready",
        "/ping",
        "/version",
        "/load",
        "/metrics",
        "/prometheus/metrics",
        "/set_metrics",
    }
)


class Api:
    """``handle`` answers an exchange, now or later."""

    def __init__(self, machine: completions.Machine) -> None:
        self._machine = machine
        self._options = machine.options
        self._driver = machine.driver
        self._completions = completions.Completions(machine)
        self._sleep_level = 0
        self._overrides: dict[str, Any] = {}
        self._rates = (statistics.Rate(), statistics.Rate())
        self._started = self._created()
        self._key = f"Bearer {machine.options.api_key}".encode() if machine.options.api_key else b""
        self._routes = self._table()
        self._paths = {path for _, path in self._routes}

    async def close(self) -> None:
        """Stop what is under way."""
        await self._completions.close()

    def handle(self, exchange: http.Exchange) -> None:
        """Answer, or see to it that an answer comes."""
        request = exchange.request
        if self._key and request.path not in _OPEN and not self._admitted(request):
            exchange.answer(
                http.error(401, "send the API key as a bearer token", "authentication_error", "invalid_api_key")
            )
            return
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._routes.get((method, request.path))
        if handler is None:
            status = 405 if request.path in self._paths else 404
            exchange.answer(http.error(status, f"there is no {request.method} {request.path} here"))
            return
        try:
            handler(exchange)
        except errors.RejectedError as error:
            exchange.answer(completions.refusal(error))
        except errors.AdapterError as error:
            exchange.answer(http.error(error.status, str(error), error.kind))
        except errors.ParamsError as error:
            exchange.answer(http.error(400, str(error)))

    def _admitted(self, request: http.Request) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), self._key)

    def _table(self) -> Mapping[tuple[str, str], Handler]:
        work, created = self._completions, self._created
        answers: dict[tuple[str, str], Callable[[http.Request], http.Answer]] = {
            ("GET", "/health"): lambda _: http.json({"status": "ok"}),
            ("GET", "/health_generate"): lambda _: http.Answer(),
            ("GET", "/ready"): lambda _: http.json({"status": "ready"}),
            ("GET", "/ping"): lambda _: http.Answer(),
            ("POST", "/ping"): lambda _: http.Answer(),
            ("GET", "/version"): lambda _: http.json({"version": VERSION}),
            ("GET", "/load"): lambda _: http.json({"server_load": self._load()}),
            ("GET", "/v1/models"): lambda _: self._models(),
            ("GET", "/get_model_info"): lambda _: self._model_info(),
            ("GET", "/get_server_info"): lambda _: self._server_info(),
            ("GET", pages.PATHS[self._options.engine]): lambda _: self._page(),
            ("GET", "/metrics"): lambda _: self._page(),
            ("POST", "/set_metrics"): self._set_metrics,
            ("POST", "/tokenize"): lambda request: completions.tokenize(
                bodies.document(request), self._options.params.max_model_len
            ),
            ("POST", "/detokenize"): lambda request: completions.detokenize(bodies.document(request)),
            ("POST", "/v1/load_lora_adapter"): self._load_adapter,
            ("POST", "/v1/unload_lora_adapter"): self._unload_adapter,
            ("POST", "/load_lora_adapter"): lambda request: self._sglang(self._load_adapter, request),
            ("POST", "/unload_lora_adapter"): lambda request: self._sglang(self._unload_adapter, request),
            ("POST", "/sleep"): self._sleep,
            ("POST", "/wake_up"): lambda _: self._wake(),
            ("GET", "/is_sleeping"): lambda _: http.json({"is_sleeping": self._driver.scheduler.asleep}),
            ("POST", "/reset_prefix_cache"): lambda _: self._clear(),
            ("POST", "/flush_cache"): lambda _: self._clear(),
            ("GET", "/admin/faults"): lambda _: self._faults(),
            ("POST", "/admin/faults"): self._add_faults,
            ("DELETE", "/admin/faults"): lambda _: self._clear_faults(),
            ("POST", "/v1/images/generations"): lambda request: canned.image(bodies.document(request), created()),
            ("POST", "/v1/video/generations"): lambda request: canned.video(bodies.document(request), created()),
            ("POST", "/v1/videos"): lambda request: canned.video(bodies.form(request), created()),
            ("POST", "/v1/audio/speech"): lambda request: canned.speech(bodies.document(request)),
            ("GET", "/v1/audio/voices"): lambda _: canned.voices(),
            ("POST", "/v1/audio/transcriptions"): lambda request: canned.transcription(
                bodies.form(request), "transcribe"
            ),
            ("POST", "/v1/audio/translations"): lambda request: canned.transcription(bodies.form(request), "translate"),
        }
        handlers: dict[tuple[str, str], Handler] = {route: _at_once(answer) for route, answer in answers.items()}
        handlers[("POST", "/v1/chat/completions")] = work.chat
        handlers[("POST", "/v1/completions")] = work.text
        handlers[("POST", "/v1/embeddings")] = work.embeddings
        for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
            handlers[("POST", path)] = work.rerank
        return handlers

    def _created(self) -> int:
        return int(self._machine.clock.wall())

    # What it is.

    def _models(self) -> http.Answer:
        limit = self._options.params.max_model_len
        base = {"object": "model", "created": self._started, "owned_by": self._options.engine, "max_model_len": limit}
        rows = [{"id": name, **base, "root": self._options.models[0], "parent": None} for name in self._options.models]
        for adapter in self._machine.adapters:
            about = {"created": adapter.created, "root": adapter.path, "parent": self._options.models[0]}
            rows.append({"id": adapter.name, **base, **about})
        return http.json({"object": "list", "data": rows})

    def _model_info(self) -> http.Answer:
        model = self._options.models[0]
        return http.json({"model_path": model, "tokenizer_path": model, "is_generation": True})

    def _server_info(self) -> http.Answer:
        chosen = self._options
        return http.json(
            {
                "model_path": chosen.models[0],
                "served_model_name": chosen.models[0],
                "disaggregation_mode": chosen.role or "null",
                "max_total_num_tokens": chosen.params.capacity,
                "max_running_requests": chosen.params.max_num_seqs,
                "version": VERSION,
            }
        )

    def _load(self) -> Any:
        return self._overrides.get("server_load", self._driver.load)

    # Metrics.

    def _page(self) -> http.Answer:
        counted, now = self._driver.statistics, self._driver.now
        view = pages.View(
            model=str(self._overrides.get("model_name", self._options.models[0])),
            scheduler=self._driver.scheduler,
            statistics=counted,
            sleep_level=self._sleep_level,
            rates=(
                self._rates[0].at(now, counted.prompt_tokens),
                self._rates[1].at(now, counted.generated_tokens),
            ),
            overrides=self._overrides,
        )
        return http.Answer(200, pages.render(self._options.engine, view), pages.CONTENT_TYPE)

    def _set_metrics(self, request: http.Request) -> http.Answer:
        for name, value in bodies.document(request).items():
            known = pages.OVERRIDES.get(name) or (name if name in ("server_load", "model_name") else None)
            if known is None:
                raise errors.RejectedError(
                    f"there is no metric {name!r} to set: there are {', '.join(pages.OVERRIDES)}, server_load, model_name",
                    name,
                )
            if name != "model_name" and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise errors.RejectedError(f"{name} must be a number", name)
            self._overrides[known] = value
        return http.json({"status": "success", "overrides": self._overrides})

    # Adapters.

    def _load_adapter(self, request: http.Request) -> http.Answer:
        body = bodies.document(request)
        adapter = self._machine.adapters.load(
            body.get("lora_name"),
            body.get("lora_path"),
            self._created(),
            replace=body.get("load_inplace") is True,
        )
        return http.json({"status": "success", "message": f"LoRA adapter '{adapter.name}' added successfully."})

    def _unload_adapter(self, request: http.Request) -> http.Answer:
        name = bodies.document(request).get("lora_name")
        self._machine.adapters.unload(name)
        return http.json({"status": "success", "message": f"LoRA adapter '{name}' removed successfully."})

    def _sglang(self, act: Callable[[http.Request], http.Answer], request: http.Request) -> http.Answer:
        """SGLang's routes answer with what is loaded, and with a message where something went wrong."""
        message = ""
        try:
            act(request)
        except errors.AdapterError as error:
            message = str(error)
        loaded = {adapter.name: adapter.path for adapter in self._machine.adapters}
        answer = {"success": not message, "error_message": message, "loaded_adapters": loaded}
        return http.json(answer, 400 if message else 200)

    # Sleep, cache, faults.

    def _sleep(self, request: http.Request) -> http.Answer:
        level = parse.parse_qs(request.query).get("level", ["1"])[0]
        if level not in ("0", "1", "2"):
            raise errors.RejectedError("level is 0, 1 or 2", "level")
        self._sleep_level = max(1, int(level))
        self._driver.sleep()
        return http.Answer()

    def _wake(self) -> http.Answer:
        self._sleep_level = 0
        self._driver.wake()
        return http.Answer()

    def _clear(self) -> http.Answer:
        self._driver.clear_cache()
        return http.json({"success": True})

    def _faults(self) -> http.Answer:
        return http.json({"faults": [faults.as_object(rule) for rule in self._machine.faults.rules]})

    def _add_faults(self, request: http.Request) -> http.Answer:
        body = bodies.document(request)
        given = body.get("faults", [body])
        if not isinstance(given, list):
            raise errors.RejectedError("faults must be a list", "faults")
        for rule in [faults.from_object(each) for each in given]:
            self._machine.faults.add(rule)
        return self._faults()

    def _clear_faults(self) -> http.Answer:
        self._machine.faults.clear()
        return self._faults()


def _at_once(answer: Callable[[http.Request], http.Answer]) -> Handler:
    return lambda exchange: exchange.answer(answer(exchange.request))
