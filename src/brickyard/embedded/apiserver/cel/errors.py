"""What goes wrong with an expression.

CelError
├── CompileError     the text is no expression, or its types do not fit: whoever wrote the rule has to change it
├── EvaluationError  this value has no answer (a missing key, an overflow); ``&&``, ``||`` and the like may get over it
└── BudgetError      the answer would cost too much; nothing gets over it
"""

from __future__ import annotations

from brickyard.lib import errors


class CelError(errors.BrickyardError):
    """Root of this room's errors. ``cost`` is what a run had spent when it ended in this."""

    cost: int = 0


class CompileError(CelError):
    """The text is no expression, or its types do not fit. The text has one paragraph per fault, with the place marked."""


class EvaluationError(CelError):
    """There is no answer for this value, such as ``no such key: x``."""


class BudgetError(CelError):
    """The expression costs more than it may."""
