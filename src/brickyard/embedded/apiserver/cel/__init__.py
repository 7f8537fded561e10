"""The Common Expression Language as Kubernetes speaks it in the rules of custom kinds: typed, bounded, with Kubernetes' functions.

    syntax      text → tree                               types       what is known of a value before there is one
    compiler    tree → checked program                    macros      has, all, map and the other forms that bind names
    library     functions and operators by signature      strings, networks, quantities, formats, times   the functions
    values      what programs work on, equality, order    programs    a checked program: cost before, budget while it runs

A program can neither hang nor eat memory: everything it does is paid for from a budget, and whatever makes something large
is paid for before it is made. ``docs/decisions/0012-cel.md`` says why this stands on a grammar and not on a finished evaluator.
"""
