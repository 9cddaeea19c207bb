"""A model measured on a split of prepared poems, beside an n-gram fitted on the same data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.batches import Collate, HeadedPoem, evaluation_batches, pad, pad_headed
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.header import Headers, Heading, headed
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import EOS, UNK
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import DataError, ModelFileError, UsageError
from yinshi.evaluation.ngram import NGram
from yinshi.evaluation.perplexity import TokenNats, character_ids
from yinshi.model_file import ModelFile
from yinshi.recipe import CONDITIONS

BATCH_SIZE = 128

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. Every perplexity is per token unless its convention says otherwise.

    perplexity       the figure, also `conventions["per_token"]`
    conventions      name → perplexity, see docs/perplexity.md
    unknown_rate     share of the poems' characters (punctuation included) that are `<unk>`
    tokens, poems    targets counted (`<eos>` included), and the poems that they are of
    vocabulary_size  V; a smaller one, or a higher unknown rate, makes perplexity look better
    baseline         perplexity of an interpolated Kneser–Ney trigram, None if not asked for
    warnings         why this figure may not be compared with others, one sentence each
    """

    perplexity: float
    conventions: dict[str, float]
    unknown_rate: float
    tokens: int
    poems: int
    vocabulary_size: int
    baseline: float | None
    warnings: tuple[str, ...]


def evaluate(
    model: ModelFile,
    dataset: Dataset,
    split: str = "test",
    pad_to: int = 80,
    baseline: bool = True,
    progress: Callable[[int, int], None] = lambda done, poems: None,
    given: Sequence[str] = (),
) -> Evaluation:
    """Measure `model` on one split of `dataset`, encoded with the model's own vocabulary.

    With the conditions `given` of `CONDITIONS` the model reads these of each poem before it; what
    is counted stays the same. `progress` is told how many of the poems are done. The baseline is
    fitted on the training split. Raises DataError for a split that is absent or empty,
    ModelFileError for a model that gives NaN, UsageError for conditions that it was not trained
    with.
    """
    poems = _encoded(model, dataset, split)
    if given:
        told = _headed(model, poems, dataset.split(split), given)
        nats = token_nats(model, told, progress, pad_headed)
    else:
        nats = token_nats(model, poems, progress)
    characters = nats.targets[nats.targets != EOS]
    return Evaluation(
        perplexity=nats.perplexity,
        conventions=nats.conventions(character_ids(model.vocabulary), pad_to),
        unknown_rate=float(np.mean(characters == UNK)),
        tokens=len(nats.targets),
        poems=len(poems),
        vocabulary_size=len(model.vocabulary),
        baseline=_baseline(model, dataset, poems) if baseline else None,
        warnings=tuple(_warnings(model, dataset, split)),
    )


def token_nats(
    model: ModelFile,
    poems: Sequence[Any],
    progress: Callable[[int, int], None] = lambda done, poems: None,
    collate: Collate = pad,
) -> TokenNats:
    """What `model` pays for each token of the encoded `poems`, the shortest poem first; `collate`
    makes batches of them."""
    network = LanguageModel(model.weights, cell=model.recipe.network.cell)
    nats: list[NDArray[np.float64]] = []
    targets: list[Ids] = []
    for batch in evaluation_batches(poems, BATCH_SIZE, collate):
        with np.errstate(all="ignore"):  # told below, in our words
            paid = network.token_nats(batch.inputs, batch.targets, batch.lengths)
        if not np.isfinite(paid).all():
            raise ModelFileError(
                "the model gives probabilities that are not numbers: its training diverged; "
                "train it anew with a smaller learning rate"
            )
        for column, length in enumerate(batch.lengths):
            asked = batch.targets[:length, column] >= 0
            nats.append(paid[:length, column][asked])
            targets.append(batch.targets[:length, column][asked])
        progress(len(nats), len(poems))
    return TokenNats.join(nats, targets)


def _encoded(model: ModelFile, dataset: Dataset, split: str) -> list[Ids]:
    texts = dataset.texts(split)
    if not any(texts):
        raise DataError(f"{dataset.folder}: split {split!r} holds no poems; prepare more of them")
    return [model.vocabulary.encode(text) for text in texts]


def _headed(
    model: ModelFile, encoded: Sequence[Ids], poems: Sequence[Poem], given: Sequence[str]
) -> list[HeadedPoem]:
    """The `encoded` of `poems`, after what of their headers is `given`."""
    names = Headers(model.header_names, model.vocabulary)
    if lacking := [part for part in given if part not in names.conditions]:
        trained = "+".join(names.conditions) or "none"
        raise UsageError(
            f"found {lacking[0]} given: the model was trained with conditions {trained}; "
            "give it no others"
        )
    kept = np.array([part in given for part in CONDITIONS])
    headers = [names.encode(Heading.of(poem, given)) for poem in poems]
    return headed(encoded, headers, np.broadcast_to(kept, (len(poems), len(kept))))


def _baseline(model: ModelFile, dataset: Dataset, poems: Sequence[Ids]) -> float:
    ngram = NGram.fit(_encoded(model, dataset, "train"), len(model.vocabulary))
    return float(np.exp(ngram.nats_of_poems(poems).mean()))


def _warnings(model: ModelFile, dataset: Dataset, split: str) -> list[str]:
    """What makes the figure unfit for comparison."""
    found = []
    if split == "train":
        found.append("these are the training poems, which a model can know by heart")
    if model.facts.get("data_hash") != dataset.hash:
        found.append(
            "the model was trained on other data, or does not say on which: it may know some of "
            "these very poems; compare it only with models of the same training split"
        )
    if model.vocabulary.characters != dataset.vocabulary.characters:
        found.append(
            f"the model's vocabulary (V = {len(model.vocabulary)}) is not the data's "
            f"(V = {len(dataset.vocabulary)}); its own is used, and V changes the figure"
        )
    return found
