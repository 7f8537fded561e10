"""From numbers to observations: which pods are asked, in which unit values are, and the words for all of them missing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler.sources import contract, fetching, found, units
from brickyard.kube.objects import conditions, meta
from brickyard.scaling import contract as scaling


def ready(pod: resources.Object) -> bool:
    """Whether a pod's word counts."""
    return conditions.is_true((pod.get("status") or {}).get("conditions"), "Ready")


def of_pods(
    wanted: contract.Wanted, answers: Mapping[str, fetching.Answer], unit: units.Unit, now: float
) -> scaling.Observation:
    """``answers`` by name, of each pod that is ready."""
    pods = tuple(_reading(pod, answers.get(meta.name(pod)), unit.factor) for pod in wanted.pods)
    missing = [pod for pod in pods if pod.health is scaling.Health.MISSING]
    asked = sum(pod.health is not scaling.Health.UNREADY for pod in pods)
    why = ""
    if asked and len(missing) == asked:
        all_of_them = "the one ready pod cannot" if asked == 1 else f"none of {asked} ready pods could"
        why = f"{all_of_them} be measured; {missing[0].pod}: {missing[0].why}"
    return scaling.Observation(wanted.metric.key, now, pods=pods, why=why, notes=_notes(unit, list(answers.values())))


def of_whole(wanted: contract.Wanted, answer: fetching.Answer, unit: units.Unit, now: float) -> scaling.Observation:
    """One value of the whole."""
    notes = _notes(unit, (answer,))
    if isinstance(answer.number, found.Absent):
        return scaling.Observation(wanted.metric.key, now, why=answer.number.why, notes=notes)
    return scaling.Observation(wanted.metric.key, answer.at, whole=answer.number * unit.factor, notes=notes)


def nothing(wanted: contract.Wanted, why: str, now: float) -> scaling.Observation:
    """Nothing at all could be read."""
    if wanted.metric.form is scaling.Form.WHOLE:
        return scaling.Observation(wanted.metric.key, now, why=why)
    absent = fetching.Answer(found.Absent(why))
    pods = tuple(_reading(pod, absent if ready(pod) else None, 1.0) for pod in wanted.pods)
    return scaling.Observation(wanted.metric.key, now, pods=pods, why=why)


def _reading(pod: resources.Object, answer: fetching.Answer | None, factor: float) -> scaling.PodReading:
    name = meta.name(pod)
    if answer is None:
        return scaling.PodReading(name, scaling.Health.UNREADY)
    if isinstance(answer.number, found.Absent):
        return scaling.PodReading(name, scaling.Health.MISSING, at=answer.at, why=answer.number.why)
    return scaling.PodReading(name, scaling.Health.READY, answer.number * factor, answer.at)


def _notes(unit: units.Unit, answers: Sequence[fetching.Answer]) -> tuple[str, ...]:
    told = [unit.note] if unit.note else []
    return tuple(dict.fromkeys([*told, *(note for answer in answers for note in answer.notes)]))
