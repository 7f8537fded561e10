"""Registered admission webhooks: programs outside that are asked before an object is stored.

    contract    what a writer tells and hears: ``Asked``, ``Gate``            plan        who is asked, and in which order (pure)
    review      AdmissionReview out and in (pure)                             registry    the configurations, kept current
    calls       HTTPS: a URL, or a Service by its ready addresses             gate        asks them all, and makes one answer of it
    conditions  ``matchConditions`` (pure)

Nothing registered costs a writer one look at an empty list.
"""
