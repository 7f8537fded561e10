"""Pure algebra over Kubernetes objects, which are plain dicts.

Nothing here does I/O, reads a clock or rolls dice: time and randomness are arguments. No function changes what it is given; an
answer may share unchanged parts with its inputs, so treat both as read-only or copy first.

``patch`` and ``strategic`` change objects, ``selectors`` choose them, ``names``, ``owners``, ``conditions``, ``quantities``,
``paths``, ``meta`` and ``revision`` read and write the small languages inside them.
"""
