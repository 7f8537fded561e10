"""What is said of models that sleep, and what is counted."""

from __future__ import annotations

from typing import Any

import prometheus_client
import pytest

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.gateway.endpoints import pods
from brickyard.gateway.endpoints import testing as endpoint_testing
from brickyard.gateway.queueing import metrics as queueing
from brickyard.gateway.waking import settings, testing, waking


def hub(given: settings.WakingSettings | None = None, **spec: Any) -> waking.Waking:
    made = waking.Waking(given or settings.WakingSettings())
    made.book.target_changed(resources.DEPLOYMENT, None, testing.deployment())
    made.book.autoscaler_changed(None, testing.autoscaler(**spec))
    return made


class TestModels:
    def test_one_that_sleeps_is_known_and_listed(self) -> None:
        made = hub()
        assert (made.knows("demo"), made.holds("demo"), made.knows("other")) == (True, True, False)
        (card,) = made.cards(())
        assert (card.id, card.created, card.ready) == ("demo", 1767323045, 0)
        assert made.cards({"demo"}) == [], "its pods are listed already"
        assert made.summary(()) == {"demo": {"autoscalers": ["default/demo"], "held": 0}}
        assert made.summary({"demo"}) == {}

    @pytest.mark.parametrize("spec", [{"minReplicas": 1}, {"scalingStrategy": "HPA"}])
    def test_one_that_is_not_woken_is_known_and_not_listed(self, spec: dict[str, Any]) -> None:
        made = hub(**spec)
        assert (made.knows("demo"), made.holds("demo"), list(made.cards(()))) == (True, False, [])
        assert "PodAutoscaler default/demo does not wake it" in made.absence("demo")

    @pytest.mark.parametrize("given", [settings.WakingSettings(timeout=0), settings.WakingSettings(length=0)])
    def test_a_gateway_that_wakes_none(self, given: settings.WakingSettings) -> None:
        made = hub(given)
        assert (made.knows("demo"), made.holds("demo"), list(made.cards(()))) == (True, False, [])
        assert "this gateway wakes none" in made.absence("demo")

    def test_before_the_autoscalers_are_known_any_model_may_exist(self) -> None:
        made = hub()
        made.settled = lambda: False
        assert made.knows("other")
        assert not made.holds("other")
        assert made.absence("other") == made.unready() == waking.UNSETTLED
        made.settled = lambda: True
        assert (made.knows("other"), made.unready()) == (False, "")

    def test_what_the_record_of_a_request_says_of_it(self) -> None:
        assert "sleeps: PodAutoscaler default/demo scaled it to 0, and is told" in hub().absence("demo")


class TestWords:
    def test_of_the_pods_and_of_the_autoscaler(self) -> None:
        active = testing.condition(types.SCALING_ACTIVE, "False", "stays at 1")
        made = hub(conditions=[active])
        made.pods = lambda model: f"{model} has one pod: ImagePullBackOff"
        refused = made.late("demo")
        assert refused.error.status == 503
        assert refused.error.message == (
            "model demo was asked to wake up and had no endpoint that is ready within 120 s: demo has one pod: ImagePullBackOff; "
            "PodAutoscaler default/demo says: stays at 1"
        )
        assert dict(refused.headers) == {"retry-after": "10"}

    def test_that_it_could_not_be_told_goes_before_what_it_said(self) -> None:
        made = hub(conditions=[testing.condition(types.SCALING_ACTIVE, "False", "stays at 0")])
        made.trouble = lambda _sleeper: "forbidden"
        assert made.late("demo").error.message.endswith("PodAutoscaler default/demo could not be told: forbidden")

    def test_what_others_say_is_cut_short(self) -> None:
        made = hub()
        made.pods = lambda _model: "x" * 10_000
        assert len(made.late("demo").error.message) == waking.LONGEST + 1

    def test_of_a_model_that_has_gone_meanwhile(self) -> None:
        assert "had no endpoint that is ready within 120 s" in hub().late("gone").error.message


class TestCounting:
    def test_bytes(self) -> None:
        made = hub(settings.WakingSettings(max_bytes=100))
        assert (made.take(60), made.take(50), made.take(40)) == (True, False, True)
        made.give(60)
        assert made.metrics.bytes() == 40

    def test_series(self) -> None:
        made = hub()
        made.woken("demo", 7.0)
        made.ended(queueing.End.SENT)
        made.metrics.told = 3
        registry = prometheus_client.CollectorRegistry()
        registry.register(made.metrics)
        for name, labels, value in (
            ("gateway_waking_ended_total", {"how": "sent"}, 1.0),
            ("gateway_waking_signals_total", {"outcome": "written"}, 3.0),
            ("gateway_waking_seconds_bucket", {"le": "10.0"}, 1.0),
            ("gateway_waking_seconds_bucket", {"le": "5.0"}, 0.0),
            ("gateway_waking_bytes", {}, 0.0),
        ):
            assert registry.get_sample_value(name, labels) == value, name

    def test_pods_matter_only_to_who_waits(self) -> None:
        made = hub()
        pod = endpoint_testing.FakePod().object()
        made.pod_changed(None, pod)
        assert pods.read(pod) is not None
        assert (list(made.held()), made.arrived("demo")) == ([], 0)
