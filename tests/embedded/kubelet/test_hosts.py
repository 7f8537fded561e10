"""What a pod's ``/etc/hosts`` says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import hosts
from brickyard.embedded.kubelet.testing import pod


def service(name: str = "web", namespace: str = "shop", **spec: Any) -> resources.Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": "127.128.0.5", **spec}}


def endpoints(name: str, *found: dict[str, Any], namespace: str = "shop", family: str = "IPv4") -> resources.Object:
    labels = {hosts.SERVICE_NAME: name}
    return {
        "metadata": {"name": f"{name}-x", "namespace": namespace, "labels": labels},
        "addressType": family,
        "endpoints": list(found),
    }


def endpoint(address: str, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"addresses": [address], "conditions": {"ready": ready}, **more}


def table(text: str) -> dict[str, list[str]]:
    """Name → addresses, as the C library would find them."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name, []).append(address)
    return found


def known(namespace: str, services: list[resources.Object], *slices: resources.Object) -> dict[str, list[str]]:
    return table(hosts.lines(hosts.entries(services, slices), namespace))


FORMS = ["web.shop", "web.shop.svc", "web.shop.svc.cluster.local"]


def test_a_service_has_all_its_names_at_home_and_the_long_ones_elsewhere() -> None:
    address = ["127.128.0.5"]
    assert known("shop", [service()]) == dict.fromkeys(["web", *FORMS], address)
    assert known("other", [service()]) == dict.fromkeys(FORMS, address)


def test_of_two_services_of_one_name_each_namespace_has_its_own() -> None:
    both = [service(), service(namespace="other", clusterIP="127.128.0.6")]
    assert known("shop", both)["web"] == ["127.128.0.5"]
    assert known("other", both)["web"] == ["127.128.0.6"]


def test_a_headless_service_is_its_ready_pods() -> None:
    slices = endpoints("web", endpoint("127.64.0.1"), endpoint("127.64.0.2"), endpoint("127.64.0.3", ready=False))
    assert known("shop", [service(clusterIP="None")], slices)["web"] == ["127.64.0.1", "127.64.0.2"]
    early = service(clusterIP="None", publishNotReadyAddresses=True)
    assert len(known("shop", [early], slices)["web.shop.svc"]) == 3


def test_pods_behind_a_headless_service_have_names() -> None:
    slices = endpoints("web", endpoint("127.64.0.1", hostname="web-0"), endpoint("127.64.0.2", hostname="web-1"))
    found = known("shop", [service(clusterIP="None")], slices)
    assert found["web-0.web"] == ["127.64.0.1"]
    assert found["web-1.web.shop.svc.cluster.local"] == ["127.64.0.2"]
    assert "web-0.web" not in known("other", [service(clusterIP="None")], slices)
    assert "web-0.web" not in known("shop", [service()], slices)


# externalName, addresses of the Service that has it
EXTERNAL = [
    ("web.shop.svc.cluster.local", ["127.128.0.5"]),
    ("web.shop.svc.cluster.local.", ["127.128.0.5"]),
    ("10.0.0.9", ["10.0.0.9"]),
    ("example.org", None),
    ("alias.shop.svc", None),
]


@pytest.mark.parametrize(("name", "addresses"), EXTERNAL)
def test_external_names_that_a_file_can_say(name: str, addresses: list[str] | None) -> None:
    alias = service("alias", type="ExternalName", externalName=name)
    assert known("shop", [service(), alias]).get("alias") == addresses


def test_what_has_no_address_yet_has_no_name() -> None:
    assert known("shop", [service(clusterIP="")]) == {}
    assert known("shop", [], endpoints("web", endpoint("127.64.0.1"))) == {}
    assert known("shop", [service(clusterIP="None")], endpoints("web", endpoint("::1"), family="IPv6")) == {}


def test_the_whole_file() -> None:
    obj = pod(hostname="web-0", subdomain="web", hostAliases=[{"ip": "10.1.1.1", "hostnames": ["db", "db.old"]}])
    obj["metadata"]["namespace"] = "shop"
    found = table(
        hosts.render(obj, "127.64.0.1", hosts.lines(hosts.entries([service()], ()), "shop"), "10.9.9.9 build\n")
    )
    assert found["localhost"] == ["127.0.0.1", "::1", "127.64.0.1"]
    assert found["web-0"] == found["web-0.web.shop.svc.cluster.local"] == ["127.64.0.1"]
    assert found["db.old"] == ["10.1.1.1"]
    assert found["web"] == ["127.128.0.5"]
    assert found["build"] == ["10.9.9.9"]


def test_a_service_comes_before_what_the_machine_calls_by_its_name() -> None:
    text = hosts.render(pod(), "127.64.0.1", hosts.lines(hosts.entries([service()], ()), "shop"), "10.9.9.9 web\n")
    assert table(text)["web"] == ["127.128.0.5", "10.9.9.9"]


def test_a_pod_of_the_hosts_network_has_no_name_of_its_own() -> None:
    found = table(hosts.render(pod(hostNetwork=True), "127.0.0.1", "", ""))
    assert "a" not in found
    assert found["localhost"] == ["127.0.0.1", "::1"]


_names = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(_names, _names, st.sampled_from(["None", "", "127.128.0.1"])), max_size=6))
def test_the_file_depends_on_nothing_but_what_there_is(found: list[tuple[str, str, str]]) -> None:
    services = [service(name, namespace, clusterIP=address) for name, namespace, address in found]
    assert hosts.entries(services, ()) == hosts.entries(services, ())
    for line in hosts.lines(hosts.entries(services, ()), "a").splitlines():
        address, _, names = line.partition("\t")
        assert address == "127.128.0.1"
        assert len(set(names.split())) == len(names.split())
