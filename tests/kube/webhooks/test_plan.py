"""The rows of the table in ``plan``, and what must hold of any history."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from brickyard.kube.webhooks import certificates, plan, rotation

NOW = 1_800_000_000.0
DAY = plan.DAY
LIVES = plan.Lives()


def state(**fields: Any) -> plan.State:
    return dataclasses.replace(
        plan.State(
            serving=plan.Validity(NOW - DAY, NOW + 80 * DAY),
            authority=plan.Validity(NOW - DAY, NOW + 4 * 365 * DAY),
            older=(),
            names_fit=True,
            signed_by_current=True,
        ),
        **fields,
    )


def decided(found: plan.State | None) -> plan.Action:
    return plan.plan(found, LIVES, NOW).action


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (None, plan.Action.EVERYTHING),
        (state(serving=plan.Validity(NOW - 90 * DAY, NOW)), plan.Action.EVERYTHING),
        (state(authority=plan.Validity(NOW - 9e8, NOW)), plan.Action.EVERYTHING),
        (state(authority=plan.Validity(NOW - DAY, NOW + 365 * DAY)), plan.Action.AUTHORITY),
        (state(names_fit=False), plan.Action.SERVING),
        (state(names_fit=False, authority=plan.Validity(NOW - DAY, NOW + 365 * DAY)), plan.Action.SERVING),
        (
            state(
                serving=plan.Validity(NOW - 60 * DAY, NOW + 30 * DAY),
                authority=plan.Validity(NOW - DAY, NOW + 365 * DAY),
            ),
            plan.Action.SERVING,
        ),
        (
            state(
                serving=plan.Validity(NOW - 60 * DAY, NOW + 30 * DAY),
                authority=plan.Validity(NOW - DAY, NOW + 30 * DAY),
            ),
            plan.Action.AUTHORITY,
        ),
        (state(serving=plan.Validity(NOW - 60 * DAY, NOW + 30 * DAY)), plan.Action.SERVING),
        (state(signed_by_current=False), plan.Action.SERVING),
        (
            state(signed_by_current=False, authority=plan.Validity(NOW - 599, NOW + 1500 * DAY)),
            plan.Action.KEEP,
        ),
        (
            state(
                signed_by_current=False,
                serving=plan.Validity(NOW - 60 * DAY, NOW + 30 * DAY),
                authority=plan.Validity(NOW - 599, NOW + 1500 * DAY),
            ),
            plan.Action.KEEP,
        ),
        (state(older=(plan.Validity(0, NOW),)), plan.Action.FORGET),
        (
            state(
                older=(plan.Validity(0, NOW + 99 * DAY),),
                authority=plan.Validity(NOW - 90 * DAY - 600, NOW + 1500 * DAY),
            ),
            plan.Action.FORGET,
        ),
        (state(older=(plan.Validity(0, NOW + 99 * DAY),)), plan.Action.KEEP),
        (state(), plan.Action.KEEP),
    ],
)
def test_the_table(found: plan.State | None, action: plan.Action) -> None:
    assert decided(found) is action


def test_it_is_asked_again_when_something_can_change() -> None:
    quiet = plan.plan(state(), LIVES, NOW)
    assert quiet.check_after == 50 * DAY
    fresh = plan.Validity(NOW - 100, NOW + 1500 * DAY)
    waiting = plan.plan(state(signed_by_current=False, authority=fresh), LIVES, NOW)
    assert waiting.check_after == 500
    assert plan.plan(None, LIVES, NOW).check_after == 0


@pytest.mark.parametrize(
    "fields",
    [{"serving_margin": 0.0}, {"serving_margin": 91 * DAY}, {"authority_margin": 80 * DAY}, {"authority": 300 * DAY}],
)
def test_lives_that_cannot_be_kept_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lives want"):
        plan.Lives(**fields)


SHORT = plan.Lives(authority=40 * DAY, authority_margin=12 * DAY, serving=8 * DAY, serving_margin=3 * DAY, settle=600)
SUBJECT = certificates.Subject(("hook.ns.svc",))


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(strategies.lists(strategies.floats(60, 2 * DAY), min_size=40, max_size=60))
def test_no_client_ever_meets_what_it_cannot_check(steps: list[float]) -> None:
    """Whoever trusts what was published one check ago accepts what is served now, whenever the checks come."""
    now = NOW
    bundle: certificates.Bundle | None = None
    seen = set()
    for step in steps:
        before = bundle
        for _ in range(8):
            found = None if bundle is None else rotation.state(bundle, SUBJECT)
            chosen = plan.plan(found, SHORT, now)
            seen.add(chosen.action)
            if chosen.action is plan.Action.KEEP:
                break
            bundle = rotation.carried_out(chosen, bundle, SUBJECT, SHORT, now)
        else:
            pytest.fail("the plan never comes to rest")
        assert bundle is not None
        leaf = bundle.serving.certificate
        assert certificates.ends(leaf) > now
        assert certificates.ends(bundle.authority.certificate) > now
        for each in (before or bundle, bundle):
            trusted = [each.authority.certificate, *each.older]
            issuer = [one for one in trusted if certificates.signed(leaf, one)]
            assert issuer, chosen
            assert certificates.ends(issuer[0]) > now
        assert len(bundle.older) <= 2
        now += step
    assert plan.Action.EVERYTHING in seen


def test_a_new_authority_finds_what_is_served_with_time_left() -> None:
    """Both near their end while nobody looked, and nobody looks again until the serving certificate would have ended."""
    bundle = rotation.carried_out(plan.plan(None, SHORT, NOW), None, SUBJECT, SHORT, NOW)
    now = certificates.ends(bundle.authority.certificate) - SHORT.authority_margin
    old = certificates.make_serving(bundle.authority, SUBJECT, now - 7 * DAY, SHORT.serving)
    bundle = dataclasses.replace(bundle, serving=old)
    while (chosen := plan.plan(rotation.state(bundle, SUBJECT), SHORT, now)).action is not plan.Action.KEEP:
        bundle = rotation.carried_out(chosen, bundle, SUBJECT, SHORT, now)
    later = plan.plan(rotation.state(bundle, SUBJECT), SHORT, certificates.ends(old.certificate))
    assert (chosen.check_after, later.action) == (SHORT.settle, plan.Action.SERVING)


def test_an_authority_is_replaced_in_steps() -> None:
    bundle = rotation.carried_out(plan.plan(None, SHORT, NOW), None, SUBJECT, SHORT, NOW)
    actions = []
    now = NOW
    while now < NOW + 60 * DAY:
        chosen = plan.plan(rotation.state(bundle, SUBJECT), SHORT, now)
        if chosen.action is plan.Action.KEEP:
            now += chosen.check_after
            continue
        actions.append(chosen.action.value)
        bundle = rotation.carried_out(chosen, bundle, SUBJECT, SHORT, now)
    around = actions.index("authority")
    assert actions[:around] == ["serving"] * around
    assert actions[around : around + 2] == ["authority", "serving"]
    assert "forget" in actions[around:]
    assert "everything" not in actions
