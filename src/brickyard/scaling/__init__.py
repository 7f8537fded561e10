"""How many replicas a workload should have, and why: the decisions of a PodAutoscaler without clock, network or cluster.

    observation ─► windows ─► KPA, APA, HPA ─► most of all metrics ─► rates ─► stabilisation ─► bounds ─► Recommendation

``contract`` has the words, ``decide`` the way above, ``settings`` what is read from a PodAutoscaler. Who fetches metrics and writes
replicas is ``controllers.podautoscaler``; the replay of ``sim`` drives the same functions on a virtual clock.
"""
