"""Users, their API keys, what each may use, and the stores that remember it.

A ground room, because two rooms that may not know each other stand on it: ``services`` changes users and keys, ``gateway`` asks who
somebody is and counts what they use. ``contract`` is the seam to both; ``windows``, ``users`` and ``tokens`` decide and do no I/O;
``directory`` and ``limiter`` are what a gateway holds; ``stores`` remember, one for each place to keep things, all held to one suite.
"""
