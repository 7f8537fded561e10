"""Kubernetes clients for Python, side by side: start, memory, one object, a list of 1000 pods.

Each client runs in a process of its own against one embedded API server on this machine. CPU is that process's own; the server's
share of a request is the same for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import errors, rest

PODS = 1000
DEADLINE = 120.0

# What each client does: ``load`` is timed as start, ``one`` reads one object, ``many`` lists the pods and answers how many.
CLIENTS = {
    "brickyard": """
from brickyard.api.kinds import resources
from brickyard.kube.client import contract, rest
async def load(): return rest.RestClient.from_kubeconfig(CONFIG)
async def one(api): await api.get(resources.POD, "p0", "default")
async def many(api): return len((await api.list(resources.POD, contract.Query(namespace="default"))).items)
""",
    "lightkube": """
from lightkube import AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.resources.core_v1 import Pod
async def load(): return AsyncClient(config=KubeConfig.from_file(CONFIG))
async def one(api): await api.get(Pod, "p0", namespace="default")
async def many(api): return len([each async for each in api.list(Pod, namespace="default")])
""",
    "kr8s": """
import kr8s.asyncio
from kr8s.asyncio.objects import Pod
async def load(): return await kr8s.asyncio.api(kubeconfig=CONFIG)
async def one(api): await Pod.get("p0", namespace="default", api=api)
async def many(api): return len([each async for each in api.get("pods", namespace="default")])
""",
}

FRAME = """
import time
began = time.perf_counter()
import asyncio, json, os, statistics, sys
CONFIG = sys.argv[1]
{client}
imported = time.perf_counter()
import psutil
async def main():
    start = time.perf_counter()
    api = await load()
    loaded = time.perf_counter() - start
    memory = psutil.Process().memory_info().rss
    for _ in range(20): await one(api)
    gets = []
    spent = time.process_time()
    for _ in range(300):
        start = time.perf_counter(); await one(api); gets.append(time.perf_counter() - start)
    get_cpu = (time.process_time() - spent) / 300
    lists = []
    assert await many(api) == {pods}
    spent = time.process_time()
    for _ in range(10):
        start = time.perf_counter(); await many(api); lists.append(time.perf_counter() - start)
    list_cpu = (time.process_time() - spent) / 10
    print(json.dumps({{
        "import ms": (imported - began) * 1e3, "load ms": loaded * 1e3, "RSS MB": memory / 2**20,
        "get ms": statistics.median(gets) * 1e3, "get CPU ms": get_cpu * 1e3,
        "list ms": statistics.median(lists) * 1e3, "list CPU ms": list_cpu * 1e3,
        "RSS after MB": psutil.Process().memory_info().rss / 2**20,
    }}))
    sys.stdout.flush()
    os._exit(0)
asyncio.run(main())
"""


@contextlib.contextmanager
def api_server(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """An embedded API server; the kubeconfig for it."""
    command = [sys.executable, "-m", "brickyard.cli.main", "apiserver", "--data-dir", str(folder), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = folder / "kubeconfig"
    try:
        end = time.monotonic() + DEADLINE
        while not config.exists():
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the API server did not start")
            time.sleep(0.05)
        yield config
    finally:
        server.terminate()
        server.wait(DEADLINE)


async def seed(config: pathlib.Path) -> None:
    """A thousand pods such as an engine's."""
    container = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.11",
        "args": ["--model", "m"],
        "ports": [{"containerPort": 8000}],
    }
    async with rest.RestClient.from_kubeconfig(config) as client:
        await answering(client)
        for base in range(0, PODS, 50):
            await asyncio.gather(
                *(
                    client.create(
                        resources.POD,
                        {
                            "metadata": {"name": f"p{n}", "namespace": "default", "labels": {"app": "engine"}},
                            "spec": {"containers": [container]},
                        },
                    )
                    for n in range(base, base + 50)
                )
            )


async def answering(client: rest.RestClient) -> None:
    """Wait until the API answers."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with contextlib.suppress(errors.Unreachable):
                await client.list(resources.NAMESPACE)
                return
            await asyncio.sleep(0.05)


def measured(client: str, config: pathlib.Path) -> dict[str, Any]:
    """One client's figures."""
    code = FRAME.format(client=CLIENTS[client], pods=PODS)
    done = subprocess.run(
        [sys.executable, "-c", code, str(config)], stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a Markdown table."""
    with tempfile.TemporaryDirectory() as folder, api_server(pathlib.Path(folder)) as config:
        asyncio.run(seed(config))
        for client in CLIENTS:
            measured(client, config)  # compiles what is imported
        rows = {client: measured(client, config) for client in CLIENTS}
    columns = list(next(iter(rows.values())))
    print(f"| client | {' | '.join(columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for client, row in rows.items():
        print(f"| {client} | {' | '.join(f'{row[each]:.1f}' for each in columns)} |")


if __name__ == "__main__":
    main()
