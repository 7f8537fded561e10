"""Loopback addresses of pods."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import addresses, errors


@given(st.lists(st.text(max_size=40), unique=True, max_size=60))
def test_every_pod_has_its_own_and_it_follows_from_the_uid(uids: list[str]) -> None:
    one, two = addresses.Addresses(), addresses.Addresses()
    claimed = [one.claim(uid) for uid in uids]
    assert len(set(claimed)) == len(uids)
    assert all(ipaddress.IPv4Address(each) in addresses.NETWORK for each in claimed)
    assert all(each.rpartition(".")[2] not in ("0", "255") for each in claimed)
    assert claimed == [two.claim(uid) for uid in uids]


def test_asking_again_gives_the_same() -> None:
    table = addresses.Addresses()
    assert table.claim("a") == table.claim("a", wanted="127.64.9.9")


def test_a_wanted_address_is_given_when_it_is_free() -> None:
    table = addresses.Addresses()
    assert table.claim("a", "127.64.0.7") == "127.64.0.7"
    assert table.claim("b", "127.64.0.7") != "127.64.0.7"


@pytest.mark.parametrize("wanted", ["", "10.0.0.1", "127.0.0.1", "no address"])
def test_what_is_not_ours_is_not_given(wanted: str) -> None:
    assert ipaddress.IPv4Address(addresses.Addresses().claim("a", wanted)) in addresses.NETWORK


def test_a_released_address_can_be_had_again() -> None:
    table = addresses.Addresses()
    table.claim("a", "127.64.0.7")
    table.release("a")
    assert table.claim("b", "127.64.0.7") == "127.64.0.7"


def test_a_collision_moves_on() -> None:
    table = addresses.Addresses()
    first = addresses.Addresses().claim("a")
    table.claim("other", first)
    assert table.claim("a") != first


def test_running_out_is_an_error() -> None:
    table = addresses.Addresses(limit=1)
    first = table.claim("a")
    table.release("a")
    table.claim("other", first)
    with pytest.raises(errors.NoAddress, match=r"1 of .+ are in use"):
        table.claim("a")


def test_the_machine_lets_us_bind() -> None:
    with socket.create_server((addresses.Addresses().claim("a"), 0)) as listener:
        assert listener.getsockname()[0].startswith("127.")
