"""KVCache: runs a distributed cache of attention keys and values, and its vocabulary."""

from __future__ import annotations

from typing import Any, Final

from brickyard.api.kinds import core, kind, resources, views

# Backends: the value of the annotation ``names.KV_CACHE_BACKEND``.
VINEYARD: Final = "vineyard"
HPKV: Final = "hpkv"
INFINISTORE: Final = "infinistore"
BACKENDS: Final = (VINEYARD, HPKV, INFINISTORE)

# Modes.
DISTRIBUTED: Final = "distributed"
CENTRALIZED: Final = "centralized"

# Roles of pods: the value of the label ``names.KV_CACHE_ROLE``.
ROLE_CACHE: Final = "cache"
ROLE_METADATA: Final = "metadata"
ROLE_WATCHER: Final = "kvwatcher"

DEFAULT_IMAGE: Final = "aibrix/kvcache:20241120"
DEFAULT_PULL_POLICY: Final = "IfNotPresent"
DEFAULT_PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a Secret's entry


class RuntimeSpec(views.View):
    """Pods of one part of the cache."""

    replicas = views.integer("Pods wanted; absent means 1.").default(1)
    image = views.text("Image of the pods.").absent("")
    image_pull_policy = views.text(
        "When the image is pulled: Always, IfNotPresent or Never; absent means IfNotPresent."
    ).default(DEFAULT_PULL_POLICY)
    env = views.parts(
        "Variables of the pods, after those that the controller sets; absent means none.", core.EnvVar
    ).default([])
    resources = views.part("What each pod needs and may take.", core.ResourceRequirements).absent({})
    template = core.pod_template(
        "The pods as a whole, in place of everything above. Only for cache, with backends hpkv and infinistore."
    )


class ExternalConnection(views.View):
    """A store that runs already."""

    address = views.text("Where it listens, host:port.").absent("")
    password_secret_ref = views.text(
        "Secret with its password, as NAME or NAME/KEY; absent KEY means password."
    ).absent("")


class MetadataStore(views.View):
    """A store of the cache's metadata: one that runs already, or one to be run."""

    external_connection = views.part("A store that runs already; then none is made.", ExternalConnection)
    runtime = views.part("A store to be run.", RuntimeSpec)
    image = views.text("Write runtime.image.").absent("").deprecated()
    replicas = views.integer("Write runtime.replicas.").deprecated()
    resources = views.part("Write runtime.resources.", core.ResourceRequirements).deprecated()
    storage = views.opened("Without effect.").deprecated()


class Metadata(views.View):
    """Where the cache keeps what is where: one of these."""

    redis = views.part("Redis, for backends hpkv and infinistore.", MetadataStore)
    etcd = views.part("etcd, for backend vineyard.", MetadataStore)


class CacheService(views.View):
    """The Service in front of the cache's pods."""

    type = views.text("Type of the Service; absent means ClusterIP.").default("ClusterIP")
    ports = views.parts("Ports of the Service, at least one.", core.ServicePort, min_items=1).required()
    port = views.integer("Write ports.").deprecated()
    node_port = views.integer("Write ports.").deprecated()


class LegacyCache(views.View):
    """The cache in the first form of the API."""

    replicas = views.integer("Write cache.replicas.").deprecated()
    image = views.text("Write cache.image.").absent("").deprecated()
    image_pull_policy = views.text("Write cache.imagePullPolicy.").absent("").deprecated()
    resources = views.part("Write cache.resources.", core.ResourceRequirements).deprecated()
    cpu = views.quantity("Write cache.resources.").deprecated()
    memory = views.quantity("Write cache.resources.").deprecated()
    shared_memory_size = views.text("Without effect.").absent("").deprecated()
    env = views.parts("Write cache.env.", core.EnvVar).deprecated()


DEFAULT_CACHE: Final[dict[str, Any]] = {"image": DEFAULT_IMAGE, "imagePullPolicy": DEFAULT_PULL_POLICY}


class KVCacheSpec(views.View):
    """What the cache is made of. Its backend is named by the annotation kvcache.orchestration.aibrix.ai/backend."""

    mode = views.text("distributed or centralized; for people, without effect. Absent means distributed.").default(
        DISTRIBUTED
    )
    metadata = views.part("Where the cache keeps what is where: redis or etcd.", Metadata)
    service = views.part(
        "The Service in front of the cache's pods; only with backends hpkv and infinistore.", CacheService
    )
    watcher = views.part(
        "The pod that keeps the list of members; only with backends hpkv and infinistore.", RuntimeSpec
    )
    cache = views.part(f"The pods that hold the data; absent means one pod of {DEFAULT_IMAGE}.", RuntimeSpec).default(
        DEFAULT_CACHE
    )
    replicas = views.integer("Write cache.replicas.").deprecated()
    etcd_replicas = views.integer("Without effect.").deprecated()
    cache_spec = views.part("Write cache.", LegacyCache).deprecated()


class KVCacheStatus(views.View):
    """What there is of the cache."""

    current = views.integer("Pods of the cache that are ready.").absent(0)
    conditions = views.parts("Observations of the cache.", core.Condition)


class KVCache(kind.Kind):
    """KVCache runs a distributed cache of attention keys and values."""

    type = resources.KV_CACHE

    spec = (
        views.part(
            "What the cache is made of. Its backend (vineyard, hpkv or infinistore) is named by the annotation "
            "kvcache.orchestration.aibrix.ai/backend.",
            KVCacheSpec,
        )
        .absent({})
        .nullable()
    )
    status = views.part("What there is of the cache. Written by the controller.", KVCacheStatus).absent({})
