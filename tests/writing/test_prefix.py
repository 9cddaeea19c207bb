from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from tiny_models import CHARACTERS, SIMPLIFIED, tiny_model

from yinshi.corpus.vocabulary import SOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.model_file import ModelFile
from yinshi.writing.prefix import PrefixReader


def reader_of(file: ModelFile) -> PrefixReader:
    return PrefixReader(LanguageModel(file.weights), file.vocabulary, file.recipe.corpus.script)


def read(file: ModelFile, text: str) -> str:
    return file.vocabulary.decode(reader_of(file).read(text))


TRADITIONAL = tiny_model()
PLAIN = tiny_model(SIMPLIFIED, script="simplified")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("紅", "紅"),
        ("红", "紅"),
        ("红颜", "紅顏"),
        ("紅颜", "紅顏"),  # mixed
        ("峰", "峯"),  # the only one of the vocabulary with this simplified form
        (" 月,\n山. 日? ", "月，山。日？"),
    ],
)
def test_a_traditional_model_reads_both_scripts(text: str, expected: str) -> None:
    assert read(TRADITIONAL, text) == expected


@pytest.mark.parametrize("text", ["紅顏", "红颜", "紅颜"])
def test_a_simplified_model_reads_both_scripts(text: str) -> None:
    assert read(PLAIN, text) == "红颜"


def test_traditional_text_is_taken_as_it_stands() -> None:
    """後 is traditional only, so that 后 beside it is the empress, whatever the network thinks."""
    for text in ("後后", "后後", "髮后", "發后"):
        assert read(TRADITIONAL, text) == text


@pytest.mark.parametrize("likelier", ["發", "髮"])
def test_the_model_resolves_an_ambiguous_character(likelier: str) -> None:
    file = tiny_model()
    file.weights["output.bias"][file.vocabulary.id(likelier)] = 30  # type: ignore[index]
    assert read(file, "发") == likelier


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_prefix_decides_not_each_character(seed: int) -> None:
    """Against every reading, by brute force. (One choice at a time fails for some seeds: below.)"""
    file = tiny_model(seed=seed)
    model = LanguageModel(file.weights)
    text = "发月后云发"
    options = ["發髮", "月", "後后", "雲", "發髮"]
    readings = np.array([file.vocabulary.encode("".join(r)) for r in product(*options)]).T
    inputs = np.vstack([np.full(readings.shape[1], SOS), readings[:-1]])
    nats = model.token_nats(inputs, readings, np.full(readings.shape[1], len(text)))
    expected = readings[:, nats.sum(axis=0).argmin()]
    assert reader_of(file).read(text) == tuple(expected)


def test_unknown_characters_are_all_named_with_a_variant_that_is_known() -> None:
    with pytest.raises(UnknownCharacterError) as raised:
        reader_of(TRADITIONAL).read("月顔犬a犬")
    told = str(raised.value)
    assert "顔 (nearest known variant: 顏), 犬, a;" in told
    assert "\n" not in told


def test_specials_are_not_characters() -> None:
    with pytest.raises(UnknownCharacterError):
        reader_of(TRADITIONAL).read("<eos>")


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        reader_of(TRADITIONAL).read("月\udcff")


def test_every_character_of_the_vocabulary_can_be_asked_for() -> None:
    for character in set(CHARACTERS) - set("后"):  # 后 alone is ambiguous
        assert read(TRADITIONAL, character) == character
