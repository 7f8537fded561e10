"""Parts that Kubernetes itself defines and our kinds hold: metadata, selectors, references, pod templates, resources.

What we read is declared; what only the kubelet reads is kept as it is (``opened``), so that a field that Kubernetes adds tomorrow
passes through and a CustomResourceDefinition stays small enough for client-side apply.
"""

from __future__ import annotations

from typing import Any, Final

from brickyard.api.kinds import forms, views

CONDITION_STATUSES: Final = ("True", "False", "Unknown")
_CONDITION_TYPE = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


class OwnerReference(views.View, atomic=True):
    """Whose object this is: it goes when its owner goes."""

    api_version = views.text("Group and version of the owner.").required()
    kind = views.text("Kind of the owner.").required()
    name = views.text("Name of the owner, in the same namespace or of the cluster.").required()
    uid = views.text("Identity of the owner: another object of the same name is no owner.").required()
    controller = views.boolean("Whether the owner manages this object; at most one does.").absent(False)
    block_owner_deletion = views.boolean("Whether the owner stays until this object is gone.").absent(False)


class Metadata(views.View):
    """What every object has. The API server checks it itself, so schemas do not repeat it."""

    name = views.text("Name, unique in its namespace and kind.").absent("")
    generate_name = views.text("Beginning of a name that the server completes.").absent("")
    namespace = views.text("Namespace of the object.").absent("")
    uid = views.text("Identity: an object of the same name made later has another.").absent("")
    resource_version = views.text("Which state of the object this is; compared for equality only.").absent("")
    generation = views.integer("Grows with each change of spec.", bits=64).absent(0)
    labels = views.mapped("What selectors find the object by.", forms.text())
    annotations = views.mapped("Free notes on the object.", forms.text())
    finalizers = views.listed("Who must agree before the object goes.", forms.text())
    owner_references = views.parts("Whose object this is.", OwnerReference, keys=("uid",))
    creation_timestamp = views.moment("When the object was made.")
    deletion_timestamp = views.moment("When deletion was asked for; absent while nobody has.")


class EmbeddedMetadata(views.View):
    """Metadata of objects that will be made from a template."""

    name = views.text("Name of what is made; usually left to the controller.")
    namespace = views.text("Namespace of what is made; that of this object, whatever is written here.")
    labels = views.mapped("Labels of what is made.", forms.text())
    annotations = views.mapped("Annotations of what is made.", forms.text())
    finalizers = views.listed("Finalizers of what is made.", forms.text())


class LabelRequirement(views.View):
    """One demand on labels."""

    key = views.text("Label key.").required()
    operator = views.text("In, NotIn, Exists or DoesNotExist.").required()
    values = views.listed("Values to compare with, for In and NotIn; empty for the others.", forms.text())


class LabelSelector(views.View, atomic=True):
    """Which objects are meant, by their labels. Empty selects all."""

    match_labels = views.mapped("Labels that must have exactly these values.", forms.text())
    match_expressions = views.parts("Further demands; all must hold.", LabelRequirement)


class ObjectReference(views.View, atomic=True):
    """Another object, by kind and name."""

    api_version = views.text("Group and version of the object, such as apps/v1.").absent("")
    kind = views.text("Kind of the object, such as Deployment.").absent("")
    name = views.text("Name of the object.").absent("")
    namespace = views.text("Namespace of the object; absent means that of this one.").absent("")
    field_path = views.text("Part of the object. Not used.").absent("")
    resource_version = views.text("State of the object. Not used.").absent("")
    uid = views.text("Identity of the object. Not used.").absent("")


class LocalObjectReference(views.View, atomic=True):
    """Another object of the same namespace, by name."""

    name = views.text("Name of the object.").default("")


class Condition(views.View):
    """One observation of an object, in the form that Kubernetes prescribes."""

    type = views.text("What is observed, in CamelCase.", pattern=_CONDITION_TYPE, max_length=316).required()
    status = views.text("Whether it holds: True, False or Unknown.", enum=CONDITION_STATUSES).required()
    observed_generation = views.integer("The generation of spec that was looked at.", minimum=0, bits=64)
    last_transition_time = views.moment("When status last changed.").required()
    reason = views.text(
        "Why, in one CamelCase word for programs.",
        pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        min_length=1,
        max_length=1024,
    ).required()
    message = views.text("Why, in a sentence for people.", max_length=32768).required()


class LooseCondition(views.View):
    """One observation of an object, in the older form that leaves reasons free and has more times."""

    type = views.text("What is observed, in CamelCase.").required()
    status = views.text("Whether it holds: True, False or Unknown.").required()
    last_transition_time = views.moment("When status last changed.")
    last_update_time = views.moment("When the condition was last written.")
    last_update_micro_time = views.moment("When the condition was last written, to the microsecond.")
    reason = views.text("Why, in short.").absent("")
    message = views.text("Why, in a sentence for people.").absent("")


_CONTAINER: forms.Schema = {
    "type": "object",
    "description": "A program of the pod, as in core/v1 Container.",
    "x-kubernetes-preserve-unknown-fields": True,
    "required": ["name"],
    "properties": {"name": {"type": "string", "description": "Name of the container, unique in its pod."}},
}
_POD_SPEC: forms.Schema = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
    "required": ["containers"],
    "properties": {
        "containers": {
            "type": "array",
            "description": "The programs of the pod, started together.",
            "items": _CONTAINER,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        }
    },
}


_POD_TEMPLATE: forms.Schema = {
    "type": "object",
    "properties": {
        "metadata": {**EmbeddedMetadata.schema(), "description": "Labels and annotations of each pod."},
        "spec": {**_POD_SPEC, "description": "The pod, as in core/v1 PodSpec: containers, volumes, scheduling."},
    },
}


def pod_template(description: str) -> views.Maybe[dict[str, Any]]:
    """What pods are made of (core/v1 PodTemplateSpec), as the plain dict that a pod is rendered from."""
    return views.opened(description, forms.opened(_POD_TEMPLATE))


class EnvVar(views.View):
    """A variable in the environment of a container."""

    name = views.text("Name of the variable.").required()
    value = views.text("Its value; $(NAME) stands for another variable.")
    value_from = views.opened(
        "Where the value comes from, as in core/v1 EnvVarSource: a Secret, a ConfigMap, a field of the pod."
    )


class ResourceClaim(views.View):
    """A device claimed by a container."""

    name = views.text("Name of one of the pod's resourceClaims.").required()
    request = views.text("One request of that claim; absent means all.")


class ResourceRequirements(views.View):
    """How much a container needs, and how much it may take."""

    limits = views.mapped(
        'Most that may be used, by resource: cpu: "2", memory: 4Gi, nvidia.com/gpu: 1.', forms.quantity()
    )
    requests = views.mapped("What is set aside, by resource; absent means the limits.", forms.quantity())
    claims = views.parts("Devices claimed by the container.", ResourceClaim, keys=("name",))


class ServicePort(views.View):
    """One port of a Service."""

    name = views.text("Name of the port; needed where there are several.")
    protocol = views.text("TCP, UDP or SCTP; absent means TCP.").default("TCP")
    port = views.integer("Port of the Service.").required()
    target_port = views.int_or_text("Port of the pods, by number or name; absent means the same as port.")
    node_port = views.integer(
        "Port on every node, for types NodePort and LoadBalancer; absent lets the cluster choose."
    )
    app_protocol = views.text("What is spoken on the port, such as http.")
