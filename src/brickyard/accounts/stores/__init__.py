"""Where accounts are kept: ``sqlite`` on one machine, ``redis`` for several, ``memory`` for tests and for counting alone."""
