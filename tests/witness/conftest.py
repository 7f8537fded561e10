"""One API server for all witnesses, and a namespace for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.witness import cluster as clusters

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    """Tests keep to their namespace; what belongs to none has the namespace's name in its own."""
    with clusters.running(tmp_path_factory.mktemp("witness")) as running:
        yield running


@pytest.fixture
def space(cluster: clusters.Cluster) -> str:
    """A namespace of the test's own."""
    name = f"space-{next(_NUMBERS)}"
    cluster.kubectl().says("create", "namespace", name)
    return name


@pytest.fixture
def kubectl(cluster: clusters.Cluster, space: str) -> clusters.Kubectl:
    """kubectl in that namespace."""
    return cluster.kubectl(space)
