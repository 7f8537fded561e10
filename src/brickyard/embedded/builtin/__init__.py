"""The controllers a cluster has built in: ReplicaSet, Deployment, StatefulSet, Job, CronJob, Service, autoscaler.

One folder per controller, the same file names in each: ``plan.py`` decides (pure: a snapshot and ``now`` in, a frozen plan with its
reasons out), ``status.py`` computes what the object's status says, ``reconciler.py`` reads, plans and applies. ``controllers.run``
wires all of them to a client. They behave as Kubernetes' own do wherever a client can tell: status numbers, conditions, reasons,
messages, annotations and events are the ones ``kubectl`` waits for.
"""
