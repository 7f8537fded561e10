"""Jobs and CronJobs: pods that are to end."""

from __future__ import annotations

import copy
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, podspec, workloads

Spec = Mapping[str, Any]

_LARGEST = 2**31 - 1
_ENDS = ("Never", "OnFailure")
_MODES = ("Indexed", "NonIndexed")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_CRON_NAME_LIMIT = 52
UID_LABEL, NAME_LABEL = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
_OLD_UID_LABEL, _OLD_NAME_LABEL = "controller-uid", "job-name"
_UNSCHEDULED = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
"""What a queue may still change in the template of a Job that waits."""


def born(draft: resources.Object) -> None:
    """Give a new Job the selector and labels by which it knows its pods: its identity, unless it brings its own selector."""
    spec = draft.get("spec") or {}
    template = spec.get("template")
    if template is None:
        return
    meta = template.get("metadata") or {}
    labels = meta.get("labels") or {}
    if labels and not draft["metadata"].get("labels"):
        draft["metadata"]["labels"] = dict(labels)
    if spec.get("manualSelector"):
        return
    uid, name = draft["metadata"]["uid"], draft["metadata"].get("name") or ""
    own = {UID_LABEL: uid, _OLD_UID_LABEL: uid, NAME_LABEL: name, _OLD_NAME_LABEL: name}
    selector = spec.get("selector") or {}
    draft["spec"] = {
        **spec,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), UID_LABEL: uid}},
        "template": {**template, "metadata": {**meta, "labels": {**labels, **own}}},
    }


def fill_job(draft: resources.Object) -> None:
    """Fill in a Job."""
    spec = draft.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", _LARGEST if spec.get("backoffLimitPerIndex") is not None else 6)
    spec["completionMode"] = spec.get("completionMode") or "NonIndexed"
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for condition in rule.get("onPodConditions") or ():
            condition["status"] = condition.get("status") or "True"
    workloads.fill_template(spec)
    draft.setdefault("status", {})


def judge_job(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a Job."""
    spec: Spec = obj.get("spec") or {}
    yield from _judge_spec("spec", spec)
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        yield faults.required("spec.selector")
    else:
        yield from workloads.label_selector("spec.selector", selector)
        yield from _generated(obj, spec, selector)
        yield from workloads.selected(selector, labels)
    if old is not None:
        yield from _changes(spec, old.get("spec") or {}, old.get("status") or {})


def _judge_spec(path: str, spec: Spec) -> faults.Errors:
    """What a Job and the Job of a CronJob have in common."""
    names = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "backoffLimitPerIndex")
    yield from faults.not_negative(path, spec, *names, "maxFailedIndexes", "ttlSecondsAfterFinished")
    mode = spec.get("completionMode")
    if mode and mode not in _MODES:
        yield faults.not_supported(f"{path}.completionMode", mode, _MODES)
    if mode == "Indexed" and spec.get("completions") is None:
        yield faults.required(f"{path}.completions", "when completion mode is Indexed")
    if mode != "Indexed" and spec.get("backoffLimitPerIndex") is not None:
        yield faults.invalid(
            f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], "requires indexed completion mode"
        )
    if spec.get("podReplacementPolicy"):
        yield from faults.one_of(f"{path}.podReplacementPolicy", spec["podReplacementPolicy"], _REPLACEMENTS)
    if spec.get("template") is None:
        yield faults.required(f"{path}.template")
        return
    yield from workloads.judge_template(spec["template"], f"{path}.template")
    yield from _restart(f"{path}.template.spec.restartPolicy", spec)


def _restart(path: str, spec: Spec) -> faults.Errors:
    policy = (spec["template"].get("spec") or {}).get("restartPolicy")
    if policy in (None, "", "Always"):
        yield faults.required(path, 'valid values: ["OnFailure" "Never"]')
    elif policy not in _ENDS:
        yield faults.not_supported(path, policy, ("OnFailure", "Never"))
    elif policy != "Never" and spec.get("podFailurePolicy"):
        yield faults.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _generated(obj: resources.Object, spec: Spec, selector: Spec) -> faults.Errors:
    if spec.get("manualSelector"):
        return
    wanted = {UID_LABEL: (obj.get("metadata") or {}).get("uid") or ""}
    if selector != {"matchLabels": wanted}:
        yield faults.invalid("spec.selector", selector, "`selector` not auto-generated")


def _changes(new: Spec, old: Spec, status: Spec) -> faults.Errors:
    names = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    # An indexed Job may grow and shrink, as long as both numbers go together.
    elastic = new.get("completionMode") == "Indexed" and new.get("completions") == new.get("parallelism")
    if not elastic:
        names.append("completions")
    for name in names:
        yield from metadata.immutable(f"spec.{name}", new.get(name), old.get(name))
    before: Any = old.get("template")
    if old.get("suspend") and not status.get("startTime"):
        before = _with_unscheduled(old.get("template") or {}, new.get("template") or {})
    yield from metadata.immutable("spec.template", new.get("template"), before)


def _with_unscheduled(old: Spec, new: Spec) -> dict[str, Any]:
    """``old`` after those changes of ``new`` that a Job which never started allows."""
    result: dict[str, Any] = copy.deepcopy(dict(old))
    meta, spec = result.setdefault("metadata", {}), result.setdefault("spec", {})
    for holder, found, names in (
        (meta, new.get("metadata") or {}, ("labels", "annotations")),
        (spec, new.get("spec") or {}, _UNSCHEDULED),
    ):
        for name in names:
            holder.pop(name, None)
            if name in found:
                holder[name] = found[name]
    return result


def fill_cron_job(draft: resources.Object) -> None:
    """Fill in a CronJob. Its Jobs are filled in when they are made."""
    spec = draft.setdefault("spec", {})
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    pod = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
    if isinstance(pod, dict):
        podspec.fill(pod.setdefault("spec", {}))
    draft.setdefault("status", {})


def judge_cron_job(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a CronJob."""
    del old
    spec: Spec = obj.get("spec") or {}
    name = (obj.get("metadata") or {}).get("name") or ""
    if len(name) > _CRON_NAME_LIMIT:
        yield faults.invalid("metadata.name", name, f"must be no more than {_CRON_NAME_LIMIT} characters")
    yield from _schedule("spec.schedule", spec.get("schedule") or "")
    yield from _zone("spec.timeZone", spec.get("timeZone"))
    names = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    yield from faults.not_negative("spec", spec, *names)
    yield from faults.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _CONCURRENCY)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    yield from _judge_spec("spec.jobTemplate.spec", job)
    if job.get("manualSelector"):
        yield faults.not_supported("spec.jobTemplate.spec.manualSelector", True, ())


_MACRO = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \d+(ns|us|ms|s|m|h)[\w.]*)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[int, int, list[str], int], ...] = (
    # least, most, words, what the first word stands for
    (0, 59, [], 0),
    (0, 23, [], 0),
    (1, 31, [], 0),
    (1, 12, _MONTHS, 1),
    (0, 6, _DAYS, 0),
)


def _schedule(path: str, schedule: str) -> faults.Errors:
    if not schedule:
        yield faults.required(path)
    elif "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield faults.invalid(path, schedule, text)
    elif problem := _cron_fault(schedule):
        yield faults.invalid(path, schedule, problem)


def _cron_fault(schedule: str) -> str:
    if schedule.startswith("@"):
        return "" if _MACRO.fullmatch(schedule) else f"unrecognized descriptor: {schedule}"
    parts = schedule.split()
    if len(parts) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for part, (least, most, words, first) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _cron_item(item, least, most, {word: first + at for at, word in enumerate(words)}):
                return f"failed to parse field {part}: write numbers between {least} and {most}, *, ranges or steps"
    return ""


def _cron_item(item: str, least: int, most: int, words: Mapping[str, int]) -> bool:
    """``*``, ``7``, ``mon-fri``, ``*/15``, ``0-30/5``."""
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    ends = [words.get(end.lower(), int(end) if end.isascii() and end.isdigit() else -1) for end in span.split("-")]
    return len(ends) <= 2 and ends == sorted(ends) and all(least <= end <= most for end in ends)


def _zone(path: str, zone: str | None) -> faults.Errors:
    if zone is None:
        return
    if not zone:
        yield faults.invalid(path, zone, "timeZone must be nil or non-empty string")
        return
    if zone.lower() == "local":
        yield faults.invalid(
            path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
        return
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield faults.invalid(path, zone, f"unknown time zone {zone}")
