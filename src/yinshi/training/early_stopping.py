"""Stop when validation perplexity no longer falls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """patience: epochs without a new best that are borne; None never stops."""

    patience: int | None
    best: float | None = None
    epochs_without_gain: int = 0

    def improved(self, perplexity: float) -> bool:
        """Note an epoch's perplexity; True if it is the best so far."""
        if self.best is None or perplexity < self.best:
            self.best, self.epochs_without_gain = perplexity, 0
            return True
        self.epochs_without_gain += 1
        return False

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.epochs_without_gain >= self.patience
