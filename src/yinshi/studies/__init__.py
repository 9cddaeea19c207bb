"""Experiments, each of which writes a report: `yinshi study NAME`.

A study is a module with a function

    run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None

which trains and measures, adds what it finds to `report.records`, and ends with `write(report)`,
which makes the README and its figures of the records alone. With `quick` it does all of that in
miniature. The data are prepared poems; those of `classify` are texts with labels, `LabelledData`.
`report.py` is the folder which is written, `trials.py` the trainings, which resume.
"""

from __future__ import annotations

#: study → what it asks; its module is `yinshi.studies.<study>`, with _ for -.
STUDIES = {
    "gradient-flow": "How far back does a gradient reach, in RNNs and LSTMs?",
    "initialization": "What do the weights before training decide?",
    "optimizers": "Which optimizer learns the poems best, and at what learning rate?",
    "own-versus-library": "Do our layer, PyTorch's and the NumPy engine learn the same?",
    "embeddings": "What do word vectors learnt beforehand bring?",
    "size": "What do more units, wider embeddings and more layers bring?",
    "poet": "What makes the best small model of Tang verse?",
    "classify": "Tokenizer, stop words, vectors, model: which of them tells classes apart?",
}
