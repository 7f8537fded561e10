"""What each built-in kind fills in and what it refuses, in Kubernetes' words.

``fields`` words a complaint, ``metadata`` judges what all kinds share, ``kind`` makes of a kind's two functions (fill in, judge) an
``Admission``; one module per family of kinds has those functions. Everything here is pure.
"""
