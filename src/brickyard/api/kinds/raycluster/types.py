"""RayCluster: the kind of KubeRay (ray.io/v1), as far as ours hold it in templates."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, forms, views

UPSCALING_MODES: Final = ("Default", "Aggressive", "Conservative")
MAX_INT32: Final = 2147483647

# Condition types of a RayCluster; both True, and all workers ready, make it ready.
PROVISIONED: Final = "RayClusterProvisioned"
HEAD_POD_READY: Final = "HeadPodReady"


class AutoscalerOptions(views.View):
    """Settings of Ray's own autoscaler, which runs beside the head."""

    image = views.text("Image of the autoscaler; absent means the head's.")
    image_pull_policy = views.text("When the image is pulled: Always, IfNotPresent or Never.")
    env = views.parts("Variables of the autoscaler.", core.EnvVar)
    env_from = views.listed("Sources of further variables, as in core/v1 EnvFromSource.", forms.opened())
    resources = views.part("What the autoscaler needs and may take.", core.ResourceRequirements)
    security_context = views.opened("As in core/v1 SecurityContext.")
    volume_mounts = views.listed("Volumes of the autoscaler, as in core/v1 VolumeMount.", forms.opened())
    idle_timeout_seconds = views.integer("Seconds after which an idle worker goes.")
    upscaling_mode = views.text("How boldly workers are added.", enum=UPSCALING_MODES)


class HeadGroup(views.View):
    """The head of the cluster."""

    ray_start_params = views.mapped("Flags of ray start, without dashes.", forms.text()).required()
    template = core.pod_template("The pod of the head.").required()
    service_type = views.text("Type of the Service in front of the head.")
    head_service = views.opened("The Service in front of the head, as in core/v1 Service.")
    enable_ingress = views.boolean("Whether an Ingress is made for the dashboard.")


class ScaleStrategy(views.View):
    """Which workers go first."""

    workers_to_delete = views.listed("Names of the pods that go first.", forms.text())


class WorkerGroup(views.View):
    """Workers of one sort."""

    group_name = views.text("Name of the group.").required()
    ray_start_params = views.mapped("Flags of ray start, without dashes.", forms.text()).required()
    template = core.pod_template("The pods of the workers.").required()
    min_replicas = views.integer("Fewest workers; absent means 0.").default(0)
    max_replicas = views.integer("Most workers; absent means no limit.").default(MAX_INT32)
    replicas = views.integer("Workers wanted; absent means 0.").default(0)
    num_of_hosts = views.integer("Pods that together are one worker; absent means 1.").default(1)
    scale_strategy = views.part("Which workers go first.", ScaleStrategy)


class RayClusterSpec(views.View):
    """A head and its workers, as in ray.io/v1 RayClusterSpec."""

    ray_version = views.text("Version of Ray in the images.").absent("")
    enable_in_tree_autoscaling = views.boolean("Whether Ray's own autoscaler runs.")
    suspend = views.boolean("Whether the cluster's pods are taken away.")
    head_service_annotations = views.mapped("Annotations of the Service in front of the head.", forms.text())
    autoscaler_options = views.part("Settings of Ray's own autoscaler.", AutoscalerOptions)
    head_group_spec = views.part("The head.", HeadGroup).required()
    worker_group_specs = views.parts("The workers, by sort.", WorkerGroup)


class RayClusterTemplate(views.View):
    """What RayClusters are made of."""

    metadata = views.part("Labels and annotations of each RayCluster.", core.EmbeddedMetadata).absent({})
    spec = views.part("Spec of each RayCluster.", RayClusterSpec)
