"""How good predictions are: cached tokens as the index foresaw them beside those that engines report."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True)
class Accuracy:
    """Sums over requests whose engine reported its cached tokens; all in tokens.

    ``agreed`` is what was both predicted and found: the smaller of the two, request by request.
    """

    requests: int = 0
    predicted: int = 0
    actual: int = 0
    agreed: int = 0

    def note(self, predicted: int, actual: int) -> None:
        """One request. Negative numbers count as 0."""
        predicted, actual = max(0, predicted), max(0, actual)
        self.requests += 1
        self.predicted += predicted
        self.actual += actual
        self.agreed += min(predicted, actual)

    @property
    def precision(self) -> float | None:
        """Share of the predicted tokens that were found; None before anything was predicted."""
        return self.agreed / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the found tokens that were predicted; None before anything was found."""
        return self.agreed / self.actual if self.actual else None
