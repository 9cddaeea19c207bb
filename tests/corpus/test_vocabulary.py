from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.corpus.vocabulary import SPECIALS, UNK, Vocabulary
from yinshi.errors import DataError

TEXTS = st.lists(st.text("春江花月夜", max_size=12), max_size=8)


def test_characters_stand_by_falling_frequency_then_code_point() -> None:
    vocabulary = Vocabulary.count(["月月月", "山山日日", "花"])
    assert vocabulary.characters == ["月", "山", "日", "花"]  # 山 U+5C71 before 日 U+65E5
    assert [vocabulary.id(c) for c in "月山日花海"] == [4, 5, 6, 7, UNK]
    assert len(vocabulary) == 8


def test_min_frequency_is_inclusive() -> None:
    assert Vocabulary.count(["月月月山山花"], min_frequency=2).characters == ["月", "山"]


def test_max_size_counts_the_specials() -> None:
    vocabulary = Vocabulary.count(["月月月山山花"], max_size=6)
    assert vocabulary.characters == ["月", "山"]
    assert len(vocabulary) == 6


@given(TEXTS, st.integers(1, 4), st.none() | st.integers(5, 8))
def test_no_character_left_out_is_more_frequent_than_one_kept(
    texts: list[str], min_frequency: int, max_size: int | None
) -> None:
    counts = Counter("".join(texts))
    vocabulary = Vocabulary.count(texts, min_frequency, max_size)
    kept = [counts[c] for c in vocabulary.characters]
    left_out = [n for c, n in counts.items() if c not in vocabulary and n >= min_frequency]
    assert kept == sorted(kept, reverse=True)
    assert all(n >= min_frequency for n in kept)
    assert max_size is None or len(vocabulary) <= max_size
    assert not left_out or (len(vocabulary) == max_size and max(left_out) <= min(kept))


@given(TEXTS)
def test_decode_undoes_encode(texts: list[str]) -> None:
    vocabulary = Vocabulary.count(texts)
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text


def test_specials_decode_to_their_names() -> None:
    assert Vocabulary(["月"]).decode([1, 4, 3, 2, 0]) == "<sos>月<unk><eos><pad>"


def test_saved_and_loaded_the_same(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    Vocabulary.count(["明月出天山", "𠀋月"]).save(path)
    tokens = json.loads(path.read_text(encoding="utf-8"))
    assert tuple(tokens[:4]) == SPECIALS
    assert tokens[4] == "月"
    assert Vocabulary.load(path).characters == tokens[4:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"{}",
        b"\xff",
        b'["<pad>"]',
        b'["<pad>","<sos>","<eos>","<unk>","ab"]',
        '["<pad>","<sos>","<eos>","<unk>","月","月"]'.encode(),
    ],
)
def test_a_damaged_vocabulary_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        Vocabulary.load(path)
