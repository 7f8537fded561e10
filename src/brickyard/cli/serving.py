"""What ``brickyard serve`` does around its manifest: settle what was left open, keep the file, watch the replicas come."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Callable
from typing import Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.cli import modelmanifest
from brickyard.embedded import overview
from brickyard.engines import contract as engine_contract
from brickyard.kube.client import contract
from brickyard.lib import errors
from brickyard.sidecar.downloads import references

LOOK_AGAIN = 0.25
"""Seconds between looks at replicas that are coming."""
_ANYWHERE: Final = "127.0.0.1"
_STUCK: Final = "what was applied stays and starts once that is mended; or take it away as said above"


HUB_NAMES: Final = frozenset({"vllm", "sglang", "trtllm"})
"""Engines that take a name such as Qwen/Qwen3-0.6B and ask Hugging Face for it."""


class NotReady(errors.BrickyardError):
    """The replicas were not ready in time, or will not be until somebody changes something."""


def wanted(asked: modelmanifest.Wanted) -> modelmanifest.Wanted:
    """``asked`` with model, engine and name settled.

    Raises:
        UsageError: the engine is none of ours, the model cannot be what it says, or an argument is none of an engine.
    """
    engine = asked.engine or modelmanifest.engine_of(asked.model)
    offered = [each for each, known in engines.engines().items() if known.launcher and each in modelmanifest.RECIPES]
    if engine not in offered:
        choose = f"choose one of {', '.join(offered)}"
        if engine in engines.engines():
            text = f"there is no manifest that would do for every {engine}: its containers differ by accelerator"
            raise errors.UsageError(text, hint=f"apply one with the label {names.MODEL_ENGINE}: {engine}, or {choose}")
        raise errors.UsageError(f"no engine is called {engine!r}", hint=choose)
    if asked.arguments and not asked.arguments[0].startswith("-"):
        text = f"one model at a time: {asked.arguments[0]!r} is one word too many"
        raise errors.UsageError(text, hint="arguments of the engine come last, after --")
    name = asked.name or modelmanifest.name_of(asked.model)
    modelmanifest.check_name(name)
    return dataclasses.replace(asked, engine=engine, name=name, model=_model(asked.model, engine))


def _model(model: str, engine: str) -> str:
    """``model`` as the engine takes it: paths absolute, since the engine runs in another folder."""
    if engine == "sim":
        return model
    found = references.parse(model)
    if not isinstance(found, references.LocalFile):
        return model
    path = found.path.expanduser()
    if path.exists():
        return str(path.absolute())
    if engine in HUB_NAMES and not path.is_absolute() and not model.startswith((".", "~")):
        return model
    hint = f"give one that exists: {references.FORMS}"
    raise errors.UsageError(f"there is no model at {path.absolute()}", hint=hint)


def fetched(served: modelmanifest.Wanted) -> tuple[str, ...]:
    """The references that this machine fetches before ``served`` can start; none where its engine is not here to say."""
    launcher = engines.engines()[served.engine].launcher
    container = modelmanifest.container(served)
    spec = engine_contract.ContainerSpec(
        container["image"],
        tuple(container.get("command", ())),
        tuple(container["args"]),
        {},
        _ANYWHERE,
        modelmanifest.PORT,
    )
    try:
        models = launcher.launch(spec).models if launcher is not None else ()
    except engine_contract.LaunchError:
        return ()  # the pod's status will say so
    return tuple(each for each in models if not isinstance(references.parse(each), references.LocalFile))


def keep(folder: pathlib.Path, served: modelmanifest.Wanted, text: str) -> pathlib.Path:
    """Write the manifest where a person can find and change it; the path.

    Raises:
        UsageError: it cannot be written.
    """
    path = folder / f"{served.namespace}.{served.name}.yaml"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(path)
    except OSError as error:
        raise errors.UsageError(f"cannot write {path}: {error.strerror}", hint="mend its owner and mode") from error
    return path


async def until_ready(
    client: contract.Client, target: tuple[str, str], timeout: float, say: Callable[[str], object]
) -> None:
    """Wait until every replica of the Deployment ``target`` = (namespace, name) is ready; ``say`` hears each change.

    Raises:
        NotReady: not within ``timeout`` seconds, or never as things are; the text says what keeps them.
    """
    said = ""
    try:
        async with asyncio.timeout(timeout):
            while True:
                seen = await _look(client, *target)
                if seen.line != said:
                    say(seen.line)
                    said = seen.line
                if seen.done:
                    return
                if seen.stuck:
                    raise NotReady(f"{target[1]} waits for you: {seen.stuck}", hint=_STUCK)
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        hint = "it goes on coming; see `brickyard status`, `brickyard events` and `brickyard logs POD`"
        raise NotReady(f"not ready within {timeout:g} s: {said or 'no answer'}", hint=hint) from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """Whether all is ready, how it stands in one line, and what keeps every one of them for good ("": nothing does)."""

    done: bool
    line: str
    stuck: str


async def _look(client: contract.Client, namespace: str, name: str) -> _Seen:
    deployment = await client.get(resources.DEPLOYMENT, name, namespace)
    pods = await client.list(resources.POD, contract.Query(namespace, label_selector=f"{names.MODEL_NAME}={name}"))
    wanted_, ready = deployment["spec"].get("replicas", 1), _ready(deployment)
    models = [each for each in overview.models(pods.items) if each.name == name]
    trouble = [each for model in models for each in model.trouble]
    why = f": {'; '.join(each.text for each in trouble)}" if trouble and ready < wanted_ else ""
    stuck = trouble[0].text if trouble and ready == 0 and all(each.permanent for each in trouble) else ""
    return _Seen(ready >= wanted_, f"{ready}/{wanted_} ready{why}", stuck)


def _ready(deployment: resources.Object) -> int:
    """Replicas of the newest template that are ready, at least; those of an older one still answer and do not count."""
    status: dict[str, int] = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return 0
    older = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    return max(0, status.get("readyReplicas", 0) - older)
