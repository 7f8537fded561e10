"""A Kubernetes API for one machine, good enough that foreign clients cannot tell on the paths it serves.

A request, from the outside in:

    server      the listener, TLS, start and stop            auth        the token
    app         HTTP: head, body, answer, stream             media       what is sent and accepted
    rest        path and method → verb                       requests    path and query as values
    reads, streams, writes, podlog                           the verbs: get and list, watch, create to delete, logs
    drafts, deletion, strategies, patching, scale, ownership what a verb decides (pure)
    consulting, webhooks                                     who else is asked before a write
    applying, managing, structures                           server-side apply, and who owns which field
    shapes, paging, pieces                                   how answers look and how much of them is sent at once
    store       the one truth: latest and committed view     watch       who hears of which change
    journal     SQLite on disk                               history     the recent past of a collection

In the background: ``gc`` (owners), ``namespaces``, ``customkinds``, ``expiry`` (events), all on ``chores``.
What is served is told by ``catalog``; its rules are in ``admission``, ``schema`` and ``structural``, its looks in ``columns`` and
``tables``, its description for clients in ``discovery`` and ``openapi``. ``contract`` is the seam between the two halves.
"""
