"""Kubernetes kinds: how each is named, what our own consist of, and what is wrong with an object of theirs.

    resources                 identity of every kind we speak of: group, version, plural, scope
    views, forms              typed views over plain dicts; schemas come of the same declarations
    kind, core, scheduling    what our kinds are made of
    <kind>/types              one kind: its fields, its words (conditions, reasons, phases, events)
    crds                      the nine as CustomResourceDefinitions
    contract, rules, faults   what an object must keep to beyond its schema, and how that is told
    <kind>/admission, legacy  the rules of one kind, and what its earlier forms are taken for

An object is a dict everywhere; a view is made where a spec is read or a status written::

    autoscaler = podautoscaler.PodAutoscaler(obj)
    if autoscaler.spec.min_replicas > autoscaler.status.actual_scale: ...
"""
