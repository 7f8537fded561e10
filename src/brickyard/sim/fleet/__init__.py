"""Many engine doubles behind the gateway's own choice of endpoints, in virtual time and in one process.

    trace.py    what arrives when: public traces, or conversations made up from a seed
    fleet.py    the event loop: director, engines, clock
    outcome.py  what became of each request, and the figures that follow

What chooses is ``gateway.endpoints.director``, as in the gateway itself: table, leases, router, ledgers, prefix index, and engines' loads
as their metrics pages say them. What computes is ``sim.engine.core``. Only sockets, HTTP and the passing of time are left out, so a policy
cannot do better here than the pipeline lets it.
"""
