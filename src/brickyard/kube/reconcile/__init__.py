"""Controllers: keep calling a reconciler until what is equals what should be.

``contract`` is what a reconciler is, ``controller`` runs it over a ``queue``; ``expectations``, ``slowstart``, ``finalizers``,
``status`` and ``recorder`` are what reconcilers are built with, and ``leader`` lets one of several replicas work.
"""
