"""A small real controller, to learn from: ``python examples/controller/main.py``. docs/controllers.md walks through it."""
