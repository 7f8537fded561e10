"""``brickyard controllers`` takes the command lines of AIBrix' Deployments."""

from __future__ import annotations

import pathlib

import pytest
from typer.testing import CliRunner

from brickyard.assembly import controllers
from brickyard.cli import main
from brickyard.kube.objects import meta
from brickyard.lib import errors

SHIPPED = (
    "--leader-elect --health-probe-bind-address=:8081 --metrics-bind-address=:8080 --enable-runtime-sidecar",
    "-leader-elect=true -metrics-bind-address=:8080 -health-probe-bind-address=:8081 -enable-runtime-sidecar=true",
    (
        "--controllers=pod-autoscaler-controller --leader-elect --leader-election-id=aibrix-pod-autoscaler-controller "
        "--disable-webhook=true"
    ),
    "--controllers=model-adapter-controller --model-adapter-scheduler-policy least-latency --debug-mode",
    (
        "--leader-election-lease-duration=15s --leader-election-renew-deadline=10s --kube-api-qps=100 --kube-api-burst=100 "
        "--metrics-secure=false --enable-http2=false"
    ),
)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[controllers.Said]:
    """What the command would have run with; nothing runs."""
    found: list[controllers.Said] = []

    async def serve(given: controllers.Said, *_: object, **__: object) -> None:
        found.append(given)

    monkeypatch.setattr(controllers, "serve", serve)
    return found


@pytest.mark.parametrize("line", SHIPPED)
def test_shipped_command_lines_start_it(line: str, said: list[controllers.Said]) -> None:
    result = CliRunner().invoke(main.app, ["controllers", *line.split()])
    assert result.exit_code == 0, result.output
    assert said[0].elect is ("leader-elect" in line.replace("leader-election", ""))


def test_what_is_said_arrives(said: list[controllers.Said]) -> None:
    CliRunner().invoke(main.app, ["controllers", *SHIPPED[2].split(), "--kubeconfig", "/x"])
    [given] = said
    assert given.lease == meta.Key("aibrix-system", "aibrix-pod-autoscaler-controller")
    assert (given.kubeconfig, given.controllers) == (pathlib.Path("/x"), "pod-autoscaler-controller")


def test_addresses_of_the_shipped_line(said: list[controllers.Said]) -> None:
    CliRunner().invoke(main.app, ["controllers", *SHIPPED[0].split()])
    assert (said[0].metrics_address, said[0].probes_address) == (":8080", ":8081")


def test_other_flags_are_refused(said: list[controllers.Said]) -> None:
    result = CliRunner().invoke(main.app, ["controllers", "--enable-everything"])
    assert result.exit_code == 2
    assert said == []


def test_a_span_that_is_none(said: list[controllers.Said]) -> None:
    result = CliRunner().invoke(main.app, ["controllers", "--leader-election-lease-duration", "soon"])
    assert isinstance(result.exception, errors.UsageError)
    assert said == []
