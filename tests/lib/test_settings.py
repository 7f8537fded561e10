from __future__ import annotations

import dataclasses
import pathlib

import pytest

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample."""

    port: int = settings.field(8888, env="SAMPLE_PORT", help="port of the sample")
    wait: float = settings.field(30.0, env="SAMPLE_WAIT", help="how long to wait, in seconds")
    tls: bool = settings.field(False, env="SAMPLE_TLS", help="whether to encrypt")
    home: pathlib.Path | None = settings.field(None, env="SAMPLE_HOME", help="where files go")
    name: str = settings.field("x", help="no variable fills this one")


def test_defaults_stand_where_nothing_is_said() -> None:
    assert settings.load(Sample, {}) == Sample()


def test_a_given_value_wins_over_the_environment_and_that_over_the_default() -> None:
    environ = {"SAMPLE_PORT": "1", "SAMPLE_WAIT": "2m", "SAMPLE_TLS": "yes", "SAMPLE_HOME": "/h"}
    loaded = settings.load(Sample, environ, port=7, name=None)
    assert loaded == Sample(port=7, wait=120.0, tls=True, home=pathlib.Path("/h"))


def test_an_empty_variable_says_nothing() -> None:
    assert settings.load(Sample, {"SAMPLE_PORT": ""}).port == 8888


@pytest.mark.parametrize("name", ["SAMPLE_PORT", "SAMPLE_WAIT", "SAMPLE_TLS"])
def test_a_bad_value_names_its_variable_and_what_it_means(name: str) -> None:
    with pytest.raises(settings.SettingError, match=name) as caught:
        settings.load(Sample, {name: "soon"})
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("30", 30), ("0", 0), ("1.5s", 1.5), ("250ms", 0.25), ("2m", 120), ("1h30m", 5400), ("1m1s", 61)],
)
def test_durations(text: str, value: float) -> None:
    assert settings.seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "-1", "1 s", "1d", "1s2", "nan", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        settings.seconds(text)


def test_the_reference_names_every_field() -> None:
    page = settings.reference([Sample])
    for each in dataclasses.fields(Sample):
        assert f"| `{each.name}` |" in page
    assert "`SAMPLE_PORT` | int | `8888` | port of the sample |" in page


def test_a_home_is_not_named() -> None:
    @dataclasses.dataclass(frozen=True)
    class Housed:
        """Lives somewhere."""

        place: pathlib.Path = settings.field(pathlib.Path.home() / "bricks", help="Where.")

    assert "`~/bricks`" in settings.reference([Housed])


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_number_out_of_its_range_is_refused_whoever_says_it(port: int) -> None:
    @dataclasses.dataclass(frozen=True)
    class Listener:
        port: int = settings.field(1, env="PORT", help="Where.", within=settings.PORTS)

    said = f"PORT={port} is not valid: write a number from 0 to 65535"
    with pytest.raises(settings.SettingError, match=said):
        settings.load(Listener, {"PORT": str(port)})
    with pytest.raises(settings.SettingError, match=said):
        settings.load(Listener, {}, port=port)
    assert settings.load(Listener, {"PORT": "65535"}).port == 65535


def test_a_word_is_no_number() -> None:
    with pytest.raises(settings.SettingError, match="SAMPLE_PORT='many' is not valid: write a whole number"):
        settings.load(Sample, {"SAMPLE_PORT": "many"})


def test_a_secret_is_not_shown() -> None:
    @dataclasses.dataclass(frozen=True)
    class Guarded:
        token: str = settings.field("", env="TOKEN", help="Hush.", secret=True)

    loaded = settings.load(Guarded, {"TOKEN": "hush-1"})
    assert loaded.token == "hush-1"
    assert "hush-1" not in repr(loaded)
