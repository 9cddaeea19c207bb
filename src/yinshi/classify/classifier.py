"""The one class that a user of classification needs.

    train, test = load_table("train.tsv"), load_table("test.tsv")
    classifier = TextClassifier(model="bilstm-attention", tokenizer="jieba").fit(train)
    print(classifier.evaluate(test).accuracy, classifier.predict(["价格公道，味道也好"]))

Training needs PyTorch; a trained classifier runs on NumPy alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.classifier_file import ClassifierFile
from yinshi.classify.encoder import Encoder
from yinshi.classify.examples import pad_texts
from yinshi.classify.predictor import Predictor
from yinshi.classify.tables import Table, require_classes, stratified_split
from yinshi.engine import text_classifier as engine
from yinshi.errors import MissingExtraError, UsageError
from yinshi.recipe import ClassificationRecipe, ClassifierRecipe, TextRecipe, TrainingRecipe

if TYPE_CHECKING:
    from yinshi.training.loop import Watch

#: What differs from a poem network's training unless it is given.
DEFAULTS: dict[str, Any] = {"epochs": 20, "patience": 3, "clip_norm": 1.0}
SECTIONS = {"text": TextRecipe, "classifier": ClassifierRecipe, "training": TrainingRecipe}
#: Likewise for a language model of texts.
PRETRAINING: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "schedule": "one-cycle",
    "clip_norm": 1.0,
    "dropout": 0.1,
    "embedding_dropout": 0.1,
}
#: Share of the training texts that is held back where no dev texts are given.
HELD_BACK = 0.1
BATCH_SIZE = 64


def recipe_of(**settings: Any) -> ClassificationRecipe:
    """A recipe from settings by their bare names, whatever their section: `hidden`, `epochs`, ….

    With `pretrained` what its language model has to have is as there, unless it is given. Raises
    RecipeError with all faults, ModelFileError where there is no language model.
    """
    inherited = {}
    if settings.get("pretrained", "none") != "none":
        found = ClassifierFile.load(Path(settings["pretrained"])).recipe
        network = {
            name: getattr(found.classifier, name) for name in ("model", "embedding", "hidden")
        }
        inherited = vars(found.text) | network
    sections: dict[str, Any] = {name: {} for name in SECTIONS}
    for key, value in (DEFAULTS | inherited | settings).items():
        homes = [name for name, kind in SECTIONS.items() if key in {f.name for f in fields(kind)}]
        target = sections[homes[0]] if homes else sections
        target[key] = value
    return ClassificationRecipe.from_dict(sections, name="of the settings")


def pretrain(
    texts: Sequence[str],
    folder: str | Path,
    watch: Watch = lambda loop, record: None,
    should_stop: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> None:
    """Train a language model of `texts` in `folder`, for `TextClassifier(pretrained=folder)`.

    It learns to tell the next token and, if the classifier reads both ways, the one before.
    `settings` are as of `TextClassifier`; an interrupted training goes on. Raises DataError (fewer
    than two texts, no frequent word), MissingExtraError without PyTorch, TrainingError.
    """
    recipe = recipe_of(**PRETRAINING | settings)
    try:
        from yinshi.classify.pretraining import PretrainingRun
    except ImportError:
        raise MissingExtraError("pretraining a classifier", "train") from None
    PretrainingRun.start_or_resume(recipe, texts, Path(folder)).fit(watch, should_stop)


class TextClassifier(Predictor):
    """A classifier of texts: `fit` it, or `load` one.

    `settings` are fields of TextRecipe, ClassifierRecipe and TrainingRecipe (recipe/).
    """

    def __init__(self, **settings: Any) -> None:
        self.recipe = recipe_of(**settings)
        self._file: ClassifierFile | None = None

    @classmethod
    def load(cls, path: str | Path) -> TextClassifier:
        """The classifier in the file or the run's folder `path`; raises ModelFileError."""
        file = ClassifierFile.load(Path(path))
        if not file.classes:
            raise UsageError(
                f"{path}: found a language model of texts, which knows no classes yet; "
                "train a classifier that begins with it"
            )
        classifier = cls()
        classifier.recipe, classifier._file = file.recipe, file
        return classifier

    def save(self, path: str | Path) -> None:
        """Write it to one file, atomically."""
        self._trained().save(Path(path))

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of `predict_proba`'s columns."""
        return self._trained().classes

    @property
    def encoder(self) -> Encoder:
        """How it reads a text."""
        return self._trained().encoder

    def fit(
        self,
        train: Table,
        dev: Table | None = None,
        folder: str | Path | None = None,
        watch: Watch = lambda loop, record: None,
        should_stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda line: None,
    ) -> TextClassifier:
        """Train; keep the epoch with the fewest errors on `dev` (None: a tenth of `train`).

        In `folder` checkpoints and metrics are kept, and an interrupted training of the same texts
        by the same recipe goes on. Raises DataError (one class only, a label of `dev` unknown in
        `train`, no frequent word), MissingExtraError without PyTorch, TrainingError.
        """
        require_classes(train)
        if dev is None:
            ratio = (1 - HELD_BACK, HELD_BACK)
            train, dev = stratified_split(train, ratio, self.recipe.training.seed)
        require_classes(train, dev)
        try:
            from yinshi.classify.training import ClassifierRun
        except ImportError:
            raise MissingExtraError("training a classifier", "train") from None
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(folder or Path(temporary, "run"))
            run = ClassifierRun.start_or_resume(self.recipe, train, dev, place)
            for note in run.notes:
                say(note)
            self._file = run.fit(watch, should_stop)
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """P(class | text), (N, C), for any strings whatever; rows sum to 1."""
        file = self._trained()
        classifier = file.recipe.classifier
        network = engine.TextClassifier(file.weights, classifier.pooling, classifier.ngrams)
        encoded = [file.encoder.encode(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: -len(encoded[i]))
        found = np.zeros((len(texts), len(file.classes)))
        for low in range(0, len(order), BATCH_SIZE):
            rows = order[low : low + BATCH_SIZE]
            lengths = np.array([len(encoded[i]) for i in rows])
            found[rows] = network.probabilities(pad_texts([encoded[i] for i in rows]), lengths)
        return found

    def _trained(self) -> ClassifierFile:
        if self._file is None:
            raise UsageError("this classifier knows nothing yet; fit it, or load a trained one")
        return self._file
