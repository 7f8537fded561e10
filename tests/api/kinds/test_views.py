from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import errors
from brickyard.api.kinds import forms, views
from brickyard.lib import errors as root


class Place(views.View):
    """A place."""

    city = views.text("Where.").required()
    street_name = views.text("Which street.")


class Guest(views.View, max_properties=3):
    """A guest."""

    name = views.text("Who.").required()
    age = views.integer("How old, in years.", minimum=0).absent(18)


class Party(views.View):
    """A party."""

    title = views.text("What it is called.")
    host = views.text("Who invites.").required()
    seats = views.integer("Chairs.").default(4)
    dance = views.boolean("Whether there is music.").absent(False)
    cake_url = views.text("Where the cake is.").named("cakeURL")
    share = views.int_or_text("How much each pays.")
    budget = views.quantity("How much all pay.")
    place = views.part("Where it is.", Place).absent({})
    garden = views.part("Where it is in summer.", Place)
    kitchen = views.part("Where the food is.", Place).default({"city": "Rome"})
    guests = views.parts("Who comes.", Guest, keys=("name",))
    tags = views.listed("Words.", forms.text(), max_items=3)
    notes = views.mapped("Remarks, by author.", forms.text())
    menu = views.opened("Anything.")
    old = views.text("Write title.").deprecated()


def test_a_field_said_nothing_of_is_none_when_absent() -> None:
    party = Party({})
    assert (party.title, party.share, party.budget, party.garden, party.menu) == (None, None, None, None, None)


def test_lists_and_maps_are_empty_when_absent() -> None:
    party = Party({})
    assert (tuple(party.guests), tuple(party.tags), dict(party.notes)) == ((), (), {})


def test_a_default_and_what_absence_means_are_read() -> None:
    party = Party({})
    assert (party.seats, party.dance, party.kitchen.city) == (4, False, "Rome")
    assert party.data == {}, "reading writes nothing"


def test_a_required_field_that_is_absent_is_an_error_with_its_path() -> None:
    with pytest.raises(errors.MalformedError) as caught:
        _ = Party({}).host
    assert (caught.value.path, caught.value.detail) == ("host", "is required")
    assert str(caught.value) == "host: is required"
    with pytest.raises(errors.MalformedError, match=r"^place\.city: is required$"):
        _ = Party({}).place.city


def test_null_counts_as_absent() -> None:
    data = {"title": None, "seats": None, "guests": None, "notes": None, "place": None, "garden": None, "host": None}
    party = Party(data)
    assert (party.title, party.seats, tuple(party.guests), dict(party.notes), party.garden) == (None, 4, (), {}, None)
    with pytest.raises(errors.MalformedError):
        _ = party.host
    with pytest.raises(errors.MalformedError):
        _ = party.place.city


def test_names_are_camel_case_or_as_said() -> None:
    party = Party({"cakeURL": "x", "place": {"streetName": "y"}})
    assert (party.cake_url, party.place.street_name) == ("x", "y")


WRONG = [
    ("title", 5, "title: must be a string, not a number"),
    ("seats", "4", "seats: must be a whole number, not a string"),
    ("seats", True, "seats: must be a whole number, not a boolean"),
    ("seats", 4.5, "seats: must be a whole number, not a number"),
    ("dance", "yes", "dance: must be true or false, not a string"),
    ("share", [], "share: must be a whole number or a string, not a list"),
    ("budget", {}, "budget: must be a quantity, not an object"),
    ("place", "Rome", "place: must be an object, not a string"),
    ("guests", {}, "guests: must be a list, not an object"),
    ("guests", [{}, None], "guests[1]: must be an object, not null"),
    ("tags", ["a", 1], "tags[1]: must be a string, not a number"),
    ("notes", {"ann": 1}, "notes[ann]: must be a string, not a number"),
    ("notes", [], "notes: must be an object, not a list"),
    ("menu", [], "menu: must be an object, not a list"),
]


@pytest.mark.parametrize(("name", "value", "text"), WRONG, ids=[row[2] for row in WRONG])
def test_a_value_of_another_form_is_told_with_its_path(name: str, value: Any, text: str) -> None:
    with pytest.raises(errors.MalformedError) as caught:
        getattr(Party({name: value}), name)
    assert str(caught.value) == text
    assert isinstance(caught.value, root.BrickyardError)


def test_paths_lead_through_lists() -> None:
    party = Party({"guests": [{"name": "ann"}, {"age": "old"}]}, path="spec")
    with pytest.raises(errors.MalformedError, match=r"^spec\.guests\[1\]\.age: must be a whole number"):
        _ = party.guests[1].age
    with pytest.raises(errors.MalformedError, match=r"^spec\.guests\[1\]\.name: is required"):
        _ = party.guests[1].name


def test_what_is_wrong_with_one_field_does_not_hide_another() -> None:
    party = Party({"seats": "many", "title": "ball"})
    assert party.title == "ball"


def test_the_value_itself_is_not_told() -> None:
    with pytest.raises(errors.MalformedError) as caught:
        _ = Party({"seats": "secret"}).seats
    assert "secret" not in str(caught.value)


def test_whole_floats_are_whole_numbers() -> None:
    assert Party({"seats": 8.0}).seats == 8
    assert isinstance(Party({"seats": 8.0}).seats, int)


def test_writing_changes_the_dict_and_leaves_the_rest() -> None:
    data = {"host": "ann", "unknown": {"deep": [1]}}
    party = Party(data)
    party.seats = 6
    party.cake_url = "http://cake"
    party.tags = ["a", "b"]
    party.notes = {"ann": "late"}
    assert data == {
        "host": "ann",
        "unknown": {"deep": [1]},
        "seats": 6,
        "cakeURL": "http://cake",
        "tags": ["a", "b"],
        "notes": {"ann": "late"},
    }


def test_none_and_del_take_a_field_out() -> None:
    data = {"title": "x", "host": "ann"}
    party = Party(data)
    party.title = None
    del party.host
    party.cake_url = None
    assert data == {}


def test_a_value_of_another_form_is_not_written() -> None:
    party = Party({"seats": 1})
    wrong: Any = "many"
    with pytest.raises(errors.MalformedError, match="seats: must be a whole number"):
        party.seats = wrong
    with pytest.raises(errors.MalformedError, match="place: must be a Place, not an object"):
        party.place = {"city": "Rome"}  # type: ignore[assignment]  # the error at run time is what is tested
    assert party.data == {"seats": 1}


def test_parts_that_are_there_write_into_the_object() -> None:
    data = {"place": {"city": "Rome"}, "guests": [{"name": "ann"}]}
    party = Party(data)
    party.place.street_name = "Via Appia"
    party.guests[0].age = 30
    assert data == {"place": {"city": "Rome", "streetName": "Via Appia"}, "guests": [{"name": "ann", "age": 30}]}


def test_an_absent_part_joins_the_object_with_the_first_write() -> None:
    data: dict[str, Any] = {}
    place = Party(data).place
    place.street_name = None
    assert data == {}, "taking out nothing writes nothing"
    place.city = "Oslo"
    place.street_name = "Karl Johans gate"
    assert data == {"place": {"city": "Oslo", "streetName": "Karl Johans gate"}}


def test_two_views_of_an_absent_part_see_the_same() -> None:
    party = Party({})
    first, second = party.place, party.place
    first.city = "Oslo"
    assert second.city == "Oslo"
    second.street_name = "x"
    assert party.data == {"place": {"city": "Oslo", "streetName": "x"}}
    assert first.street_name == "x"


def test_a_part_in_place_of_null_joins_the_object() -> None:
    party = Party({"place": None})
    party.place.city = "Oslo"
    assert party.data == {"place": {"city": "Oslo"}}


def test_a_default_part_joins_as_a_whole_and_is_not_shared() -> None:
    party = Party({})
    party.kitchen.street_name = "x"
    assert party.data == {"kitchen": {"city": "Rome", "streetName": "x"}}
    assert Party({}).kitchen.data == {"city": "Rome"}


class Street(views.View):
    """A street."""

    party = views.part("The party.", Party).absent({})


def test_absent_parts_of_absent_parts_join_together() -> None:
    street = Street({})
    street.party.place.city = "Oslo"
    assert street.data == {"party": {"place": {"city": "Oslo"}}}


def test_lists_of_parts_are_made_of_views() -> None:
    party = Party({"guests": [{"name": "ann", "hat": "red"}]})
    bob = Guest()
    bob.name = "bob"
    party.guests = [*party.guests, bob]
    assert party.data == {"guests": [{"name": "ann", "hat": "red"}, {"name": "bob"}]}
    party.guests = []
    assert party.data == {"guests": []}


def test_a_part_can_be_set_as_a_whole() -> None:
    party, place = Party({}), Place({"city": "Oslo", "note": 1})
    party.garden = place
    assert party.data == {"garden": {"city": "Oslo", "note": 1}}


def test_an_opened_part_is_the_dict_itself() -> None:
    party = Party({"menu": {"soup": 1}})
    assert party.menu is not None
    party.menu["fish"] = 2
    assert party.data == {"menu": {"soup": 1, "fish": 2}}


def test_a_view_shows_itself() -> None:
    assert repr(Place({"city": "Oslo"})) == "Place({'city': 'Oslo'})"


def test_the_class_gives_the_field() -> None:
    assert Party.seats.declared.name == "seats"
    assert list(Place.fields) == ["city", "street_name"]


def test_fields_are_inherited() -> None:
    class Home(Place):
        """A place to live."""

        rooms = views.integer("How many.")

    assert list(Home.fields) == ["city", "street_name", "rooms"]
    assert list(Place.fields) == ["city", "street_name"]


def test_a_default_must_fit_its_field() -> None:
    with pytest.raises(errors.MalformedError, match="default: must be a whole number"):
        views.integer("x").default("4")
    with pytest.raises(errors.MalformedError, match="absent: must be a string"):
        views.text("x").absent(4)


def test_the_schema_says_what_was_declared() -> None:
    schema = Party.schema()
    properties = schema["properties"]
    assert schema["type"] == "object"
    assert schema["required"] == ["host"]
    assert properties["title"] == {"description": "What it is called.", "type": "string"}
    assert properties["seats"] == {"description": "Chairs.", "type": "integer", "format": "int32", "default": 4}
    assert properties["dance"] == {"description": "Whether there is music.", "type": "boolean"}
    assert properties["share"]["x-kubernetes-int-or-string"] is True
    assert properties["budget"]["pattern"] == forms.QUANTITY_PATTERN
    assert "default" not in properties["place"]
    assert properties["kitchen"]["default"] == {"city": "Rome"}
    assert properties["guests"]["x-kubernetes-list-type"] == "map"
    assert properties["guests"]["x-kubernetes-list-map-keys"] == ["name"]
    assert properties["guests"]["items"]["maxProperties"] == 3
    assert properties["guests"]["items"]["properties"]["age"]["minimum"] == 0
    assert properties["tags"] == {
        "description": "Words.",
        "type": "array",
        "items": {"type": "string"},
        "maxItems": 3,
    }
    assert properties["notes"]["additionalProperties"] == {"type": "string"}
    assert properties["menu"]["x-kubernetes-preserve-unknown-fields"] is True
    assert properties["old"]["description"] == "Deprecated: Write title."


def test_each_schema_is_fresh() -> None:
    before = copy.deepcopy(Party.schema())
    changed = Party.schema()
    changed["properties"]["guests"]["items"]["properties"].clear()
    changed["properties"]["kitchen"]["default"]["city"] = "Oslo"
    changed["properties"]["guests"]["x-kubernetes-list-map-keys"].append("age")
    assert Party.schema() == before


def test_options_of_a_view_stand_in_its_schema() -> None:
    class Whole(views.View, atomic=True, open=True):
        """Owned as a whole."""

    assert Whole.schema() == {
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": True,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("ab", max_size=2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("ab"), below, max_size=3),
    max_leaves=6,
)
NAMES = [each.declared.name for each in Party.fields.values()]


def walk(view: views.View) -> None:
    """Read every field, and every field of every part."""
    for name in type(view).fields:
        try:
            found = getattr(view, name)
        except errors.MalformedError:
            continue
        for each in found if isinstance(found, tuple) else (found,):
            if isinstance(each, views.View):
                walk(each)


@given(st.dictionaries(st.sampled_from([*NAMES, "other"]), JSON | st.fixed_dictionaries({"city": JSON, "name": JSON})))
def test_whatever_stands_there_reading_gives_a_value_or_one_clear_error(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    walk(Party(data))
    assert data == before


@given(st.dictionaries(st.sampled_from(["a", "b", "title", "place"]), JSON), st.text(max_size=3), st.integers(0, 99))
def test_a_write_changes_its_field_and_no_other(data: dict[str, Any], title: str, seats: int) -> None:
    before = copy.deepcopy(data)
    party = Party(data)
    party.title, party.seats = title, seats
    assert (party.title, party.seats) == (title, seats)
    assert {name: each for name, each in data.items() if name not in ("title", "seats")} == {
        name: each for name, each in before.items() if name != "title"
    }
    party.title = party.seats = None  # type: ignore[assignment]  # a field with a default can be taken out like any other
    assert data == {name: each for name, each in before.items() if name != "title"}


@given(st.lists(st.fixed_dictionaries({"name": st.text(max_size=2)}, optional={"hat": JSON}), max_size=4))
def test_a_list_read_and_written_back_is_the_same_list(guests: list[dict[str, Any]]) -> None:
    party = Party({"guests": copy.deepcopy(guests)})
    party.guests = party.guests
    assert party.data == {"guests": guests}
