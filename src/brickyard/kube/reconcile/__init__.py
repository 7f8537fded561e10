"""Controllers: keep calling a reconciler until what is equals what should be.

contract        what a reconciler is
controller      runs one over a ``queue``; ``manager`` runs all of a process
expectations, slowstart, finalizers, status, recorder
                what reconcilers are built with
leader          lets one of several replicas work, as ``election`` decides
metrics         what a metrics page shows
selection       which controllers a person wants
"""
