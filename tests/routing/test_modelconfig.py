"""Whose wish a request's strategy is, and which profile it gets."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import errors, modelconfig

NOBODY_KNOWS = modelconfig.Features(None, None)


def config(**written: Any) -> modelconfig.ModelConfig:
    return modelconfig.parse(orjson.dumps(written).decode())


def profiles(**hints: dict[str, Any]) -> modelconfig.ModelConfig:
    return config(profiles={name: {"routingStrategy": name, "routingConfig": given} for name, given in hints.items()})


class TestReading:
    def test_all_of_it(self) -> None:
        read = config(
            lockedRoutingStrategy=" least-request ",
            defaultProfile="short",
            profiles={
                "short": {"routingStrategy": " random ", "requestsPerSecond": 20, "routingConfig": {"x": [1, 2]}}
            },
        )
        assert (read.locked, read.default) == ("least-request", "short")
        assert read.profiles["short"] == modelconfig.ConfigProfile("random", 20, {"x": [1, 2]})

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ({}, modelconfig.ConfigProfile()),
            ({"routingStrategy": None, "routingConfig": None}, modelconfig.ConfigProfile()),
            ({"requestsPerSecond": 1}, modelconfig.ConfigProfile("", 1)),
            ({"requestsPerSecond": 0}, modelconfig.ConfigProfile()),
            ({"requestsPerSecond": -3}, modelconfig.ConfigProfile()),
            ({"routingConfig": [1]}, modelconfig.ConfigProfile()),
            ({"a field of tomorrow": 1}, modelconfig.ConfigProfile()),
        ],
    )
    def test_what_may_be_missing(self, written: dict[str, Any], read: modelconfig.ConfigProfile) -> None:
        assert config(profiles={"default": written}).profiles["default"] == read

    def test_absent_means_the_profile_called_default(self) -> None:
        assert config() == modelconfig.ModelConfig("", "default", {})

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "cannot be read"),
            ("{", "cannot be read"),
            ("[]", "cannot be read"),
            ('{"profiles": []}', r"\$\.profiles"),
            ('{"profiles": {"a": {"requestsPerSecond": "many"}}}', "requestsPerSecond"),
            ('{"lockedRoutingStrategy": 3}', "lockedRoutingStrategy"),
            ('{"x": "' + "y" * 70000 + '"}', "too long"),
        ],
    )
    def test_what_cannot_be_read_says_where(self, text: str, complaint: str) -> None:
        with pytest.raises(errors.ModelConfigError, match=complaint):
            modelconfig.parse(text)

    def test_an_annotation_as_long_as_may_be_is_read(self) -> None:
        text = '{"lockedRoutingStrategy": "random"}'
        assert modelconfig.parse(text.ljust(modelconfig.LONGEST)).locked == "random"
        with pytest.raises(errors.ModelConfigError, match="65537 characters is too long: at most 65536"):
            modelconfig.parse(text.ljust(modelconfig.LONGEST + 1))

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        with contextlib.suppress(errors.ModelConfigError):
            assert isinstance(modelconfig.parse(text), modelconfig.ModelConfig)

    def test_the_label_of_earlier_releases(self) -> None:
        read = modelconfig.of_label(" random ")
        assert modelconfig.choose(read, "", "", "x", NOBODY_KNOWS).strategy == "random"


class TestPrecedence:
    """Given who says what, then whose strategy it is."""

    @pytest.mark.parametrize(
        ("locked", "header", "profile", "strategy", "source"),
        [
            ("L", "H", "P", "L", "locked"),
            ("L", "", "", "L", "locked"),
            ("", "H", "P", "H", "header"),
            ("", "H", "", "H", "header"),
            ("", "", "P", "P", "profile"),
            ("", "", "", "D", "default"),
            (" ", " ", " ", "D", "default"),
            ("", "  H ", "P", "H", "header"),
        ],
    )
    def test_rows(self, locked: str, header: str, profile: str, strategy: str, source: str) -> None:
        given = config(lockedRoutingStrategy=locked, profiles={"default": {"routingStrategy": profile}})
        made = modelconfig.choose(given, header, "", "D", NOBODY_KNOWS)
        assert (made.strategy, made.source) == (strategy, source)

    def test_a_lock_holds_without_any_profile(self) -> None:
        made = modelconfig.choose(config(lockedRoutingStrategy="L"), "H", "x", "D", NOBODY_KNOWS)
        assert made == modelconfig.Choice("L", "locked")

    @pytest.mark.parametrize(("header", "strategy", "source"), [("H", "H", "header"), (" ", "D", "default")])
    def test_without_configuration(self, header: str, strategy: str, source: str) -> None:
        made = modelconfig.choose(None, header, "short", "D", NOBODY_KNOWS)
        assert made == modelconfig.Choice(strategy, source)


class TestProfiles:
    GIVEN = config(
        defaultProfile="usual",
        profiles={"usual": {"routingStrategy": "u"}, "short": {"routingStrategy": "s", "requestsPerSecond": 3}},
    )

    @pytest.mark.parametrize(
        ("wanted", "name"),
        [
            ("short", "short"),
            (" short ", "short"),
            ("", "usual"),
            ("nobody", "usual"),
            ("usual", "usual"),
            ("auto", "usual"),
        ],
    )
    def test_by_name(self, wanted: str, name: str) -> None:
        made = modelconfig.choose(self.GIVEN, "", wanted, "D", NOBODY_KNOWS)
        assert made.name == name
        assert made.profile is self.GIVEN.profiles[name]
        assert made.strategy == name[0]

    def test_the_default_one_may_not_exist(self) -> None:
        made = modelconfig.choose(config(profiles={"a": {"routingStrategy": "x"}}), "", "", "D", NOBODY_KNOWS)
        assert made == modelconfig.Choice("D", "default")

    def test_one_without_a_strategy_still_limits(self) -> None:
        given = config(profiles={"default": {"requestsPerSecond": 3}})
        made = modelconfig.choose(given, "", "", "D", NOBODY_KNOWS)
        assert made == modelconfig.Choice("D", "default", "default", given.profiles["default"])

    def test_one_without_a_name_is_not_what_no_header_asks_for(self) -> None:
        given = config(profiles={"": {"routingStrategy": "nameless"}, "default": {"routingStrategy": "d"}})
        for asked in ("", " ", "auto"):
            assert modelconfig.choose(given, "", asked, "D", NOBODY_KNOWS).strategy == "d"

    def test_the_profile_counts_even_when_its_strategy_does_not(self) -> None:
        made = modelconfig.choose(self.GIVEN, "H", "short", "D", NOBODY_KNOWS)
        assert (made.strategy, made.name) == ("H", "short")
        assert made.profile is not None
        assert made.profile.requests_per_second == 3


class TestAuto:
    """Given profiles with hints and a request, then the most specific one whose hints all hold."""

    @pytest.mark.parametrize(
        ("prompt", "most", "hints", "name"),
        [
            (100, None, {"a": {"promptTokensGte": 100}, "b": {}}, "a"),
            (99, None, {"a": {"promptTokensGte": 100}, "b": {}}, ""),
            (99, None, {"a": {"promptTokensLt": 100}}, "a"),
            (100, None, {"a": {"promptTokensLt": 100}}, ""),
            (5, 50, {"a": {"maxTokensGte": 50}, "b": {"maxTokensLt": 50}}, "a"),
            (5, 49, {"a": {"maxTokensGte": 50}, "b": {"maxTokensLt": 50}}, "b"),
            (5, None, {"a": {"maxTokensLt": 50}}, ""),
            (None, 5, {"a": {"promptTokensLt": 50}}, ""),
            (50, None, {"a": {"promptTokensGte": 1}, "b": {"promptTokensGte": 1, "promptTokensLt": 100}}, "b"),
            (50, None, {"a": {"promptTokensGte": 1}, "b": {"promptTokensGte": 40}}, "b"),
            (50, None, {"a": {"promptTokensLt": 100}, "b": {"promptTokensLt": 60}}, "b"),
            (50, 9, {"a": {"maxTokensGte": 1}, "b": {"maxTokensGte": 8}}, "b"),
            (50, 9, {"a": {"maxTokensLt": 100}, "b": {"maxTokensLt": 10}}, "b"),
            (50, None, {"b": {"promptTokensGte": 1}, "a": {"promptTokensGte": 1}}, "a"),
            (50, None, {"a": {"promptTokensGte": "many"}}, ""),
            (50, None, {"a": {"promptTokensGte": True}}, ""),
            (50, None, {"a": {"promptTokensGte": None, "promptTokensLt": 60}}, "a"),
            (0, None, {"a": {"promptTokensGte": 0}}, "a"),
            (50, None, {"a": {"promptTokensGte": 0}, "b": {"promptTokensGte": 1}}, "b"),
            (50, 9, {"a": {"maxTokensGte": 0}, "b": {"maxTokensGte": 1}}, "b"),
            (50, None, {"a": {"promptTokensGte": 0}, "b": {"promptTokensLt": 100}}, "b"),
            (50, 9, {"a": {"maxTokensGte": 0}, "b": {"maxTokensLt": 10}}, "b"),
            (50, 9, {"a": {"promptTokensGte": 1, "maxTokensGte": 10}}, ""),
            (50, 9, {"a": {"promptTokensGte": 51, "maxTokensGte": 9}}, ""),
            (50, None, {"a": {"promptTokensGte": 1, "maxTokensGte": 1}}, ""),
        ],
    )
    def test_rows(self, prompt: int | None, most: int | None, hints: dict[str, Any], name: str) -> None:
        features = modelconfig.Features(prompt, most)
        for word in ("auto", "AUTO", " Auto "):
            assert modelconfig.choose(profiles(**hints), "", word, "D", features).name == name

    def test_nothing_fits_so_the_default_one_does(self) -> None:
        given = config(
            defaultProfile="usual", profiles={"usual": {}, "long": {"routingConfig": {"promptTokensGte": 9000}}}
        )
        assert modelconfig.choose(given, "", "auto", "D", modelconfig.Features(5, None)).name == "usual"

    def test_a_bound_beyond_every_float_is_a_bound(self) -> None:
        text = '{"profiles": {"any": {"routingConfig": {"promptTokensLt": 1%s}}}}' % ("0" * 400)
        assert modelconfig.choose(modelconfig.parse(text), "", "auto", "D", modelconfig.Features(5, None)).name == "any"

    def test_hints_are_looked_at_for_auto_only(self) -> None:
        given = profiles(default={}, long={"promptTokensGte": 1})
        assert modelconfig.choose(given, "", "", "D", modelconfig.Features(50, None)).name == "default"

    @given(st.integers(0, 1000), st.integers(0, 1000), st.permutations(["a", "b", "c", "d"]))
    def test_the_order_in_which_profiles_are_written_does_not_matter(
        self, prompt: int, most: int, order: list[str]
    ) -> None:
        hints: dict[str, dict[str, Any]] = {
            "a": {"promptTokensGte": 100},
            "b": {"promptTokensLt": 500, "maxTokensLt": 300},
            "c": {"promptTokensLt": 500, "maxTokensGte": 200},
            "d": {"maxTokensLt": 900},
        }
        features = modelconfig.Features(prompt, most)
        one = modelconfig.choose(profiles(**hints), "", "auto", "D", features)
        other = modelconfig.choose(profiles(**{name: hints[name] for name in order}), "", "auto", "D", features)
        assert one.name == other.name
