import json
import pathlib
import sys

import pytest

from bench import peers, systems


def place(folder: pathlib.Path) -> peers.Place:
    return peers.Place(4000, ["127.0.1.1:5000", "127.0.1.2:5000"], 4001, folder)


@pytest.mark.parametrize("name", peers.PEERS)
def test_every_peer_knows_its_port_and_all_its_workers(name: str, tmp_path: pathlib.Path) -> None:
    command = peers.PEERS[name].command(place(tmp_path))
    told = " ".join([*command, *(file.read_text() for file in tmp_path.iterdir())])
    assert "4000" in told
    assert "127.0.1.1" in told
    assert "127.0.1.2" in told


def test_envoys_configuration_names_each_worker_once(tmp_path: pathlib.Path) -> None:
    text = json.dumps(peers.envoy_config(place(tmp_path)))
    assert text.count('"port_value": 5000') == 2


def test_a_peer_that_ends_at_once_is_left_out_and_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "_command", lambda name, port, fleet, folder: [*SERVE, str(port)][: GONE.get(name)])
    monkeypatch.setitem(GONE, "envoy", 1)
    with systems.systems(["envoy"], systems.Fleet(1, 1, "random"), tmp_path) as (made, failed):
        assert [each.name for each in made] == [systems.DIRECT, systems.FLOOR, systems.OURS]
        assert failed.keys() == {"envoy"}
        assert "cannot be started" in failed["envoy"]
        running = [each.process for each in made if each.process is not None]
    assert not any(process.is_running() for process in running)


ANSWER = """
import http.server as h, sys
class A(h.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200); self.end_headers()
h.HTTPServer(('127.0.0.1', int(sys.argv[1])), A).serve_forever()
"""
SERVE = [sys.executable, "-c", ANSWER]
GONE: dict[str, int] = {}


def test_workers_are_addresses_of_the_loopback_net() -> None:
    assert systems.Fleet(99, 3, "random").workers == ["127.0.1.1:99", "127.0.1.2:99", "127.0.1.3:99"]
