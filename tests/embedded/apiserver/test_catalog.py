"""Which kinds are served, and how custom ones come and go."""

from __future__ import annotations

import pytest

from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver import builtin_kinds, catalog, definitions
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import bent

BUILTIN = [
    # kind, api version, short names, subresources
    ("ConfigMap", "v1", ("cm",), set()),
    ("CustomResourceDefinition", "apiextensions.k8s.io/v1", ("crd", "crds"), {"status"}),
    ("Deployment", "apps/v1", ("deploy",), {"status", "scale"}),
    ("EndpointSlice", "discovery.k8s.io/v1", (), set()),
    ("Endpoints", "v1", ("ep",), set()),
    ("Event", "v1", ("ev",), set()),
    ("Lease", "coordination.k8s.io/v1", (), set()),
    ("Namespace", "v1", ("ns",), {"status"}),
    ("Node", "v1", ("no",), {"status"}),
    ("PersistentVolumeClaim", "v1", ("pvc",), {"status"}),
    ("Pod", "v1", ("po",), {"status", "log", "binding", "eviction", "exec", "attach", "portforward"}),
    ("ReplicaSet", "apps/v1", ("rs",), {"status", "scale"}),
    ("Secret", "v1", (), set()),
    ("Service", "v1", ("svc",), {"status"}),
    ("ServiceAccount", "v1", ("sa",), set()),
    ("PersistentVolume", "v1", ("pv",), {"status"}),
    ("ResourceQuota", "v1", ("quota",), {"status"}),
    ("LimitRange", "v1", ("limits",), set()),
    ("StatefulSet", "apps/v1", ("sts",), {"status", "scale"}),
    ("DaemonSet", "apps/v1", ("ds",), {"status"}),
    ("ControllerRevision", "apps/v1", (), set()),
    ("Job", "batch/v1", (), {"status"}),
    ("CronJob", "batch/v1", ("cj",), {"status"}),
    ("HorizontalPodAutoscaler", "autoscaling/v2", ("hpa",), {"status"}),
    ("Ingress", "networking.k8s.io/v1", ("ing",), {"status"}),
    ("NetworkPolicy", "networking.k8s.io/v1", ("netpol",), set()),
    ("PodDisruptionBudget", "policy/v1", ("pdb",), {"status"}),
    ("Role", "rbac.authorization.k8s.io/v1", (), set()),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", (), set()),
    ("ClusterRole", "rbac.authorization.k8s.io/v1", (), set()),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", (), set()),
    ("ResourceClaimTemplate", "resource.k8s.io/v1", (), set()),
    ("PriorityClass", "scheduling.k8s.io/v1", ("pc",), set()),
    ("StorageClass", "storage.k8s.io/v1", ("sc",), set()),
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", (), set()),
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", (), set()),
]
REVIEWS = [
    ("TokenReview", "authentication.k8s.io/v1"),
    ("SelfSubjectReview", "authentication.k8s.io/v1"),
    ("SubjectAccessReview", "authorization.k8s.io/v1"),
    ("SelfSubjectAccessReview", "authorization.k8s.io/v1"),
    ("LocalSubjectAccessReview", "authorization.k8s.io/v1"),
    ("SelfSubjectRulesReview", "authorization.k8s.io/v1"),
]
MEASURED = [("NodeMetrics", "metrics.k8s.io/v1beta1"), ("PodMetrics", "metrics.k8s.io/v1beta1")]


@pytest.fixture
def kinds() -> catalog.BuiltinCatalog:
    return catalog.BuiltinCatalog()


def test_every_row_is_served_and_nothing_else(kinds: catalog.BuiltinCatalog) -> None:
    assert sorted((each.type.kind, each.type.api_version) for each in kinds.served()) == sorted(
        [*((kind, version) for kind, version, _, _ in BUILTIN), *REVIEWS, *MEASURED]
    )


@pytest.mark.parametrize(("kind", "version", "short", "parts"), BUILTIN, ids=[row[0] for row in BUILTIN])
def test_a_builtin_kind(
    kinds: catalog.BuiltinCatalog, kind: str, version: str, short: tuple[str, ...], parts: set[str]
) -> None:
    resource = kinds.of_kind(version, kind)
    assert resource is not None
    assert kinds.find(resource.type.group, resource.type.version, resource.type.plural) is resource
    assert (resource.short_names, set(resource.subresources)) == (short, parts)
    assert resource.singular == kind.lower()
    assert resource.columns, "every built-in kind has columns"
    assert definitions.name_of(resource.type), "every built-in kind has a definition"
    assert resource.admission.unknown_fields({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}}) == []


@pytest.mark.parametrize(("kind", "version"), REVIEWS, ids=[row[0] for row in REVIEWS])
def test_a_review_is_answered_and_has_a_definition(kinds: catalog.BuiltinCatalog, kind: str, version: str) -> None:
    resource = kinds.of_kind(version, kind)
    assert resource is not None
    assert resource.review is not None
    assert resource.singular == kind.lower()
    assert definitions.name_of(resource.type)


def test_what_get_all_shows(kinds: catalog.BuiltinCatalog) -> None:
    assert [each.type.kind for each in kinds.served() if "all" in each.categories] == [
        "Pod",
        "Service",
        "DaemonSet",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "HorizontalPodAutoscaler",
        "CronJob",
        "Job",
    ]


def test_a_custom_kind_comes_and_goes(kinds: catalog.BuiltinCatalog) -> None:
    before = kinds.version
    (made,) = kinds.install(testing.definition())
    assert kinds.of_kind("example.com/v1", "Widget") is made
    assert kinds.find("example.com", "v1", "widgets") is made
    assert made in kinds.served()
    after = kinds.version
    assert after > before
    kinds.uninstall("widgets.example.com")
    assert kinds.of_kind("example.com/v1", "Widget") is None
    assert kinds.version > after


def test_taking_away_what_is_not_there_changes_nothing(kinds: catalog.BuiltinCatalog) -> None:
    before = kinds.version
    kinds.uninstall("widgets.example.com")
    assert kinds.version == before


def test_a_new_definition_replaces_what_the_old_one_served(kinds: catalog.BuiltinCatalog) -> None:
    kinds.install(testing.definition())
    kinds.install(bent(testing.definition(), "spec.versions[0].name", "v2"))
    assert kinds.of_kind("example.com/v1", "Widget") is None
    assert kinds.of_kind("example.com/v2", "Widget") is not None


def test_versions_that_are_not_served_are_not_served(kinds: catalog.BuiltinCatalog) -> None:
    assert kinds.install(bent(testing.definition(), "spec.versions[0].served", False)) == ()


def clash(**names: str) -> resources.Object:
    definition = bent(testing.definition(), "metadata.name", "others.example.com")
    return bent(definition, "spec.names", {"plural": "others", "kind": "Other", **names})


@pytest.mark.parametrize("names", [{"plural": "widgets"}, {"kind": "Widget"}])
def test_a_name_that_is_taken_is_refused_and_nothing_changes(
    kinds: catalog.BuiltinCatalog, names: dict[str, str]
) -> None:
    kinds.install(testing.definition())
    before = kinds.version
    with pytest.raises(ValueError, match="is already in use"):
        kinds.install(clash(**names))
    assert kinds.version == before


def test_a_builtin_kind_is_never_hidden(kinds: catalog.BuiltinCatalog) -> None:
    definition = bent(clash(plural="deployments"), "spec.group", "apps")
    with pytest.raises(ValueError, match='"deployments" is already in use'):
        kinds.install(definition)
    assert kinds.find("apps", "v1", "deployments") is builtin_kinds.DEPLOYMENT


def test_all_of_ours_are_served_together(kinds: catalog.BuiltinCatalog) -> None:
    for definition in crds.definitions():
        kinds.install(definition)
    assert len(kinds.served()) == len(builtin_kinds.SERVED) + len(crds.definitions())
