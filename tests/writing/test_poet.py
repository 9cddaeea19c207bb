from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import tiny_model

import yinshi
from yinshi.corpus.vocabulary import EOS, SOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import ModelFileError, UnknownCharacterError, UsageError
from yinshi.writing.poet import SHIPPED, Poet
from yinshi.writing.written_poem import WrittenPoem

SHIPPED_FILE = Path(yinshi.__file__).parent / "models" / f"{SHIPPED}.safetensors"
FILE = tiny_model()
POET = Poet(FILE, "tiny")


def test_poems_come_prefix_by_prefix_with_their_seeds() -> None:
    poems = POET.write(["月", "紅山"], count=3, seed=7)
    assert [poem.seed for poem in poems] == [7, 8, 9, 7, 8, 9]
    assert [poem.prefix for poem in poems] == ["月"] * 3 + ["紅山"] * 3
    assert all(poem.text.startswith(poem.prefix) for poem in poems)


def test_each_poem_can_be_written_again_alone() -> None:
    for poem in POET.write(["月", "红", ""], count=4, seed=3):
        (again,) = POET.write(poem.prefix, seed=poem.seed)
        assert again.text == poem.text


def test_a_seed_at_random_is_recorded() -> None:
    (poem,) = POET.write("月")
    assert poem.seed is not None
    assert POET.write("月", seed=poem.seed)[0].text == poem.text
    assert len({POET.write()[0].seed for _ in range(5)}) > 1


def test_a_poem_of_a_known_seed_stays_the_same() -> None:
    """Equal weights, so that the poem is the generator's numbers: a change changes every poem."""
    weights = {name: np.zeros_like(weight) for name, weight in FILE.weights.items()}
    flat = Poet(type(FILE)(weights, FILE.recipe, FILE.vocabulary), "flat")
    assert flat.write("月", seed=3, max_length=16)[0].text == "月山峯后。後髮月雨？"


def test_nats_are_those_of_the_whole_text_under_the_model() -> None:
    network = LanguageModel(FILE.weights)
    for poem in POET.write(["", "山日"], count=4, seed=0, temperature=1.2, top_k=10):
        tokens = FILE.vocabulary.encode(poem.text).tolist()
        costs = {}
        for ended in ([*tokens, EOS], tokens):  # a poem that was cut back has no end
            inputs = np.array([[SOS, *ended[:-1]]]).T
            nats = network.token_nats(inputs, np.array([ended]).T, np.array([len(ended)]))
            costs[len(ended)] = nats.mean()
        assert any(cost == pytest.approx(poem.nats_per_character) for cost in costs.values())


def test_greedy_and_beam_draw_nothing() -> None:
    for options in ({"method": "greedy"}, {"method": "beam", "beam_width": 3}):
        first, again = (POET.write(["月", "山"], **options) for _ in range(2))  # type: ignore[arg-type]
        assert [p.text for p in first] == [p.text for p in again]
        assert [p.prefix for p in first] == ["月", "山"]
        assert {p.seed for p in first} == {None}
    best = POET.write("月", method="beam", beam_width=6, count=3)
    nats = [poem.nats_per_character for poem in best]
    assert len({poem.text for poem in best}) == 3
    assert nats == sorted(nats)


def test_the_poem_may_be_in_the_other_script() -> None:
    (own,) = POET.write("紅顏", seed=1)
    (same,) = POET.write("红颜", seed=1, script="traditional")
    (other,) = POET.write("红颜", seed=1, script="simplified")
    assert own.text == same.text != other.text
    assert own.text.startswith("紅顏")
    assert other.text.startswith("红颜")
    assert len(other.text) == len(own.text)
    plain = Poet(tiny_model("，。月红颜", script="simplified"), "plain")
    assert plain.write("紅", seed=1, script="traditional")[0].text.startswith("紅")


def test_no_prefix_begins_freely() -> None:
    poems = POET.write(count=20, seed=0)
    assert len({poem.text[0] for poem in poems}) > 3
    assert POET.write([]) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": 0}, "count 0: expected at least 1"),
        ({"seed": -1}, "seed -1: expected at least 0"),
        ({"temperature": 0}, "temperature 0: expected 0.01 to 100"),
        ({"top_k": 0}, "top_k 0: expected"),
        ({"top_p": 1.5}, "top_p 1.5: expected"),
        ({"max_length": 1}, "prefix '月' has 1 characters: expected fewer than max_length 1"),
        ({"max_length": 0, "prefixes": ""}, "expected fewer than max_length 0"),
        ({"method": "greedy", "count": 2}, "count 2: greedy writes one poem"),
        ({"method": "beam", "beam_width": 2, "count": 3}, "beam_width 2: expected at least"),
        ({"method": "beam", "beam_width": 0}, "beam_width 0: expected at least"),
        ({"method": "best"}, "method 'best': expected one of sample, greedy, beam"),
        ({"script": "latin"}, "script 'latin': expected one of traditional, simplified"),
    ],
)
def test_what_can_not_be_met_is_told_in_one_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        POET.write(**{"prefixes": "月", **options})
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_one_unknown_prefix_of_several_is_told() -> None:
    with pytest.raises(UnknownCharacterError, match="犬"):
        POET.write(["月", "犬"])


def test_a_file_or_a_run_can_be_loaded(tmp_path: Path) -> None:
    FILE.save(tmp_path / "best.safetensors", dtype="float16")
    of_file = Poet.load(tmp_path / "best.safetensors")
    of_run = Poet.load(str(tmp_path))
    assert of_run.name == str(tmp_path)
    assert of_file.write("月", seed=0)[0].text == of_run.write("月", seed=0)[0].text


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"best\.safetensors"):
        Poet.load(tmp_path)
    with pytest.raises(ModelFileError, match="no such file"):
        Poet.load(tmp_path / "none.safetensors")


@pytest.mark.skipif(not SHIPPED_FILE.exists(), reason="no model is shipped yet")
def test_the_shipped_model_writes_poems() -> None:
    assert SHIPPED_FILE.stat().st_size <= 14e6
    poems = Poet.load().write([*"日红山夜湖海月"], seed=0)
    assert [poem.text[0] for poem in poems] == [*"日紅山夜湖海月"]
    assert all(poem.nats_per_character < 7 for poem in poems)


def test_a_poem_is_laid_out_a_sentence_a_line() -> None:
    poem = WrittenPoem("春山新雨後，夜半一燈明。風過竹聲細，花開江上城。", "春", 4, 4.5)
    assert str(poem) == "春山新雨後，夜半一燈明。\n風過竹聲細，花開江上城。"
    assert poem.lines == str(poem).split("\n")
    assert json.loads(json.dumps(poem.to_dict(), ensure_ascii=False)) == {
        "text": "春山新雨後，夜半一燈明。風過竹聲細，花開江上城。",
        "form": "五绝",
        "prefix": "春",
        "seed": 4,
        "nats_per_character": 4.5,
        "known_span": None,
        "title": None,
        "style": None,
    }


def test_layout_loses_nothing() -> None:
    for text in ("月。", "月？！山", "月，山", "。月", ""):
        assert "".join(WrittenPoem(text, "", None, 0.0).lines) == text
