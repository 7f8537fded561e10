"""Gang scheduling: pods that are placed together or not at all, in the words of the three schedulers that can do it."""

from __future__ import annotations

from brickyard.api.kinds import forms, views


class TopologyTerm(views.View):
    """A domain of the cluster."""

    topology_key = views.text("Label of nodes whose value tells the domain, such as a rack.").absent("")


class SortRule(views.View):
    """An order in which domains are tried."""

    resource = views.text("Resource to sort by.").required()
    dimension = views.text("What of the resource is compared, such as Capacity or Available.").absent("")
    order = views.text("Ascending or Descending.").required()


class PodGroupAffinity(views.View):
    """Where the pods of the group should be together."""

    required = views.parts("Domains in which all pods must be together.", TopologyTerm)
    preferred = views.parts("Domains in which all pods should be together.", TopologyTerm)
    sort_rules = views.parts("Order in which domains are tried.", SortRule)
    node_selector = views.opened(
        "Nodes that may be used, as in core/v1 NodeSelector.",
        forms.opened(
            {
                "type": "object",
                "required": ["nodeSelectorTerms"],
                "x-kubernetes-map-type": "atomic",
                "properties": {
                    "nodeSelectorTerms": {
                        "type": "array",
                        "description": "Terms of which one must hold, as in core/v1 NodeSelectorTerm.",
                        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    }
                },
            }
        ),
    )


class PodGroupAntiAffinity(views.View):
    """Where the pods of the group should be apart."""

    required = views.parts("Domains in which no two pods may be.", TopologyTerm)
    preferred = views.parts("Domains in which no two pods should be.", TopologyTerm)


class GroupAffinity(views.View):
    """Where pods of a group are placed in relation to each other."""

    pod_group_affinity = views.part("Where they should be together.", PodGroupAffinity)
    pod_group_anti_affinity = views.part("Where they should be apart.", PodGroupAntiAffinity)


class Godel(views.View):
    """A PodGroup of scheduling.godel.kubewharf.io."""

    min_member = views.integer("Fewest pods that are worth starting.")
    priority_class_name = views.text("PriorityClass of the group.").absent("")
    schedule_timeout_seconds = views.integer("Seconds after which the scheduler gives the group up.")
    application = views.text("Name of the application that the group belongs to.").absent("")
    affinity = views.part("Where pods of the group are placed in relation to each other.", GroupAffinity)


class Coscheduling(views.View):
    """A PodGroup of scheduling.x-k8s.io."""

    min_member = views.integer("Fewest pods that are worth starting, at least 1.", minimum=1)
    min_resources = views.mapped("Resources that must be free for the group, by name.", forms.quantity())
    schedule_timeout_seconds = views.integer("Seconds after which the scheduler gives the group up.")


class Volcano(views.View):
    """A PodGroup of scheduling.volcano.sh."""

    min_member = views.integer("Fewest pods that are worth starting.")
    min_task_member = views.mapped("Fewest pods that are worth starting, by task.", forms.integer())
    queue = views.text("Queue that the group waits in.").absent("")
    priority_class_name = views.text("PriorityClass of the group.").absent("")
    min_resources = views.mapped("Resources that must be free for the group, by name.", forms.quantity())


class SchedulingStrategy(views.View, max_properties=1):
    """Which scheduler places the pods together: one of these."""

    godel_scheduling_strategy = views.part("Place the pods as a PodGroup of Gödel.", Godel)
    coscheduling_scheduling_strategy = views.part(
        "Place the pods as a PodGroup of the coscheduling plug-in.", Coscheduling
    )
    volcano_scheduling_strategy = views.part("Place the pods as a PodGroup of Volcano.", Volcano)


class RoleSetSchedulingStrategy(SchedulingStrategy, max_properties=1):
    """That of a whole RoleSet, which is older than those of roles and PodSets."""

    pod_group = views.part("The same as godelSchedulingStrategy. Write that.", Godel).deprecated()
