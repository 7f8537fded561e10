"""What one pod does next: a pure state machine.

``spec`` reads the manifest, ``machine`` runs the pod, ``container`` each container, ``probing`` each probe; ``messages`` are the events
that go in and the instructions that come out; ``status`` is how all of it looks to the API. Nothing here does I/O, reads a clock or
draws a random number: time is an argument, in Unix seconds that never go back.
"""
