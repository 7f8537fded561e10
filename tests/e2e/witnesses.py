"""Who watches while things are killed: clients of the models, and a writer that remembers what the API server acknowledged."""

from __future__ import annotations

import base64
import collections
import dataclasses
import itertools
import random
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx2
import openai
import yaml
from tests.e2e import yard as yards

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"content-type": "application/merge-patch+json"}
WORDS = ("brick", "wall", "arch", "tower", "kiln", "mortar")


def api_client(yard: yards.Yard) -> httpx2.Client:
    """The Kubernetes API with nothing between: a request is made once, and its answer is the server's."""
    settings = yaml.safe_load((yard.path / "kubeconfig").read_text())
    cluster, user = settings["clusters"][0]["cluster"], settings["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return httpx2.Client(
        base_url=cluster["server"],
        headers={"authorization": f"Bearer {user['token']}"},
        verify=ssl.create_default_context(cadata=authority),
        trust_env=False,
        timeout=5,
    )


class Background:
    """Threads that work until the block ends. What one of them raises fails the block."""

    def __init__(self, *works: Callable[[threading.Event], None]) -> None:
        self._stop = threading.Event()
        self._raised: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in works]

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._stop)
        except BaseException as error:  # noqa: BLE001 - a thread's border: raised again where the block ends
            self._raised.append(error)

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(60)
        assert not any(each.is_alive() for each in self._threads), "a witness hangs"
        if self._raised:
            raise self._raised[0]


@dataclasses.dataclass(frozen=True)
class Asked:
    """How one request went.

    Attributes:
        begun: some of the answer had come.
        trouble: what the client raised; "" for an answer that is whole.
    """

    begun: bool
    trouble: str


class Crowd:
    """Clients that ask ``model`` again and again, one by one, streaming and not; ``asked`` has every request."""

    def __init__(self, yard: yards.Yard, model: str, *, streaming: int, plain: int) -> None:
        self.asked: list[Asked] = []
        self._yard = yard
        self._model = model
        self._works = [self._stream] * streaming + [self._plain] * plain

    def working(self) -> Background:
        """They ask for as long as the block runs."""
        return Background(*[self._loop(work, random.Random(number)) for number, work in enumerate(self._works)])

    def answered(self) -> int:
        """Requests whose answer came whole."""
        return sum(not each.trouble for each in self.asked)

    def troubles(self) -> collections.Counter[tuple[bool, str]]:
        """(begun, trouble) of all that failed."""
        return collections.Counter((each.begun, each.trouble) for each in self.asked if each.trouble)

    def _loop(
        self, work: Callable[[openai.OpenAI, str], Asked], chance: random.Random
    ) -> Callable[[threading.Event], None]:
        def loop(stop: threading.Event) -> None:
            with openai.OpenAI(base_url=f"{self._yard.gateway}/v1", api_key="unused", max_retries=0, timeout=30) as ai:
                while not stop.is_set():
                    got = work(ai, f"Tell me of a {chance.choice(WORDS)}.")
                    self.asked.append(got)
                    stop.wait(0.2 if got.trouble else 0.05)

        return loop

    def _plain(self, ai: openai.OpenAI, text: str) -> Asked:
        try:
            ai.chat.completions.create(model=self._model, messages=[{"role": "user", "content": text}], max_tokens=2)
        except openai.APIError as error:
            return Asked(begun=False, trouble=kind(error))
        return Asked(begun=True, trouble="")

    def _stream(self, ai: openai.OpenAI, text: str) -> Asked:
        begun, finished = False, False
        try:
            with ai.chat.completions.create(
                model=self._model, messages=[{"role": "user", "content": text}], max_tokens=12, stream=True
            ) as stream:
                begun = True
                for chunk in stream:
                    finished = finished or any(choice.finish_reason for choice in chunk.choices)
        except (openai.APIError, httpx2.TransportError) as error:
            return Asked(begun=begun, trouble=kind(error))
        return Asked(begun=True, trouble="" if finished else "ended early without a word")


def kind(error: Exception) -> str:
    """The status that refused it, or the name of what broke."""
    return str(error.status_code) if isinstance(error, openai.APIStatusError) else type(error).__name__


class Writer:
    """Creates, changes and deletes ConfigMaps without a pause; knows what of it was acknowledged."""

    def __init__(self, yard: yards.Yard) -> None:
        self._yard = yard
        self._kept: set[str] = set()
        self._deleted: set[str] = set()
        self._numbers = itertools.count()
        self._last = 0
        self.acknowledged = 0

    def working(self) -> Background:
        """It writes for as long as the block runs."""
        return Background(self._write)

    def check(self) -> None:
        """What was acknowledged is so."""
        with api_client(self._yard) as api:
            found = api.get(MAPS, params={"labelSelector": "witness=writer"}).raise_for_status().json()["items"]
        there = {each["metadata"]["name"]: int(each["data"]["number"]) for each in found}
        assert self._kept - set(there) == set(), "an object that was acknowledged is lost"
        assert self._deleted & set(there) == set(), "an object is back whose deletion was acknowledged"
        assert there["tally"] >= self._last, "a change that was acknowledged is lost"

    def _write(self, stop: threading.Event) -> None:
        with api_client(self._yard) as api:
            self._done(api.build_request("POST", MAPS, json=config_map("tally", 0)), api)
            while not stop.is_set():
                before = self.acknowledged
                self._round(api, next(self._numbers))
                stop.wait(0.01 if self.acknowledged > before else 0.1)

    def _round(self, api: httpx2.Client, number: int) -> None:
        name, old = f"brick-{number}", f"brick-{number - 5}"
        if self._done(api.build_request("POST", MAPS, json=config_map(name, number)), api):
            self._kept.add(name)
        changed = api.build_request("PATCH", f"{MAPS}/tally", json={"data": {"number": str(number)}}, headers=MERGE)
        if self._done(changed, api):
            self._last = number
        if number % 2 and old in self._kept:
            self._kept.remove(old)  # unknown while it is asked for, and after a question without an answer
            if self._done(api.build_request("DELETE", f"{MAPS}/{old}"), api):
                self._deleted.add(old)

    def _done(self, request: httpx2.Request, api: httpx2.Client) -> bool:
        """Whether the server says so."""
        try:
            answer = api.send(request)
        except httpx2.TransportError:
            return False
        self.acknowledged += answer.is_success
        return answer.is_success


def config_map(name: str, number: int) -> dict[str, Any]:
    """One of the writer's objects."""
    return {"metadata": {"name": name, "labels": {"witness": "writer"}}, "data": {"number": str(number)}}
