"""Admission webhooks: asked by a cluster's API server before it stores an object.

    contract, review, adapting   what is asked and answered; pure
    certificates, plan           keys, certificates, and when which is made anew; pure but for the making
    keeper, injector, server     the shells: one Secret shared by replicas, caBundles kept right, HTTPS
    configurations               the two objects that tell a cluster to ask us

``service`` puts the shells together.
"""
