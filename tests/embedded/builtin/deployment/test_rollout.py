"""Whole rollouts against a model of the ReplicaSet controller and the node, in any order of events, with caches that lag."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import plan as planning
from brickyard.embedded.builtin.deployment import revisions, sizes, unseen
from brickyard.kube.objects import meta, patch


@dataclasses.dataclass
class World:
    """The API's objects, the pods behind each ReplicaSet (True: available), and what the controller's cache shows of them."""

    deployment: dict[str, Any]
    replica_sets: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    pods: dict[str, list[bool]] = dataclasses.field(default_factory=dict)
    cache: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    version: int = 1
    now: float = testing.NOW
    unseen: unseen.Unseen = dataclasses.field(default_factory=unseen.Unseen)

    def store(self, replica_set: dict[str, Any]) -> None:
        self.version += 1
        replica_set["metadata"]["resourceVersion"] = str(self.version)
        self.replica_sets[meta.name(replica_set)] = replica_set

    def see(self, name: str) -> None:
        """The cache hears of one ReplicaSet."""
        old, new = self.cache.pop(name, None), copy.deepcopy(self.replica_sets.get(name))
        if new is not None:
            self.cache[name] = new
        self.unseen.changed(old, new)

    def see_all(self) -> None:
        for name in {*self.replica_sets, *self.cache}:
            self.see(name)

    # The Deployment controller.

    def step(self) -> bool:
        """One pass on what the cache shows; whether it changed anything."""
        self.now += 0.01
        if self.unseen.wait(meta.uid(self.deployment), self.now) is not None:
            return False
        plan = planning.plan(planning.Snapshot(self.deployment, list(self.cache.values())), self.now)
        changed = bool(plan.create or plan.update or plan.delete or plan.revision)
        if plan.create is not None and not self._create(plan.create):
            return True
        if not all(map(self._update, plan.update)):
            return True
        for each in plan.delete:
            del self.replica_sets[meta.name(each)]
        if plan.revision:
            self.deployment["metadata"].setdefault("annotations", {})[revisions.REVISION] = plan.revision
        changed = changed or plan.status != self.deployment["status"]
        self.deployment["status"] = plan.status
        return changed

    def _create(self, replica_set: dict[str, Any]) -> bool:
        name = meta.name(replica_set)
        if name in self.replica_sets:
            return False
        self.unseen.expect(meta.uid(self.deployment), replica_set, self.now)
        replica_set["metadata"] = testing.metadata(name) | replica_set["metadata"]
        self.store({**replica_set, "status": {}})
        self.pods[name] = []
        return True

    def _update(self, update: planning.Update) -> bool:
        live = self.replica_sets[meta.name(update.replica_set)]
        body = update.patch()
        if body["metadata"]["resourceVersion"] != meta.resource_version(live):
            return False
        self.unseen.expect(meta.uid(self.deployment), update.replica_set, self.now)
        changed = patch.merge_patch(live, body)
        if changed["spec"] != live["spec"]:
            changed["metadata"]["generation"] += 1
        self.store(changed)
        return True

    # The ReplicaSet controller and the node.

    def fill(self, name: str) -> None:
        """The ReplicaSet controller makes or deletes pods, those that are not available first, and reports."""
        if name not in self.replica_sets:
            return
        live = copy.deepcopy(self.replica_sets[name])
        pods = sorted(self.pods[name], reverse=True)
        want = sizes.specified(live)
        self.pods[name] = (pods + [False] * want)[:want]
        ready = sum(self.pods[name])
        live["status"] = {
            "replicas": want,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": meta.generation(live),
        }
        if live != self.replica_sets[name]:
            self.store(live)

    def ready(self, name: str) -> None:
        """One more pod becomes available, if one is missing."""
        pods = self.pods.get(name, [])
        if False in pods:
            pods[pods.index(False)] = True

    # People.

    def set_image(self, image: str) -> None:
        self.deployment["spec"]["template"] = testing.template(image)
        self.deployment["metadata"]["generation"] += 1

    def scale(self, replicas: int) -> None:
        self.deployment["spec"]["replicas"] = replicas
        self.deployment["metadata"]["generation"] += 1

    # What is true.

    @property
    def available(self) -> int:
        return sum(sum(pods) for pods in self.pods.values())

    @property
    def asked_for(self) -> int:
        return sum(map(sizes.specified, self.replica_sets.values()))

    def settle(self, passes: int = 200) -> None:
        """Let everything happen until nothing changes any more."""
        for _ in range(passes):
            self.see_all()
            before = self.version
            changed = self.step()
            for name in list(self.replica_sets):
                self.fill(name)
                for _ in range(len(self.pods[name])):
                    self.ready(name)
                self.fill(name)
            if not changed and self.version == before:
                return
        raise AssertionError("the rollout does not come to rest")


def rolling(replicas: int, surge: Any, unavailable: Any) -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return testing.deployment(replicas=replicas, strategy=strategy, revisionHistoryLimit=2)


LIMITS = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda percent: f"{percent}%"))
DEPLOYMENTS = st.builds(rolling, st.integers(0, 8), LIMITS, LIMITS)
IMAGES = st.sampled_from(["web:1", "web:2", "web:3"])
ANY = st.integers(0, 5)
QUIET = st.one_of(
    st.tuples(st.just("step"), ANY),
    st.tuples(st.just("see"), ANY),
    st.tuples(st.just("fill"), ANY),
    st.tuples(st.just("ready"), ANY),
    st.tuples(st.just("image"), IMAGES),
)
SCALING = st.one_of(QUIET, st.tuples(st.just("scale"), st.integers(0, 8)))


def play(world: World, event: tuple[str, Any]) -> None:
    verb, argument = event
    names = sorted({*world.replica_sets, *world.cache})
    name = names[argument % len(names)] if names and isinstance(argument, int) else ""
    match verb:
        case "step":
            world.step()
        case "see":
            world.see(name)
        case "fill":
            world.fill(name)
        case "ready":
            world.ready(name)
        case "image":
            world.set_image(argument)
        case "scale":
            world.scale(argument)


def running(deployment: dict[str, Any]) -> World:
    world = World(copy.deepcopy(deployment))
    world.settle()
    return world


@settings(deadline=None)
@given(DEPLOYMENTS, st.lists(QUIET, max_size=80))
def test_a_rollout_never_asks_for_too_many_nor_takes_too_many(
    deployment: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    world = running(deployment)
    limits, goal = sizes.limits(world.deployment), sizes.wanted(world.deployment)
    assert world.available == goal
    for event in events:
        play(world, event)
        assert world.asked_for <= goal + limits.surge
        assert world.available >= goal - limits.unavailable


@settings(deadline=None)
@given(DEPLOYMENTS, st.lists(SCALING, max_size=80))
def test_whatever_happened_it_comes_to_rest_as_wanted(
    deployment: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    world = running(deployment)
    for event in events:
        play(world, event)
    world.settle()
    goal = sizes.wanted(world.deployment)
    new = revisions.newest(world.deployment, world.replica_sets.values())
    assert new is not None
    assert sizes.specified(new) == goal == world.asked_for == world.available
    assert world.deployment["status"].get("updatedReplicas", 0) == goal
    assert world.deployment["status"]["observedGeneration"] == world.deployment["metadata"]["generation"]
    assert len(world.replica_sets) <= 1 + world.deployment["spec"]["revisionHistoryLimit"]
    progressing = {each["type"]: each["reason"] for each in world.deployment["status"]["conditions"]}
    assert progressing == {"Progressing": "NewReplicaSetAvailable", "Available": "MinimumReplicasAvailable"}


@settings(deadline=None)
@given(DEPLOYMENTS, st.lists(SCALING, max_size=40))
def test_the_newest_template_has_the_highest_revision(
    deployment: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    world = running(deployment)
    for event in events:
        play(world, event)
    world.settle()
    new = revisions.newest(world.deployment, world.replica_sets.values())
    assert new is not None
    numbers = sorted(map(revisions.number, world.replica_sets.values()))
    assert len(set(numbers)) == len(numbers)
    assert revisions.number(new) == numbers[-1]
    assert revisions.annotation(world.deployment, revisions.REVISION) == str(numbers[-1])
