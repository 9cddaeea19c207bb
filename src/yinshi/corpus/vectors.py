"""Word vectors: trained on texts, or read from a file in the text format of word2vec and fastText.

    200000 300                        header: how many words, of which dimension (may be absent)
    明月 0.0127 -0.3041 … 0.0816      a word and its vector, between single spaces
    …

A word is whatever the texts are sequences of: for poems, a character.
"""

from __future__ import annotations

import bz2
import gzip
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.atomic import write_atomically
from yinshi.errors import DataError, MissingExtraError, UsageError

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"(\d{1,12}) ([1-9]\d{0,5})")
_LINE_LIMIT = 1 << 24  # bytes: of a file without lines not all comes into memory
_UNWRITABLE = re.compile("[\n\ud800-\udfff]")  # ends a line; is not Unicode text
_TEXT_LIMIT = 10_000  # words: of a longer text gensim silently drops the rest

Line = tuple[int, bytes]  # its number in the file, and it without its end


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Distinct `words`, and `matrix` (N, E): row i is the vector of words[i].

    vectors = read_vectors(Path("cc.zh.300.vec.gz"), wanted=vocabulary.characters)
    places, rows = vectors.rows_for(vocabulary.characters)
    embedding[places] = rows
    """

    words: tuple[str, ...]
    matrix: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """E."""
        return int(self.matrix.shape[1])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def rows_for(self, words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The places (K,) in `words` that have a vector, in order, and their vectors (K, E)."""
        places = [place for place, word in enumerate(words) if word in self]
        rows = [self._rows[words[place]] for place in places]
        return np.array(places, dtype=np.int64), self.matrix[np.array(rows, dtype=np.int64)]

    def coverage(self, words: Collection[str]) -> float:
        """The share of `words`, each as often as it stands there, that have a vector; of none 0."""
        return sum(word in self for word in words) / max(len(words), 1)

    def nearest(self, word: str, count: int = 8) -> list[tuple[str, float]]:
        """The `count` words nearest to `word`, itself left out, with their cosines, falling.

        Equally near ones stand in the order of `words`. A vector of zeros has the cosine 0 with
        every other. Raises UsageError where `word` has no vector.
        """
        if word not in self:
            raise UsageError(
                f"{word!r}: found no vector, expected one of the {len(self)} words that have one; "
                "ask for another"
            )
        itself = self._rows[word]
        lengths = np.maximum(np.linalg.norm(self.matrix, axis=1), np.finfo(np.float32).tiny)
        cosines = self.matrix @ (self.matrix[itself] / lengths[itself]) / lengths
        order = [row for row in np.argsort(-cosines, kind="stable") if row != itself]
        return [(self.words[row], float(cosines[row])) for row in order[:count]]

    def save(self, path: Path) -> None:
        """Write the text format, with header, all at once; `read_vectors` gives the same float32s.

        Most other readers split at every space: a word with a space in it is for ours. Raises
        UsageError for a word that no reader could find again.
        """
        for word in self.words:
            if _UNWRITABLE.search(word) or _ends_in_number(word.encode("utf-8", "replace")):
                raise UsageError(
                    f"{path}: found the word {word!r}, expected words without a line break, a "
                    "surrogate, or a number after a space; leave it out or join it with _"
                )
        line = "%s" + " %.9g" * self.dimension + "\n"  # nine digits tell any two float32s apart
        rows = zip(self.words, self.matrix.tolist(), strict=True)
        text = "".join(line % (word, *row) for word, row in rows)
        write_atomically(path, f"{len(self)} {self.dimension}\n{text}".encode())


def train_vectors(
    texts: Iterable[Sequence[str]],
    dimension: int,
    seed: int = 0,
    window: int = 5,
    epochs: int = 5,
    min_count: int = 1,
) -> WordVectors:
    """Vectors (N, `dimension`) of the words seen at least `min_count` times, the most frequent
    first, equal frequencies in code point order; on one machine the same seed gives the same ones.

    A text is a sequence of words; a str is one of characters. Skip-gram with negative sampling
    (Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their
    Compositionality"), by gensim. Of words seen fewer than some twenty times the vectors say
    little. Raises MissingExtraError without gensim, UsageError where no word is seen often enough.
    """
    word2vec = _word2vec()
    pieces = [
        text[start : start + _TEXT_LIMIT]
        for text in texts
        for start in range(0, len(text), _TEXT_LIMIT)
    ]
    counts = Counter(word for piece in pieces for word in piece)
    kept = sorted((-n, word) for word, n in counts.items() if n >= min_count)
    if not kept:
        raise UsageError(
            f"word vectors: found no word {min_count} times or oftener, expected texts that have "
            "some; give more text or a lower min_count"
        )
    model = word2vec(
        vector_size=dimension,
        window=window,
        min_count=min_count,
        seed=seed,
        sg=1,  # skip-gram: half of the characters are rare, and CBOW averages them away
        negative=5,  # ten took 1.7 times as long on the Tang and were no better
        sample=1e-3,  # 1e-4 threw away too much of so small a corpus
        workers=1,  # threads race each other: another order of the updates each time
        sorted_vocab=0,  # they are sorted here
    )
    model.build_vocab_from_freq({word: -n for n, word in kept}, corpus_count=len(pieces))
    model.train(pieces, total_examples=len(pieces), epochs=epochs)
    return WordVectors(tuple(model.wv.index_to_key), model.wv.vectors)


def read_vectors(path: Path, wanted: Collection[str] | None = None) -> WordVectors:
    """The vectors of a file in text format (`.gz` and `.bz2` too): all, or only the `wanted` ones.

    The file is read once, line by line, and only the rows asked for stay in memory; they keep the
    file's order, and of a word that stands there twice the first row counts. The last E fields of
    a line are its vector: a word may hold spaces, but not end in one and a number. Blank lines are
    passed over. Of the lines not wanted the encoding of the word and the number of fields are
    checked, not the numbers.

    Raises DataError, with the number of the line, for whatever is not such a file or not all of it.
    """
    try:
        with _OPENERS.get(path.suffix, open)(path, "rb") as file:
            return _parse(path, _lines(file), None if wanted is None else set(wanted))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: can't be read ({reason}), expected word vectors as text; "
            "check the path or fetch the file again"
        ) from None


def _lines(file: Any) -> Iterator[Line]:
    for number, line in enumerate(iter(lambda: file.readline(_LINE_LIMIT), b""), start=1):
        content = line.rstrip(b" \r\n")  # word2vec ends each line with a space
        if content:
            yield number, content


def _parse(path: Path, lines: Iterator[Line], wanted: set[str] | None) -> WordVectors:
    head = [(number, line.removeprefix(_BYTE_ORDER_MARK)) for number, line in islice(lines, 2)]
    if not head:
        raise DataError(f"{path}: found an empty file, expected word vectors; fetch it again")
    header = _header(head)
    promised, dimension = header or (None, max(1, head[0][1].count(b" ")))
    rows: dict[str, int] = {}
    values, read = array("f"), 0
    for number, line in chain(head[1:] if header else head, lines):
        try:
            end = _end_of_word(line, dimension)
            word = line[:end].decode()
            if (wanted is None or word in wanted) and word not in rows:
                values.extend(_numbers(line[end + 1 :]))
                rows[word] = len(rows)
            elif not read:
                _numbers(line[end + 1 :])  # the first row tells vectors from any other text
        except UnicodeDecodeError:
            raise DataError(
                f"{path}, line {number}: found bytes that are not UTF-8, expected word vectors as "
                "UTF-8 text; convert the file (from a binary one, save the vectors as text)"
            ) from None
        except ValueError as fault:
            raise DataError(
                f"{path}, line {number}: {fault}; correct the line or fetch the file again"
            ) from None
        read += 1
    if promised not in (None, read):
        raise DataError(
            f"{path}: found {read} rows up to its last line, expected {promised} as its header "
            "says; fetch the file again (a broken download?) or correct the header"
        )
    return WordVectors(tuple(rows), np.asarray(values, dtype=np.float32).reshape(-1, dimension))


def _header(head: list[Line]) -> tuple[int, int] | None:
    """How many words of which dimension, where the first line says so.

    It may as well be a one-dimensional vector, of a word that is a number: then one number stands
    in the next line too.
    """
    found = _HEADER.fullmatch(head[0][1])
    if not found:
        return None
    count, dimension = map(int, found.groups())
    one_number_next = len(head) == 2 and head[1][1].count(b" ") == 1
    return None if one_number_next and dimension != 1 else (count, dimension)


def _end_of_word(line: bytes, dimension: int) -> int:
    """Where the space before the vector is. Raises ValueError where the line is no such row."""
    spaces = line.count(b" ")
    if spaces == dimension:
        return line.index(b" ")
    line.decode()  # of a binary file say that, not how many spaces happen to be in it
    word = line.rsplit(b" ", dimension)[0]
    if spaces < dimension or _ends_in_number(word):
        raise ValueError(f"found {spaces} numbers after the word, expected {dimension}")
    return len(word)


def _ends_in_number(word: bytes) -> bool:
    """Whether it ends in a space and a number: then the vector may as well be one longer."""
    _, space, last = word.rpartition(b" ")
    return bool(space) and _is_number(last)


def _is_number(field: bytes) -> bool:
    """Whether it is a finite float32."""
    try:
        number = array("f", [float(field)])
    except ValueError:
        return False
    return math.isfinite(number[0]) and b"_" not in field  # 1_000 is Python's alone


def _numbers(fields: bytes) -> array[float]:
    """float32s. Raises ValueError where one is none, or not finite."""
    numbers = fields.split(b" ")
    try:
        row = array("f", list(map(float, numbers)))
    except ValueError:
        row = array("f", [math.nan])
    if math.isfinite(sum(row)) and b"_" not in fields:  # a sum of float32s can't overflow
        return row
    wrong = next(number for number in numbers if not _is_number(number))
    raise ValueError(f"found {wrong.decode()!r}, expected a finite number")


def _word2vec() -> Any:
    try:
        from gensim.models import Word2Vec
    except ImportError:
        raise MissingExtraError("training word vectors", "vectors") from None
    return Word2Vec
