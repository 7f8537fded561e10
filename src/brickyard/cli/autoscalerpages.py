"""What the controllers know of one autoscaler: asked for, and put into words and curves."""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.cli import curves, gatewaypages, place, replaying
from brickyard.embedded import home as homes
from brickyard.kube.objects import conditions
from brickyard.lib import errors
from brickyard.scaling import words as scaling

LIST: Final = "/debug/autoscalers"
_HPA: Final = "HPA"
_DEMAND: Final = "demand"
_CLUSTER: Final = "in a cluster, forward their metrics port and give --controllers http://127.0.0.1:PORT"


class NoControllers(errors.BrickyardError):
    """Nobody shows autoscalers at that address."""


class NoSuchAutoscaler(errors.UsageError):
    """The controllers know none of that name."""


class NothingDecided(errors.BrickyardError):
    """There is no decision to tell of (yet); the message says why."""


def address(given: str, home: homes.Home) -> str:
    """Where the controllers' pages are: ``given``, or those of ``home``.

    Raises:
        NoControllers: none ran there yet.
    """
    found = given or home.controllers_url()
    if not found:
        start = f"`brickyard up --detach{place.option(home)}` runs them on this machine; {_CLUSTER}"
        raise NoControllers(f"no controllers have run in {home.path}", hint=start)
    return found.rstrip("/")


def fetch(url: str, namespace: str, name: str) -> dict[str, Any]:
    """The page of one autoscaler, as ``controllers.podautoscaler.pages`` writes it.

    Raises:
        NoControllers: nobody answers at ``url``, or not with pages of autoscalers.
        NoSuchAutoscaler: they know none of that name.
    """
    one = "/".join(urllib.parse.quote(each, safe="") for each in (namespace, name))
    try:
        return gatewaypages.document(url, f"{LIST}/{one}")
    except gatewaypages.PageRefused as error:
        raise _unknown(url, namespace, name) from error
    except gatewaypages.GatewayUnreachable as error:
        raise _silent(error) from error


def _silent(error: errors.BrickyardError) -> NoControllers:
    return NoControllers(f"the controllers do not answer: {error}", hint=f"do they run? `brickyard status`; {_CLUSTER}")


def _unknown(url: str, namespace: str, name: str) -> errors.BrickyardError:
    try:
        known = [(each["namespace"], each["name"]) for each in gatewaypages.document(url, LIST)["autoscalers"]]
    except (gatewaypages.PageRefused, KeyError, TypeError):
        return NoControllers(f"{url} shows no autoscalers", hint="is it the controllers' metrics address?")
    except gatewaypages.GatewayUnreachable as error:
        return _silent(error)
    elsewhere = sorted(space for space, other in known if other == name)
    here = sorted(other for space, other in known if space == namespace)
    if elsewhere:
        hint = f"there is one in namespace {elsewhere[0]}: add -n {elsewhere[0]}"
    elif here:
        hint = f"there are {', '.join(here[:10])}{' and more' if len(here) > 10 else ''}"
    else:
        hint = "none is known there: `brickyard get podautoscalers -A`"
    return NoSuchAutoscaler(f"there is no PodAutoscaler {name} in namespace {namespace}", hint=hint)


def words(page: dict[str, Any]) -> Iterator[str]:
    """All of it in sentences; the first line is the outcome.

    Raises:
        NothingDecided: there is no decision.
    """
    if page.get("explanation") is not None:
        yield page["explanation"]["short"]
        yield from page["explanation"]["long"]
    elif _is_delegated(page):
        yield from _delegated(page)
    else:
        raise _undecided(page)
    if period := page.get("period"):
        yield f"It is looked at every {period:g} s, and at once when its spec or its target's size changes."
    if waits := page.get("waits"):
        yield f"Not yet: a step was taken a moment ago, the next one waits until {scaling.moment(waits)}."
    if (unable := _unable(page)) is not None:
        yield f"Since then it cannot scale: {unable['message']} ({unable['reason']})."
    for each in page.get("problems") or ():
        yield f"Not used: {each['where']}: {each['text']}."
    if latest := list((page.get("status") or {}).get("scalingHistory") or ())[-5:]:
        yield "Latest changes:"
        for change in latest:
            failed = "" if change.get("success", True) else f", failed: {change.get('error') or 'it was not told why'}"
            moved = f"{change.get('previousScale')} to {change.get('newScale')}"
            yield f"  {change.get('timestamp')}  {moved}  {change.get('reason') or ''}{failed}"


def _unable(page: dict[str, Any]) -> Mapping[str, Any] | None:
    """The condition AbleToScale, where it is false."""
    return conditions.failing((page.get("status") or {}).get("conditions"), "AbleToScale")


def _is_delegated(page: dict[str, Any]) -> bool:
    return page.get("strategy") == _HPA and not page.get("fault") and "actualScale" in (page.get("status") or {})


def _delegated(page: dict[str, Any]) -> Iterator[str]:
    """What a HorizontalPodAutoscaler says of itself: the status has taken it over."""
    status, name = page["status"], page["name"]
    actual, desired = status["actualScale"], status.get("desiredScale")
    head = f"stays at {actual}" if actual == desired else f"from {actual} to {desired}"
    yield f"{head}: the HorizontalPodAutoscaler {name}-hpa decides, of {page['target']}"
    for each in status.get("conditions") or ():
        yield f"  {each['type']:<16} {each['status']:<6} {each.get('message') or each.get('reason') or ''}"
    yield f"What it measures: `brickyard get hpa {name}-hpa -n {page['namespace']} -o yaml`."


def _undecided(page: dict[str, Any]) -> NothingDecided:
    name, namespace, period = page["name"], page["namespace"], page.get("period") or 0.0
    if page.get("strategy") == _HPA:
        see = f"brickyard get hpa {name}-hpa -n {namespace} -o yaml"
        return NothingDecided(f"{name} leaves decisions to the HorizontalPodAutoscaler {name}-hpa", hint=f"`{see}`")
    if fault := page.get("fault"):
        return NothingDecided(f"{name} decides nothing: {fault['text']} ({fault['reason']})", hint="mend its spec")
    if (unable := _unable(page)) is not None:
        return NothingDecided(f"{name} decides nothing: {unable['message']} ({unable['reason']})")
    see = f"brickyard get podautoscaler {name} -n {namespace} -o yaml"
    return NothingDecided(
        f"nothing was decided for {name} yet: its target is looked at every {period:g} s",
        hint=f"ask again in a moment; if it stays so, its conditions tell why: `{see}`",
    )


def chart(page: dict[str, Any]) -> curves.Chart:
    """Its history.

    Raises:
        NothingDecided: there is none.
    """
    fields, rows = page["history"]["fields"], page["history"]["points"]
    if not rows:
        raise _undecided(page)
    columns = {name: [_number(row[place]) for row in rows] for place, name in enumerate(fields)}
    at, panic = columns["at"], [value > 0 for value in columns["panic"]]
    times = [each - at[0] for each in at]
    drawn = [
        *_demands(columns),
        curves.Line("actual", curves.Kind.ACTUAL, columns["actual"], steps=True),
        curves.Line("desired", curves.Kind.DESIRED, columns["desired"], steps=True),
    ]
    drawn += replaying.bounds(columns["minimum"], columns["maximum"], drawn)
    title = f"{page['namespace']}/{page['name']}: {page['strategy']} of {page['target']}"
    note = (page.get("explanation") or {}).get("short") or ""
    return curves.Chart(
        title, [curves.Panel("replicas", "replicas", times, drawn, curves.spans(times, panic), note=note)], at[0]
    )


def _demands(columns: dict[str, list[float]]) -> Iterator[curves.Line]:
    """In replicas: the demand over the target; with what was not measured taken at its target, where that is more."""
    low = [_ratio(*each) for each in zip(columns["demand"], columns["target"], strict=True)]
    high = [_ratio(*each) for each in zip(columns["high"], columns["target"], strict=True)]
    yield curves.Line(_DEMAND, curves.Kind.DEMAND, low)
    more = [most if most > least else math.nan for least, most in zip(low, high, strict=True)]
    if any(math.isfinite(each) for each in more):
        yield curves.Line("at most", curves.Kind.DEMAND, more)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _ratio(demand: float, target: float) -> float:
    return demand / target if target > 0 else math.nan
