"""The engine double: an inference server's API, queues, KV blocks, metrics and faults, without a model.

``core`` is what an engine decides, step by step, in anybody's time; a simulator of many engines runs it in virtual time. The rest
is its shell: ``python -m brickyard.sim.engine`` serves it over HTTP in real time.
"""
