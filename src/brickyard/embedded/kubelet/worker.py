"""One pod's shell: does what its state machine says, and tells the machine what came of it.

A worker is one loop (events in, instructions done) and the tasks it starts: starts, watches, probes, hooks. Whatever they learn goes
through the loop's inbox, so that the machine is only ever touched there. The inbox needs no bound of its own: each task under way puts
in one event, and news of the pod itself replaces older news.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import contract, errors, lastwords, probes, processes, records, starter
from brickyard.embedded.kubelet.memory import watchdog
from brickyard.embedded.kubelet.plan import machine, messages, status
from brickyard.embedded.kubelet.usage import meter
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import status as writing
from brickyard.lib import backoff, logs, tasks

API_BACKOFF = backoff.Backoff(0.2, 2.0, 15.0)
FINAL_WRITES = 3.0
"""Seconds that a pod's last words to the API may take when the agent ends."""
UNSEEN = "The process ended while the node agent was not running"

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What every worker works with. ``now`` gives Unix seconds that never go back; ``boot`` names this boot."""

    client: kube.Client
    starts: starter.Starter
    prober: probes.Prober
    recorder: contract.Recorder
    machine: starter.Machine
    now: Callable[[], float]
    boot: str


class PodWorker:
    """One pod, until it is removed or the agent ends.

    Attributes:
        pod: the object as last seen.
        machine: its state machine; read it, never feed it.
        place: folder and address.
    """

    def __init__(
        self, tools: Tools, pod: resources.Object, place: starter.Place, record: records.Record | None
    ) -> None:
        self.pod = pod
        self.place = place
        self._tools = tools
        self._processes: dict[str, processes.Process] = {}
        self._inbox: asyncio.Queue[messages.Event] = asyncio.Queue()
        memories = status.recollect(pod)
        if record is not None:
            memories |= self._adopt(record)
        self.machine = machine.PodMachine(pod, tools.now(), memories)
        self._news: messages.PodSeen | None = None
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._targets: dict[tuple[str, int], probes.Target] = {}
        self._unwritten = asyncio.Event()
        self._removal: messages.Remove | None = None
        self._scope: tasks.Scope | None = None

    def _adopt(self, record: records.Record) -> dict[str, messages.Memory]:
        """Take over the processes that still run; how the others ended, their shims wrote down."""
        memories = {}
        for name, each in record.containers.items():
            memories[name] = memory = each.memory
            self._tools.machine.devices.restore(
                self.place.folder.uid, name, each.devices, init=starter.is_init(self.pod, name)
            )
            if not memory.container_id:
                continue
            attempt = max(0, memory.runs - 1)
            end = self.place.folder.end(name, attempt)
            process = None
            if (
                each.process is not None
                and each.shim is not None
                and record.boot == self._tools.boot
                and processes.container_id(each.process) == memory.container_id
            ):
                process = processes.adopt(each.process, each.shim, starter.mark(self.place, name, attempt), end)
            if process is not None:
                self._processes[name] = process
            else:
                known = processes.ended(end) or processes.End(processes.UNKNOWN_EXIT, known=False, message=UNSEEN)
                self.post(self._exited(name, attempt, known))
        return memories

    @property
    def key(self) -> meta.Key:
        return meta.key(self.pod)

    @property
    def uid(self) -> str:
        return meta.uid(self.pod)

    @property
    def marks(self) -> set[str]:
        """Marks of the runs whose processes are watched here."""
        return {
            starter.mark(self.place, name, self.machine.containers[name].attempt)
            for name in self._processes
            if name in self.machine.containers
        }

    def runs(self) -> list[meter.Run]:
        """What runs now, for those who measure it."""
        return [
            meter.Run(
                self.key.namespace,
                self.key.name,
                self.uid,
                name,
                starter.mark(self.place, name, each.attempt),
                each.started_at,
                watchdog.limit(starter.find(self.pod, name)),
            )
            for name, each in self.machine.containers.items()
            if each.running
        ]

    # News from outside.

    def see(self, pod: resources.Object) -> None:
        """The object changed."""
        if self._news is None:
            self._inbox.put_nowait(messages.Tick())
        self._news = messages.PodSeen(pod)

    def post(self, event: messages.Event) -> None:
        """Something happened."""
        self._inbox.put_nowait(event)

    # The loop.

    async def run(self) -> None:
        """Run the pod until it is removed, or has come to rest after a ``ShutDown``. Cancelled, it leaves its containers running."""
        try:
            async with tasks.Scope(f"pod/{self.key}") as scope:
                self._scope = scope
                for name, process in self._processes.items():
                    self._watch(name, self.machine.containers[name].attempt, process)
                writer = scope.start(self._write_status(), name="status")
                await self._take(messages.PodSeen(self.pod))
                while not self._over():
                    await self._step()
                writer.cancel()
                if self._removal is not None:
                    await self._remove(self._removal)
                else:
                    await self._last_words()
        finally:
            self._scope = None
            self._let_go()

    def _let_go(self) -> None:
        """Leave everything to whoever comes after: what is in the inbox has happened and must be in the record."""
        while not self._inbox.empty():
            self.machine.handle(self._inbox.get_nowait(), self._tools.now())
        text = self._record_text()
        for process in self._processes.values():
            process.release()
        if text is not None:
            self._save(text)

    def _over(self) -> bool:
        ending = self.machine.ending
        at_rest = ending is not None and ending.cause is machine.Cause.SHUTDOWN and self.machine.idle
        return self._removal is not None or at_rest

    async def _step(self) -> None:
        due = self.machine.due
        wait = None if due is None else max(0.0, due - self._tools.now())
        try:
            async with asyncio.timeout(wait):
                event = await self._inbox.get()
        except TimeoutError:
            event = messages.Tick()
        if self._news is not None:
            news, self._news = self._news, None
            self.pod = news.pod
            self.place = dataclasses.replace(self.place, pod=news.pod)
            await self._take(news)
        await self._take(event)

    async def _take(self, event: messages.Event) -> None:
        instructions = self.machine.handle(event, self._tools.now())
        # Written before it is done: an agent that comes after a crash must not take a second start for the first.
        text = self._record_text()
        if text is not None:
            await asyncio.to_thread(self._save, text)
        for each in instructions:
            self._do(each)
        self._unwritten.set()

    def _do(self, instruction: messages.Instruction) -> None:
        match instruction:
            case messages.StartContainer(name, attempt):
                self._starts[name] = start = self._begin(self._start(name, attempt), f"start/{name}")
                # Not in ``_start``, which a cancel may keep from ever beginning: every start gets its answer.
                cancelled = messages.StartCancelled(name, attempt)
                start.add_done_callback(lambda task: self.post(cancelled) if task.cancelled() else None)
            case messages.CancelStart(name):
                self._starts[name].cancel()
            case messages.SendSignal(name, _, signal):
                self._signal(name, signal)
            case messages.RunProbe(name):
                self._begin(self._probe(instruction), f"probe/{name}")
            case messages.RunHook(name):
                self._begin(self._hook(instruction), f"hook/{name}")
            case messages.RecordEvent():
                self._record(instruction.container, instruction.type, instruction.reason, instruction.message)
            case messages.Remove():
                self._removal = instruction

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._scope is None:
            raise errors.ImpossibleState(f"{self.key} is not running")
        return self._scope.start(work, name=name)

    def _record(self, container: str, severity: str, reason: str, message: str) -> None:
        part = (
            "containers" if container in {each["name"] for each in self.pod["spec"]["containers"]} else "initContainers"
        )
        path = f"spec.{part}{{{container}}}" if container else ""
        self._tools.recorder.record(self.pod, severity, reason, message, field_path=path)

    # Containers.

    async def _start(self, name: str, attempt: int) -> None:
        telling = starter.Telling(
            progress=lambda text: self.post(messages.StartProgress(name, attempt, text)),
            event=lambda severity, reason, text: self._record(name, severity, reason, text),
        )
        try:
            process = await self._tools.starts.start(self.place, name, attempt, telling)
        except errors.NoProgram as error:
            self.post(messages.Exited(name, attempt, 128, str(error), error.reason))
        except errors.NotStarted as error:
            self.post(messages.StartFailed(name, attempt, error.reason, str(error)))
        except OSError as error:
            self.post(messages.StartFailed(name, attempt, "CreateContainerError", f"the machine refuses: {error}"))
        else:
            self._processes[name] = process
            self._watch(name, attempt, process)
            self.post(messages.Started(name, attempt, process.container_id))

    def _watch(self, name: str, attempt: int, process: processes.Process) -> None:
        self._begin(self._wait(name, attempt, process), f"watch/{name}")

    async def _wait(self, name: str, attempt: int, process: processes.Process) -> None:
        end = await process.wait()
        if self._processes.get(name) is process:
            del self._processes[name]
        log.info("container ended", pod=str(self.key), container=name, exit_code=end.exit_code)
        self.post(await asyncio.to_thread(self._exited, name, attempt, end))

    def _exited(self, name: str, attempt: int, end: processes.End) -> messages.Exited:
        """The end of a run as the machine is told it. Blocks."""
        reason = "" if end.known else "ContainerStatusUnknown"
        container = starter.find(self.pod, name)
        files = lastwords.Files(starter.termination_log(self.place, name), self.place.folder.log(name, attempt))
        share = lastwords.share(len(self.pod["spec"]["containers"]))
        said = lastwords.read(files, container, end.exit_code, share)
        message = "\n".join(each for each in (end.message, said) if each)
        return messages.Exited(name, attempt, end.exit_code, message, reason, end.finished_at)

    def _signal(self, name: str, signal: messages.Signal) -> None:
        process = self._processes.get(name)
        if process is None:
            return
        work = process.terminate() if signal is messages.Signal.TERM else process.kill()
        self._begin(work, f"signal/{name}")

    # Probes and hooks.

    async def _probe(self, ask: messages.RunProbe) -> None:
        answer = await self._ask(ask.container, ask.attempt, ask.probe.action, ask.probe.timeout)
        self.post(messages.ProbeDone(ask.container, ask.attempt, ask.probe.kind, answer.success, answer.message))

    async def _hook(self, ask: messages.RunHook) -> None:
        answer = await self._ask(ask.container, ask.attempt, ask.action, ask.timeout)
        self.post(messages.HookDone(ask.container, ask.attempt, ask.hook, answer.success, answer.message))

    async def target(self, name: str, attempt: int) -> probes.Target:
        """A run of a container as commands in it see it, resolved once for each run. Raises as ``Starter.target``."""
        target = self._targets.get((name, attempt))
        if target is None:
            target = await self._tools.starts.target(self.place, name, attempt)
            self._targets = {key: each for key, each in self._targets.items() if key[0] != name}
            self._targets[name, attempt] = target
        return target

    async def _ask(self, name: str, attempt: int, action: Mapping[str, Any], timeout: float) -> probes.Answer:
        try:
            target = await self.target(name, attempt)
        except (errors.NotStarted, OSError) as error:
            return probes.Answer(False, str(error))
        return await self._tools.prober.run(action, target, timeout)

    # Disk.

    def _record_text(self) -> bytes | None:
        """The pod's record, when there is something new to write down."""
        if self._removal is not None:
            return None
        held = self._tools.machine.devices.held
        containers = {
            name: self._container_record(name, memory, held(self.place.folder.uid, name))
            for name, memory in self.machine.memories().items()
        }
        return self.place.folder.news(records.Record(self.pod, self.place.address, self._tools.boot, containers))

    def _save(self, text: bytes) -> None:
        try:
            self.place.folder.save(text)
        except OSError as error:
            log.warning("pod record cannot be written", pod=str(self.key), error=error)

    def _container_record(
        self, name: str, memory: messages.Memory, held: Mapping[str, tuple[str, ...]]
    ) -> records.ContainerRecord:
        process = self._processes.get(name)
        if process is None:
            return records.ContainerRecord(memory, None, held)
        return records.ContainerRecord(memory, process.identity, held, process.shim)

    # The API.

    async def _write_status(self) -> None:
        """Write the status whenever it changed, with back-off while the API does not take it."""
        failures = 0
        while True:
            await self._unwritten.wait()
            self._unwritten.clear()
            try:
                await self._write_once()
                failures = 0
            except kube_errors.NotFound:
                log.debug("pod is gone, its status is not written", pod=str(self.key))
            except kube_errors.KubeError as error:
                failures += 1
                log.warning("pod status is not written", pod=str(self.key), failures=failures, error=error)
                await asyncio.sleep(API_BACKOFF.delay(failures))
                self._unwritten.set()

    async def _write_once(self) -> None:
        written = await writing.rewrite(self._tools.client, resources.POD, self.pod, self._status)
        if self._news is None and meta.uid(written) == self.uid:
            self.pod = written

    def _status(self, current: resources.Object) -> dict[str, Any]:
        old = current.get("status") or {}
        place = status.Place(self._tools.machine.host_address, self.place.address)
        shown = status.render(self.machine, place, self._tools.now(), old)
        gone = {key for key in ("reason", "message") if key not in shown}
        return {**{key: value for key, value in old.items() if key not in gone}, **shown}

    async def _last_words(self) -> None:
        try:
            async with asyncio.timeout(FINAL_WRITES):
                await self._write_once()
        except (kube_errors.KubeError, TimeoutError) as error:
            log.warning("last pod status is not written", pod=str(self.key), error=error)

    async def _remove(self, removal: messages.Remove) -> None:
        """Tell the API that the pod is over, then forget it here."""
        failures = 0
        while removal.delete_object and not await self._deleted(failures):
            failures += 1
            await asyncio.sleep(API_BACKOFF.delay(failures))
        await asyncio.to_thread(self.place.folder.remove)

    async def _deleted(self, failures: int) -> bool:
        """Try to delete the object, its last status written before; whether it is, or is another pod's by now."""
        try:
            with contextlib.suppress(kube_errors.KubeError):
                await self._write_once()
            options = kube.DeleteOptions(grace_period_seconds=0, uid=self.uid)
            await self._tools.client.delete(resources.POD, self.key, options)
        except (kube_errors.NotFound, kube_errors.Conflict):
            return True
        except kube_errors.KubeError as error:
            log.warning("pod is not deleted", pod=str(self.key), failures=failures + 1, error=error)
            return False
        return True
