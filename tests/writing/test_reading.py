"""What the network makes of a poem: by hand, as the evaluation has it, and as the poet paid it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_models import tiny_model, told_model

from yinshi.corpus.vocabulary import EOS, SOS
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.evaluation.evaluate import token_nats
from yinshi.model_file import ModelFile, resolve_model
from yinshi.recipe import NetworkRecipe, Recipe
from yinshi.writing import reading as module
from yinshi.writing.poet import Poet
from yinshi.writing.reading import END
from yinshi.writing.sampling import log_softmax

FILE = tiny_model(layers=2)
POET = Poet(FILE, "tiny")
TEXT = "月山日紅，顏髮風雲。雨花後來，無人山月。"


def nats_of(poet: Poet, text: str, **told: Any) -> list[float]:
    return [each.nats for each in poet.read(text, **told).characters]


def test_it_pays_what_the_evaluation_pays() -> None:
    found = token_nats(FILE, [FILE.vocabulary.encode(TEXT)])
    reading = POET.read(TEXT)
    np.testing.assert_allclose(nats_of(POET, TEXT), found.nats, rtol=1e-5)
    assert reading.perplexity == pytest.approx(found.perplexity)
    assert reading.text == TEXT
    assert "".join(each.character for each in reading.characters) == TEXT + END


@pytest.mark.parametrize("method", ["sample", "beam"])
def test_a_poem_of_its_own_is_as_likely_as_it_was_written(method: Any) -> None:
    for poem in POET.write(["", "山日"], count=4, seed=0 if method == "sample" else None,
                           method=method, temperature=0.9):  # fmt: skip
        nats = nats_of(POET, poem.text)
        means = [np.mean(nats), np.mean(nats[:-1])]  # one that was cut back has no end
        assert any(mean == pytest.approx(poem.nats_per_character, rel=1e-5) for mean in means)


def test_poems_of_the_shipped_model() -> None:
    """Told nothing, neither while it writes nor while it reads."""
    poet = Poet(replace(ModelFile.load(resolve_model(None)), header_names=()), "untold")
    poems = [*poet.write("月", count=2, seed=7), *poet.write(form="五律", seed=1, candidates=8)]
    for poem in poems:
        reading = poet.read(str(poem))
        assert reading.text == poem.text
        assert reading.nats_per_character == pytest.approx(poem.nats_per_character, rel=1e-5)


def test_what_the_poet_was_told_it_is_told_again() -> None:
    poet = Poet(told_model(), "told")
    told = {"title": "明月", "style": "李白"}
    open_ = {"form": "五绝", "tones": "off", "rhyme": "off", "candidates": 4}
    (poem,) = poet.write(seed=2, **told, **open_)  # type: ignore[arg-type]
    nats = nats_of(poet, poem.text, form="五绝", **told)
    means = [np.mean(nats), np.mean(nats[:-1])]
    assert any(mean == pytest.approx(poem.nats_per_character, rel=1e-5) for mean in means)
    assert nats != pytest.approx(nats_of(poet, poem.text), rel=1e-2)
    assert nats_of(poet, TEXT, form="五绝") != nats_of(poet, TEXT)
    with pytest.raises(UsageError, match="style '王維'"):
        poet.read(TEXT, style="王維")


def test_probabilities_ranks_and_alternatives_by_hand() -> None:
    model, vocabulary = LanguageModel(FILE.weights), FILE.vocabulary
    tokens, state = [SOS, *vocabulary.encode(TEXT)], model.initial_state(1)
    for token, target, each in zip(
        tokens, [*tokens[1:], EOS], POET.read(TEXT).characters, strict=True
    ):
        logits, state = model.step(np.array([token]), state)
        p = np.exp(log_softmax(logits)[0].astype(float))
        assert each.probability == pytest.approx(p[target], rel=1e-4)
        assert each.rank == 1 + (p > p[target]).sum()
        order = [t for t in np.argsort(-p) if t not in (0, 1, 3, target)][:5]
        assert [name for name, _ in each.alternatives] == [
            END if t == EOS else vocabulary.decode([t]) for t in order
        ]
        assert [q for _, q in each.alternatives] == pytest.approx(p[order], rel=1e-4)


def test_gates_are_those_of_the_cells_by_hand() -> None:
    """h = o tanh(c) and c = f c₋ + i g, with z = W x + U h₋ + b, i f g o in this order."""
    w = {name: np.asarray(weight, float) for name, weight in FILE.weights.items()}
    h = c = np.zeros(12)
    rows: dict[str, list[np.ndarray]] = {"input": [], "forget": [], "output": [], "cell": []}
    for token in [SOS, *FILE.vocabulary.encode(TEXT)]:
        z = w["lstm.weight_ih_l0"] @ w["embedding.weight"][token] + w["lstm.bias_ih_l0"]
        z += w["lstm.weight_hh_l0"] @ h + w["lstm.bias_hh_l0"]
        i, f, o = (1 / (1 + np.exp(-z[k : k + 12])) for k in (0, 12, 36))
        c = f * c + i * np.tanh(z[24:36])
        h = o * np.tanh(c)
        for name, row in zip(rows, (i, f, o, np.tanh(c)), strict=True):
            rows[name].append(row)
    expected = {name: np.array(found[1:]) for name, found in rows.items()}  # not that of <sos>
    gates = POET.read(TEXT).gates
    assert gates is not None
    assert sorted(gates.units) == list(range(12))
    varies = expected["cell"].var(axis=0)[gates.units]
    assert varies.tolist() == sorted(varies, reverse=True)
    np.testing.assert_allclose(gates.cell, expected["cell"][:, gates.units], atol=1e-5)
    for name in ("input", "forget", "output"):
        np.testing.assert_allclose(getattr(gates, name), expected[name].mean(axis=1), atol=1e-5)
        units = getattr(gates, f"{name}_units")
        np.testing.assert_allclose(units, expected[name][:, gates.units], atol=1e-5)


def test_only_the_units_that_vary_most(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = POET.read(TEXT).gates
    monkeypatch.setattr(module, "UNITS", 3)
    few = POET.read(TEXT).gates
    assert whole is not None
    assert few is not None
    assert few.units.tolist() == whole.units[:3].tolist()
    assert few.cell.shape == few.forget_units.shape == (len(TEXT), 3)


def test_for_json() -> None:
    plain, full = (POET.read(TEXT).to_dict(gates=gates) for gates in (False, True))
    assert json.loads(json.dumps(full)) == full
    assert list(plain) == ["text", "perplexity", "nats_per_character", "characters"]
    first = plain["characters"][0]
    assert list(first) == ["character", "nats", "probability", "rank", "alternatives"]
    assert list(first["alternatives"][0]) == ["character", "probability"]
    assert plain["characters"][-1]["character"] == "⏎"
    gates = full.pop("gates")
    assert full == plain
    assert list(gates) == ["input", "forget", "output", "units", "cell",
                           "input_units", "forget_units", "output_units"]  # fmt: skip
    assert len(gates["cell"]) == len(gates["input"]) == len(TEXT)
    assert all(round(value, 4) == value for value in gates["cell"][0])


def test_text_in_either_script_and_however_laid_out() -> None:
    poem = POET.read("紅顏發，\n 後人來. ")
    assert poem.text == "紅顏發，後人來。"
    assert POET.read("红颜发，后人来。").text[:2] == "紅顏"
    assert POET.read("后山").text == "后山"  # as it stands: the model knows it


def test_a_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nats_of(POET, TEXT * 5)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert nats_of(POET, TEXT * 5) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("text", ["", " \n "])
def test_nothing_is_no_poem(text: str) -> None:
    with pytest.raises(UsageError, match="text: found nothing to read, expected a poem"):
        POET.read(text)


def test_unknown_characters_are_told() -> None:
    with pytest.raises(UnknownCharacterError, match="the model has never seen 犬, 馬; ask for"):
        POET.read("紅犬馬犬")


def test_a_network_without_gates_has_none_to_show() -> None:
    network = NetworkRecipe(cell="rnn-tanh", embedding=8, hidden=12, tie_weights=True)
    weights = initial_weights(
        network.weight_shapes(len(FILE.vocabulary)), 12, np.random.default_rng(0)
    )
    poet = Poet(ModelFile(weights, Recipe(name="rnn", network=network), FILE.vocabulary), "rnn")
    reading = poet.read(TEXT)
    assert reading.gates is None
    assert len(reading.to_dict()["characters"]) == len(TEXT) + 1
    with pytest.raises(UsageError, match="gates: the model has none, being no LSTM"):
        reading.to_dict(gates=True)
