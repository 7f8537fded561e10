"""From a request to a session: which pod, which container, whether it runs. Refusals are Kubernetes' own words."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from brickyard.api.kinds import podlogs as logs_contract
from brickyard.api.kinds import podstreams
from brickyard.embedded.kubelet import errors, podlogs, probes, procfs
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.streams import attaching, children, commands, forwarding


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod as far as streams go. ``target`` gives a run of a container as commands in it see it (raises ``NotStarted``)."""

    uid: str
    logs: podlogs.Pod
    address: str
    target: Callable[[str, int], Awaitable[probes.Target]]

    @property
    def name(self) -> str:
        """The pod's name."""
        return self.logs.name


class KubeletStreams:
    """Fills ``api.kinds.podstreams.PodStreams``. ``find`` gives the pod of a namespace and name, None when it is not here."""

    def __init__(self, find: Callable[[str, str], Pod | None]) -> None:
        self._find = find

    async def execute(self, query: podstreams.CommandQuery) -> podstreams.Session:
        pod = self._pod(query.namespace, query.pod)
        container = _running(pod, query.container)
        attempt = container.attempt

        async def make() -> children.Command:
            try:
                return _command(await pod.target(container.name, attempt), query)
            except (errors.NotStarted, OSError) as error:
                raise podstreams.StreamFailed(str(error)) from error

        return commands.CommandSession(make, lambda: self._runs(query, pod.uid, container.name, attempt))

    async def attach(self, query: podstreams.CommandQuery) -> podstreams.Session:
        pod = self._pod(query.namespace, query.pod)
        container = _running(pod, query.container)
        if query.stdin:
            raise podstreams.StreamsUnavailable(
                f"container {container.name} takes no input: its standard input is closed on this node. "
                f"Run a command in it instead: kubectl exec -it {query.pod} -c {container.name} -- COMMAND"
            )
        try:
            return attaching.AttachSession(podlogs.choose_run(pod.logs, container, previous=False))
        except logs_contract.LogsUnavailable as error:
            raise podstreams.StreamsUnavailable(str(error)) from error

    async def forward(self, namespace: str, pod: str) -> podstreams.Forwarder:
        found = self._pod(namespace, pod)
        if not _up(found):
            raise podstreams.StreamsUnavailable(f"unable to forward port because pod {pod} is not running")

        def address() -> str | None:
            now = self._find(namespace, pod)
            return found.address if now is not None and now.uid == found.uid and _up(now) else None

        return forwarding.PodForwarder(pod, address)

    def _pod(self, namespace: str, name: str) -> Pod:
        pod = self._find(namespace, name)
        if pod is None:
            raise podstreams.StreamsUnavailable(
                f"pod {name} does not have a host assigned, or has not been started on it yet"
            )
        return pod

    def _runs(self, query: podstreams.CommandQuery, uid: str, container: str, attempt: int) -> bool:
        """Whether the very run still runs, of the very pod."""
        pod = self._find(query.namespace, query.pod)
        found = pod.logs.machine.containers.get(container) if pod is not None and pod.uid == uid else None
        return found is not None and found.running and found.attempt == attempt


def _running(pod: Pod, wanted: str) -> containers.Container:
    try:
        found = podlogs.choose_container(pod.logs, wanted)
    except logs_contract.LogsUnavailable as error:
        raise podstreams.StreamsUnavailable(str(error)) from error
    if not found.running:
        raise podstreams.StreamsUnavailable(
            f'unable to upgrade connection: container not found ("{found.name}"): it is not running'
        )
    return found


def _up(pod: Pod) -> bool:
    return any(each.running for each in pod.logs.machine.containers.values())


def _command(target: probes.Target, query: podstreams.CommandQuery) -> children.Command:
    env = {**target.env, procfs.COOKIE: target.mark}
    return children.Command(target.localize(query.command), env, target.cwd, query)
