"""Autoscaling in virtual time: a load, a fleet whose replicas take their time to start, and ``scaling.decide`` in between.

    workload.py   what arrives when: public traces, or a load made up from a seed
    engine.py     one replica: continuous batching, many steps at a time
    fleet.py      replicas that start, serve, drain and end; who gets which request; what waits where
    measures.py   what an autoscaler could read of them
    replay.py     the loop: requests, engines, a look every few seconds, a decision
    outcome.py    what came of it: samples over time, and the figures that follow
    recording.py  an autoscaler's own history, decided again with other settings

The decisions are those of ``brickyard.scaling``, word for word; only engines and the passing of time are imitated.
"""
