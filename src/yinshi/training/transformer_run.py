"""A run whose network is a Transformer: for the study of the poet, which compares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yinshi.training.loop import Learner
from yinshi.training.run import Run
from yinshi.training.starting_weights import Weights


@dataclass(frozen=True)
class TransformerRun(Run):
    """A `Run`, but for its network, nets/transformer.py's, which `write` and `evaluate` can't read:
    its figures are those that the loop finds."""

    @property
    def asked(self) -> dict[str, Any]:
        return super().asked | {"network": "transformer"}

    def _learner(self, weights: Weights) -> Learner:
        """Draws its weights itself; of those of the recipe's network it wants only to know V."""
        import torch

        from yinshi.nets.learner import TorchLearner
        from yinshi.nets.transformer import Transformer

        V, longest = len(weights["embedding.weight"]), self.recipe.corpus.max_length + 1

        def build() -> Transformer:
            return Transformer(self.recipe.network, V, longest)

        training, ranks = self.recipe.training, self.ranks
        torch.manual_seed(training.seed)
        drawn = {name: p.detach().numpy() for name, p in build().named_parameters()}
        return TorchLearner(build, training, drawn, ranks.rank, ranks.size, ranks.local_rank)
