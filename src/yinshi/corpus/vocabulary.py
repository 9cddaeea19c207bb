"""Characters ⇄ numbers. Built from the training split only; ids 0–3 are the specials."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinshi.atomic import write_atomically
from yinshi.errors import DataError

SPECIALS = ("<pad>", "<sos>", "<eos>", "<unk>")
PAD, SOS, EOS, UNK = range(4)


class Vocabulary:
    """The specials, then the characters by falling frequency.

    >>> vocabulary = Vocabulary.count(["明月出天山", "明月"])
    >>> vocabulary.encode("明山人").tolist()
    [4, 7, 3]
    >>> vocabulary.decode([4, 5])
    '明月'
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        self._ids = {c: i for i, c in enumerate(self.characters, start=len(SPECIALS))}
        if len(self._ids) != len(self.characters) or any(len(c) != 1 for c in self.characters):
            raise DataError("vocabulary: expected distinct single characters; prepare it anew")

    @classmethod
    def count(
        cls, texts: Iterable[str], min_frequency: int = 1, max_size: int | None = None
    ) -> Vocabulary:
        """Characters seen at least `min_frequency` times, at most `max_size` ids in all
        (specials included); equal frequencies in code point order."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        kept = sorted((-n, c) for c, n in counts.items() if n >= min_frequency)
        room = None if max_size is None else max_size - len(SPECIALS)
        return cls([c for _, c in kept[:room]])

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._ids

    def id(self, character: str) -> int:
        """The character's id, `UNK` where it has none."""
        return self._ids.get(character, UNK)

    def encode(self, text: str) -> NDArray[np.int32]:
        """ids (len(text),), without `<sos>` and `<eos>`."""
        ids = self._ids
        return np.array([ids.get(c, UNK) for c in text], dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; specials keep their names."""
        return "".join(
            SPECIALS[i] if i < len(SPECIALS) else self.characters[i - len(SPECIALS)]
            for i in map(int, ids)
        )

    def save(self, path: Path) -> None:
        tokens = [*SPECIALS, *self.characters]
        write_atomically(path, (json.dumps(tokens, ensure_ascii=False, indent=0) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        try:
            tokens = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: not a readable vocabulary ({error}); prepare it anew"
            ) from error
        if not isinstance(tokens, list) or tuple(tokens[: len(SPECIALS)]) != SPECIALS:
            raise DataError(f"{path}: expected a list that begins with {' '.join(SPECIALS)}")
        return cls(tokens[len(SPECIALS) :])
