import orjson
import pytest

from brickyard.engines import eventbus

ADDRESS = "127.64.0.7"
HERE = f"tcp://[::ffff:{ADDRESS}]:"
ON = '{"enable_kv_cache_events": true, "publisher": "zmq"'


@pytest.mark.parametrize(
    ("config", "endpoints"),
    [
        (ON + ', "endpoint": "tcp://*:5557"}', {"endpoint": f"{HERE}5557"}),
        (ON + ', "replay_endpoint": "tcp://*:5558"}', {"endpoint": f"{HERE}5557", "replay_endpoint": f"{HERE}5558"}),
        (ON + "}", {"endpoint": f"{HERE}5557"}),
        (ON + ', "endpoint": "tcp://collector:5557"}', {"endpoint": "tcp://collector:5557"}),
        (ON + ', "endpoint": "ipc:///run/events"}', {"endpoint": "ipc:///run/events"}),
        ('{"endpoint": "tcp://*:1"}', {"endpoint": f"{HERE}1"}),
        ('{"enable_kv_cache_events": false}', {}),
    ],
)
@pytest.mark.parametrize("joined", [True, False])
def test_endpoints_move_to_the_pod(config: str, endpoints: dict[str, str], joined: bool) -> None:
    argv = (f"--kv-events-config={config}",) if joined else ("--kv-events-config", config)
    moved = eventbus.bound((*argv, "--port", "1"), ADDRESS)
    assert moved[-2:] == ("--port", "1")
    text = moved[0].partition("=")[2] if joined else moved[1]
    found = orjson.loads(text)
    assert {name: found[name] for name in found if name.endswith("endpoint")} == endpoints
    rest = {name: value for name, value in orjson.loads(config).items() if not name.endswith("endpoint")}
    assert rest.items() <= found.items()


@pytest.mark.parametrize(
    ("argv", "moved"),
    [
        (("--kv-events-config.endpoint", "tcp://*:5"), ("--kv-events-config.endpoint", f"{HERE}5")),
        (("--kv-events-config.replay_endpoint=tcp://*:5",), (f"--kv-events-config.replay_endpoint={HERE}5",)),
        (("--kv_events_config.endpoint", "tcp://*:5"), ("--kv_events_config.endpoint", f"{HERE}5")),
        (("--kv-events-config.topic", "tcp://*:5"), ("--kv-events-config.topic", "tcp://*:5")),
        (("--other", "tcp://*:5"), ("--other", "tcp://*:5")),
        (("--kv-events-config", "no json"), ("--kv-events-config", "no json")),
        (("--kv-events-config", "[1]"), ("--kv-events-config", "[1]")),
        (("--kv-events-config", '{"publisher": "null"}'), ("--kv-events-config", '{"publisher": "null"}')),
        (("--kv-events-config",), ("--kv-events-config",)),
        (("--kv-events-config", "--port", "1"), ("--kv-events-config", "--port", "1")),
    ],
)
def test_what_is_no_configuration_stays(argv: tuple[str, ...], moved: tuple[str, ...]) -> None:
    assert eventbus.bound(argv, ADDRESS) == moved
