"""A training run and its folder.

run.json            recipe, data folder and hash, engine: what `--resume` needs
metrics.jsonl       see metrics.py
last.safetensors    the checkpoint
best.safetensors    the model of the best epoch, for `write` and `evaluate`
epoch-….safetensors the model of each epoch, named by its validation nats (training.keep_epochs)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from yinshi import __version__
from yinshi.atomic import write_atomically
from yinshi.corpus.batches import HeadedPoem, Ids, pad, pad_headed
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.header import Headers, Heading, headed, kept_parts, names_in
from yinshi.errors import MissingExtraError, TrainingError, UsageError
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe, conditions_in
from yinshi.training.checkpoints import Progress, load_checkpoint, save_checkpoint, weights_in
from yinshi.training.distributed import ALONE, Ranks
from yinshi.training.loop import Learner, Loop, Watch, perplexity_on
from yinshi.training.metrics import Metrics
from yinshi.training.starting_weights import Weights, starting_weights
from yinshi.writing.novelty import NoveltyIndex

Engine = Literal["torch", "numpy"]


@dataclass(frozen=True)
class Run:
    """One run in `folder`. `start` makes a new one, `resume` finds one that was interrupted.

    Of several `ranks`, each makes a Run of the same folder, and rank 0 alone writes to it. `notes`
    are about the weights it starts with. `header_names` are those of the tokens for
    `network.conditions`.
    """

    folder: Path
    recipe: Recipe
    data: Path
    data_hash: str
    engine: Engine = "torch"
    ranks: Ranks = ALONE
    notes: tuple[str, ...] = ()
    header_names: tuple[str, ...] = ()

    @classmethod
    def start(
        cls,
        recipe: Recipe,
        data: Path,
        folder: Path,
        engine: Engine = "torch",
        ranks: Ranks = ALONE,
        model: ModelFile | None = None,
    ) -> Run:
        """A new run, which goes on from `model` if there is one; its checkpoint of step 0 is
        written. Refuses a folder that holds anything, and what the engine can't train."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise TrainingError(
                f"{folder}: already there and not empty; choose another --out, "
                f"or go on with `yinshi train --resume {folder}`"
            )
        dataset = Dataset.load(data)
        recipe = replace(recipe, corpus=dataset.options)  # whatever it asked for
        conditions = conditions_in(recipe.network.conditions)
        if conditions and dataset.options.layout == "titled":
            raise UsageError(
                f"{data}: prepared with titles in the text, which network.conditions would be told "
                "of poems without; prepare it with --layout text, or leave the conditions out"
            )
        names = names_in(dataset.split("train"), conditions) if conditions else ()
        weights, notes = starting_weights(recipe, dataset, model, names)
        run = cls(folder, recipe, data.resolve(), dataset.hash, engine, ranks, tuple(notes), names)
        arrays = ranks.states(run._learner(weights).state())  # waits for all: the folder is empty
        if ranks.first:
            folder.mkdir(parents=True, exist_ok=True)
            save_checkpoint(run.checkpoint, Progress(), arrays)
            run._write()
        ranks.wait()  # until all can read it
        return run

    @property
    def asked(self) -> dict[str, Any]:
        """What makes it this run and no other."""
        recipe = json.loads(json.dumps(self.recipe.to_dict()))
        return {"recipe": recipe, "data_hash": self.data_hash, "engine": self.engine}

    def _write(self) -> None:
        facts = self.asked | {"data": str(self.data)}
        if self.header_names:
            facts["header_names"] = list(self.header_names)
        content = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
        write_atomically(self.folder / "run.json", content.encode())

    @classmethod
    def resume(cls, folder: Path, ranks: Ranks = ALONE) -> Run:
        """The run in `folder`."""
        try:
            facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            recipe = Recipe.from_dict(facts["recipe"])
            data, data_hash = Path(facts["data"]), facts["data_hash"]
            names = tuple(facts.get("header_names", ()))
            return cls(folder, recipe, data, data_hash, facts["engine"], ranks, (), names)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{folder}: holds no training run ({error})") from None

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.safetensors"

    def train(
        self,
        watch: Watch = lambda loop, record: None,
        should_stop: Callable[[], bool] = lambda: False,
        tensorboard: bool = False,
    ) -> Progress:
        """Train from the checkpoint on.

        Raises `loop.Stopped` after `should_stop`, TrainingError on NaN or changed data.
        """
        loop = self._loop(watch, should_stop, tensorboard)
        try:
            return loop.run()
        finally:
            if loop.metrics:
                loop.metrics.close()

    def _loop(
        self,
        watch: Watch,
        should_stop: Callable[[], bool],
        tensorboard: bool,
    ) -> Loop:
        dataset = Dataset.load(self.data)
        if dataset.hash != self.data_hash:
            raise TrainingError(
                f"{self.data}: prepared anew since this run began; start a new run on it"
            )
        progress, arrays = load_checkpoint(self.checkpoint)
        learner = self._learner(weights_in(arrays))
        learner.load_state(arrays)

        @cache
        def novelty() -> Mapping[str, NDArray[Any]]:
            return NoveltyIndex.from_texts(dataset.verses("train")).to_arrays()

        def save_model(name: str, progress: Progress, figures: Mapping[str, float]) -> None:
            facts = self._facts(progress, figures["perplexity"], learner.precision)
            parts = dataset.vocabulary, facts, novelty(), self.header_names
            model = ModelFile(learner.weights(), self.recipe, *parts)
            model.save(self.folder / f"{name}.safetensors")

        metrics = None
        if self.ranks.first:
            metrics = Metrics(self.folder, progress.metrics_bytes, tensorboard)
        encode = dataset.vocabulary.encode
        train, validation = (
            [encode(text) for text in dataset.texts(split)] for split in ("train", "validation")
        )
        training = self.recipe.training
        return Loop(
            learner=learner,
            training=training,
            train=train,
            measure=perplexity_on(validation, training.batch_size),
            checkpoint=self.checkpoint,
            metrics=metrics,
            progress=progress,
            save_model=save_model,
            watch=watch,
            should_stop=should_stop,
            ranks=self.ranks,
            collate=pad_headed if self.header_names else pad,
            examples_of=self._headed(dataset, train) if self.header_names else None,
        )

    def _headed(
        self, dataset: Dataset, train: Sequence[Ids]
    ) -> Callable[[int], Sequence[HeadedPoem]]:
        """Number of an epoch → the training poems, with what it keeps of their headers."""
        names = Headers(self.header_names, dataset.vocabulary)
        poems = dataset.split("train")
        headers = [names.encode(Heading.of(poem, names.conditions)) for poem in poems]
        training = self.recipe.training

        def examples_of(epoch: int) -> Sequence[HeadedPoem]:
            kept = kept_parts(len(train), training.seed, epoch, training.condition_dropout)
            return headed(train, headers, kept)

        return examples_of

    def _learner(self, weights: Weights) -> Learner:
        if self.engine == "numpy":
            if self.ranks.size > 1:
                raise UsageError(
                    f"--engine numpy under torchrun with {self.ranks.size} processes: it trains in "
                    "one; start it as `yinshi train`, or leave --engine out"
                )
            from yinshi.training.numpy_learner import NumpyLearner

            return NumpyLearner(self.recipe, weights)
        try:
            from yinshi.nets.language_model import LanguageModel
            from yinshi.nets.learner import TorchLearner
        except ImportError:
            raise MissingExtraError("training", "train") from None
        training, ranks = self.recipe.training, self.ranks

        def build() -> LanguageModel:
            V = len(weights["embedding.weight"])
            return LanguageModel(self.recipe.network, V, training.backend)

        return TorchLearner(build, training, weights, ranks.rank, ranks.size, ranks.local_rank)

    def _facts(self, progress: Progress, perplexity: float, precision: str) -> dict[str, Any]:
        return {
            "data_hash": self.data_hash,
            "validation_perplexity": perplexity,
            "epochs": progress.epoch,
            "steps": progress.step,
            "tokens": progress.total_tokens,
            "seconds": round(progress.seconds),
            "engine": self.engine,
            "precision": precision,
            "date": date.today().isoformat(),
            "yinshi": __version__,
        }
