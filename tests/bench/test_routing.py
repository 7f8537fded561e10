import pytest

from bench import routing
from brickyard.lib import garbage


@pytest.mark.parametrize("strategy", ["least-request", "vtc-basic", routing.MIX])
def test_a_strategy_is_timed(strategy: str) -> None:
    found = routing.once(strategy, 3, 60)
    assert 0 < found.p50 <= found.p99
    assert found.whole > found.p50 / 2


def test_the_fleet_was_heard_and_knows_what_it_did() -> None:
    fleet = routing.Fleet(4)
    made = fleet.choose(routing.requests("least-latency", 1)[0])
    assert all(load is not None for load in made.snapshot.loads)
    assert made.faults == ()


def test_the_table_names_strategies_and_sizes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "settle", lambda: None)  # it is for good
    routing.main(["--endpoints", "2", "--requests", "20", "--strategies", "random"])
    shown = capsys.readouterr().out
    assert "random" in shown
    assert "2: p99" in shown
